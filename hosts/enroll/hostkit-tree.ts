/** The hostkit as this director carries it: its files, version and content hash. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { TarFile } from './tar';

export interface HostkitTree {
  version: string;
  /** sha256, hex, over the sorted lines `SHA256  ./PATH` of every part: `probe.sh` reckons the same from what is installed. */
  hash: string;
  files: TarFile[];
}

const packageFile = z.object({ version: z.string() });

/** The folder that holds `hostkit/`, `package.json` and the enrolment's scripts: the same from source and from `dist/`. */
export function packageRoot(): string {
  for (let dir = __dirname; dir !== dirname(dir); dir = dirname(dir)) {
    if (existsSync(join(dir, 'hostkit', 'hostkit'))) return dir;
  }
  throw new Error(`no hostkit/ above ${__dirname}: this installation of Resurgo is incomplete, install it again`);
}

/** Reads `hostkit/` of this installation. */
export async function readHostkit({ root = packageRoot() }: { root?: string } = {}): Promise<HostkitTree> {
  const { version } = packageFile.parse(JSON.parse(await readFile(join(root, 'package.json'), 'utf8')));
  const paths = (await walk(join(root, 'hostkit'), '')).sort();
  const files: TarFile[] = [];
  for (const path of paths) {
    const content = await readFile(join(root, 'hostkit', path));
    files.push({ path, mode: 0o755, content });
  }
  return { version, hash: hashOf(files), files };
}

/** The same as a rescue system has it: what writes over disks is a job there, and nowhere else (hostkit/lib/rescue-image.sh). */
export function asRescue({ version, files }: HostkitTree): HostkitTree {
  const moved = files.map((file) => ({ ...file, path: file.path.replace(/^rescue\/(jobs|lib|verbs)\//, '$1/') }));
  moved.sort((one, other) => (one.path < other.path ? -1 : 1));
  return { version, hash: hashOf(moved), files: moved };
}

function hashOf(files: readonly TarFile[]): string {
  const lines = files.map(({ path, content }) => `${sumOf(content)}  ./${path}\n`).sort();
  return sumOf(lines.join(''));
}

/** The sum that `sha256sum` gives for this content on a host, hex. */
export function sumOf(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

type Script =
  | 'survey'
  | 'identity'
  | 'packages'
  | 'install'
  | 'keys'
  | 'remove'
  | 'arm'
  | 'runbooks'
  | 'live-survey'
  | 'live-install';

/** Scripts that are made of several files, in this order. */
const PARTS: Partial<Record<Script, readonly string[]>> = {
  install: ['put', 'install'],
  'live-survey': ['live-look', 'live-survey'],
  'live-install': ['live-look', 'put', 'live-install', 'identity'],
};

/** One of the scripts of `hosts/enroll/`, that the administrator's root runs. */
export async function readScript(name: Script): Promise<string> {
  const files = (PARTS[name] ?? [name]).map((part) => join(packageRoot(), 'hosts', 'enroll', `${part}.sh`));
  return (await Promise.all(files.map((file) => readFile(file, 'utf8')))).join('\n');
}

async function walk(root: string, below: string): Promise<string[]> {
  const entries = await readdir(join(root, below), { withFileTypes: true });
  const found: string[] = [];
  for (const entry of entries) {
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) found.push(...(await walk(root, path)));
    else if (entry.isFile()) found.push(path);
  }
  return found;
}
