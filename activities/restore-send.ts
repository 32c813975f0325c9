/** One pass of a restore: a tree of a backup through the destination's own jail (S22), as the sender's job tells of it. */
import { Context } from '@temporalio/activity';
import { z } from 'zod';
import type { Hosts } from '../hosts/hosts';
import { runJob } from '../hosts/jobs';
import type { RunFence } from './context';
import { fenceFor } from './context';
import { openLine } from './data-line';
import { nameOf, protectArgs, scopeOf } from './restore-item';
import type { RestoreItemRef } from './restore-item';
import { byContent, DRY, sendName } from './restore-pass';
import type { Pass } from './restore-pass';
import type { CopyProgress } from './transfer';

const sent = z.looseObject({
  bytes: z.number(),
  files: z.number(),
  deletions: z.number(),
  sentBytes: z.number().default(0),
  deleting: z.array(z.string()).default([]),
  listing: z.looseObject({ sha256: z.string().optional() }).default({}),
});
export type Sent = z.infer<typeof sent>;

/** What a step that follows a job shows of itself, and what ends it. */
export interface Following {
  progress: CopyProgress;
  signal: AbortSignal;
}

export interface SendInput {
  fence: RunFence;
  item: RestoreItemRef;
  what: Pass;
  /** How many entries may be deleted at the destination. */
  maxDelete?: number;
}

/** Sends, or attaches to the job that does. @throws HostError */
export async function sendItem(
  { hosts, ...input }: SendInput & { hosts: Hosts },
  { progress, signal }: Following,
): Promise<Sent> {
  const { item, fence, what, maxDelete } = input;
  const step = `${what} ${nameOf(item)}`;
  const keys = fenceFor({ fence, step });
  const grant = sendName(input);
  const { store, destination, backup } = item;
  const { id, tree } = backup;
  const subpath = backup.subpath ?? undefined;
  const stream = what === 'stream' ? true : undefined;
  const line = await openLine({
    hosts,
    fence: { sender: { ...keys, group: store.group }, receiver: keys },
    step,
    grant,
    sender: { host: store.host, scope: { scope: 'backup', store: store.name, id, tree, subpath } },
    receiver: { host: destination.host, scope: scopeOf(item) },
    dial: item.dial,
    lanes: 1,
    stream,
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
          ...{ store: store.name, id, tree, subpath, grant, stream },
          dryRun: DRY[what],
          checksum: byContent(input),
          delete: item.deletes && !item.single,
          maxDelete,
          headers: item.withoutHeaders === true ? false : undefined,
          ...protectArgs(item),
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
