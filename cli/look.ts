/** One look at a run: its steps from Temporal's own record of pending activities, those of its children too; no worker is needed (S32). */
import { defaultPayloadConverter } from '@temporalio/common';
import type { WorkflowExecutionDescription, WorkflowHandle } from '@temporalio/client';
import { z } from 'zod';
import type { OpenQuestion } from '../workflows/gate';
import { phaseName, stepName } from '../planning/step-names';
import { bytes, duration, printable, shortened } from './output';

const progressShape = z.looseObject({
  source: z.string().optional(),
  step: z.string().optional(),
  bytes: z.number().optional(),
  totalBytes: z.number().optional(),
  files: z.number().optional(),
  bytesPerS: z.number().optional(),
  etaS: z.number().optional(),
});
export type Progress = z.infer<typeof progressShape>;

/** One step that is under way now. */
export interface Pending {
  activity: string;
  attempt: number;
  failure: string | undefined;
  progress: Progress | undefined;
}

/** Characters of a failure: it is one part of a step's line, and told whole where the run ends or asks. */
const MOST_OF_FAILURE = 160;

/** Children that are looked at: a run has few, and a terminal fewer lines still. */
const MOST_CHILDREN = 30;

/** Where a run is now. */
export async function look(
  handle: WorkflowHandle,
): Promise<{ status: string; pending: Pending[]; needsOperator: boolean }> {
  const description = await handle.describe();
  const children = (description.raw.pendingChildren ?? []).slice(0, MOST_CHILDREN);
  const below = await Promise.all(
    children.map(async ({ workflowId }) => {
      const child = await handle.client.getHandle(workflowId ?? '').describe();
      return pendingOf(child);
    }),
  );
  const waits = description.raw.workflowExecutionInfo?.searchAttributes?.indexedFields?.ResurgoNeedsOperator;
  return {
    status: description.status.name,
    pending: [...pendingOf(description), ...below.flat()],
    needsOperator: waits !== undefined && defaultPayloadConverter.fromPayload(waits) === true,
  };
}

/** What a run asks now; undefined when no worker answers. The run is shown all the same (S32). */
export function questionsOf(handle: WorkflowHandle): Promise<OpenQuestion[] | undefined> {
  return answerOf<OpenQuestion[]>({ handle, query: 'questions', waitMs: 3_000 });
}

/** A run's answer to a query; undefined when none came in time, as without a worker, or the run knows no such query. */
export async function answerOf<T>(asked: {
  handle: WorkflowHandle;
  query: string;
  waitMs: number;
}): Promise<T | undefined> {
  const { handle, query, waitMs } = asked;
  let late: NodeJS.Timeout | undefined;
  const unanswered = new Promise<undefined>((resolve) => (late = setTimeout(resolve, waitMs, undefined)));
  try {
    return await Promise.race([handle.query<T>(query).catch(() => undefined), unanswered]);
  } finally {
    clearTimeout(late);
  }
}

function pendingOf({ raw }: WorkflowExecutionDescription): Pending[] {
  return (raw.pendingActivities ?? []).map((each) => {
    const payload = each.heartbeatDetails?.payloads?.[0];
    const parsed =
      payload === undefined ? undefined : progressShape.safeParse(defaultPayloadConverter.fromPayload(payload));
    return {
      activity: each.activityType?.name ?? '',
      attempt: each.attempt ?? 1,
      failure: each.lastFailure?.message ?? undefined,
      progress: parsed?.success === true ? parsed.data : undefined,
    };
  });
}

/** One step as a line for a person. */
export function inWords({ activity, attempt, failure, progress }: Pending): string {
  const { source, step, bytes: done, totalBytes, bytesPerS, etaS } = progress ?? {};
  const parts = [source === undefined ? stepName(activity) : `${stepName(activity)} ${source}`];
  if (source !== undefined && step !== undefined) parts.push(phaseName(step));
  if (done !== undefined) parts.push(totalBytes === undefined ? bytes(done) : `${bytes(done)} of ${bytes(totalBytes)}`);
  if (bytesPerS !== undefined && bytesPerS > 0) parts.push(`${bytes(bytesPerS)}/s`);
  if (etaS !== undefined) parts.push(`${duration(etaS * 1000)} left`);
  if (attempt > 1)
    parts.push(`try ${attempt}${failure === undefined ? '' : ` after: ${shortened(failure, MOST_OF_FAILURE)}`}`);
  return printable(parts.join('  '));
}

/** A step's figures for `--json`. */
export function figures(progress: Progress | undefined) {
  const { source, step, bytes: done, totalBytes, files, bytesPerS, etaS } = progress ?? {};
  return { source, step, bytes: done, totalBytes, files, bytesPerS, etaS };
}
