/** Attempt numbers that grow over retries of either kind, so that a host can refuse the older try of a step (S3). */
import { PlanningError } from './errors';

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

function bad(what: string, value: number): PlanningError {
  return new PlanningError({
    code: 'bad-plan',
    message: `${value} is not a ${what} of a step`,
    next: 'Rounds count from 0, attempts from 1',
  });
}
