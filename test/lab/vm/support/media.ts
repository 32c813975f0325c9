/** Rescue media of the lab's server, made by job `rescue-build` as on that server, and a machine that starts from them. */
import { existsSync, writeFileSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import * as path from 'node:path';
import type { Fleet } from '../../support/fleet';
import { sampleBuild, sampleMedium } from '../../../planning/rescue-sample';
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
      // What is for the network holds no host key, whatever the image does (outputs_make).
      return sampleMedium({ name, content: await readFile(path.join(folder, name)) });
    }),
  );
  const words = pinned ? (await readFile(path.join(folder, 'rescue.key.pub'), 'utf8')).split(' ') : [];
  const hostKey = pinned ? words.slice(0, 2).join(' ').trim() : null;
  const build = sampleBuild({ host: 'web-1', hostName: 'web-1', hostKey, files });
  writeFileSync(path.join(folder, 'build.json'), JSON.stringify(build));
}
