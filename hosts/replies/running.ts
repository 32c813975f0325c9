/** Replies of leases, jobs, grants, restore, the hand tools and the sweep. */
import { z } from 'zod';
import { count } from './common';

export const leaseTake = z.object({ term: z.number().int().positive(), untilMs: count.optional() });
export const leaseRenew = z.object({ term: z.number().int().positive().optional(), untilMs: count.optional() });

export const jobProgress = z.looseObject({
  bytes: count.optional(),
  totalBytes: count.optional(),
  files: count.optional(),
  totalFiles: count.optional(),
  step: z.string().optional(),
});
export const jobPoll = z.object({
  state: z.enum(['running', 'exited', 'died', 'unknown']),
  exit: z.number().int().nullish(),
  progress: jobProgress.nullish(),
  /** What the job's program left as its result, when it exited. */
  result: z.record(z.string(), z.unknown()).nullish(),
  /** The end of the job's stderr, at most 2 KB. */
  tail: z.string().nullish(),
  startedMs: count.nullish(),
  endedMs: count.nullish(),
});
/** With how the job is where that was waited for. */
export const jobStart = z.looseObject({
  job: z.string().optional(),
  attached: z.boolean().optional(),
  ...jobPoll.partial().shape,
});
export const jobStop = z.looseObject({ state: z.string().optional() });

export const grantKey = z.looseObject({
  /** The run's key, `ssh-ed25519 BASE64`. */
  pubkey: z.string(),
  /** `resurgo-grant RUN GRANT PURPOSE PUBKEY`, signed by the host's identity. */
  signature: z.string(),
});
export const grantAdd = z.looseObject({
  /** This host's ssh host keys, to be pinned by the peer (S28). */
  hostKeys: z.array(z.string()),
  /** `resurgo-host RUN GRANT HOSTKEY`, signed by this host's identity; missing where it has no ed25519 host key. */
  signature: z.string().optional(),
});

/** A verb whose reply is carried on as it is. */
export const loose = z.looseObject({});

/** What runs again; what fails is a refusal. */
export const started = z.looseObject({
  /** Containers that were removed or made anew while they were stopped: nothing of them is left to start. */
  gone: z.array(z.string()).default([]),
  /** What another restore (or stop by hand) of this host needs stopped: it starts at the end of that one. */
  kept: z.array(z.object({ name: z.string(), by: z.string() })).default([]),
});

export const restoreHealth = z.looseObject({
  healthy: z.boolean().optional(),
  /** The configured health commands that ran. */
  checks: z.array(z.looseObject({ name: z.string(), exit: z.number(), tail: z.string().default('') })).default([]),
  /** The containers that the restore has started; `well` is one that runs and, where it has a health check, is healthy. */
  containers: z.array(z.looseObject({ name: z.string(), state: z.string(), why: z.string().default('') })).default([]),
});

export const sweep = z.looseObject({
  /** What a dead run left, one entry each. */
  found: z.array(z.unknown()).default([]),
  mended: z.array(z.unknown()).default([]),
});
