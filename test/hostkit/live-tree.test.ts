/** Data that is in use is read while files go away: that alone is no failure, and of a snapshot it always is. Under dash and busybox's ash. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { SHELLS } from './support';

const LIB = resolve(__dirname, '../../hostkit');
const GONE = 'rsync: [sender] link_stat "/view/var/spool/a b" failed: No such file or directory (2)';
const PARTLY = 'rsync error: some files/attrs were not transferred (see previous errors) (code 23) at main.c(1338)';

describe.each(SHELLS)('a live tree under %s', (shell) => {
  let root: string;
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'resurgo-live-'));
    mkdirSync(join(root, 'tree'));
    writeFileSync(join(root, 'tree/file'), 'x');
  });
  afterAll(() => {
    rmSync(root, { recursive: true, force: true });
  });
  const run = (code: string): string => {
    const libs = ['base', 'types', 'config', 'snapshots', 'view', 'listing'].map(
      (lib) => `. "$RESURGO_LIB/lib/${lib}.sh"`,
    );
    const [command = 'dash', ...args] = shell.split(' ');
    const script = ['set -u', `cd '${root}'`, ...libs, code].join('\n');
    return execFileSync(command, [...args, '-c', script], {
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C', RESURGO_LIB: LIB },
    }).trim();
  };

  test.each([
    ['files that have gone', 23, [GONE, PARTLY], true],
    ['files that have gone, by its other word', 24, ['file has vanished: "/view/x"'], true],
    [
      'one that could not be read besides',
      23,
      [GONE, 'rsync: [sender] open "/view/y": Permission denied (13)', PARTLY],
      false,
    ],
    ['a connection that broke', 12, [GONE], false],
    ['a whole copy', 0, [], false],
  ])('%s', (_, code, said, vanished) => {
    writeFileSync(join(root, 'said'), said.map((line) => `${line}\n`).join(''));
    expect(run(`view_vanished ${code} said && echo yes || echo no`)).toBe(vanished ? 'yes' : 'no');
  });

  test.each([
    ['no', 'No such file or directory', 'failed'],
    ['yes', 'No such file or directory', 'listed'],
    ['yes', 'Input/output error', 'failed'],
  ])('S9 a listing (live: %s) with a file of which is said: %s', (live, words, outcome) => {
    // As `find` says it, of what goes away between two looks.
    writeFileSync(join(root, 'find'), `#!/bin/sh\n/usr/bin/find "$@"\necho "find: './gone': ${words}" >&2\n`, {
      mode: 0o755,
    });
    const code = `view_live=${live} listing_find=$PWD/find listing_stat=/usr/bin/stat listing_sed=/usr/bin/sed; mkdir -p work`;
    expect(run(`${code}; listing_entries tree work && echo listed || echo failed`)).toBe(outcome);
  });
});
