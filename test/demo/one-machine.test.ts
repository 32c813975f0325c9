/** The demo for whoever is not root, run by a user who is not: on this machine alone, by the real hostkit and the real engine. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { findTemporalCli } from '../../workers/temporal-cli';

jest.setTimeout(300_000);

const ROOT = path.resolve(__dirname, '../..');
const NOBODY = '65534';

/**
 * As root: shows this clone and the Temporal CLI where anybody may read, then becomes nobody. Without root the user is already somebody
 * who may do nothing.
 */
const AS_NOBODY = `
mkdir "$2/clone" && : >"$2/temporal" && chown ${NOBODY}:${NOBODY} "$2" "$2/home"
mount --bind "$1" "$2/clone" && mount --bind "$3" "$2/temporal" && cd "$2/clone" || exit 99
exec setpriv --reuid ${NOBODY} --regid ${NOBODY} --clear-groups --inh-caps=-all --no-new-privs \\
  env HOME="$2/home" TMPDIR="$2/home" RESURGO_TEMPORAL_CLI="$2/temporal" "$4" scripts/demo/one-machine.js`;

test('without root a folder is backed up by the embedded engine, destroyed, restored and proven', async () => {
  const cli = await findTemporalCli();
  const place = mkdtempSync(path.join(tmpdir(), 'resurgo-demo-test-'));
  const home = path.join(place, 'home');
  mkdirSync(home);
  try {
    const ran =
      process.getuid?.() === 0
        ? spawnSync(
            'unshare',
            [
              '--mount',
              '--propagation',
              'private',
              'sh',
              '-c',
              AS_NOBODY,
              'sh',
              ROOT,
              place,
              cli.path,
              process.execPath,
            ],
            { encoding: 'utf8', timeout: 240_000 },
          )
        : spawnSync(process.execPath, ['scripts/demo/one-machine.js'], {
            cwd: ROOT,
            env: { ...process.env, TMPDIR: home, RESURGO_TEMPORAL_CLI: cli.path },
            encoding: 'utf8',
            timeout: 240_000,
          });
    expect(`${ran.stdout}${ran.stderr}`).toContain('all files are what they were');
    expect(ran.status).toBe(0);
    expect(ran.stdout).toMatch(/Completed: backup \d{8}_\d{6}, none/);
    expect(ran.stdout).toContain('without root: nothing was frozen');
    expect(readdirSync(home).filter((name) => name.startsWith('resurgo-demo'))).toEqual([]);
    expect(commandsNaming(home)).toEqual([]);
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
});

test('an account that may not do it is told why, and nothing is left', () => {
  const place = mkdtempSync(path.join(tmpdir(), 'resurgo-demo-test-'));
  try {
    writeFileSync(
      path.join(place, 'unshare'),
      '#!/bin/sh\necho "unshare failed: Operation not permitted" >&2\nexit 1\n',
      { mode: 0o755 },
    );
    const ran = spawnSync(process.execPath, ['scripts/demo/one-machine.js'], {
      cwd: ROOT,
      env: { ...process.env, TMPDIR: place, PATH: `${place}:${process.env.PATH ?? ''}` },
      encoding: 'utf8',
    });
    expect(ran.status).toBe(1);
    expect(ran.stderr).toMatch(
      /can't run here: this account may not make namespaces \(unshare failed: Operation not permitted\)/,
    );
    expect(readdirSync(place)).toEqual(['unshare']);
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
});

/** Processes that still name this folder. */
function commandsNaming(folder: string): string[] {
  const listed = spawnSync('ps', ['-e', '-o', 'args='], { encoding: 'utf8' });
  return listed.stdout.split('\n').filter((line) => line.includes(folder));
}
