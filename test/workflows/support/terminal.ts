/** A person at a terminal: the command line behind a pty, what it shows, and the keys that are typed. */
import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import path from 'node:path';
import { until } from '../../workers/fixtures/engine';

const REGISTER = path.resolve(__dirname, '../../workers/fixtures/register.js');
const CLI = path.join(__dirname, 'fake-cli.ts');

export const CTRL_C = '\x03';
export const CTRL_D = '\x04';

/** How to run the command line of {@link CLI}, for where no terminal is wanted. */
export const FAKE_CLI = [process.execPath, '-r', REGISTER, CLI];

export class Terminal {
  /** All that was shown so far. */
  shown = '';
  /** The exit code, once it has ended. */
  readonly ended: Promise<number | null>;
  private code: number | null | undefined;
  private waiting: { wanted: string; keys: string } | undefined;
  private readonly child: ChildProcessWithoutNullStreams;

  constructor({ args, env }: { args: readonly string[]; env: NodeJS.ProcessEnv }) {
    const command = [...FAKE_CLI, ...args].map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
    this.child = spawn('script', ['--quiet', '--return', '--flush', '--command', command, '/dev/null'], { env });
    this.child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.shown += text;
      if (this.waiting !== undefined && this.shown.includes(this.waiting.wanted)) {
        this.type(this.waiting.keys);
        this.waiting = undefined;
      }
    });
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => (this.shown += text));
    this.ended = new Promise((resolve) => {
      this.child.on('close', (code) => {
        this.code = code;
        resolve(code);
      });
    });
  }

  type(keys: string): void {
    this.child.stdin.write(keys);
  }

  /** Types as soon as that is shown, faster than any person. */
  typeAt(wanted: string, keys: string): void {
    this.waiting = { wanted, keys };
  }

  /** Waits until that is shown. @throws when it ends before, with all that was shown */
  async sees(wanted: string | RegExp): Promise<void> {
    await until(`the terminal shows ${String(wanted)}`, () => {
      if (typeof wanted === 'string' ? this.shown.includes(wanted) : wanted.test(this.shown)) return true;
      if (this.code !== undefined) throw new Error(`it ended with ${String(this.code)}, having shown: ${this.shown}`);
      return false;
    });
  }

  close(): void {
    this.child.kill('SIGKILL');
  }
}
