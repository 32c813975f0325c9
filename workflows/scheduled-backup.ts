/**
 * What a schedule starts: a backup under a run id of its own, then, when it is whole, a prune by the runbook's `keep`, if it writes one.
 *
 * The run id is made here from the firing's own start time, once: it is recorded with the child's start, so a replay or a reset after
 * it names the same run (S31). The children are ordinary runs (`backup/GROUP/RUN`, `prune/GROUP/RUN`), listed, watched and answered as
 * such. Ending this workflow from outside asks them to cancel, never terminates them: a backup must take back what it did (S8).
 */
import { executeChild, isCancellation, ParentClosePolicy, uuid4, workflowInfo } from '@temporalio/workflow';
import { runId, workflowId } from '../planning/ids';
import type { BackupInput } from '../planning/run-input';
import type { backup, BackupReport } from './backup';
import { Board } from './board';
import { describeFailure, runFailure } from './failures';
import type { StepFailure } from './failures';
import type { prune, PruneReport } from './prune';

/** A backup's input before it has a run: what a schedule carries. */
export type ScheduledBackupInput = Omit<BackupInput, 'run'>;

export interface ScheduledBackupReport {
  /** The backup's. */
  state: BackupReport['state'];
  id: string;
  backup: BackupReport;
  /**
   * Null after a partial backup: nothing old goes while the newest data is not whole. `Off` where the runbook doesn't say that backups
   * are to go (`schedule.prune`).
   */
  prune: PruneReport | { state: 'Failed'; failure: StepFailure } | { state: 'Off'; reason: string } | null;
}

export async function scheduledBackup(input: ScheduledBackupInput): Promise<ScheduledBackupReport> {
  const group = input.group.name;
  const { startTime } = workflowInfo();
  const [run, pruneRun] = [freshRun(startTime), freshRun(startTime)];
  const board = new Board({ title: `scheduled backup of ${group}`, group });
  try {
    const made = await board.step(
      'backup',
      () =>
        executeChild<typeof backup>('backup', {
          ...child,
          workflowId: workflowId({ kind: 'backup', group, run }),
          staticSummary: `scheduled backup of ${group} into ${input.store.name}`,
          args: [{ ...input, run }],
        }),
      (report) => `${report.id}: ${report.state}`,
    );
    board.backupId(made.id);
    const pruned =
      made.state === 'Completed'
        ? await afterwards({ board, input: { ...input, run: pruneRun, approved: 'policy' } })
        : null;
    board.outcome(made.state);
    return { state: made.state, id: made.id, backup: made, prune: pruned };
  } catch (error) {
    const cancelled = isCancellation(error);
    board.outcome(cancelled ? 'Cancelled' : 'Failed');
    if (cancelled) throw error;
    const failure = describeFailure(error);
    throw runFailure({ failure, error });
  }
}

const PRUNES_NOTHING =
  'old backups stay: the runbook writes no `keep` (or `schedule.prune: false`), and nobody has agreed to defaults that remove them';

const child = { parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL };

/** The prune; the backup stands whatever becomes of it, so its failure is told and is not this run's. */
async function afterwards({
  board,
  input,
}: {
  board: Board;
  input: Parameters<typeof prune>[0];
}): Promise<ScheduledBackupReport['prune']> {
  const group = input.group.name;
  // Applied by an older version, it doesn't say, and was told to prune.
  if (input.group.schedule?.prune === false) {
    board.set('prune', 'skipped', PRUNES_NOTHING);
    return { state: 'Off', reason: PRUNES_NOTHING };
  }
  try {
    return await board.step(
      'prune',
      () =>
        executeChild<typeof prune>('prune', {
          ...child,
          workflowId: workflowId({ kind: 'prune', group, run: input.run }),
          staticSummary: `prune of ${group} after its scheduled backup`,
          args: [input],
        }),
      (report) => `${report.removed.length} removed`,
    );
  } catch (error) {
    if (isCancellation(error)) throw error;
    return { state: 'Failed', failure: describeFailure(error) };
  }
}

/** `uuid4` is the workflow's own: the same at every replay. */
function freshRun(startTime: Date): string {
  const random = Number.parseInt(uuid4().slice(0, 6), 16) / 0x1000000;
  return runId({ nowMs: startTime.getTime(), random });
}
