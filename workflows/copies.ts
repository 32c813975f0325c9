/** All copies of a run: biggest first, at most so many at a time; one that fails for good is a question, not the end of the others. */
import { CancellationScope } from '@temporalio/workflow';
import type { CopyResult } from '../activities/transfer';
import { nextToStart } from '../planning/order';
import type { BackupInput } from '../planning/run-input';
import type { Source } from '../runbooks/types';
import type { Board } from './board';
import type { OperatorGate } from './gate';
import type { LeaseKeeper } from './lease-keeper';
import { bulk } from './options';

/** How one source fared. */
export type SourceOutcome =
  { source: Source; state: 'ok'; result: CopyResult } | { source: Source; state: 'missing'; reason: string };

interface Options {
  input: BackupInput;
  /** Bytes in use, where the host knows. */
  bytesOf: (source: Source) => number | undefined;
  missing: ReadonlyMap<string, string>;
  lease: LeaseKeeper;
  gate: OperatorGate;
  board: Board;
}

/** Copies from one host at the same time: more of them only make its disk seek. */
const PER_HOST = 2;

/** Copies every source of the group that is not already known to be missing. */
export async function copyAll(options: Options): Promise<SourceOutcome[]> {
  const { input, missing } = options;
  const outcomes: SourceOutcome[] = [];
  let waiting = input.group.sources.flatMap((source) => {
    const reason = missing.get(source.host);
    if (reason === undefined) return [{ key: source.tree, host: source.host, bytes: options.bytesOf(source), source }];
    outcomes.push({ source, state: 'missing', reason });
    return [];
  });
  for (const { source } of waiting) options.board.set(stepOf(source), 'waiting');
  const running = new Map<string, { host: string; done: Promise<void> }>();
  await CancellationScope.cancellable(async () => {
    while (waiting.length > 0 || running.size > 0) {
      const limits = { parallel: input.group.transfer.parallel, perHost: PER_HOST };
      const starting = nextToStart({ waiting, running: [...running.values()], limits });
      waiting = waiting.filter((item) => !starting.includes(item));
      for (const item of starting) {
        const done = copyOne(options, item.source).then((outcome) => {
          outcomes.push(outcome);
          running.delete(item.key);
        });
        running.set(item.key, { host: item.host, done });
      }
      await Promise.race([...running.values()].map((each) => each.done));
    }
  });
  return outcomes;
}

async function copyOne(options: Options, source: Source): Promise<SourceOutcome> {
  const { input, lease, gate, board } = options;
  const step = stepOf(source);
  const host = input.hosts.find((each) => each.name === source.host);
  if (host === undefined) return { source, state: 'missing', reason: `the runbook has no host ${source.host}` };
  const { transfer } = input.group;
  board.set(step, 'running');
  const gated = await gate.run({
    step,
    allowed: ['retry', 'skip', 'abort'],
    attempt: (round) =>
      bulk.copySource.executeWithOptions({ summary: step }, [
        {
          fence: lease.fence(round),
          source: { host, name: source.name, tree: source.tree, live: source.snapshot === 'none' },
          store: { name: input.store.name, host: input.storeHost },
          transfer: {
            direction: transfer.direction,
            bandwidthBytesPerS: Math.floor(
              transfer.bandwidthBytesPerS / Math.min(transfer.parallel, input.group.sources.length),
            ),
            io: transfer.io,
            streams: transfer.streams,
          },
          checksum: input.checksum,
        },
      ]),
    skipAtOnce: (failure) =>
      input.group.onUnreachable === 'partial' && failure.code === 'unreachable' && failure.host === source.host,
  });
  if (gated.skipped) {
    board.set(step, 'skipped', gated.failure.message);
    return { source, state: 'missing', reason: `left out by ${gated.by}: ${gated.failure.message}` };
  }
  board.set(step, 'done', `${gated.value.files} files, ${gated.value.bytes} bytes, ${gated.value.sentBytes} sent`);
  return { source, state: 'ok', result: gated.value };
}

function stepOf(source: Source): string {
  return `copy ${source.host}:${source.name}`;
}
