/** A grant that is being closed, while another one's key is let in: both write the same list of keys. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const LIB = resolve(__dirname, '../../hostkit');

describe.each(['dash', 'busybox sh'])('in %s', (shell) => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'resurgo-grants-'));
    mkdirSync(join(root, 'etc'));
    writeFileSync(join(root, 'etc/director.keys'), '');
    mkdirSync(join(root, 'var/grants/going'), { recursive: true });
    writeFileSync(join(root, 'var/grants/going/line'), 'restrict ssh-ed25519 AAAA resurgo-going\n');
  });
  afterEach(() => {
    rmSync(root, { recursive: true, force: true });
  });

  test('S25 the key of a grant that goes is let in by nobody, at whatever moment the list is written', () => {
    const script = [
      'set -eu',
      '. "$RESURGO_LIB/lib/base.sh"',
      `RESURGO_ETC=${join(root, 'etc')} RESURGO_VAR=${join(root, 'var')}`,
      '. "$RESURGO_LIB/lib/grants.sh"',
      'own_file() { :; }',
      'procs_end() { :; }',
      // A folder goes file by file, in any order: the mark may be the first, and another request writes the list right then.
      'rm() {',
      '  case $1 in -rf) command rm -f -- "$3/closed"; (grants_publish) ;; esac',
      '  command rm "$@"',
      '}',
      'grants_close going',
    ].join('\n');
    const [program = '', ...words] = shell.split(' ');
    execFileSync(program, [...words, '-c', script], {
      env: { ...process.env, RESURGO_LIB: LIB },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    expect(readFileSync(join(root, 'var/home/.ssh/authorized_keys'), 'utf8')).toBe('');
  });
});
