/** How one run stands: its steps, what it asks, the plan that waits, and how it ended. */
import type { WorkflowHandle } from '@temporalio/client';
import { parseWorkflowId } from '../../planning/ids';
import type { BoardRow } from '../../planning/progress';
import { recoveryText } from '../../planning/recover-text';
import type { OpenQuestion } from '../../workflows/gate';
import type { PlannedRecovery } from '../../workflows/recover';
import type { PlannedRestore } from '../../workflows/restore';
import type { CliContext } from '../context';
import { EXIT } from '../exit';
import { answersTo, endOf, tellFailure } from '../follow';
import { answerOf } from '../look';
import { duration, instant, printable, table } from '../output';
import type { Json } from '../output';
import { NO_WORKER } from '../serving';
import { showReport } from './reports';
import { planText } from './restore';
import { namedRun } from './runs';

/** Long enough for a worker that has to go through a long history first, ms. */
const ANSWER_MS = 15_000;

/** Whether the id is of a run; a backup's begins with its year. */
export function isRun(id: string): boolean {
  return parseWorkflowId(id) !== undefined || id.startsWith('r');
}

/** What a run says of itself; undefined where no worker is there to ask. */
interface Said {
  board: BoardRow[] | undefined;
  questions: OpenQuestion[] | undefined;
  planned: PlannedRestore | PlannedRecovery | undefined;
}

/** Shows a run. The exit code says that it could be shown, not how it went: that is `watch`'s. */
export async function showRun(context: CliContext, id: string): Promise<number> {
  const { out } = context;
  const { handle } = await namedRun(context, id);
  const { kind, group = '', run = id } = parseWorkflowId(handle.workflowId) ?? {};
  const { status, startTime, closeTime } = await handle.describe();
  const running = status.name === 'RUNNING';
  const said = await saidBy({ handle, running, planned: running && (kind === 'restore' || kind === 'recover') });
  const waits = (said.questions ?? []).length > 0;
  const state = waits ? 'waits for you' : status.name.toLowerCase();
  const ended =
    closeTime === undefined
      ? `since ${duration(Date.now() - startTime.getTime())}`
      : `ended ${instant(closeTime)}, after ${duration(closeTime.getTime() - startTime.getTime())}`;
  out.result({
    json: {
      ...{ type: 'run', run, kind, group, workflowId: handle.workflowId, status: status.name },
      ...{ startedAt: startTime.toISOString(), endedAt: closeTime?.toISOString() },
      ...(JSON.parse(JSON.stringify({ ...said, planned: undefined, ...said.planned })) as Record<string, Json>),
    },
    text: [
      `${kind ?? 'run'} of ${group}, run ${run}: ${state}`,
      `started ${instant(startTime)}, ${ended}`,
      ...textOf({ run, said }),
    ].join('\n'),
  });
  if (!running) await showEnd(context, { handle, kind });
  return EXIT.ok;
}

async function saidBy(options: { handle: WorkflowHandle; running: boolean; planned: boolean }): Promise<Said> {
  const { handle, running, planned } = options;
  const ask = <T>(query: string) => answerOf<T>({ handle, query, waitMs: ANSWER_MS });
  const [board, questions, plan] = await Promise.all([
    ask<BoardRow[]>('board'),
    running ? ask<OpenQuestion[]>('questions') : [],
    planned ? ask<PlannedRestore | PlannedRecovery>('plan') : undefined,
  ]);
  return { board, questions, planned: plan };
}

function textOf({ run, said }: { run: string; said: Said }): string[] {
  const { board, questions = [], planned } = said;
  const lines = board === undefined ? [`its steps are not known: ${NO_WORKER}`] : [];
  if (board !== undefined && board.length > 0)
    lines.push('', table([['step', 'state', ''], ...board.map(({ step, state, note }) => [step, state, note])]));
  for (const question of questions) {
    lines.push('', printable(`it waits for you at step "${question.step}": ${question.failure.message}`));
    if (planned !== undefined && question.approve !== undefined) lines.push(planInWords(planned.plan));
    lines.push(...answersTo({ run, question }).map((each) => `  ${each}`));
  }
  return lines;
}

function planInWords(plan: PlannedRestore['plan'] | PlannedRecovery['plan']): string {
  return 'resurgoRecoveryPlan' in plan ? recoveryText(plan) : planText(plan);
}

async function showEnd(
  context: CliContext,
  { handle, kind }: { handle: WorkflowHandle; kind: Parameters<typeof showReport>[1]['kind'] },
): Promise<void> {
  context.out.say('');
  const end = await endOf(handle);
  if (end.ended === 'failed') tellFailure(context.out, end);
  else showReport(context, { kind, report: end.report });
}
