/** Whether anybody works for the engine. Without a worker the server keeps every run, but none moves and none answers. */
import type { WorkflowClient, WorkflowHandle } from '@temporalio/client';
import { WorkflowUpdateRPCTimeoutOrCancelledError } from '@temporalio/client';
import { tsToMs } from '@temporalio/common/lib/time';
import { BULK_QUEUE, CONTROL_QUEUE } from '../planning/queues';
import type { DecideInput } from '../workflows/gate';
import { CliError, isEngineAway } from './exit';
import type { Output } from './output';

/** A worker asks for work once a minute at least; whoever has been silent for more than twice that is gone, ms. */
const SILENT_MS = 150_000;
/** How long the server may take to say who asks, ms. */
const ASK_MS = 5_000;
/** A worker answers within a moment; this is for one that is busy, ms. */
const ANSWER_MS = 20_000;
/** How often somebody who follows a run looks whether anybody works on it, ms. */
const LOOK_EVERY_MS = 10_000;

export const START_A_WORKER =
  'start one: `resurgo engine start`, or `systemctl start resurgo-worker` where systemd runs it';
export const NO_WORKER = `no worker serves this engine: runs stand still until one does; ${START_A_WORKER}`;

/** `serving`; `gone` when it asked a while ago and is silent since; `none` when nobody has asked for some minutes. */
export type Serving = 'serving' | 'gone' | 'none';

/** Whether a worker takes work now. The server forgets a worker five minutes after its last question. */
export async function servingNow(client: WorkflowClient): Promise<Serving> {
  const { connection, options } = client;
  const seen = await connection.withDeadline(Date.now() + ASK_MS, () =>
    Promise.all(
      // A worker serves both. A queue of a large server has parts, and may not know of somebody who asked another part.
      [CONTROL_QUEUE, BULK_QUEUE].map((name) =>
        connection.workflowService.describeTaskQueue({ namespace: options.namespace, taskQueue: { name } }),
      ),
    ),
  );
  const asked = seen.flatMap(({ pollers }) => pollers.map((each) => tsToMs(each.lastAccessTime)));
  if (asked.length === 0) return 'none';
  return Math.max(...asked) > Date.now() - SILENT_MS ? 'serving' : 'gone';
}

/** The same; undefined where the server does not say so in time: whether it is there at all is asked of the run itself. */
async function seenServing(client: WorkflowClient): Promise<Serving | undefined> {
  try {
    return await servingNow(client);
  } catch (error) {
    if (!isEngineAway(error)) throw error;
    return undefined;
  }
}

/** Tells somebody who follows a run, once, that nobody works on it, and once more when that happens again. */
export class WorkerWatch {
  private nextMs = Date.now() + 2_000;
  private told = false;

  constructor(private readonly options: { client: WorkflowClient; out: Output }) {}

  /** Looks if it is time to; cheap enough for every turn of a loop. */
  async look(): Promise<void> {
    if (Date.now() < this.nextMs) return;
    this.nextMs = Date.now() + LOOK_EVERY_MS;
    const { client, out } = this.options;
    const serving = await seenServing(client);
    if (serving === undefined) return;
    const missing = serving !== 'serving';
    if (missing && !this.told) {
      out.event({ type: 'no-worker', message: NO_WORKER });
      out.warn(NO_WORKER);
    }
    this.told = missing;
  }
}

/** Gives a run a person's answer. @throws CliError when nobody is there to take it */
export async function answerRun({ handle, answer }: { handle: WorkflowHandle; answer: DecideInput }): Promise<string> {
  const { client } = handle;
  if ((await servingNow(client)) === 'none') throw new CliError(`${NO_WORKER}. Nothing was sent: answer again then`);
  try {
    return await client.connection.withDeadline(Date.now() + ANSWER_MS, () =>
      handle.executeUpdate<string, [DecideInput]>('decide', { args: [answer] }),
    );
  } catch (error) {
    if (!(error instanceof WorkflowUpdateRPCTimeoutOrCancelledError)) throw error;
    const why = (await servingNow(client)) === 'serving' ? 'the worker is busy, or the run can not go on' : NO_WORKER;
    throw new CliError(
      `the run has not answered within ${ANSWER_MS / 1000} s, and may still take what you said: ${why}. Look with \`resurgo runs\` before you answer again`,
    );
  }
}
