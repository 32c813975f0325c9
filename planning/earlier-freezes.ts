/** The freezes of a backup that did not count: whatever came of them, services stood still for them, and the backup says so. */

export interface EarlierFreeze {
  /** Its number in the run. */
  freeze: number;
  /** From the first host's pause until all hosts ran again, ms; an upper bound where a host went away meanwhile. */
  stillMs: number;
  reason: string;
}

/** A warning for each. */
export function earlierFreezeWarnings(earlier: readonly EarlierFreeze[]): string[] {
  return earlier.map(
    ({ stillMs, reason }) =>
      `an earlier freeze of this run held the group for up to ${(stillMs / 1000).toFixed(1)} s and did not count: ${reason}`,
  );
}
