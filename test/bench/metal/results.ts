/** What was measured, kept part by part: a run takes an hour without hardware help, and each part can be measured by itself. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { z } from 'zod';

const took = z.object({ seconds: z.number(), cpu: z.number(), rest: z.number() });
/** From power-on to a machine that has all its data again. */
const wayBack = z.object({
  ready: took,
  recover: took,
  ssh: took,
  /** Entries of the compared folders that are not as before, or not there, or new. */
  differing: z.number(),
});

/** Each part, in the order in which they are measured within a side. */
const results = {
  'rescue-image': z.object({
    build: took,
    /** The durable jobs that it consists of, by the host's own clock. */
    jobs: z.array(z.object({ job: z.string(), seconds: z.number() })),
    directorCpu: z.number(),
    isoBytes: z.number(),
  }),
  recovery: wayBack.extend({
    backup: took,
    phases: z.array(z.object({ phase: z.string(), seconds: z.number() })),
    director: z.object({ seconds: z.number(), cpu: z.number() }),
    receivedBytes: z.number(),
  }),
  'rear-image': z.object({
    build: took,
    isoBytes: z.number(),
    archive: took,
    archiveBytes: z.number(),
    version: z.string(),
  }),
  'rear-recovery': wayBack,
  floor: z.object({
    byHand: took,
    tarBytes: z.number(),
    network: z.object({ bytes: z.number(), seconds: z.number() }),
  }),
};

const kept = z.object({ measuredAt: z.string(), result: z.unknown() });

export type Part = keyof typeof results;
export type Result<P extends Part> = z.output<(typeof results)[P]>;
export const PARTS = ['rescue-image', 'recovery', 'rear-image', 'rear-recovery', 'floor'] as const satisfies Part[];

export function isPart(name: string): name is Part {
  return PARTS.some((each) => each === name);
}

/** One round: what it has measured already, and the files that its later parts need from the earlier ones. */
export class Round {
  private readonly folder: string;

  constructor(
    readonly number: number,
    { work, source }: { work: string; source: string },
  ) {
    this.folder = path.join(work, `round-${number}-${source}`);
    mkdirSync(this.folder, { recursive: true });
  }

  /** Where a file of this round lies. */
  file(name: string): string {
    return path.join(this.folder, name);
  }

  keep<P extends Part>(part: P, result: Result<P>): void {
    writeFileSync(this.record(part), `${JSON.stringify({ measuredAt: new Date().toISOString(), result }, null, 2)}\n`);
  }

  has(part: Part): boolean {
    return existsSync(this.record(part));
  }

  read<P extends Part>(part: P): Result<P> | undefined {
    if (!this.has(part)) return undefined;
    const { result } = z
      .looseObject({ result: z.unknown() })
      .parse(JSON.parse(readFileSync(this.record(part), 'utf8')));
    return results[part].parse(result) as Result<P>;
  }

  /** When a part was measured. */
  measuredAt(part: Part): string | undefined {
    if (!this.has(part)) return undefined;
    return kept.parse(JSON.parse(readFileSync(this.record(part), 'utf8'))).measuredAt;
  }

  private record(part: Part): string {
    return this.file(`${part}.json`);
  }
}

/** What each side is given to measure. */
export interface Task {
  wanted: readonly Part[];
  round: Round;
  /** The disk that all begin with. */
  source: string;
  say: (text: string) => void;
}
