/** A restore goes on only with a person's word for exactly the plan that was shown. */
import { canonicalJson } from './canonical';
import { PlanningError } from './errors';
import type { RestorePlan } from './restore';
import { sha256Hex } from './sha256';

/** The hash that an approval names: SHA-256 over the plan's canonical JSON, 64 hex digits. */
export function planHash(plan: RestorePlan): string {
  return sha256Hex(canonicalJson(plan));
}

/** So many digits of a plan's hash are enough to approve it by hand. */
export const SHORT_HASH = 12;

/**
 * Checks an approval: the whole hash, or its first {@link SHORT_HASH} digits or more.
 * @throws PlanningError when the plan has blockers, or the hash is another plan's
 */
export function assertApproved({ plan, approval }: { plan: RestorePlan; approval: string }): void {
  if (plan.blockers.length > 0) {
    throw new PlanningError({
      code: 'bad-plan',
      message: `this restore is not possible: ${plan.blockers.join('; ')}`,
      next: 'Mend these and plan again',
      step: 'approve',
    });
  }
  const hash = planHash(plan);
  if (approval.length >= SHORT_HASH && hash.startsWith(approval.toLowerCase())) return;
  throw new PlanningError({
    code: 'bad-plan',
    message: `the approval names another plan than the one shown (${hash.slice(0, SHORT_HASH)})`,
    next: 'Read the plan again and approve the hash it shows',
    step: 'approve',
  });
}
