/**
 * Bringing data back, step by step: what the destination is, what would change, the data itself through the destination's own jail
 * (S22), and the listing that proves it. What happens to the workloads meanwhile: `restore-workloads.ts`.
 */
import { activityInfo } from '@temporalio/activity';
import { HostError } from '../hosts/errors';
import { stopJob } from '../hosts/jobs';
import type { DryRun } from '../planning/restore';
import { mountsChanged } from '../planning/restore-mounts';
import type { Mounts } from '../planning/restore-mounts';
import type { ActivityDeps, RunFence } from './context';
import { asActivity, fenceFor, heartbeating, jobSignal } from './context';
import { AGAIN, verifyItem } from './restore-compare';
import { nameOf } from './restore-item';
import type { RestoreItemRef } from './restore-item';
import { byContent, protectingNow, sendName } from './restore-pass';
import { checkDestination, mountsAt } from './restore-place';
import { restoreReading } from './restore-read';
import { sendItem } from './restore-send';
import type { Following, Sent } from './restore-send';
import { streamItem } from './restore-stream';
import { sameBoot } from './same-boot';
import type { CopyProgress } from './transfer';

export interface RestoreSourceInput {
  fence: RunFence;
  item: RestoreItemRef;
  /** The file system that the plan was made for; empty where it could not be told. */
  fsUuid: string;
  /** How the place lay among its host's mounts for the plan; left out by runs of an earlier version. */
  nested?: readonly string[];
  mountPoint?: string;
  /** The boot of the destination's host that has mounted the place; left out where a reboot takes nothing away. */
  bootId?: string;
  /** How many entries may be deleted at the destination; left out where none are. */
  maxDelete?: number;
}

export interface CountRestoreInput {
  fence: RunFence;
  item: RestoreItemRef;
  /** A second count, after the plan was approved. */
  again?: true;
}

export interface RestoredItem {
  files: number;
  bytes: number;
  deletions: number;
  sentBytes: number;
  /** SHA-256 of the listing that the destination was verified against. */
  listingSha256: string;
  /** Whether each file's content was compared, or its size and time. */
  byContent?: boolean;
  /** Folders that the backup does not hold and that stay for what is protected in them (escaped). */
  kept?: string[];
  /** Why rsync had to go on after a stream; left out where there was none, or it was enough. */
  afterStream?: string;
}

/** All that was sent for it, with the listing of the last one. */
function restoredItem({ sends, kept }: { sends: readonly Sent[]; kept: string[] }): RestoredItem {
  const sum = (count: (sent: Sent) => number) => sends.reduce((total, sent) => total + count(sent), 0);
  return {
    files: sum(({ files }) => files),
    bytes: sum(({ bytes }) => bytes),
    deletions: sum(({ deletions }) => deletions),
    sentBytes: sum(({ sentBytes }) => sentBytes),
    listingSha256: sends.at(-1)?.listing.sha256 ?? '',
    byContent: false,
    ...(kept.length === 0 ? {} : { kept }),
  };
}

/** Makes the activities of the workflow `restore`. */
export function restoreActivities({ hosts, genuineSigners }: ActivityDeps) {
  async function countRestore({ again, ...input }: CountRestoreInput, following: Following): Promise<DryRun> {
    const result = await sendItem({ ...input, hosts, what: again === true ? 'recount' : 'count' }, following);
    return { files: result.files, bytes: result.bytes, deletions: result.deletions, deletionSamples: result.deleting };
  }

  /** The place is looked at once more right before it is written to: between the plan and its approval a disk may have gone, or come. */
  async function restoreSource(input: RestoreSourceInput, following: Following): Promise<RestoredItem> {
    const { fence, fsUuid } = input;
    const { host } = input.item.destination;
    const step = `restore ${nameOf(input.item)}`;
    // Before each way: data that came back after a reboot would fill the memory of a rescue system.
    const stillThere = async (): Promise<void> => {
      if (input.bootId !== undefined) await sameBoot({ hosts, host, bootId: input.bootId, step });
    };
    await stillThere();
    const now = await mountsAt({ hosts, fence, item: input.item, step, fsUuid: fsUuid || undefined });
    await needsMountsOf(input, now);
    const item = protectingNow(input, now);
    const stream = await streamItem({ hosts, fence, item }, following);
    if (stream?.sent !== undefined && stream.why === undefined) return restoredItem({ sends: [stream.sent], kept: [] });
    if (stream !== undefined) await stillThere();
    const rest = stream?.byContent === true ? { ...item, checksum: true as const } : item;
    const sent = await sendItem({ ...input, hosts, item: rest, what: 'restore' }, following);
    following.progress.step = 'compare';
    const listingSha256 = sent.listing.sha256 ?? '';
    const kept = item.single
      ? await proveSingle({ fence, item }, following)
      : await verifyItem({ hosts, fence, item, listingSha256, signal: following.signal });
    const sends = stream?.sent === undefined ? [sent] : [stream.sent, sent];
    return {
      ...restoredItem({ sends, kept }),
      byContent: byContent({ fence, item: rest, what: 'restore' }),
      ...(stream?.why === undefined ? {} : { afterStream: stream.why }),
    };
  }

  /** What was mounted since the plan was made would be emptied (S20). @throws HostError `plan-changed`; then nothing is sent any more */
  async function needsMountsOf({ item, fence, nested, mountPoint }: RestoreSourceInput, now: Mounts): Promise<void> {
    if (nested === undefined) return;
    const why = mountsChanged({ planned: { nested, mountPoint }, now, single: item.single });
    if (why === undefined) return;
    const step = `restore ${nameOf(item)}`;
    if (activityInfo().attempt > 1) {
      // An attempt before this one may have left its sender running.
      const keys = { ...fenceFor({ fence, step }), group: item.store.group };
      const job = sendName({ fence, item, what: 'restore' });
      await stopJob({ hosts, host: item.store.host, job, fence: keys, step });
    }
    throw new HostError({
      host: item.destination.host.name,
      verb: 'restore.check',
      step,
      code: 'plan-changed',
      message: `${nameOf(item)} is not what the plan was made for: ${why}`,
      next: 'unmount it and retry, or abort and restore again: the new plan leaves alone what is mounted',
    });
  }

  /** A single file has no listing: it is compared by content, and nothing may be left to send. */
  async function proveSingle(
    input: { fence: RunFence; item: RestoreItemRef },
    following: Following,
  ): Promise<string[]> {
    const left = await sendItem({ ...input, hosts, what: 'prove' }, following);
    if (left.files === 0) return [];
    throw new HostError({
      host: input.item.destination.host.name,
      verb: 'restore-send',
      step: `prove ${nameOf(input.item)}`,
      code: 'failed',
      message: 'the file that lies there now is not the one of the backup',
      // The same try would only find the same again: `retry` sends anew.
      retryable: false,
      next: AGAIN,
    });
  }

  const following =
    <I extends { item: RestoreItemRef }, R>(body: (input: I, following: Following) => Promise<R>) =>
    (input: I) => {
      const signal = jobSignal();
      const progress: CopyProgress = { source: nameOf(input.item), step: 'grant' };
      return asActivity(() => heartbeating({ details: () => progress, body: () => body(input, { progress, signal }) }));
    };

  return {
    ...restoreReading({ hosts, genuineSigners }),
    checkDestination: (input: { fence: RunFence; item: RestoreItemRef }) =>
      asActivity(() => heartbeating({ body: () => checkDestination({ hosts, ...input }) })),
    countRestore: following(countRestore),
    restoreSource: following(restoreSource),
  };
}
