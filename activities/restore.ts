/**
 * Bringing data back, step by step: what the destination is, what would change, the data itself through the destination's own jail
 * (S22), and the listing that proves it. What happens to the workloads meanwhile: `restore-workloads.ts`.
 */
import { activityInfo, Context } from '@temporalio/activity';
import { z } from 'zod';
import { readBackups } from '../hosts/backups';
import { HostError } from '../hosts/errors';
import { runJob, stopJob } from '../hosts/jobs';
import { listingLines } from '../hosts/listings';
import { jobName } from '../planning/ids';
import { differencesInWords, escapePath, readListing } from '../planning/listing';
import type { Manifest } from '../planning/manifest';
import type { DestinationCheck, DryRun } from '../planning/restore';
import { mountsChanged } from '../planning/restore-mounts';
import type { Mounts } from '../planning/restore-mounts';
import type { FleetHost } from '../planning/run-input';
import type { ActivityDeps, RunFence } from './context';
import { asActivity, fenceFor, heartbeating, jobSignal } from './context';
import { openLine } from './data-line';
import { nameOf, placeArgs, scopeOf } from './restore-item';
import type { RestoreItemRef } from './restore-item';
import { byContent, DRY, keyFor, protectingNow, sendName } from './restore-pass';
import type { Pass } from './restore-pass';
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

const checked = z.looseObject({
  fsType: z.string(),
  fsUuid: z.string(),
  freeBytes: z.number(),
  /** Where the data goes, and whether anything lies in it already. */
  destination: z.string().default(''),
  holds: z.boolean().default(false),
  /** What the destination lies on. */
  mountPoint: z.string().optional(),
  /** rsync patterns of mounts below, relative to the destination. */
  protected: z.array(z.string()).default([]),
});
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
  /** One backup's manifest. @throws a failure `not-found` or `damaged`; a bad signature is never passed over (S19) */
  async function readBackup(input: {
    group: string;
    store: { name: string; host: FleetHost };
    id: string;
  }): Promise<{ manifest: Manifest; signedBy: string }> {
    const { backups } = await readBackups({
      hosts,
      storeHost: input.store.host,
      store: input.store.name,
      group: input.group,
    });
    const found = backups.find((each) => each.id === input.id);
    const at = { host: input.store.host.name, verb: 'store.list', step: 'read backup' };
    if (found === undefined)
      throw new HostError({ ...at, code: 'not-found', message: `there is no backup ${input.id} of ${input.group}` });
    if (found.manifest === undefined || found.signedBy === undefined || found.problem !== undefined) {
      throw new HostError({
        ...at,
        code: 'identity-changed',
        message: `backup ${input.id}: ${found.problem ?? 'not signed'}`,
        next: 'restore another backup, or look at the store by hand (docs/stores.md)',
      });
    }
    if (!(await genuineSigners()).includes(found.signedBy)) {
      throw new HostError({
        ...at,
        code: 'not-allowed',
        message: `backup ${input.id} is signed by a key that this director does not know, ${found.signedBy}`,
        next: `restore it from the director that made it, or look whose it is with \`resurgo adopt ${input.group}\` and retry this step`,
      });
    }
    return { manifest: found.manifest, signedBy: found.signedBy };
  }

  async function checkDestination(input: { fence: RunFence; item: RestoreItemRef }): Promise<DestinationCheck> {
    const { item, fence } = input;
    const { host, source } = item.destination;
    const step = `check ${nameOf(item)}`;
    const none = { mounted: true, fsType: '', fsUuid: '', freeBytes: 0, holds: null, nested: [], safety: null };
    try {
      const args = { group: fence.group, run: fence.run, ...placeArgs(item) };
      const reply = checked.parse(await hosts.call({ host, verb: 'restore.check', step, args }));
      const safety = source?.snapshot === 'btrfs' || source?.snapshot === 'zfs' ? source.snapshot : null;
      return {
        allowed: true,
        mounted: true,
        fsType: reply.fsType,
        fsUuid: reply.fsUuid,
        freeBytes: reply.freeBytes,
        holds: reply.holds ? reply.destination : null,
        ...mountsOf(reply),
        safety,
      };
    } catch (error) {
      // A refusal belongs into the plan, where all of them are shown together; anything else is a failed look.
      if (!(error instanceof HostError)) throw error;
      if (error.code === 'not-allowed' || error.code === 'exists')
        return { ...none, allowed: false, reason: error.reason };
      if (error.code === 'not-mounted') return { ...none, allowed: true, mounted: false, reason: error.reason };
      throw error;
    }
  }

  /** Whether a path of a backup is a folder, or a single file; told by the listing that was sealed. */
  async function lookUp(input: {
    store: RestoreItemRef['store'];
    id: string;
    tree: string;
    subpath: string;
  }): Promise<{ single: boolean }> {
    const { store, id, tree, subpath } = input;
    const step = 'look up path';
    const wanted = escapePath(subpath);
    const ref = { storeHost: store.host, store: store.name, group: store.group, id, tree };
    for await (const line of readListing(listingLines({ hosts, ref, step }))) {
      if (line.kind === 'entry' && line.entry.path === wanted) return { single: line.entry.type !== 'd' };
    }
    throw new HostError({
      host: store.host.name,
      verb: 'store.listing',
      step,
      code: 'not-found',
      message: `backup ${id} holds no ${subpath} in ${tree}`,
      next: 'look for it with `resurgo find`',
    });
  }

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
    const place = { group: fence.group, run: fence.run, ...placeArgs(input.item), fsUuid: fsUuid || undefined };
    const { host } = input.item.destination;
    const step = `restore ${nameOf(input.item)}`;
    // Each attempt: data that came back after a reboot would fill the memory of a rescue system.
    if (input.bootId !== undefined) await sameBoot({ hosts, host, bootId: input.bootId, step });
    const now = mountsOf(checked.parse(await hosts.call({ host, verb: 'restore.check', step, args: place })));
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
      next: AGAIN,
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
    lookUp: (input: { store: RestoreItemRef['store']; id: string; tree: string; subpath: string }) =>
      asActivity(() => heartbeating({ body: () => lookUp(input) })),
    readBackup: (input: { group: string; store: { name: string; host: FleetHost }; id: string }) =>
      asActivity(() => heartbeating({ body: () => readBackup(input) })),
    checkDestination: (input: { fence: RunFence; item: RestoreItemRef }) =>
      asActivity(() => heartbeating({ body: () => checkDestination(input) })),
    countRestore: following(countRestore),
    restoreSource: following(restoreSource),
  };
}

const AGAIN =
  'retry restores it again, compared by content; if it differs again, something still writes there, or the file can not be replaced (lsattr shows `i`: chattr -i)';

function mountsOf(reply: z.infer<typeof checked>): Mounts {
  const { mountPoint } = reply;
  return { nested: reply.protected, ...(mountPoint === undefined ? {} : { mountPoint }) };
}
