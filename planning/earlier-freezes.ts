/** The freezes of a backup that did not count: whatever came of them, services stood still for them, and the backup says so. */

export interface EarlierFreeze {
  /** Its number in the run: ten times its try's number, and which instant of that. */
  freeze: number;
  /** From the first host's pause until all hosts ran again, ms; an upper bound where a host went away meanwhile; 0 where none was paused. */
  stillMs: number;
  reason: string;
}

/** Numbers of a try's instants begin here. */
export const INSTANTS_PER_TRY = 10;

/** A try that ended without a word, with its worker or its connection to the engine: nobody knows more than when its dead-men let go. */
export function cutOffFreezes({
  earlier,
  tries,
  maxPauseS,
}: {
  earlier: readonly EarlierFreeze[];
  /** The numbers of all tries before this one. */
  tries: readonly number[];
  maxPauseS: number;
}): EarlierFreeze[] {
  const told = new Set(earlier.map(({ freeze }) => Math.floor(freeze / INSTANTS_PER_TRY)));
  return tries
    .filter((each) => !told.has(each))
    .map((each) => ({
      freeze: each * INSTANTS_PER_TRY,
      stillMs: maxPauseS * 1000,
      reason: 'its worker died, or was cut off from the engine, before it was done',
    }));
}

/** A warning for each that held anything. */
export function earlierFreezeWarnings(earlier: readonly EarlierFreeze[]): string[] {
  const held = earlier.filter(({ stillMs }) => stillMs > 0).sort((one, other) => one.freeze - other.freeze);
  return held.map(
    ({ stillMs, reason }) =>
      `an earlier freeze of this run held the group for up to ${(stillMs / 1000).toFixed(1)} s and did not count: ${reason}`,
  );
}
