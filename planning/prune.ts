/** What a prune would remove of a group, over what its store lists now; the reasons come from `retention.ts`. Pure. */
import { PlanningError } from './errors';
import type { KeepPolicy, RetainedBackup, RetentionDecision } from './retention';
import { planRetention } from './retention';
import type { GroupSetup } from './run-input';

/** One backup as the store lists it, with what retention asks of it. */
export interface PrunableBackup {
  id: string;
  /** Null where the manifest can't be read. */
  state: RetainedBackup['state'] | null;
  /** Why it is no good backup, or null. */
  problem: string | null;
  /** Names of what holds it. */
  holds: string[];
  /** Bytes that removing it would free, or null where the store can't tell. */
  usedBytes: number | null;
}

export interface PruneDecision extends RetentionDecision {
  state: PrunableBackup['state'];
  usedBytes: number | null;
}

export interface PrunePlan {
  /** Newest first. */
  decisions: PruneDecision[];
  /** What goes, oldest first. */
  remove: string[];
  /** What removing them frees, as far as the store can tell. */
  freesBytes: number;
}

/** The input of the workflow `prune`. */
export interface PruneInput extends GroupSetup {
  run: string;
  requestedBy: string;
  /** The ids that a person saw and agreed to; `policy` where the runbook's schedule is the agreement. */
  approved: string[] | 'policy';
}

/**
 * Decides for every backup of the group. One whose manifest is damaged, missing or wrongly signed never goes by a policy: it doesn't
 * count either, and a person has to look at it.
 * @param nowMs the earlier of the clocks that are known: a clock that runs ahead must not make a future backup look like the past
 * @throws ClockSkewError, PlanningError as {@link planRetention}
 */
export function planPrune(options: { backups: readonly PrunableBackup[]; keep: KeepPolicy; nowMs: number }): PrunePlan {
  const { backups, keep, nowMs } = options;
  const good = backups.flatMap(({ id, state, problem }) => (problem === null && state !== null ? [{ id, state }] : []));
  const holds = backups.filter((each) => each.holds.length > 0).map((each) => each.id);
  const decided = new Map(planRetention({ backups: good, keep, nowMs, holds }).map((each) => [each.id, each]));
  const decisions = [...backups]
    .sort((a, b) => (a.id < b.id ? 1 : -1))
    .map(({ id, state, problem, usedBytes }): PruneDecision => {
      const decision = decided.get(id) ?? {
        id,
        action: 'keep',
        reasons: [
          `${problem ?? 'it says nothing of itself'}: no policy removes it, look at it with \`resurgo show ${id}\``,
        ],
      };
      return { ...decision, state, usedBytes };
    });
  const going = decisions.filter((each) => each.action === 'remove');
  return {
    decisions,
    remove: going.map((each) => each.id).reverse(),
    freesBytes: going.reduce((sum, each) => sum + (each.usedBytes ?? 0), 0),
  };
}

/**
 * What is removed of a plan that was made again, right before: only what was agreed to, and only what would still go.
 * @returns oldest first; `spared` was agreed to and stays now
 */
export function agreed({ plan, approved }: { plan: PrunePlan; approved: PruneInput['approved'] }): {
  remove: string[];
  spared: string[];
} {
  if (approved === 'policy') return { remove: plan.remove, spared: [] };
  const listed = new Set(plan.decisions.map((each) => each.id));
  return {
    remove: plan.remove.filter((id) => approved.includes(id)),
    spared: approved.filter((id) => listed.has(id) && !plan.remove.includes(id)),
  };
}

/** How far the store's clock may be from the director's before nothing is removed, ms. */
export const MAX_SKEW_MS = 10 * 60_000;

/** @throws PlanningError `clock-skew` when the two clocks are too far apart */
export function checkClocks({ directorMs, storeMs }: { directorMs: number; storeMs: number }): void {
  const apart = Math.abs(directorMs - storeMs);
  if (apart <= MAX_SKEW_MS) return;
  throw new PlanningError({
    code: 'clock-skew',
    message: `the store's clock and the director's are ${Math.round(apart / 60_000)} minutes apart, so no age can be trusted and nothing is removed`,
    next: 'Set the wrong one right (`resurgo doctor` shows which), then prune again',
  });
}
