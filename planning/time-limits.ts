/** How long the parts of a run that the runbook itself bounds may take: each limit follows from what the runbook allows, in ms. */

/** Arming a host: it includes an early sync, which may take long. */
export const ARM_MS = 120_000;
/** What the answer to a phase may take at least: a host says more than that it is done. */
const PHASE_MS = 30_000;
/** A host whose dead-man ends a phase says so itself, a moment later. */
const PHASE_SPARE_MS = 10_000;
/** What a step takes besides: connecting, slow hosts, dropping what was torn. */
const SPARE_MS = 60_000;

/** What the director waits for a program's answer beyond the program's own time-out. */
const ANSWER_MS = 30_000;
/** Until the containers that were started have settled, at most: the host looks for 45 s, and a slow docker takes its time. */
const SETTLE_MS = 90_000;
/** Hosts whose health is asked for side by side. */
export const HEALTH_LANES = 16;

/** A program that a host runs for us. */
interface Program {
  /** After this it is ended there, s. */
  timeoutS: number;
}

/** One hook: the host first waits for the one that an earlier attempt may have left running there, which can be any of them. */
export function hookMs({ hook, all }: { hook: Program; all: readonly Program[] }): number {
  const longestS = Math.max(hook.timeoutS, ...all.map((each) => each.timeoutS));
  return (longestS + hook.timeoutS) * 1000 + ANSWER_MS;
}

/** All hooks of one phase, as if one after the other. */
export function hooksMs(all: readonly Program[]): number {
  return all.reduce((sum, hook) => sum + hookMs({ hook, all }), SPARE_MS);
}

/** The containers of one host, and its health programs, `timeoutS` in all. */
export function healthMs({ timeoutS }: Program): number {
  return SETTLE_MS + timeoutS * 1000 + ANSWER_MS;
}

/** The health of several hosts. */
export function allHealthMs({ timeoutS, hosts }: Program & { hosts: number }): number {
  return Math.ceil(hosts / HEALTH_LANES) * healthMs({ timeoutS }) + SPARE_MS;
}

/** One phase of a freeze: as long as the dead-man lets it be. */
export function phaseMs(maxPauseS: number): number {
  return Math.max(PHASE_MS, maxPauseS * 1000 + PHASE_SPARE_MS);
}

/** A freeze with all its instants: armed, paused, snapshotted, thawed, and what was torn dropped. */
export function freezeMs({ maxPauseS, instants }: { maxPauseS: number; instants: number }): number {
  return instants * (ARM_MS + 3 * phaseMs(maxPauseS) + SPARE_MS) + SPARE_MS;
}
