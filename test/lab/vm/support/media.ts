/** Rescue media of the lab's server, made by job `rescue-build` as on that server, and a machine that starts from them. */
import { existsSync, writeFileSync } from 'node:fs';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import * as path from 'node:path';
import type { Fleet } from '../../support/fleet';
import { runProgram } from '../../support/program';
import { built } from './install';

const BUILD = path.join(__dirname, 'media-build.sh');
const HOSTKIT = path.join(__dirname, '../../../../hostkit');
const BUILD_MS = 600_000;
const FILES = ['vmlinuz', 'initramfs.img'];

/** The folder with `rescue.iso`, `vmlinuz`, `initramfs.img` and `build.json`, with the fleet's administrator as the director. Made once a fleet. */
export async function buildMedia({ fleet, pinned }: { fleet: Fleet; pinned: boolean }): Promise<string> {
  const folder = path.join('/var/tmp/resurgo-lab', fleet.name, pinned ? 'media' : 'media-network');
  if (existsSync(path.join(folder, 'build.json'))) return folder;
  await mkdir(path.dirname(folder), { recursive: true });
  const words = [await built('server'), HOSTKIT, `${fleet.adminKey}.pub`, folder, pinned ? '1' : '0'];
  await runProgram({ command: [BUILD, ...words], timeoutMs: BUILD_MS });
  await describeBuild({ folder, pinned });
  return folder;
}

/** build.json, as far as a server for the network looks at it. */
async function describeBuild({ folder, pinned }: { folder: string; pinned: boolean }): Promise<void> {
  const files = await Promise.all(
    FILES.map(async (name) => {
      const file = path.join(folder, name);
      const sha256 = createHash('sha256')
        .update(await readFile(file))
        .digest('hex');
      return { name, bytes: (await stat(file)).size, sha256 };
    }),
  );
  const hostKey = pinned ? (await readFile(path.join(folder, 'rescue.key.pub'), 'utf8')).trim() : null;
  const build = { resurgoRescue: 1, id: '20260101_000000', host: 'web-1', hostName: 'web-1', hostKey, files };
  writeFileSync(path.join(folder, 'build.json'), JSON.stringify(build));
}
