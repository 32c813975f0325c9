/** Lines that are rewritten in place on a terminal, and written once per change elsewhere. */
import { clearScreenDown, cursorTo, moveCursor } from 'node:readline';
import type { Output } from './output';

export class LiveLines {
  private shown: string[] = [];
  private lastSaid = '';

  constructor(private readonly out: Output) {}

  show(lines: readonly string[]): void {
    if (!this.out.live) {
      // Without a terminal a line is only worth saying when the steps have changed, not at every byte.
      const steps = lines.map((line) => line.split('  ').slice(0, 2).join('  '));
      // Steps side by side come in any order.
      const key = [...steps].sort().join('\n');
      if (key !== this.lastSaid && key !== '') this.out.say(steps.join('\n'));
      this.lastSaid = key;
      return;
    }
    this.wipe();
    // A terminal that doesn't know its size (a script's pty, a serial line) says 0.
    const width = process.stdout.columns || 80;
    const height = process.stdout.rows || 24;
    this.shown = lines.slice(0, Math.max(1, height - 2)).map((line) => line.slice(0, width - 1));
    for (const line of this.shown) process.stdout.write(`${line}\n`);
  }

  /** Takes the live lines away: what follows is the result. */
  end(): void {
    if (this.out.live) this.wipe();
    this.shown = [];
  }

  private wipe(): void {
    if (this.shown.length === 0) return;
    moveCursor(process.stdout, 0, -this.shown.length);
    cursorTo(process.stdout, 0);
    clearScreenDown(process.stdout);
    this.shown = [];
  }
}
