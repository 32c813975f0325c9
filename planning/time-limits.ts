/** How long the parts of a run that the runbook itself bounds may take: each limit follows from what the runbook allows, in ms. */

/** Arming a host: it includes an early sync, which may take long. */
export const ARM_MS = 120_000;
/** What the answer to a phase may take at least: a host says more than that it is done. */
const PHASE_MS = 30_000;
/** A host whose dead-man ends a phase says so itself, a moment later. */
const PHASE_SPARE_MS = 10_000;
/** What a step takes besides: connecting, slow hosts, dropping what was torn. */
const SPARE_MS = 60_000;

/** One phase of a freeze: as long as the dead-man lets it be. */
export function phaseMs(maxPauseS: number): number {
  return Math.max(PHASE_MS, maxPauseS * 1000 + PHASE_SPARE_MS);
}

/** A freeze with all its instants: armed, paused, snapshotted, thawed, and what was torn dropped. */
export function freezeMs({ maxPauseS, instants }: { maxPauseS: number; instants: number }): number {
  return instants * (ARM_MS + 3 * phaseMs(maxPauseS) + SPARE_MS) + SPARE_MS;
}
