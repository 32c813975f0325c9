/** The single verbs of durable jobs; `runJob` (hosts/jobs.ts) is what steps use. Each throws HostError. */
import type { Fence, JobArgs, JobKind } from '../args';
import type { JobPoll, Reply } from '../replies';
import { context, type On } from './on';

/** Starts a job, or attaches when one of that name exists. */
export function startJob<K extends JobKind>(
  on: On & { fence: Fence; job: string; kind: K; args: JobArgs[K] },
): Promise<Reply<'job.start'>> {
  const { fence, job, kind, args } = on;
  return on.hosts.call({ ...context(on), verb: 'job.start', args: { ...fence, job, kind, ...args } });
}

/** How a job is. */
export function pollJob(on: On & { job: string }): Promise<JobPoll> {
  return on.hosts.call({ ...context(on), verb: 'job.poll', args: { job: on.job } });
}

/** Removes the records of a run's jobs that have ended. */
export async function forgetJobs(on: On & { fence: Fence; targetRun: string }): Promise<void> {
  await on.hosts.call({ ...context(on), verb: 'job.forget', args: { ...on.fence, targetRun: on.targetRun } });
}
