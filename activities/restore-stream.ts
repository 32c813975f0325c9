/**
 * The data of a machine that is made again, first as one tar stream (hostkit/lib/tar-stream.sh): onto fresh file systems it takes less than rsync,
 * which asks about each file. One that ends badly is not begun again; whatever it leaves undone is rsync's, which begins where it ended.
 */
import { activityInfo } from '@temporalio/activity';
import { HostError } from '../hosts/errors';
import type { Hosts } from '../hosts/hosts';
import { CALL_MS, stopJob } from '../hosts/jobs';
import { jobName } from '../planning/ids';
import { differencesInWords } from '../planning/listing';
import type { RunFence } from './context';
import { fenceFor } from './context';
import { compareItem } from './restore-compare';
import { nameOf } from './restore-item';
import type { RestoreItemRef } from './restore-item';
import { sendName } from './restore-pass';
import { sendItem } from './restore-send';
import type { Following, Sent } from './restore-send';

interface StreamInput {
  hosts: Hosts;
  fence: RunFence;
  item: RestoreItemRef;
}

export interface Streamed {
  /** What has come. Left out where it has not come to its end. */
  sent?: Sent;
  /** Why rsync has to go on, in a word for who reads the step's result. Left out where all of it is there and equal. */
  why?: string;
  /** A file may be there by its size and time, and not by its content. */
  byContent?: true;
}

/** Nothing has come, or each file that has is whole but the last: the sender says so of a broken line (tar_read_all). */
const SOUND = ['bad-request', 'missing-tool', 'not-allowed', 'interrupted'];

/** Undefined where no stream is due. @throws HostError where an earlier one can't be seen to be gone */
export async function streamItem(input: StreamInput, following: Following): Promise<Streamed | undefined> {
  const { hosts, fence, item } = input;
  const { signal, progress } = following;
  if (item.fresh !== true) return undefined;
  const before = await streamBefore(input);
  if (before !== undefined) {
    // An attempt, or a try, before this one may have been cut off before it did so itself.
    await takeBack(input);
    return before;
  }
  let sent: Sent;
  try {
    sent = await sendItem({ ...input, what: 'stream' }, following);
  } catch (error) {
    if (signal.aborted || !(error instanceof HostError)) throw error;
    // Nothing of it may write there beside rsync.
    await takeBack(input);
    const { code } = error.detail;
    return endedBadly({ why: error.reason, code: typeof code === 'string' ? code : error.code });
  }
  progress.step = 'compare';
  const listingSha256 = sent.listing.sha256 ?? '';
  const { differences } = await compareItem({ hosts, fence, item, listingSha256, signal, after: 'stream' });
  if (differences.length === 0) return { sent };
  return { sent, why: `not all comes as a stream: ${differencesInWords({ differences })}` };
}

function endedBadly({ why, code }: { why: string; code: unknown }): Streamed {
  return SOUND.some((each) => each === code) ? { why } : { why, byContent: true };
}

/**
 * What became of the stream of an earlier attempt, where none is due now: one that broke off would begin from the start. Undefined in a first
 * attempt, and where it still runs or has come to its good end.
 */
async function streamBefore({ hosts, fence, item }: StreamInput): Promise<Streamed | undefined> {
  if (fence.round > 0) return { why: 'the step is tried again', byContent: true };
  if (activityInfo().attempt === 1) return undefined;
  const { host } = item.store;
  const args = { job: sendName({ fence, item, what: 'stream' }), waitMs: 0 };
  const poll = await hosts.call({ host, verb: 'job.poll', step: stepOf(item), args, timeoutMs: CALL_MS });
  const { state, exit, result } = poll;
  if (state === 'running' || (state === 'exited' && exit === 0)) return undefined;
  if (state === 'unknown') return { why: 'no stream was begun' };
  return endedBadly({ why: 'the stream of an earlier attempt has not come to its end', code: result?.['code'] });
}

/** The sender, the receiver and the grant between them, each seen gone. Idempotent. */
async function takeBack({ hosts, fence, item }: StreamInput): Promise<void> {
  const { store, destination, dial } = item;
  const step = stepOf(item);
  const keys = fenceFor({ fence, step });
  const grant = sendName({ fence, item, what: 'stream' });
  const ofStore = { ...keys, group: store.group };
  await stopJob({ hosts, host: store.host, job: grant, fence: ofStore, step });
  if (dial === 'in') {
    const job = jobName({ run: fence.run, step: 'dial', key: grant });
    await stopJob({ hosts, host: destination.host, job, fence: keys, step });
  }
  const [granting, args] = dial === 'in' ? [store.host, ofStore] : [destination.host, keys];
  await hosts.call({ host: granting, verb: 'grant.close', step, args: { ...args, grant } });
}

function stepOf(item: RestoreItemRef): string {
  return `stream ${nameOf(item)}`;
}
