/** What `doctor` says, one finding a line. */
import { z } from 'zod';

export type Level = 'ok' | 'warn' | 'fail';

export interface Finding {
  host: string;
  /** What was looked at: `reach`, `clock`, `source data`, … */
  check: string;
  level: Level;
  message: string;
  /** What to do; empty when all is well. */
  mend: string;
}

/** What a run may leave on a host, by the names of `status`. */
export const KNOWN_LEFTOVERS = ['paused', 'deadmen', 'snapshots', 'grants', 'jobs'] as const;

/** One of each. */
export const ONE_LEFTOVER: Readonly<Record<(typeof KNOWN_LEFTOVERS)[number], string>> = {
  paused: 'paused',
  deadmen: 'deadman',
  snapshots: 'snapshot',
  grants: 'grant',
  jobs: 'job',
};

/** How the sweep calls the snapshots that a restore has taken of what it overwrote. */
const SAFETY = 'safety ';

/** The sweep's answer as findings: what was mended is well again, what was only found is not. */
export function leftoversOf(swept: { host: string; found: readonly unknown[]; mended: readonly unknown[] }): Finding[] {
  const { host, found, mended } = swept;
  const done = new Set(mended.map((entry) => JSON.stringify(entry)));
  return found.map((entry) => {
    const what = nameOf(entry);
    return done.has(JSON.stringify(entry))
      ? { host, check: 'leftovers', level: 'ok', message: `removed ${what}`, mend: '' }
      : {
          host,
          check: 'leftovers',
          level: 'warn',
          message: what.startsWith(SAFETY)
            ? `the safety snapshots of restore ${what.slice(SAFETY.length)} are past their time`
            : `left by a dead run: ${what}`,
          mend: 'run `resurgo doctor --fix`',
        };
  });
}

function nameOf(entry: unknown): string {
  if (typeof entry !== 'object' || entry === null) return String(entry);
  return Object.entries(entry)
    .map(([, value]) => String(value))
    .join(' ');
}

/** Parts a host's snapshots: those that restores keep of what they overwrote, as a line for each, and the rest. */
export function withoutSafety<T extends object>(snapshots: readonly T[]): { safety: string[]; rest: T[] } {
  const safety: string[] = [];
  const rest: T[] = [];
  for (const each of snapshots) {
    const kept = safetyShape.safeParse(each).data;
    if (kept === undefined) rest.push(each);
    else
      safety.push(`of ${kept.source}, by restore ${kept.run}; kept until ${new Date(kept.keepUntilMs).toISOString()}`);
  }
  return { safety, rest };
}

const safetyShape = z.looseObject({
  safety: z.literal(true),
  source: z.string(),
  run: z.string(),
  keepUntilMs: z.number(),
});
