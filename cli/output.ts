/** How a command speaks: text for people on stdout, one JSON object a line with `--json`, trouble on stderr. */
import { EXIT } from './exit';

/** A value that survives JSON. */
export type Json = string | number | boolean | null | undefined | readonly Json[] | { readonly [key: string]: Json };

/** One line of `--json`: always an object, so that what is added to it later breaks no reader. */
export interface JsonObject {
  readonly [key: string]: Json;
}

export class Output {
  readonly json: boolean;
  readonly quiet: boolean;
  /** Whether lines may be rewritten in place. */
  readonly live: boolean;

  constructor(options: { json: boolean; quiet: boolean }) {
    this.json = options.json;
    this.quiet = options.quiet;
    this.live = process.stdout.isTTY && !options.json && !options.quiet;
  }

  /** A line for people; nothing with `--json` or `--quiet`. */
  say(text: string): void {
    if (!this.json && !this.quiet) process.stdout.write(`${text}\n`);
  }

  /** A command's result: the object with `--json`, the text otherwise (also with `--quiet`). */
  result(options: { json: JsonObject | null; text: string }): void {
    process.stdout.write(this.json ? `${JSON.stringify(options.json)}\n` : `${options.text}\n`);
  }

  /** One event of a stream: only with `--json`. */
  event(event: Json): void {
    if (this.json) process.stdout.write(`${JSON.stringify(event)}\n`);
  }

  /** Trouble, for people, on stderr. */
  warn(text: string): void {
    process.stderr.write(`${text}\n`);
  }
}

/**
 * What happens when nobody takes what is said. A result that can't be written (a full disk) is told and ends the process with 1: it
 * must not pass for one that was given. A reader that has gone (`| head`) has what it wanted, and nothing is told.
 */
export function watchOutput(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') process.stderr.write(`the output can't be written: ${error.message}\n`);
    process.exit(EXIT.failed);
  });
  // Where trouble can't be told there is nowhere left to tell it; the exit code still does.
  process.stderr.on('error', () => undefined);
}

/** Rows as columns, the first one the heads; every cell is made printable. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, printable(cell).length)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => (i === row.length - 1 ? printable(cell) : printable(cell).padEnd(widths[i] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Control characters shown as escapes: names come from hosts that may be hostile (S29). */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, (char) => `\\u${(char.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`);
}

/** A text of so many characters at most; what is longer ends at a word, with `…`. */
export function shortened(text: string, most: number): string {
  if (text.length <= most) return text;
  const ends = [...text.matchAll(/[,;:.]?\s/g)].map(({ index }) => index).filter((index) => index < most);
  const end = ends.at(-1) ?? 0;
  // A word that would take most of the room with it (a path, a key) is cut where it must be, but through no character.
  const cut = end >= most / 2 ? text.slice(0, end) : text.slice(0, most - 1).replace(/[\uD800-\uDBFF]$/, '');
  return `${cut.trimEnd()}…`;
}

/** A moment as people read it: `2026-11-21 01:30:00 UTC`; what is none stays as it is. */
export function instant(moment: string | Date): string {
  const date = new Date(moment);
  return Number.isNaN(date.getTime()) ? String(moment) : `${date.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** Bytes as people read them: `1.4 GiB`. */
export function bytes(count: number): string {
  let value = count;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return unit === 0 ? `${value} B` : `${value.toFixed(1)} ${UNITS[unit] ?? ''}`;
}

/** Seconds as people read them: `2h 05m`, `3m 20s`, `4.2s`. */
export function duration(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m ${String(Math.floor(seconds % 60)).padStart(2, '0')}s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours}h ${String(minutes % 60).padStart(2, '0')}m`;
  return `${Math.floor(hours / 24)}d ${hours % 24}h`;
}
