/** The compiled command line that tests of the whole product run: built when a source is newer than it. */
import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import * as path from 'node:path';

const ROOT = path.join(__dirname, '..', '..', '..');
export const RESURGO = path.join(ROOT, 'bin', 'resurgo.js');
const ROOMS = ['activities', 'cli', 'hosts', 'planning', 'runbooks', 'workers', 'workflows'];
/** The last thing that a build writes. */
const BUNDLE = path.join(ROOT, 'dist', 'workflows-bundle.js');
const BUILD_MS = 240_000;

/** Builds if need be. @throws with what the compiler said */
export function ensureBuilt(): void {
  const built = statSync(BUNDLE, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (ROOMS.every((room) => newest(path.join(ROOT, room)) <= built)) return;
  const build = path.join(ROOT, 'scripts', 'build.js');
  const ran = spawnSync(process.execPath, [build], { encoding: 'utf8', timeout: BUILD_MS });
  if (ran.status !== 0) throw new Error(`scripts/build.js failed:\n${ran.stdout}${ran.stderr}`);
}

function newest(folder: string): number {
  const times = readdirSync(folder, { withFileTypes: true }).map((entry) => {
    const full = path.join(folder, entry.name);
    if (entry.isDirectory()) return newest(full);
    return entry.name.endsWith('.ts') ? statSync(full).mtimeMs : 0;
  });
  return Math.max(0, ...times);
}
