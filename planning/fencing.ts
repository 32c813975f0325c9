/** Attempt numbers that grow over retries of either kind, so that a host can refuse the older try of a step (S3). */
import { PlanningError } from './errors';

/** What every mutating verb carries. */
export interface FenceKeys {
  group: string;
  run: string;
  /** The lease's term, handed out by the store (S4). */
  term: number;
  /** The step's key within the run, the same over all its retries. */
  step: string;
  attempt: number;
}

/** What a workflow knows of a fence; the activity adds its own Temporal attempt. */
export interface FenceSeed {
  group: string;
  run: string;
  term: number;
  step: string;
  /** The operator's retries of this step at the gate, from 0. */
  round: number;
}

/** Temporal attempts that are told apart within a round. */
export const ATTEMPTS_PER_ROUND = 1000;
/** The wire carries integers of up to 15 digits. */
const MAX_ROUND = 999_999_999_999;

/**
 * `round × 1000 + attempt`. Attempts beyond 999 share one number: hosts refuse only *lower* ones, and a step that is retried
 * without end (unpausing) must never be refused for having tried too often.
 * @throws PlanningError when either is not a number of its kind
 */
export function attemptNumber({ round, temporalAttempt }: { round: number; temporalAttempt: number }): number {
  if (!Number.isInteger(round) || round < 0 || round > MAX_ROUND - 1) throw bad('round', round);
  if (!Number.isInteger(temporalAttempt) || temporalAttempt < 1) throw bad('attempt', temporalAttempt);
  return round * ATTEMPTS_PER_ROUND + Math.min(temporalAttempt, ATTEMPTS_PER_ROUND - 1);
}

/** The fence of one try of a step. */
export function fenceFor({ seed, temporalAttempt }: { seed: FenceSeed; temporalAttempt: number }): FenceKeys {
  const { group, run, term, step, round } = seed;
  return { group, run, term, step, attempt: attemptNumber({ round, temporalAttempt }) };
}

/** Whether a host that has seen `seen` for this group and step must refuse `asked`: the rule that hosts keep, for fakes and tests. */
export function isFenced({
  seen,
  asked,
}: {
  seen: Pick<FenceKeys, 'term' | 'run' | 'step' | 'attempt'>;
  asked: Pick<FenceKeys, 'term' | 'run' | 'step' | 'attempt'>;
}): boolean {
  if (asked.term < seen.term) return true;
  return asked.run === seen.run && asked.step === seen.step && asked.attempt < seen.attempt;
}

function bad(what: string, value: number): PlanningError {
  return new PlanningError({
    code: 'bad-plan',
    message: `${value} is not a ${what} of a step`,
    next: 'Rounds count from 0, attempts from 1',
  });
}
