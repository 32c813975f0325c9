/**
 * One prune of one group: lease → read the store → plan again → remove, oldest first → report.
 *
 * The lease keeps backups and restores of the group out while something goes. What is removed is the part of the plan of this moment
 * that somebody agreed to; a backup that a hold, a reader or the target's own floor keeps (S27) simply stays, and the report says so:
 * waiting for a person there would keep the next backup out for nothing. For the same reason a prune that nobody has asked for (by the
 * schedule's policy) never waits: what it can't remove stays until the next one, and a store that it can't read ends it.
 */
import { ApplicationFailure } from '@temporalio/workflow';
import { PlanningError } from '../planning/errors';
import { agreed, checkClocks, planPrune } from '../planning/prune';
import type { PruneDecision, PruneInput, PrunePlan } from '../planning/prune';
import { bulk, quick, tidying } from './options';
import { RunParts } from './run-parts';
import { Tidy } from './tidy';

/** How a prune ended. `Partial`: something that was to go is still there. */
export interface PruneReport {
  state: 'Completed' | 'Partial';
  removed: { id: string; freedBytes: number | null }[];
  /** Newest first, with the reasons. */
  kept: { id: string; reasons: string[] }[];
  warnings: string[];
}

/** Removals of one run; a store of many years takes several runs, and no history grows too long. */
const MOST = 200;

/** Refusals of the host that are its right: the backup stays, and nobody needs to be asked. */
const KEPT_BY_HOST = new Set(['not-allowed', 'busy']);

export async function prune(input: PruneInput): Promise<PruneReport> {
  return new PruneRun(input).run();
}

class PruneRun extends RunParts {
  /** Id → why it is still there although it was to go. */
  private readonly stayed = new Map<string, string>();

  constructor(private readonly input: PruneInput) {
    // The sources' hosts take no part: one that is down must not keep its target from being pruned.
    super({
      setup: { ...input, hosts: [] },
      run: input.run,
      kind: 'prune',
      title: `prune of ${input.group.name}, run ${input.run}`,
    });
  }

  run(): Promise<PruneReport> {
    return this.toldIfFailed({ steps: () => this.steps(), tidy: () => this.tidy(), failed: 'the prune failed' });
  }

  private async steps(): Promise<PruneReport> {
    const { input } = this;
    await this.board.step('lease', () => this.lease.take());
    const plan = await this.board.step(
      'plan',
      () => this.plan(),
      (made) => `${made.remove.length} of ${made.decisions.length} may go`,
    );
    const { remove, spared } = agreed({ plan, approved: input.approved });
    for (const id of spared) this.warnings.push(`${id} stays: the plan has changed since it was agreed to`);
    if (remove.length > MOST)
      this.warnings.push(`${remove.length - MOST} more are to go: one run removes ${MOST}, run it again`);
    const removed: PruneReport['removed'] = [];
    for (const id of remove.slice(0, MOST)) {
      if (await this.remove(id)) removed.push({ id, freedBytes: sizeOf({ plan, id }) });
    }
    const whole = removed.length === remove.length && spared.length === 0;
    return {
      state: whole ? 'Completed' : 'Partial',
      removed,
      kept: keptOf({ plan, removed, stayed: this.stayed }),
      warnings: this.warnings,
    };
  }

  /** From what the store shows now, by the earlier of the two clocks. */
  private async plan(): Promise<PrunePlan> {
    const read = () =>
      quick.listPrunable.executeWithOptions({ summary: `read store ${this.input.store.name}` }, [
        { group: this.input.group.name, store: this.store() },
      ]);
    const { backups, storeMs, directorMs } = await (this.unattended() ? read() : this.gate.must('read store', read));
    try {
      checkClocks({ directorMs, storeMs });
      return planPrune({ backups, keep: this.input.group.keep, nowMs: Math.min(directorMs, storeMs) });
    } catch (error) {
      // Another error here would be a fault of the program: that is what Temporal repeats until it is mended.
      if (!(error instanceof PlanningError)) throw error;
      throw ApplicationFailure.nonRetryable(error.message, error.code);
    }
  }

  private async remove(id: string): Promise<boolean> {
    const step = `remove ${id}`;
    this.board.set(step, 'running');
    const gated = await this.gate.run({
      step,
      allowed: ['retry', 'skip', 'abort'],
      attempt: (round) =>
        bulk.removeBackup.executeWithOptions({ summary: step }, [
          { fence: this.lease.fence(round), store: this.store(), id },
        ]),
      skipAtOnce: (failure) => this.unattended() || KEPT_BY_HOST.has(failure.code),
    });
    if (!gated.skipped) {
      this.board.set(step, 'done');
      return true;
    }
    this.stayed.set(id, gated.failure.message);
    this.warnings.push(`${id} stays: ${gated.failure.message}`);
    this.board.set(step, 'skipped', gated.failure.message);
    return false;
  }

  private async tidy(): Promise<void> {
    const fence = this.lease.fence(this.gate.roundsSoFar());
    if (fence.term === 0) return;
    const tidy = new Tidy({ board: this.board, warnings: this.warnings });
    await tidy.step('forget run', () =>
      tidying.forgetRun.executeWithOptions({ summary: 'jobs of this run' }, [{ fence, hosts: [this.input.storeHost] }]),
    );
    await tidy.step('release lease', () => this.lease.release());
  }

  /** Whether nobody has asked for this prune: it follows a scheduled backup. */
  private unattended(): boolean {
    return this.input.approved === 'policy';
  }

  private store() {
    return { name: this.input.store.name, host: this.input.storeHost };
  }
}

function sizeOf({ plan, id }: { plan: PrunePlan; id: string }): number | null {
  return plan.decisions.find((each) => each.id === id)?.usedBytes ?? null;
}

function keptOf(options: {
  plan: PrunePlan;
  removed: PruneReport['removed'];
  stayed: ReadonlyMap<string, string>;
}): PruneReport['kept'] {
  const { plan, removed, stayed } = options;
  const gone = new Set(removed.map((each) => each.id));
  const reasons = ({ id, action, reasons: planned }: PruneDecision): string[] => {
    const why = stayed.get(id);
    if (why !== undefined) return [why];
    return action === 'keep' ? planned : ['nobody agreed to its removal'];
  };
  return plan.decisions.filter((each) => !gone.has(each.id)).map((each) => ({ id: each.id, reasons: reasons(each) }));
}
