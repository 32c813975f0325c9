/**
 * One source on its way into the store: a key for this run, a grant for one tree, a durable copy, the grant's end, and the target's
 * own listing against the source's (S9, S25). Data goes from the source to the target; only requests and figures pass through here.
 */
import { Context } from '@temporalio/activity';
import { z } from 'zod';
import { HostError } from '../hosts/errors';
import { runJob } from '../hosts/jobs';
import { jobName } from '../planning/ids';
import { differencesInWords } from '../planning/listing';
import type { LuksHeader, LuksMissing } from '../planning/luks-headers';
import type { FleetHost } from '../planning/run-input';
import type { ActivityDeps, RunFence } from './context';
import { openLine, type DataLine } from './data-line';
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
  /** What lies at the target, where that is certain: nothing, or the tree of the listing with this sum. */
  base?: 'nothing' | { listing: string };
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
  /** When all data was there. */
  endedAtMs: number;
  /** What the comparison at the seal took, ms. */
  compareMs: number;
  /** rsync patterns of all that was left out, by the runbook or by the source's kind; missing from older hostkits. */
  excluded?: string[];
  /** What was read live and has changed since the instant, of a source that otherwise is of one. */
  changed?: string[];
  /** Of a whole machine: the headers of its encrypted volumes that were sent, and those that could not be had. */
  luksHeaders?: LuksHeader[];
  luksMissing?: LuksMissing[];
}

/** What the activity shows of itself while it runs: read by the CLI from the pending activity (S32). */
export interface CopyProgress {
  source: string;
  step: 'grant' | 'list' | 'copy' | 'compare';
  bytes?: number;
  totalBytes?: number;
  files?: number;
  bytesPerS?: number;
  etaS?: number;
}

const listedResult = z.looseObject({
  entries: z.number(),
  files: z.number(),
  bytes: z.number(),
  sha256: z.string(),
  patterns: z.array(z.string()).optional(),
  changed: z.array(z.string()).default([]),
  luksHeaders: z.array(z.object({ uuid: z.string(), bytes: z.number(), headerSha256: z.string() })).default([]),
  luksMissing: z.array(z.object({ volume: z.string(), why: z.string() })).default([]),
});
const sentResult = z.looseObject({ ...listedResult.shape, sentBytes: z.number() });
const compared = z.looseObject({ entries: z.number(), differences: z.array(z.string()).default([]) });

/** One attempt at one copy. */
interface Copy {
  input: CopyInput;
  progress: CopyProgress;
  signal: AbortSignal;
}
type Listed = z.infer<typeof listedResult>;
interface Sent extends z.infer<typeof sentResult> {
  /** Which pass it was: what its jobs' names end with. */
  pass: string;
  /** Only what differs from the last sealed tree was visited. */
  partly: boolean;
  /** Takes the grant back and sees its receivers gone. */
  close: () => Promise<void>;
}

