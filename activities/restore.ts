/**
 * Bringing data back, step by step: what the destination is, what would change, the data itself through the destination's own jail
 * (S22), and the listing that proves it. What happens to the workloads meanwhile: `restore-workloads.ts`.
 */
import { activityInfo, Context } from '@temporalio/activity';
import { z } from 'zod';
import { HostError } from '../hosts/errors';
import { runJob, stopJob } from '../hosts/jobs';
import { jobName } from '../planning/ids';
import { differencesInWords } from '../planning/listing';
import type { DryRun } from '../planning/restore';
import { mountsChanged } from '../planning/restore-mounts';
import type { Mounts } from '../planning/restore-mounts';
import type { ActivityDeps, RunFence } from './context';
import { asActivity, fenceFor, heartbeating, jobSignal } from './context';
import { openLine } from './data-line';
import { nameOf, placeArgs, scopeOf } from './restore-item';
import type { RestoreItemRef } from './restore-item';
import { byContent, DRY, keyFor, protectingNow, sendName } from './restore-pass';
import type { Pass } from './restore-pass';
import { checkDestination, mountsAt } from './restore-place';
import { restoreReading } from './restore-read';
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
}

const sent = z.looseObject({
  bytes: z.number(),
  files: z.number(),
  deletions: z.number(),
  sentBytes: z.number().default(0),
  deleting: z.array(z.string()).default([]),
  listing: z.looseObject({ sha256: z.string().optional() }).default({}),
});
const verified = z.looseObject({
  differences: z.array(z.string()).default([]),
  kept: z.array(z.string()).default([]),
});

/** What a step that follows a job shows of itself, and what ends it. */
interface Following {
  progress: CopyProgress;
  signal: AbortSignal;
}

/** Makes the activities of the workflow `restore`. */
export function restoreActivities({ hosts, genuineSigners }: ActivityDeps) {
  async function send(
    input: { fence: RunFence; item: RestoreItemRef; what: Pass; maxDelete?: number },
    { progress, signal }: Following,
  ) {
    const { item, fence, what, maxDelete } = input;
    const step = `${what} ${nameOf(item)}`;
    const keys = fenceFor({ fence, step });
    const grant = sendName(input);
    const { store, destination, backup } = item;
    const line = await openLine({
      hosts,
      fence: { sender: { ...keys, group: store.group }, receiver: keys },
      step,
      grant,
      sender: {
        host: store.host,
        scope: {
          scope: 'backup',
          store: store.name,
          id: backup.id,
          tree: backup.tree,
          subpath: backup.subpath ?? undefined,
        },
      },
      receiver: { host: destination.host, scope: scopeOf(item) },
      dial: item.dial,
      lanes: 1,
    });
    progress.step = 'copy';
    const { result } = await line.carry({
      signal,
      body: (until) =>
        runJob({
          hosts,
          host: store.host,
          job: grant,
          kind: 'restore-send',
          fence: { ...keys, group: store.group },
          step,
          signal: until,
          args: {
            store: store.name,
            id: backup.id,
            tree: backup.tree,
            subpath: backup.subpath ?? undefined,
            grant,
            dryRun: DRY[what],
            checksum: byContent(input),
            delete: item.deletes && !item.single,
            maxDelete,
            headers: item.withoutHeaders === true ? false : undefined,
            excludes: item.protect.length === 0 ? undefined : Buffer.from(item.protect.join('\n')).toString('base64'),
            ...line.peer,
          },
          onProgress: (now) => {
            Object.assign(progress, now, { step: 'copy' });
            Context.current().heartbeat(progress);
          },
        }),
    });
    await line.close();
    return sent.parse(result);
  }

  async function countRestore({ again, ...input }: CountRestoreInput, following: Following): Promise<DryRun> {
    const result = await send({ ...input, what: again === true ? 'recount' : 'count' }, following);
    return { files: result.files, bytes: result.bytes, deletions: result.deletions, deletionSamples: result.deleting };
  }

  /** The place is looked at once more right before it is written to: between the plan and its approval a disk may have gone, or come. */
  async function restoreSource(input: RestoreSourceInput, following: Following): Promise<RestoredItem> {
    const { fence, fsUuid } = input;
    const { host } = input.item.destination;
    const step = `restore ${nameOf(input.item)}`;
    // Each attempt: data that came back after a reboot would fill the memory of a rescue system.
    if (input.bootId !== undefined) await sameBoot({ hosts, host, bootId: input.bootId, step });
    const now = await mountsAt({ hosts, fence, item: input.item, step, fsUuid: fsUuid || undefined });
    await needsMountsOf(input, now);
    const item = protectingNow(input, now);
    const result = await send({ ...input, item, what: 'restore' }, following);
    following.progress.step = 'compare';
    const listingSha256 = result.listing.sha256 ?? '';
    const kept = item.single
      ? await proveSingle({ fence, item }, following)
      : await verify({ fence, item, listingSha256, signal: following.signal });
    return {
      files: result.files,
      bytes: result.bytes,
      deletions: result.deletions,
      sentBytes: result.sentBytes,
      listingSha256,
      byContent: byContent({ fence, item, what: 'restore' }),
      ...(kept.length === 0 ? {} : { kept }),
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

  /** The destination lists itself, against what was sealed; what is protected there doesn't count (S9, S20). Returns the folders kept for it. */
  async function verify({
    fence,
    item,
    listingSha256,
    signal,
  }: {
    fence: RunFence;
    item: RestoreItemRef;
    listingSha256: string;
    signal: AbortSignal;
  }): Promise<string[]> {
    const step = `verify ${nameOf(item)}`;
    const { host } = item.destination;
    const { result } = await runJob({
      hosts,
      host,
      job: jobName({ run: fence.run, step: 'verify', key: keyFor({ fence, item }) }),
      kind: 'restore-verify',
      fence: fenceFor({ fence, step }),
      step,
      signal,
      args: {
        ...placeArgs(item),
        tree: item.destination.source?.tree ?? item.backup.tree,
        sha256: listingSha256,
        extra: !item.deletes,
        excludes: item.protect.length === 0 ? undefined : Buffer.from(item.protect.join('\n')).toString('base64'),
      },
    });
    const { differences, kept } = verified.parse(result);
    if (differences.length === 0) return kept;
    throw new HostError({
      host: host.name,
      verb: 'restore-verify',
      step,
      code: 'failed',
      message: `what lies there now is not the backup: ${differencesInWords({ differences })}`,
      // The same try would only find the same again: `retry` sends anew.
      retryable: false,
      next: `${AGAIN}; or ${damagedWords(item)}`,
    });
  }

  /** A single file has no listing: it is compared by content, and nothing may be left to send. */
  async function proveSingle(
    input: { fence: RunFence; item: RestoreItemRef },
    following: Following,
  ): Promise<string[]> {
    const left = await send({ ...input, what: 'prove' }, following);
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

const AGAIN =
  'retry restores it again, compared by content; if it differs again, something still writes there, or the file can not be replaced (lsattr shows `i`: chattr -i)';

/** What is compared is the listing that was sealed: data that the store has not kept differ as well. */
function damagedWords({ backup: { id }, store: { name, group, host } }: RestoreItemRef): string {
  return `backup ${id} in store ${name} on ${host.name} is damaged: abort, and restore another one (\`resurgo list ${group}\`)`;
}
