/** Crash tests run the compiled worker, as an operator does: it is built anew when the sources are younger. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';

export const ROOT = path.join(__dirname, '..', '..', '..');
/** What the worker is compiled from. */
const ROOMS = ['runbooks', 'planning', 'hosts', 'activities', 'workflows', 'workers'];
const BUILD_MS = 300_000;

/** Builds `dist/` unless it is newer than every source of the worker. @throws when the build fails */
export function ensureBuilt(): void {
  const bundle = path.join(ROOT, 'dist', 'workflows-bundle.js');
  if (existsSync(bundle) && statSync(bundle).mtimeMs > newestSource()) return;
  const built = spawnSync(process.execPath, [path.join(ROOT, 'scripts', 'build.js')], {
    encoding: 'utf8',
    timeout: BUILD_MS,
  });
  if (built.status !== 0) throw new Error(`npm run build failed:\n${built.stdout}${built.stderr}`);
}

function newestSource(): number {
  const files = ROOMS.flatMap((room) =>
    readdirSync(path.join(ROOT, room), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => path.join(ROOT, room, name)),
  );
  return Math.max(...files.map((file) => statSync(file).mtimeMs));
}
