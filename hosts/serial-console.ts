/** The serial line of a virtual machine that starts rescue media. */
import type { ChildProcess } from 'node:child_process';

/** The second line of the media's boot menu (hostkit/lib/rescue-outputs.sh): the captured network is not here. */
const MENU = /network by DHCP/;
const DHCP = '\u001b[B\r';
/** Nobody knows how much a broken kernel says. */
const KEPT = 262_144;

/** What it says, and the answer to its boot menu. */
export class SerialConsole {
  private text = '';
  private stderr = '';
  private answered = false;
  private readonly over = new AbortController();
  private heard: () => void = () => undefined;
  /** Aborted when the machine has ended. */
  readonly ended = this.over.signal;

  constructor(private readonly child: ChildProcess) {
    child.stdout?.on('data', (chunk: Buffer) => {
      this.text = (this.text + chunk.toString('latin1')).slice(-KEPT);
      if (!this.answered && MENU.test(this.text)) {
        this.answered = true;
        child.stdin?.write(DHCP);
      }
      this.heard();
    });
    child.stderr?.on('data', (chunk: Buffer) => {
      this.stderr = (this.stderr + chunk.toString('latin1')).slice(-2048);
    });
    // A machine that has ended takes no answer.
    child.stdin?.on('error', () => undefined);
    const end = () => {
      this.over.abort();
      this.heard();
    };
    child.once('exit', end).once('error', end);
  }

  said(): string {
    return this.text;
  }

  tail(): string {
    return this.text.replace(/\u001b\[[0-9;?]*[A-Za-z]/g, '').slice(-400);
  }

  why(): string {
    return `QEMU ended: ${this.stderr.trim() === '' ? 'it took too long' : this.stderr.trim()}`;
  }

  async says(wanted: RegExp, signal: AbortSignal): Promise<void> {
    const wake = () => {
      this.heard();
    };
    signal.addEventListener('abort', wake, { once: true });
    try {
      while (!wanted.test(this.text)) {
        signal.throwIfAborted();
        await new Promise<void>((resolve) => {
          this.heard = resolve;
        });
      }
    } finally {
      signal.removeEventListener('abort', wake);
    }
  }

  /** Ends the machine and sees it gone. */
  async end(): Promise<void> {
    if (this.ended.aborted) return;
    const gone = new Promise<void>((resolve) =>
      this.child.once('exit', () => {
        resolve();
      }),
    );
    // `timeout` hands it on to QEMU.
    this.child.kill('SIGTERM');
    await gone;
  }
}
