/** The report of a run that has ended, in the words of its own command, whoever asks for it and when. */
import { z } from 'zod';
import type { WorkflowKind } from '../../planning/ids';
import { notRecoverableText } from '../../planning/recoverable';
import type { BackupReport } from '../../workflows/backup';
import type { PruneReport } from '../../workflows/prune';
import type { RecoverReport } from '../../workflows/recover-report';
import type { RescueReport } from '../../workflows/rescue';
import type { RestoreReport } from '../../workflows/restore';
import type { CliContext } from '../context';
import { EXIT } from '../exit';
import { printable } from '../output';
import { showBackupReport } from './backup';
import { showPruneReport } from './prune';
import { showRecoverReport } from './recover';
import { showRescueReport } from './rescue-build';
import { showRestoreReport } from './restore';

/** Shows a report; its exit code is that of the command that started the run. */
export function showReport(
  context: CliContext,
  { kind, report }: { kind: WorkflowKind | undefined; report: unknown },
): number {
  if (kind === 'backup') return showBackupReport(context, report as BackupReport);
  if (kind === 'restore') return showRestoreReport(context, report as RestoreReport);
  if (kind === 'recover') return showRecoverReport(context, report as RecoverReport);
  if (kind === 'prune') return showPruneReport(context, report as PruneReport);
  if (kind === 'rescue') return showRescueReport(context, report as RescueReport);
  return showAny(context, report);
}

/** What the reports of all kinds of run have in common. */
const anyReport = z.looseObject({
  state: z.string().optional(),
  id: z.string().optional(),
  /** Of a schedule's firing: its backup's own report, and its prune's. */
  backup: z
    .looseObject({ notRecoverable: z.array(z.object({ host: z.string(), reasons: z.array(z.string()) })).default([]) })
    .optional(),
  prune: z
    .looseObject({
      state: z.string(),
      reason: z.string().optional(),
      removed: z.array(z.looseObject({ id: z.string() })).optional(),
      failure: z.looseObject({ message: z.string() }).optional(),
    })
    .nullish(),
});

function pruneText(prune: z.output<typeof anyReport>['prune']): string[] {
  if (prune === undefined) return [];
  if (prune === null) return ['nothing was pruned: the newest backup is not whole'];
  const { state, reason, removed, failure } = prune;
  if (failure !== undefined) return [`the prune failed: ${failure.message}`];
  if (reason !== undefined) return [reason];
  const ids = (removed ?? []).map((each) => each.id);
  return [`prune ${state}: ${ids.length === 0 ? 'nothing removed' : `removed ${ids.join(', ')}`}`];
}

function showAny({ out }: CliContext, report: unknown): number {
  const { state, id, backup, prune } = anyReport.parse(report);
  const bare = backup?.notRecoverable ?? [];
  out.result({
    json: {
      type: 'ended',
      state,
      id,
      ...(backup === undefined ? {} : { notRecoverable: bare }),
      ...(prune === undefined ? {} : { prune: JSON.parse(JSON.stringify(prune)) as never }),
    },
    text: [
      `${state ?? 'done'}${id === undefined ? '' : `: ${id}`}`,
      ...bare.map((each) => printable(notRecoverableText(each))),
      ...pruneText(prune),
    ].join('\n'),
  });
  return state === 'Partial' || bare.length > 0 ? EXIT.incomplete : EXIT.ok;
}
