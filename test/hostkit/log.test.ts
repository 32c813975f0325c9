/** The hostkit's log, which all requests on a host share. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const LIB = resolve(__dirname, '../../hostkit');

test.each(['dash', 'busybox sh'])('in %s a request goes on when another has just put the long log aside', (shell) => {
  const root = mkdtempSync(join(tmpdir(), 'resurgo-log-'));
  mkdirSync(join(root, 'log'));
  writeFileSync(join(root, 'log/hostkit.log'), 'long\n');
  const script = [
    'set -eu',
    '. "$RESURGO_LIB/lib/base.sh"',
    `RESURGO_VAR=${root} log_limit=1`,
    // Between the look at its length and the rename.
    'mv() { command mv "$@"; command mv "$@"; }',
    'log said',
  ].join('\n');
  const [program = '', ...words] = shell.split(' ');
  execFileSync(program, [...words, '-c', script], {
    env: { ...process.env, RESURGO_LIB: LIB },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  expect(readFileSync(join(root, 'log/hostkit.log'), 'utf8')).toContain('"msg":"said"');
  expect(readFileSync(join(root, 'log/hostkit.log.1'), 'utf8')).toBe('long\n');
  rmSync(root, { recursive: true });
});
