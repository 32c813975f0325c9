/**
 * Drives a durable remote job: start (or attach) → poll → result. The job outlives this driver: only a requested cancel stops it.
 */
import type { Fence, JobArgs, JobKind } from './args';
import { HostError, isAway, isHostkitCode } from './errors';
import type { HostRef, Hosts } from './hosts';
import type { JobPoll } from './replies';
import { pause, reasonOf } from './slots';

/** `signal.reason` when the driver goes away (worker shutdown): the job is left running. */
export class DetachError extends Error {
  constructor(message = 'detached: the job goes on at the host') {
    super(message);
    this.name = 'DetachError';
  }
}

/** `signal.reason` when someone asked for the run to be cancelled: the job is stopped, and seen to be stopped. */
export class CancelError extends Error {
  constructor(message = 'cancelled') {
    super(message);
    this.name = 'CancelError';
  }
}

export interface JobProgress {
  bytes: number;
  files: number;
  /** What the job expects in all; undefined when it does not know. */
  totalBytes: number | undefined;
  totalFiles: number | undefined;
  /** What the job is doing now, in its own word. */
  step: string | undefined;
  /** Smoothed over about ten seconds; 0 until two polls differ. */
  bytesPerS: number;
  /** Undefined when the rate or the total is not known. */
  etaS: number | undefined;
}

export interface JobOutcome {
  job: string;
  /** What the job's program left as its result. */
  result: Record<string, unknown>;
  startedMs: number;
  endedMs: number;
  /** The end of the job's log, at most 2 KB. */
  tail: string;
  /** Whether the job was there already when we came. */
  attached: boolean;
}

export interface RunJobOptions<K extends JobKind> {
  hosts: Hosts;
  host: HostRef;
  /** The job's name: derived from the step's key, so that a retry attaches. */
  job: string;
  kind: K;
  args: JobArgs[K];
  fence: Fence;
  /** Default: the fence's step. */
  step?: string;
  /** In that boot of the host alone: of a rescue system, whose hostkit is this director's own. Its start then tells how a short job has ended. */
  boot?: string;
  onProgress?: (progress: JobProgress) => void;
  signal?: AbortSignal;
  /** How long the first and the later polls wait at the host for the job's end, in ms. Default 200 and 2,000. */
  pollMs?: { first: number; longest: number };
  /** How long the host may be out of reach before the driver gives up (the job goes on), in ms. Default 120,000. */
  unreachableMs?: number;
}

const POLL_MS = { first: 200, longest: 2_000 };
/** How long a start waits for the end of a job that most often is short, in ms. */
const START_MS = 1_000;
const POLL_GROWTH = 1.5;
const UNREACHABLE_MS = 120_000;
/** How long one request about a job may take, in ms. */
export const CALL_MS = 30_000;
/** How long a stopped job may take to be gone, in ms. */
const STOP_MS = 60_000;

/**
 * Runs a job to its end. One that had come to its good end before a cancel stopped it is done, and told as done: nobody may take it for
 * undone.
 * @throws HostError `job-died` (retryable: reboot or kill), the job's own code or `job-failed`, `fenced`, `rebooted`, or an error of the
 *   connection once the host was out of reach for `unreachableMs`; the signal's reason (a DetachError or CancelError) when aborted.
 */
export async function runJob<K extends JobKind>(options: RunJobOptions<K>): Promise<JobOutcome> {
  try {
    return await drive(options);
  } catch (error) {
    const { signal, host, job, fence, step = fence.step } = options;
    if (signal?.aborted !== true) throw error;
    if (signal.reason instanceof CancelError) {
      const poll = await stopJob(options);
      if (poll.state === 'exited' && poll.exit === 0) return outcome({ poll, host, job, step, attached: true });
    }
    throw reasonOf(signal);
  }
}

async function drive<K extends JobKind>(options: RunJobOptions<K>): Promise<JobOutcome> {
  const { hosts, host, job, kind, args, fence, boot, signal, onProgress } = options;
  signal?.throwIfAborted();
  const step = options.step ?? fence.step;
  const patience = new Patience(options.unreachableMs ?? UNREACHABLE_MS);
  const at = { host, step, timeoutMs: CALL_MS, signal };
  const own = boot === undefined ? {} : { boot, waitMs: START_MS };
  const started = await patience.keep(signal, () =>
    hosts.call({ ...at, verb: 'job.start', args: { ...fence, job, kind, ...own, ...args } }),
  );
  const { attached = false, state, ...rest } = started;
  if (state !== undefined && state !== 'running')
    return outcome({ poll: { ...rest, state }, host, job, step, attached });
  const { first, longest } = options.pollMs ?? POLL_MS;
  const rate = new Rate();
  for (let wait = first; ; wait = Math.min(longest, wait * POLL_GROWTH)) {
    const askedMs = performance.now();
    const waitMs = Math.round(wait);
    const poll = await patience.keep(signal, () => hosts.call({ ...at, verb: 'job.poll', args: { job, waitMs } }));
    if (poll.progress) onProgress?.(rate.measure(poll.progress));
    if (poll.state !== 'running') return outcome({ poll, host, job, step, attached });
    // A host that answers early is not asked more often for it.
    await pause({ ms: Math.max(0, wait - (performance.now() - askedMs)), signal });
  }
}

