/**
 * What a host's verb `layout` told: what its tools print, word for word. Everything here may be missing, cut off, of an older tool or
 * made up by a hostile host, so a reading never throws: what it can't make sense of becomes a limit of the layout.
 */
import { z } from 'zod';

export const factSchema = z.object({
  exit: z.number().int(),
  out: z.string(),
  err: z.string().default(''),
  /** It was longer than the hostkit takes. */
  cut: z.boolean().default(false),
});
export type Fact = z.output<typeof factSchema>;

/** By name, `lsblk`, or by name and subject, `sfdisk:/dev/sda`. */
export const factsSchema = z.record(z.string(), factSchema);
export type Facts = Readonly<Record<string, Fact>>;

/** Something that can't be made again, before it is weighed. */
export interface Found {
  what: string;
  /** A sentence's end. */
  why: string;
  /** The devices that it is about: fatal where the system lies on one of them. */
  devices?: readonly string[];
  /** Where the devices don't decide it. */
  weight?: 'fatal' | 'part';
}

/** The facts of one host, and what was found amiss while they were read. */
export class Reading {
  readonly found: Found[] = [];

  constructor(readonly facts: Facts) {}

  fact(name: string): Fact | undefined {
    return this.facts[name];
  }

  /** What the tool printed, where it ended well; else empty. */
  text(name: string): string {
    const fact = this.fact(name);
    return fact?.exit === 0 ? fact.out : '';
  }

  /** Lines without the empty ones. */
  lines(name: string): string[] {
    return linesOf(this.text(name));
  }

  /** One line, without blanks around it; null where there is none. */
  word(name: string): string | null {
    return this.lines(name)[0]?.trim() ?? null;
  }

  /** The subjects of a fact's name: `sfdisk` → `/dev/sda`, `/dev/sdb`. */
  subjects(name: string): string[] {
    const prefix = `${name}:`;
    return Object.keys(this.facts)
      .filter((each) => each.startsWith(prefix))
      .map((each) => each.slice(prefix.length));
  }

  /** A tool's JSON. Where there is none, `problem` says why, as a sentence's end. */
  json<S extends z.ZodType>({ name, schema }: { name: string; schema: S }): Answer<z.output<S>> {
    const fact = this.fact(name);
    const problem = this.problem(name);
    if (fact === undefined || problem !== undefined) return { problem: problem ?? 'it was not asked' };
    const tool = name.split(':')[0] ?? name;
    let parsed: unknown;
    try {
      parsed = JSON.parse(fact.out);
    } catch {
      return { problem: `${tool} printed no JSON${fact.cut ? ': its output was cut off' : ''}` };
    }
    const read = schema.safeParse(parsed);
    if (read.success) return { value: read.data };
    const issue = read.error.issues[0];
    return {
      problem: `${tool} printed what is not understood (${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''})`,
    };
  }

  /** Why a fact says nothing, as a sentence's end; undefined where it does. */
  problem(name: string): string | undefined {
    const fact = this.fact(name);
    const tool = name.split(':')[0] ?? name;
    if (fact === undefined) return `the host was not asked for ${tool}`;
    if (fact.exit === 0) return undefined;
    if (fact.exit === 127) return linesOf(fact.err)[0] ?? `${tool} is not installed`;
    if (fact.exit === 137) return `${tool} did not answer in time`;
    return `${tool} failed: ${linesOf(fact.err).at(-1) ?? `exit ${fact.exit}`}`;
  }

  limit(found: Found): void {
    this.found.push(found);
  }
}

export type Answer<T> = { value: T; problem?: undefined } | { value?: undefined; problem: string };

export function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line.trim() !== '');
}

/** `KEY=VALUE` lines, as `blkid -o udev`, `mdadm --export` and os-release print them. */
export function pairsOf(text: string): Map<string, string> {
  const pairs = linesOf(text).flatMap((line): [string, string][] => {
    const at = line.indexOf('=');
    return at < 1 ? [] : [[line.slice(0, at), line.slice(at + 1)]];
  });
  return new Map(pairs);
}

/** `Key: value` lines; the first of a key counts. */
export function titledOf(text: string): Map<string, string> {
  const titled = new Map<string, string>();
  for (const line of linesOf(text)) {
    const [, key, value] = /^\s*([^:]+?)\s*:\s*(.*?)\s*$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined && !titled.has(key)) titled.set(key, value);
  }
  return titled;
}

/** A whole number that is no less than 0, or undefined. */
export function countOf(text: string | number | null | undefined): number | undefined {
  if (typeof text === 'number') return Number.isSafeInteger(text) && text >= 0 ? text : undefined;
  if (text === undefined || text === null || !/^\d+$/.test(text.trim())) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** `\x20` of udev and device-mapper, `\040` of mountinfo and fstab; bytes become UTF-8 again where they are that. */
export function unescaped(text: string): string {
  if (!text.includes('\\')) return text;
  const bytes: number[] = [];
  const pattern = /\\x([0-9a-fA-F]{2})|\\([0-7]{3})|([\s\S])/gu;
  for (const [, hex, octal, plain = ''] of text.matchAll(pattern)) {
    if (hex !== undefined) bytes.push(parseInt(hex, 16));
    else if (octal !== undefined) bytes.push(parseInt(octal, 8) & 0xff);
    else bytes.push(...new TextEncoder().encode(plain));
  }
  return new TextDecoder().decode(Uint8Array.from(bytes));
}

/** The bytes that `od -An -v -tx1` prints. */
export function bytesOf(text: string): number[] {
  return (text.match(/[0-9a-f]{2}/g) ?? []).map((pair) => parseInt(pair, 16));
}

/** A text or nothing: tools write an empty string, a dash or a word in brackets for none. */
export function orNull(text: string | null | undefined): string | null {
  const trimmed = text?.trim() ?? '';
  return trimmed === '' ? null : trimmed;
}
