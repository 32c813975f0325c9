/** Copies of many sources: biggest first, at most so many at a time; one that fails for good is a question, not the end of the others. */
import { condition } from '@temporalio/workflow';
import type { RunFence } from '../activities/context';
import type { CopyInput, CopyResult } from '../activities/transfer';
import { counted } from '../planning/counted';
import { nextToStart } from '../planning/order';
import { formatBytes } from '../planning/progress';
import type { FleetHost } from '../planning/run-input';
import type { Source } from '../runbooks/types';
import type { Board } from './board';
import type { Gate } from './gate';
import { bulk } from './options';
import { Together } from './together';

/** What is to be copied and how: plain data, so that a child workflow can be given a part of it. */
export interface CopyTask {
  fence: Omit<RunFence, 'round'>;
  items: CopyTaskItem[];
  store: CopyInput['store'];
  /** With one copy's share of the bandwidth. */
  transfer: CopyInput['transfer'];
  /** Copies at the same time. */
  parallel: number;
  checksum: boolean;
  onUnreachable: 'fail' | 'partial';
}

export interface CopyTaskItem {
  source: Source;
  host: FleetHost;
  /** Whether it is read while it is in use; missing in runs of former versions, which knew that of `none` alone. */
  live?: boolean;
  /** Bytes in use, where the host knows. */
  bytes?: number;
  /** What of the source lies at the target, where that is certain. */
  base?: CopyInput['base'];
}

/** How one source fared. */
export type SourceOutcome =
  { source: Source; state: 'ok'; result: CopyResult } | { source: Source; state: 'missing'; reason: string };

/** Copies from one host at the same time: more of them only make its disk seek. */
const PER_HOST = 2;
/** Copies that may wait for a person and leave their slot to the others. When more wait, the fault is hardly theirs, and asking on and on helps nobody. */
const WAITING_ASIDE = 3;

/** A copy under way. */
interface Running {
  host: string;
  /** `asks`: waits for a person; `queued`: answered, waits for a slot. */
  state: 'works' | 'asks' | 'queued';
}

interface Options {
  task: CopyTask;
  gate: Gate;
  board: Board;
}

/** Copies every source of the task, and returns when each is whole or left out. */
export async function copyWindow(options: Options): Promise<SourceOutcome[]> {
  const { task, board } = options;
  const outcomes: SourceOutcome[] = [];
  const running = new Map<string, Running>();
  const together = new Together();
  let waiting = task.items.map((item) => ({ key: item.source.tree, host: item.host.name, bytes: item.bytes, item }));
  for (const { item } of waiting) board.set(stepOf(item.source), 'waiting');
  // What the loop below waits for: a copy ended, or stepped aside.
  let turns = 0;
  let failed: { error: unknown } | undefined;
  const start = ({ key, host, item }: (typeof waiting)[number]): void => {
    const copy: Running = { host, state: 'works' };
    running.set(key, copy);
    const asks = (): void => {
      copy.state = 'asks';
      turns += 1;
    };
    const hasRoom = (): boolean => {
      const working = [...running.values()].filter((each) => each.state === 'works');
      return working.length < task.parallel && working.filter((each) => each.host === host).length < PER_HOST;
    };
    const slot = async (): Promise<void> => {
      copy.state = 'queued';
      // Looked at again: of several that wait, one turn wakes all for whom there is room, and the first has taken it.
      while (!hasRoom()) await condition(hasRoom);
      copy.state = 'works';
    };
    void together
      .start(() => copyOne({ ...options, item, asks, slot }))
      .then(
        (outcome) => outcomes.push(outcome),
        (error: unknown) => (failed ??= { error }),
      )
      .finally(() => {
        running.delete(key);
        turns += 1;
      });
  };
  try {
    while (waiting.length > 0 || running.size > 0) {
      const limits = { parallel: task.parallel, perHost: PER_HOST };
      const starting = new Set(nextToStart({ waiting, running: holding(running), limits }));
      waiting = waiting.filter((each) => !starting.has(each));
      starting.forEach(start);
      const seen = turns;
      await condition(() => turns > seen);
      if (failed !== undefined) throw failed.error;
    }
    return outcomes;
  } finally {
    await together.end();
  }
}

/** The copies that hold a slot. */
function holding(running: ReadonlyMap<string, Running>): Running[] {
  const aside = count(running, 'asks') <= WAITING_ASIDE;
  return [...running.values()].filter((each) => !aside || each.state !== 'asks');
}

function count(running: ReadonlyMap<string, Running>, state: Running['state']): number {
  return [...running.values()].filter((each) => each.state === state).length;
}

async function copyOne(
  options: Options & { item: CopyTaskItem; asks: () => void; slot: () => Promise<void> },
): Promise<SourceOutcome> {
  const { task, gate, board, item, asks, slot } = options;
  const { source, host } = item;
  const step = stepOf(source);
  const gated = await gate.run({
    step,
    allowed: ['retry', 'skip', 'abort'],
    asks,
    attempt: async (round) => {
      if (round > 0) await slot();
      board.set(step, 'running');
      return bulk.copySource.executeWithOptions({ summary: step }, [
        {
          fence: { ...task.fence, round },
          source: { host, name: source.name, tree: source.tree, live: item.live ?? source.snapshot === 'none' },
          store: task.store,
          transfer: task.transfer,
          checksum: task.checksum,
          base: item.base,
        },
      ]);
    },
    skipAtOnce: (failure) =>
      task.onUnreachable === 'partial' && failure.code === 'unreachable' && failure.host === source.host,
  });
  if (gated.skipped) {
    board.set(step, 'skipped', gated.failure.message);
    return { source, state: 'missing', reason: `left out by ${gated.by}: ${gated.failure.message}` };
  }
  const { files, bytes, sentBytes } = gated.value;
  board.set(step, 'done', `${counted(files, 'file')}, ${formatBytes(bytes)}, ${formatBytes(sentBytes)} sent`);
  return { source, state: 'ok', result: gated.value };
}

function stepOf(source: Source): string {
  return `copy ${source.host}:${source.name}`;
}