function outcome(ended: { poll: JobPoll; host: HostRef; job: string; step: string; attached: boolean }): JobOutcome {
  const failed = failureOf(ended);
  if (failed !== undefined) throw failed;
  const { poll, job, attached } = ended;
  const { result, startedMs, endedMs, tail } = poll;
  return { job, result: result ?? {}, startedMs: startedMs ?? 0, endedMs: endedMs ?? 0, tail: tail ?? '', attached };
}

/** Why a job has failed; undefined where it still runs or has come to its good end. */
export function failureOf(at: { poll: JobPoll; host: HostRef; job: string; step: string }): HostError | undefined {
  const { poll, host, job, step } = at;
  if (poll.state === 'running') return undefined;
  const tail = poll.tail ?? '';
  const where = { host: host.name, verb: `job ${job}`, step };
  if (poll.state !== 'exited') {
    const why = poll.state === 'died' ? 'it ended without a result' : 'the host knows nothing of it any more';
    return new HostError({ ...where, code: 'job-died', message: why, detail: { tail } });
  }
  if (poll.exit === 0) return undefined;
  return failure({ at: where, exit: poll.exit ?? null, result: poll.result ?? {}, tail });
}

/** The job's own refusal, when it left one: `{code, message}` in its result. */
function failure({
  at,
  exit,
  result,
  tail,
}: {
  at: { host: string; verb: string; step: string };
  exit: number | null;
  result: Record<string, unknown>;
  tail: string;
}): HostError {
  const { code, message } = result;
  const detail = { ...result, exit, tail };
  const text = typeof message === 'string' ? message : `exit ${exit ?? 'unknown'}: ${tail.slice(-512)}`;
  if (code === 'interrupted') return new HostError({ ...at, code: 'connection-lost', message: text, detail });
  const known = typeof code === 'string' && isHostkitCode(code) ? code : 'job-failed';
  return new HostError({ ...at, code: known, message: text, detail });
}

/** Stops the job and waits until it is seen to be gone; how it ended. @throws HostError when it can't be confirmed */
export async function stopJob(options: {
  hosts: Hosts;
  host: HostRef;
  job: string;
  fence: Fence;
  step?: string;
  /** How long to try, in ms. Default 60,000. */
  timeoutMs?: number;
}): Promise<JobPoll> {
  const { hosts, host, job, fence, step = fence.step, timeoutMs = STOP_MS } = options;
  const patience = new Patience(timeoutMs);
  // No caller's signal here: it is aborted already, and the stop must be confirmed.
  const at = { host, step, timeoutMs: CALL_MS };
  const deadline = Date.now() + timeoutMs;
  await patience.keep(undefined, () => hosts.call({ ...at, verb: 'job.stop', args: { ...fence, job } }));
  for (;;) {
    const poll = await patience.keep(undefined, () => hosts.call({ ...at, verb: 'job.poll', args: { job } }));
    if (poll.state !== 'running') return poll;
    if (Date.now() > deadline) {
      const message = `still running ${timeoutMs} ms after it was told to stop`;
      throw new HostError({ host: host.name, verb: 'job.stop', step, code: 'busy', message });
    }
    await pause({ ms: POLL_MS.first });
  }
}

/** Bridges short outages: the job goes on at the host while the connection is away. */
class Patience {
  private lastGoodMs = Date.now();

  constructor(private readonly limitMs: number) {}

  async keep<T>(signal: AbortSignal | undefined, action: () => Promise<T>): Promise<T> {
    for (let wait = 250; ; wait = Math.min(5_000, wait * 2)) {
      try {
        const value = await action();
        this.lastGoodMs = Date.now();
        return value;
      } catch (error) {
        signal?.throwIfAborted();
        if (!isAway(error) || Date.now() - this.lastGoodMs > this.limitMs) throw error;
        await pause({ ms: wait, signal });
      }
    }
  }
}

/** Bytes per second, smoothed exponentially, and what follows from it. */
class Rate {
  private last: { bytes: number; ms: number } | undefined;
  private bytesPerS = 0;

  measure(progress: NonNullable<JobPoll['progress']>): JobProgress {
    const { bytes = 0, files = 0, totalFiles, step } = progress;
    // 0: the host does not know.
    const totalBytes = progress.totalBytes === 0 ? undefined : progress.totalBytes;
    const ms = performance.now();
    if (this.last === undefined || bytes < this.last.bytes) this.bytesPerS = 0;
    else if (ms > this.last.ms) {
      const seconds = (ms - this.last.ms) / 1000;
      const weight = this.bytesPerS === 0 ? 1 : 1 - Math.exp(-seconds / 10);
      this.bytesPerS += weight * ((bytes - this.last.bytes) / seconds - this.bytesPerS);
    }
    this.last = { bytes, ms };
    const left = totalBytes === undefined ? undefined : Math.max(0, totalBytes - bytes);
    const etaS = left === undefined || this.bytesPerS <= 0 ? undefined : Math.round(left / this.bytesPerS);
    return { bytes, files, totalBytes, totalFiles, step, bytesPerS: Math.round(this.bytesPerS), etaS };
  }
}
