/** Work at one host that is nothing without a job at another: when that job fails, its own word is told, and nobody waits for the other's. */
import { HostError } from './errors';
import type { HostRef, Hosts } from './hosts';
import { CALL_MS, failureOf } from './jobs';
import type { JobPoll } from './replies';
import { pause } from './slots';

export interface BesideJobOptions<T> {
  hosts: Hosts;
  /** Where the job runs, which was started already. */
  host: HostRef;
  job: string;
  step: string;
  signal: AbortSignal;
  /** The work. Its signal is aborted, with the job's failure as its reason, once the job has failed. */
  body: (signal: AbortSignal) => Promise<T>;
}

/** Between two looks, in ms: a job that fails at once is seen soon, a long copy is hardly disturbed, and a short one not at all. */
const LOOK_MS = { first: 1_000, longest: 15_000 };
const LOOK_GROWTH = 2;

/**
 * Does the work while the job is looked at. A host that can't be asked is no verdict on its job: the work goes on.
 * @throws HostError the job's failure; or what the work throws
 */
export async function besideJob<T>(options: BesideJobOptions<T>): Promise<T> {
  const { signal, body } = options;
  const failed = new AbortController();
  const over = new AbortController();
  const fail = (why: unknown) => {
    if (why !== undefined) failed.abort(why);
  };
  const watched = watch({ ...options, signal: over.signal }).then(fail, fail);
  try {
    return await body(AbortSignal.any([signal, failed.signal]));
  } catch (error) {
    // A connection that broke may be the job's end before anybody has looked, or one that the job could never make.
    if (!(error instanceof HostError) || error.code !== 'connection-lost' || signal.aborted) throw error;
    const seen = await look({ ...options, signal });
    throw seen?.failure ?? (seen?.trouble === undefined ? error : because({ error, host: options.host, ...seen }));
  } finally {
    over.abort();
    await watched;
  }
}

type Watched = Pick<BesideJobOptions<unknown>, 'hosts' | 'host' | 'job' | 'step' | 'signal'>;

/** The job's failure as soon as it is seen; undefined once the job has ended well or nobody needs to know any more. */
async function watch(options: Watched): Promise<HostError | undefined> {
  const { signal } = options;
  for (let wait = LOOK_MS.first; ; wait = Math.min(LOOK_MS.longest, wait * LOOK_GROWTH)) {
    try {
      await pause({ ms: wait, signal });
      const seen = await look(options);
      if (seen?.ended === true) return seen.failure;
    } catch (error) {
      if (signal.aborted) return undefined;
      throw error;
    }
  }
}

/** The same loss, with what the job's host has to say of it. */
function because({ error, host, trouble }: { error: HostError; host: HostRef; trouble?: string }): HostError {
  const { verb, step, code, reason, detail } = error;
  const message = `${reason}; ${host.name}, which dials, said last: ${trouble}`;
  return new HostError({ host: error.host, verb, step, code, message, detail });
}

interface Seen {
  ended: boolean;
  failure?: HostError;
  /** What goes wrong in a job that goes on all the same. */
  trouble?: string;
}

/** How the job is; undefined where its host can't be asked. */
async function look(options: Watched): Promise<Seen | undefined> {
  const { hosts, host, job, step, signal } = options;
  try {
    const poll = await hosts.call({ host, verb: 'job.poll', step, args: { job }, timeoutMs: CALL_MS, signal });
    if (poll.state !== 'running') return { ended: true, failure: failureOf({ poll, host, job, step }) };
    return { ended: false, trouble: wordOf(poll) };
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    return undefined;
  }
}

function wordOf({ result }: JobPoll): string | undefined {
  const message = result?.['message'];
  return typeof message === 'string' ? message : undefined;
}
