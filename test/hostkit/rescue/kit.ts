/** Parts of the rescue system's shell run by themselves: its folders put together as in its image, the machine's `/sys` a folder of the test. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import type { Shell } from '../support';

const HOSTKIT = path.join(__dirname, '../../../hostkit');

/** One for the tests of the `describe` around it, made before them and gone after them. */
export function useRescueShell(shell: Shell): RescueShell {
  const made = new RescueShell(shell);
  beforeAll(() => {
    made.open();
  });
  afterAll(() => {
    made.close();
  });
  return made;
}

export class RescueShell {
  private root = '';
  private folders = 0;

  constructor(private readonly shell: Shell) {}

  open(): void {
    this.root = mkdtempSync(path.join(tmpdir(), 'resurgo-rescue-'));
    for (const part of ['lib', 'jobs']) {
      for (const from of [part, `rescue/${part}`])
        cpSync(path.join(HOSTKIT, from), path.join(this.root, 'kit', part), { recursive: true });
    }
  }

  close(): void {
    rmSync(this.root, { recursive: true, force: true });
  }

  /** Writes files below a new folder of the test: text, or null for a folder, or `-> TARGET` for a link that leads nowhere here. */
  files(files: Record<string, string | null>): string {
    this.folders += 1;
    const root = path.join(this.root, `files${this.folders}`);
    mkdirSync(root);
    for (const [name, text] of Object.entries(files)) {
      const file = path.join(root, name);
      mkdirSync(text === null ? file : path.dirname(file), { recursive: true });
      if (text?.startsWith('-> ') === true) spawnSync('ln', ['-sfn', text.slice('-> '.length), file]);
      else if (text !== null) writeFileSync(file, text);
    }
    return root;
  }

  /**
   * What a script prints that has the hostkit's functions, and a `fail` that prints `CODE: MESSAGE`. With `sys`, that folder is its `/sys`;
   * its working folder is the test's.
   */
  run({ parts, script, sys }: { parts: readonly string[]; script: string; sys?: string }): string {
    const text = [
      'set -eu; LC_ALL=C; RESURGO_LIB=$1; cd "$2"',
      ...(this.shell === 'dash' ? [] : ['grep() { busybox grep "$@"; }']),
      ...['lib/base.sh', 'lib/types.sh', ...parts].map((part) => `. "$RESURGO_LIB/${part}"`),
      'fail() { printf "%s: %s\\n" "$1" "$2"; exit 0; }',
      'job_fail() { fail "$@"; }',
      script,
    ].join('\n');
    const file = path.join(this.root, 'script');
    writeFileSync(file, text);
    const inner = [...this.shell.split(' '), file, path.join(this.root, 'kit'), this.root];
    const command =
      sys === undefined
        ? inner
        : ['unshare', '-m', 'sh', '-c', 'mount --bind "$1" /sys && shift && exec "$@"', 'sh', sys, ...inner];
    const ran = spawnSync(command[0] ?? '', command.slice(1), { encoding: 'utf8', timeout: 30_000 });
    if (ran.status !== 0) throw new Error(`exit ${ran.status}: ${ran.stdout}${ran.stderr}`);
    return ran.stdout;
  }
}
