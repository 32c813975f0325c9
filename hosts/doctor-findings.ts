/** What `doctor` says, one finding a line. */
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
          message: `left by a dead run: ${what}`,
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
