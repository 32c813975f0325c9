/** One exec channel as the director reads it: lines, then perhaps bytes; the end with its exit code; stderr's tail. */
import type { ClientChannel } from 'ssh2';
import { PassThrough, type Readable } from 'node:stream';

/** stderr that is kept for an error's message. */
const STDERR_BYTES = 4096;

export interface Ended {
  /** null when the connection broke or a signal ended it. */
  exit: number | null;
  stderr: string;
}

export class Exchange {
  /** Resolves when the channel is closed; never rejects. */
  readonly ended: Promise<Ended>;
  private buffered: Buffer[] = [];
  private bytes = 0;
  /** Whether `buffered` holds a newline: a long line is searched once, not with every chunk. */
  private complete = false;
  private stderr = '';
  private over = false;
  private raw: PassThrough | undefined;
  private waiter: (() => void) | undefined;
  private heard: (() => void) | undefined;

  constructor(
    private readonly channel: ClientChannel,
    private readonly maxLineBytes: number,
  ) {
    let exit: number | null = null;
    channel.on('exit', (code: unknown) => {
      exit = typeof code === 'number' ? code : null;
    });
    channel.stderr.on('data', (chunk: Buffer) => {
      this.stderr = (this.stderr + chunk.toString('latin1')).slice(-STDERR_BYTES);
    });
    channel.on('data', (chunk: Buffer) => {
      this.take(chunk);
    });
    // A write to a channel that the peer has closed is told by `ended`.
    channel.on('error', () => undefined);
    this.ended = new Promise((resolve) => {
      channel.once('close', () => {
        this.over = true;
        this.wake();
        resolve({ exit, stderr: this.stderr });
      });
    });
  }

  write(text: string): void {
    if (!this.over) this.channel.write(text);
  }

  /** Ends the input: the hostkit sees end of file. */
  endInput(): void {
    if (!this.over) this.channel.end();
  }

  /** Gives up on the channel without waiting for the peer. */
  destroy(): void {
    if (!this.over) this.channel.close();
  }

  /** The next line without its newline; undefined when the channel ended before one. Not bounded in time: the caller is. */
  async line(): Promise<string | undefined> {
    for (;;) {
      if (this.complete) {
        const joined = Buffer.concat(this.buffered);
        const newline = joined.indexOf(0x0a);
        this.keep(joined.subarray(newline + 1));
        return joined.subarray(0, newline).toString('utf8');
      }
      if (this.bytes > this.maxLineBytes) {
        this.destroy();
        throw new RangeError(`the answer is longer than ${this.maxLineBytes} bytes`);
      }
      if (this.over) return undefined;
      await new Promise<void>((resolve) => {
        this.waiter = resolve;
      });
    }
  }

  /** Everything after the lines that were read, with backpressure down to the ssh window. */
  rest(): Readable {
    const raw = new PassThrough();
    this.raw = raw;
    for (const chunk of this.buffered) raw.write(chunk);
    this.keep(Buffer.alloc(0));
    raw.on('drain', () => this.channel.resume());
    raw.once('close', () => {
      this.destroy();
    });
    return raw;
  }

  /** Tells when bytes of `rest` arrive. */
  onBytes(listener: () => void): void {
    this.heard = listener;
  }

  /** Ends `rest` when the channel has ended well. */
  endRest(): void {
    this.raw?.end();
  }

  private take(chunk: Buffer): void {
    if (this.raw !== undefined) {
      this.heard?.();
      if (!this.raw.write(chunk)) this.channel.pause();
      return;
    }
    this.buffered.push(chunk);
    this.bytes += chunk.length;
    this.complete ||= chunk.includes(0x0a);
    // Nobody reads lines this long: stop the flow rather than fill memory (S29).
    if (this.bytes > this.maxLineBytes) this.channel.pause();
    this.wake();
  }

  private keep(rest: Buffer): void {
    this.buffered = rest.length === 0 ? [] : [rest];
    this.bytes = rest.length;
    this.complete = rest.includes(0x0a);
    if (this.bytes <= this.maxLineBytes) this.channel.resume();
  }

  private wake(): void {
    const waiter = this.waiter;
    this.waiter = undefined;
    waiter?.();
  }
}
