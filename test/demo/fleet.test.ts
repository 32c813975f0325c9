/** How the demo on a fleet ends when it fails: with stand-ins for the fleet and the command, so that nothing is raised. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const DEMO = path.resolve(__dirname, '../../scripts/demo');
let place: string;
beforeEach(() => {
  place = mkdtempSync(path.join(tmpdir(), 'resurgo-demo-test-'));
});
afterEach(() => {
  rmSync(place, { recursive: true, force: true });
});

/** A clone with nothing but the demo in it; both stand-ins note their first words. */
function demo({ fleet }: { fleet: string }) {
  for (const folder of ['scripts/demo', 'test/lab/support', 'bin', 'tmp'])
    mkdirSync(path.join(place, folder), { recursive: true });
  for (const file of ['fleet.js', 'tools.js'])
    copyFileSync(path.join(DEMO, file), path.join(place, 'scripts/demo', file));
  const notes = path.join(place, 'notes');
  writeFileSync(notes, '');
  const script = path.join(place, 'test/lab/support/fleet.sh');
  // What it is told is read, or who tells it may meet a closed pipe.
  writeFileSync(script, `#!/bin/sh\necho "fleet $1" >>${notes}\ncat >/dev/null\n${fleet}\n`);
  chmodSync(script, 0o755);
  writeFileSync(
    path.join(place, 'bin/resurgo.js'),
    `require('node:fs').appendFileSync(${JSON.stringify(notes)}, 'resurgo ' + process.argv[2] + '\\n');
     process.exit(process.argv[2] === 'enroll' ? 1 : 0);`,
  );
  const ran = spawnSync(process.execPath, [path.join(place, 'scripts/demo/fleet.js'), '--keep'], {
    env: { ...process.env, TMPDIR: path.join(place, 'tmp') },
    encoding: 'utf8',
    timeout: 60_000,
  });
  return { ran, notes: readFileSync(notes, 'utf8').split('\n'), left: readdirSync(path.join(place, 'tmp')) };
}

test('with --keep a demo that fails takes its engine and its fleet down, and leaves nothing', () => {
  const hosts = ['app-1', 'app-2', 'target'].map((name) => ({ name, address: '192.0.2.1' }));
  const info = JSON.stringify({ hosts, adminKey: 'k', knownHosts: 'h' });
  const { ran, notes, left } = demo({ fleet: `[ "$1" != info ] || echo '${info}'` });
  expect(ran.stderr).toContain('The demo failed: resurgo enroll');
  expect(ran.status).toBe(1);
  expect(notes.slice(-3)).toEqual(['resurgo engine', 'fleet down', '']);
  expect(left).toEqual([]);
});

test('a fleet of that name that somebody has kept is left alone', () => {
  const { ran, notes, left } = demo({ fleet: 'echo "fleet demo is there already" >&2; exit 1' });
  expect(ran.stderr).toContain('is there already');
  expect(ran.status).toBe(1);
  expect(notes).toEqual(['fleet up', '']);
  expect(left).toEqual([]);
});
