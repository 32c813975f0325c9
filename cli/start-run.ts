/** Starts a run under an id of its own, and says that it runs, where it can be seen and how to come back to it. */
import type { WorkflowHandle } from '@temporalio/client';
import { runId, workflowId } from '../planning/ids';
import type { WorkflowKind } from '../planning/ids';
import { CONTROL_QUEUE } from '../planning/queues';
import type { CliContext } from './context';

/** A run that was started. */
export interface StartedRun {
  run: string;
  handle: WorkflowHandle;
  /** The command that follows it again. */
  comeBack: string;
}

/** What is to run: the workflow of `kind`, over `group`. */
export interface RunToStart<Input> {
  kind: WorkflowKind;
  group: string;
  /** For the person: `backup of portal`. */
  what: string;
  /** For the UI. */
  summary: string;
  input: (run: string) => Input;
}

export async function startRun<Input>(
  context: CliContext,
  { kind, group, what, summary, input }: RunToStart<Input>,
): Promise<StartedRun> {
  const { out } = context;
  const { client, engine } = await context.engine();
  const run = runId({ nowMs: Date.now(), random: Math.random() });
  const id = workflowId({ kind, group, run });
  const handle: WorkflowHandle = await client.workflow.start<(input: Input) => Promise<unknown>>(kind, {
    workflowId: id,
    taskQueue: CONTROL_QUEUE,
    args: [input(run)],
    staticSummary: summary,
  });
  out.event({ type: 'started', workflowId: id, run, ui: engine.uiUrl });
  out.say(`${what}, run ${run}`);
  if (engine.uiUrl !== undefined)
    out.say(`${engine.uiUrl}/namespaces/${engine.namespace}/workflows/${encodeURIComponent(id)}`);
  return { run, handle, comeBack: `resurgo watch ${run}` };
}
