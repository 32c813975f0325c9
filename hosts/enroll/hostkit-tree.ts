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
  const lines = files.map(({ path, content }) => `${sumOf(content)}  ./${path}\n`).sort();
  return { version, hash: sumOf(lines.join('')), files };
}

/** The sum that `sha256sum` gives for this content on a host, hex. */
export function sumOf(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

/** One of the scripts of `hosts/enroll/`, that the administrator's root runs. */
export function readScript(
  name: 'survey' | 'identity' | 'packages' | 'install' | 'keys' | 'remove' | 'arm',
): Promise<string> {
  return readFile(join(packageRoot(), 'hosts', 'enroll', `${name}.sh`), 'utf8');
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
