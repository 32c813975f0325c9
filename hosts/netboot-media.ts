/** The rescue media that are served by network: a folder as `rescue fetch` leaves it, looked at before a byte of it is given to anybody. */
import { createHash } from 'node:crypto';
import { open, readFile } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { INITRAMFS, KERNEL } from '../planning/netboot';
import { filesOf, parseRescueBuild, type RescueBuild } from '../planning/rescue-media';
import { isMissing } from './files';

const FETCH = 'Fetch the build again with `resurgo rescue fetch`';

/** Media that must not, or can't, be served. */
export class NetbootError extends Error {
  readonly step = 'netboot';
  readonly host: string;
  readonly next: string;

  constructor({ host, message, next }: { host: string; message: string; next: string }) {
    super(`${message}. ${next}`);
    this.name = 'NetbootError';
    this.host = host;
    this.next = next;
  }
}

export interface ServedFile {
  handle: FileHandle;
  bytes: number;
}

export interface NetbootMedia {
  id: string;
  host: string;
  /** Open files: what is served is what was looked at, even when another build takes their place. */
  files: ReadonlyMap<string, ServedFile>;
  close: () => Promise<void>;
}

/** Opens kernel and initramfs of that host's build. @throws NetbootError when they are not what was built, or hold a pinned host key (S30) */
export async function openNetbootMedia({ folder, host }: { folder: string; host: string }): Promise<NetbootMedia> {
  const build = await readBuild({ folder, host });
  if (![build.host, build.hostName].includes(host))
    throw new NetbootError({
      host,
      message: `${folder} holds the rescue system of ${build.hostName}, not of ${host}`,
      next: `Name ${build.hostName}, or the folder of a build of ${host}`,
    });
  if (filesOf({ build, output: 'pxe' }).some(({ pinned }) => pinned))
    throw new NetbootError({
      host,
      message: `the rescue system in ${folder} has a pinned host key in it: whoever asks for it by network would hold that key, and could pass for the rescue system of ${host}`,
      next: `Build its media again (\`resurgo rescue build ${host} --output pxe\`): those for the network make their key at boot`,
    });
  const files = new Map<string, ServedFile>();
  const close = async (): Promise<void> => {
    for (const { handle } of files.values()) await handle.close();
  };
  try {
    for (const name of [KERNEL, INITRAMFS]) {
      const entry = build.files.find((each) => each.name === name);
      if (entry === undefined)
        throw new NetbootError({
          host,
          message: `the build in ${folder} has no ${name}`,
          next: 'Build with the output pxe (`outputs` below `rescue:` in the runbook), and fetch that build',
        });
      const handle = await openFile({ folder, name, host });
      files.set(name, { handle, bytes: entry.bytes });
      if ((await sumOf(handle)) !== entry.sha256)
        throw new NetbootError({
          host,
          message: `${name} in ${folder} is not what was built: its SHA-256 is another than build.json says`,
          next: FETCH,
        });
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { id: build.id, host: build.hostName, files, close };
}

async function openFile({ folder, name, host }: { folder: string; name: string; host: string }): Promise<FileHandle> {
  try {
    return await open(join(folder, name), 'r');
  } catch (error) {
    if (!isMissing(error)) throw error;
    throw new NetbootError({ host, message: `${name} is missing in ${folder}`, next: FETCH });
  }
}

async function sumOf(handle: FileHandle): Promise<string> {
  const sum = createHash('sha256');
  await pipeline(handle.createReadStream({ start: 0, autoClose: false }), sum);
  return sum.digest('hex');
}

async function readBuild({ folder, host }: { folder: string; host: string }): Promise<RescueBuild> {
  let text: string;
  try {
    text = await readFile(join(folder, 'build.json'), 'utf8');
  } catch (error) {
    if (!isMissing(error)) throw error;
    throw new NetbootError({
      host,
      message: `${folder} has no build.json: nothing says whose rescue system it is, and whether its host key is pinned`,
      next: FETCH,
    });
  }
  const build = parseRescueBuild(text);
  if (typeof build !== 'string') return build;
  throw new NetbootError({ host, message: `what lies in ${folder} can't be served: ${build}`, next: FETCH });
}
