/**
 * One source on its way into the store: a key for this run, a grant for one tree, a durable copy, the grant's end, and the target's
 * own listing against the source's (S9, S25). Data goes from the source to the target; only requests and figures pass through here.
 */
import { Context } from '@temporalio/activity';
import { z } from 'zod';
import { HostError } from '../hosts/errors';
import { runJob } from '../hosts/jobs';
import { jobName } from '../planning/ids';
import type { FleetHost } from '../planning/run-input';
import type { ActivityDeps, RunFence } from './context';
import { openLine } from './data-line';
import { asActivity, fenceFor, heartbeating, jobSignal } from './context';

export interface CopyInput {
  fence: RunFence;
  source: {
    host: FleetHost;
    name: string;
    tree: string;
    /** A live copy: it may differ from its source, and is labelled so. */
    live: boolean;
  };
  store: { name: string; host: FleetHost };
  transfer: {
    direction: 'push' | 'pull';
    /** This source's share, bytes per second; 0 is no limit. */
    bandwidthBytesPerS: number;
    io: 'normal' | 'low' | 'idle';
    streams: number;
  };
  /** Compare every file by content instead of by size and time (S10's periodic run). */
  checksum: boolean;
}

export interface CopyResult {
  tree: string;
  bytes: number;
  files: number;
  entries: number;
  listingSha256: string;
  /** Bytes that went over the wire. */
  sentBytes: number;
  startedAtMs: number;
  endedAtMs: number;
  /** What the comparison at the seal took, ms. */
  compareMs: number;
}

/** What the activity shows of itself while it runs: read by the CLI from the pending activity (S32). */
export interface CopyProgress {
  source: string;
  step: 'grant' | 'copy' | 'compare';
  bytes?: number;
  totalBytes?: number;
  files?: number;
  bytesPerS?: number;
  etaS?: number;
}

const sent = z.looseObject({
  entries: z.number(),
  files: z.number(),
  bytes: z.number(),
  sentBytes: z.number(),
  sha256: z.string(),
});
const compared = z.looseObject({ entries: z.number(), differences: z.array(z.string()).default([]) });

/** Makes the activity `copySource`. */
export function transferActivities({ hosts }: ActivityDeps) {
  async function copySource(input: CopyInput, progress: CopyProgress): Promise<CopyResult> {
    const startedAtMs = Date.now();
    const { source, store } = input;
    const step = `copy ${source.host.name}:${source.name}`;
    const fence = fenceFor({ fence: input.fence, step });
    const signal = jobSignal();
    const grant = jobName({ run: fence.run, step: 'grant', key: source.tree });
    const line = await openLine({
      hosts,
      fence: { sender: fence, receiver: fence },
      step,
      grant,
      sender: { host: source.host, scope: { scope: 'snapshot', source: source.name } },
      receiver: { host: store.host, scope: { scope: 'store', store: store.name, tree: source.tree } },
      dial: input.transfer.direction === 'push' ? 'out' : 'in',
      // The streams, and the pass over the whole tree.
      lanes: input.transfer.streams + 1,
    });
    progress.step = 'copy';
    const outcome = await runJob({
      hosts,
      host: source.host,
      job: jobName({ run: fence.run, step: 'send', key: source.tree }),
      kind: 'send',
      fence,
      step,
      signal,
      args: {
        source: source.name,
        grant,
        streams: input.transfer.streams,
        bandwidthKib: Math.ceil(input.transfer.bandwidthBytesPerS / 1024),
        io: input.transfer.io,
        checksum: input.checksum,
        ...line.peer,
      },
      onProgress: (now) => {
        // The job's own word for what it does must not hide which part of the step this is.
        Object.assign(progress, now, { step: 'copy' });
        Context.current().heartbeat(progress);
      },
    });
    const result = sent.parse(outcome.result);
    await line.close();
    const copiedAtMs = Date.now();
    progress.step = 'compare';
    await compare({ input, sha256: result.sha256, step, signal });
    return {
      tree: source.tree,
      bytes: result.bytes,
      files: result.files,
      entries: result.entries,
      listingSha256: result.sha256,
      sentBytes: result.sentBytes,
      startedAtMs,
      endedAtMs: copiedAtMs,
      compareMs: Date.now() - copiedAtMs,
    };
  }

  async function compare(options: {
    input: CopyInput;
    sha256: string;
    step: string;
    signal: AbortSignal;
  }): Promise<void> {
    const { input, sha256, step, signal } = options;
    const { source, store } = input;
    const outcome = await runJob({
      hosts,
      host: store.host,
      job: jobName({ run: input.fence.run, step: 'compare', key: source.tree }),
      kind: 'store-compare',
      fence: fenceFor({ fence: input.fence, step: `compare ${source.tree}` }),
      step,
      signal,
      args: { store: store.name, tree: source.tree, sha256, live: source.live },
    });
    const result = compared.parse(outcome.result);
    if (result.differences.length === 0 || source.live) return;
    throw new HostError({
      host: store.host.name,
      verb: 'store-compare',
      step,
      code: 'failed',
      message: `the copy of ${source.tree} differs from its snapshot: ${result.differences.slice(0, 5).join('; ')}`,
      next: "the source is copied again; if it differs again, look at the target's file system",
    });
  }

  return {
    copySource: (input: CopyInput) => {
      const progress: CopyProgress = { source: input.source.tree, step: 'grant' };
      return asActivity(() => heartbeating({ details: () => progress, body: () => copySource(input, progress) }));
    },
  };
}
