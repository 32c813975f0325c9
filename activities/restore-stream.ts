/**
 * The data of a machine that is made again, first as one tar stream (hostkit/lib/tar-stream.sh): onto fresh file systems it takes a third of
 * rsync's time. It is tried once; whatever it leaves undone is rsync's, which begins where it ended.
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
}

/** Undefined where no stream is due: the place is not fresh, or the stream has ended badly in an attempt before. @throws HostError */
export async function streamItem(input: StreamInput, following: Following): Promise<Streamed | undefined> {
  const { hosts, fence, item } = input;
  const { signal, progress } = following;
  if (item.fresh !== true || fence.round > 0) return undefined;
  if (!(await isDue(input))) {
    // An attempt before may have been cut off before it did so itself.
    await takeBack(input);
    return undefined;
  }
  let sent: Sent;
  try {
    sent = await sendItem({ ...input, what: 'stream' }, following);
  } catch (error) {
    if (signal.aborted || !(error instanceof HostError)) throw error;
    // Nothing of it may write there beside rsync.
    await takeBack(input);
    return { why: error.reason };
  }
  progress.step = 'compare';
  const listingSha256 = sent.listing.sha256 ?? '';
  const { differences } = await compareItem({ hosts, fence, item, listingSha256, signal, after: 'stream' });
  if (differences.length === 0) return { sent };
  return { sent, why: `not all comes as a stream: ${differencesInWords({ differences })}` };
}

/** In a first attempt; later on only where it still runs, or has come to its good end: one that broke off would begin from the start. */
async function isDue({ hosts, fence, item }: StreamInput): Promise<boolean> {
  if (activityInfo().attempt === 1) return true;
  const { host } = item.store;
  const args = { job: sendName({ fence, item, what: 'stream' }), waitMs: 0 };
  const { state, exit } = await hosts.call({ host, verb: 'job.poll', step: stepOf(item), args, timeoutMs: CALL_MS });
  return state === 'running' || (state === 'exited' && exit === 0);
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
