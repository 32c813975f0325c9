/** All copies of a run: in its own history while it is short, in batches that are children of the run when there are many (`copy-batch.ts`). */
import {
  executeChild,
  getExternalWorkflowHandle,
  ParentClosePolicy,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { counted } from '../planning/counted';
import { copyLanes } from '../planning/order';
import { formatBytes } from '../planning/progress';
import type { BackupInput } from '../planning/run-input';
import type { Board } from './board';
import { answerSignal, askSignal } from './copy-batch';
import type { copyBatch } from './copy-batch';
import type { CopyFacts } from './copy-facts';
import { copyWindow } from './copy-window';
import type { CopyTask, CopyTaskItem, SourceOutcome } from './copy-window';
import { abortedByOperator } from './gate';
import type { OpenQuestion, OperatorGate } from './gate';
import type { LeaseKeeper } from './lease-keeper';
import { Together } from './together';

interface Options extends CopyFacts {
  input: BackupInput;
  missing: ReadonlyMap<string, string>;
  lease: LeaseKeeper;
  gate: OperatorGate;
  board: Board;
}

/**
 * Sources of one history. A copy makes 4 to 6 events, so a batch of up to twice as many stays below 2,000, of Temporal's 51,200; a run
 * that has no more keeps everything in its own history, where it reads best.
 */
const BATCH = 150;

/** Copies every source of the group that is not already known to be missing. */
export async function copyAll(options: Options): Promise<SourceOutcome[]> {
  const { input, missing, gate, board } = options;
  const hosts = new Map(input.hosts.map((host) => [host.name, host]));
  const outcomes: SourceOutcome[] = [];
  const items: CopyTaskItem[] = [];
  for (const source of input.group.sources) {
    const host = hosts.get(source.host);
    const reason = missing.get(source.host);
    if (reason !== undefined) outcomes.push({ source, state: 'missing', reason });
    else if (host === undefined)
      outcomes.push({ source, state: 'missing', reason: `the runbook has no host ${source.host}` });
    else {
      const live = options.isLive(source);
      items.push({ source, host, live, bytes: options.bytesOf(source), base: options.baseOf(source) });
    }
  }
  const task = taskOf({ ...options, items });
  const copied = items.length <= BATCH ? await copyWindow({ task, gate, board }) : await copyInBatches(options, task);
  return [...outcomes, ...copied];
}

function taskOf({ input, lease, items }: Options & { items: CopyTaskItem[] }): CopyTask {
  const { transfer, onUnreachable, sources } = input.group;
  const { group, run, term } = lease.fence();
  return {
    fence: { group, run, term },
    items,
    store: { name: input.store.name, host: input.storeHost },
    transfer: {
      direction: transfer.direction,
      bandwidthBytesPerS: Math.floor(transfer.bandwidthBytesPerS / Math.min(transfer.parallel, sources.length)),
      io: transfer.io,
      streams: transfer.streams,
    },
    parallel: transfer.parallel,
    checksum: input.checksum,
    onUnreachable,
  };
}

/** Lanes side by side, each with its share of the slots; the batches of a lane one after another. */
async function copyInBatches({ gate, board }: Options, task: CopyTask): Promise<SourceOutcome[]> {
  const keyed = task.items.map((item) => ({ key: item.source.tree, host: item.host.name, bytes: item.bytes, item }));
  const lanes = copyLanes({ items: keyed, parallel: task.parallel, size: BATCH });
  const total = lanes.reduce((sum, lane) => sum + lane.batches.length, 0);
  const together = new Together();
  const asked = new Promise<never>((_, reject) => {
    setHandler(askSignal, ({ batch, question }) => {
      together.start(() => relay({ gate, batch, question })).catch(reject);
    });
  });
  let number = 0;
  const numbered = lanes.map(({ parallel, batches }) =>
    batches.map((batch) => ({ parallel, items: batch.map((each) => each.item), number: (number += 1) })),
  );
  for (const each of numbered.flat())
    board.set(nameOf({ ...each, total }), 'waiting', counted(each.items.length, 'source'));
  const copied = numbered.map((lane) =>
    together.start(async () => {
      const outcomes: SourceOutcome[] = [];
      for (const { items, parallel, number: which } of lane)
        outcomes.push(...(await oneBatch({ board, task: { ...task, items, parallel }, number: which, total })));
      return outcomes;
    }),
  );
  try {
    return (await Promise.race([Promise.all(copied), asked])).flat();
  } finally {
    await together.end();
  }
}

function oneBatch({
  board,
  task,
  number,
  total,
}: {
  board: Board;
  task: CopyTask;
  number: number;
  total: number;
}): Promise<SourceOutcome[]> {
  const { workflowId } = workflowInfo();
  const name = nameOf({ number, total });
  return board.step(
    name,
    () =>
      executeChild<typeof copyBatch>('copyBatch', {
        workflowId: `${workflowId}/copies-${number}`,
        // It stops its copies; a terminated one would leave them running.
        parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
        staticSummary: `${name}: ${counted(task.items.length, 'source')} of ${task.fence.group}`,
        args: [{ task, askAt: workflowId, title: `${name}, run ${task.fence.run}` }],
      }),
    (outcomes) => {
      const done = outcomes.flatMap((each) => (each.state === 'ok' ? [each.result] : []));
      const sum = (pick: 'bytes' | 'sentBytes'): string =>
        formatBytes(done.reduce((bytes, each) => bytes + each[pick], 0));
      return `${done.length} of ${counted(outcomes.length, 'source')}, ${sum('bytes')}, ${sum('sentBytes')} sent`;
    },
  );
}

/** A batch's question at the run's own gate. */
async function relay(options: { gate: OperatorGate; batch: string; question: OpenQuestion }): Promise<void> {
  const { gate, batch, question } = options;
  const { step } = question;
  const answer = await gate.ask(question);
  if (answer.decision === 'abort') throw abortedByOperator({ step, by: answer.by, reason: answer.reason });
  await getExternalWorkflowHandle(batch).signal(answerSignal, { step, answer });
}

function nameOf({ number, total }: { number: number; total: number }): string {
  return `copies ${number} of ${total}`;
}