/** Makes the activity `copySource`. */
export function transferActivities({ hosts }: ActivityDeps) {
  async function copySource(input: CopyInput, progress: CopyProgress): Promise<CopyResult> {
    const startedAtMs = Date.now();
    const copy = { input, progress, signal: jobSignal() };
    let { sent, differences, copiedAtMs } = await pass({ copy, name: '' });
    let { sentBytes } = sent;
    // The target's tree was not what its last listing says: a pass over all of it mends that.
    const more = sent.partly ? ['-all'] : [];
    // An operator who retries wants it gone over once more; what earlier rounds did is found done, and goes by at once.
    for (let round = 1; round <= input.fence.round; round += 1) more.push(`-all-${round}`);
    for (const name of more) {
      if (differences.length === 0 || isLive({ input, sent })) break;
      ({ sent, differences, copiedAtMs } = await pass({ copy, name }));
      sentBytes += sent.sentBytes;
    }
    if (differences.length > 0 && !isLive({ input, sent })) throw different(input, differences);
    const { bytes, files, entries, sha256, patterns, changed, luksHeaders, luksMissing } = sent;
    return {
      tree: input.source.tree,
      ...{ bytes, files, entries, sentBytes },
      listingSha256: sha256,
      startedAtMs,
      endedAtMs: copiedAtMs,
      compareMs: Date.now() - copiedAtMs,
      ...(patterns === undefined ? {} : { excluded: patterns }),
      ...(changed.length === 0 ? {} : { changed }),
      ...(luksHeaders.length === 0 ? {} : { luksHeaders }),
      ...(luksMissing.length === 0 ? {} : { luksMissing }),
    };
  }

  /** Sends and compares once. `name` tells a further pass from the first, which alone trusts what is known of the target. */
  async function pass({ copy, name }: { copy: Copy; name: string }) {
    const sent = await send({ copy, pass: name });
    const copiedAtMs = Date.now();
    await sent.close();
    copy.progress.step = 'compare';
    return { sent, copiedAtMs, differences: await compare({ copy, sent }) };
  }

  /** Brings the target's tree to what the snapshot holds. */
  async function send({ copy, pass }: { copy: Copy; pass: string }): Promise<Sent> {
    const { source, base, checksum } = copy.input;
    const known = pass !== '' || checksum || source.live ? undefined : base;
    copy.progress.step = source.live ? 'grant' : 'list';
    // A live tree is listed by the job that sends it, as short before as can be; a snapshot beside the grant.
    const [line, listed] = await Promise.all([open({ copy, pass }), source.live ? undefined : list(copy)]);
    const close = () => line.close();
    if (listed !== undefined && typeof known === 'object' && known.listing === listed.sha256)
      return { ...listed, sentBytes: 0, pass, partly: true, close };
    copy.progress.step = 'copy';
    const { transfer } = copy.input;
    const outcome = await line.carry({
      signal: copy.signal,
      body: (until) =>
        runJob({
          ...jobOf({ copy, step: `send${pass}`, host: source.host }),
          signal: until,
          kind: 'send',
          args: {
            source: source.name,
            grant: line.grant,
            streams: transfer.streams,
            bandwidthKib: Math.ceil(transfer.bandwidthBytesPerS / 1024),
            io: transfer.io,
            checksum,
            listing: listed?.sha256,
            fresh: known === 'nothing',
            base: typeof known === 'object' ? known.listing : undefined,
            ...line.peer,
          },
          onProgress: (now) => {
            // The job's own word for what it does must not hide which part of the step this is.
            Object.assign(copy.progress, now, { step: 'copy' });
            Context.current().heartbeat(copy.progress);
          },
        }),
    });
    return { ...sentResult.parse(outcome.result), pass, partly: known !== undefined, close };
  }

  /** A line for each pass: one that was hung up does not come back. */
  async function open({ copy, pass }: { copy: Copy; pass: string }): Promise<DataLine & { grant: string }> {
    const { input } = copy;
    const { source, store, transfer } = input;
    const step = stepOf(input);
    const fence = fenceFor({ fence: input.fence, step });
    const grant = jobName({ run: fence.run, step: `grant${pass}`, key: source.tree });
    const line = await openLine({
      hosts,
      fence: { sender: fence, receiver: fence },
      step,
      grant,
      sender: { host: source.host, scope: { scope: 'snapshot', source: source.name } },
      receiver: { host: store.host, scope: { scope: 'store', store: store.name, tree: source.tree } },
      dial: transfer.direction === 'push' ? 'out' : 'in',
      // The streams, the listing beside them, and the pass over the rest.
      lanes: transfer.streams + 2,
    });
    return { ...line, grant };
  }

  async function list(copy: Copy): Promise<Listed> {
    const { source } = copy.input;
    const { result } = await runJob({
      ...jobOf({ copy, step: 'list', host: source.host }),
      kind: 'listing',
      args: { source: source.name },
    });
    return listedResult.parse(result);
  }

  async function compare({ copy, sent }: { copy: Copy; sent: Sent }): Promise<string[]> {
    const { source, store } = copy.input;
    const { result } = await runJob({
      ...jobOf({ copy, step: `compare${sent.pass}`, host: store.host }),
      kind: 'store-compare',
      args: { store: store.name, tree: source.tree, sha256: sent.sha256, live: isLive({ input: copy.input, sent }) },
    });
    return compared.parse(result).differences;
  }

  /** What the jobs of a copy have in common; their names follow from run, step and tree, so that a retry attaches. */
  function jobOf({ copy, step, host }: { copy: Copy; step: string; host: FleetHost }) {
    const { fence, source } = copy.input;
    return {
      hosts,
      host,
      job: jobName({ run: fence.run, step, key: source.tree }),
      fence: fenceFor({ fence, step: step.startsWith('compare') ? `compare ${source.tree}` : stepOf(copy.input) }),
      step: stepOf(copy.input),
      signal: copy.signal,
    };
  }

  return {
    copySource: (input: CopyInput) => {
      const progress: CopyProgress = { source: input.source.tree, step: 'grant' };
      return asActivity(() => heartbeating({ details: () => progress, body: () => copySource(input, progress) }));
    },
  };
}

/** Whether the copy may differ from its source: it was read in use, or a part of it has changed while it was read. */
function isLive({ input, sent }: { input: CopyInput; sent: Pick<Listed, 'changed'> }): boolean {
  return input.source.live || sent.changed.length > 0;
}

function stepOf({ source }: CopyInput): string {
  return `copy ${source.host.name}:${source.name}`;
}

function different(input: CopyInput, differences: string[]): HostError {
  const { source, store } = input;
  return new HostError({
    host: store.host.name,
    verb: 'store-compare',
    step: stepOf(input),
    code: 'failed',
    message: `the copy of ${source.tree} differs from its snapshot: ${differencesInWords({ differences })}`,
    next: "`retry` copies it again; if it differs again, look at the target's file system",
    // Another attempt would find the same passes done, and the same difference.
    retryable: false,
  });
}
