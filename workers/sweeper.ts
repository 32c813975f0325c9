/**
 * The worker's periodic sweep (S8): a run that was terminated from outside ran no compensation, and a host that could not be reached at
 * a run's end still holds what that run left. So at intervals the worker asks every host of the groups that it has worked for what
 * is there, and takes away what belongs to runs that are over. The engine says which these are, asked again right before.
 */
import type { Client } from '@temporalio/client';
import { z } from 'zod';
import type { HostRef, Hosts } from '../hosts/hosts';
import type { Status } from '../hosts/replies';
import { status } from '../hosts/verbs/reading';
import { sweep } from '../hosts/verbs/workload';
import { decideSweep, type KnownRun } from '../planning/sweep';
import { giveBack, heldLeases, isOver } from './ended-leases';
import type { HeldLease } from './ended-leases';
import type { Logger } from './logging';
import { knownRuns } from './sweep-places';

export interface SweepOptions {
  client: Client;
  hosts: Hosts;
  logger: Logger;
  /** A run is left alone for so long after its end, ms. */
  afterMs: number;
  signal?: AbortSignal;
}

const EVERY_S = 600;
const AFTER_S = 120;
/** Ending a job may take 13 s, a snapshot's removal longer. */
const SWEEP_MS = 120_000;
const KINDS = ['grants', 'jobs', 'snapshots', 'deadmen', 'paused', 'runs'] as const;

/** `RESURGO_SWEEP_EVERY` and `RESURGO_SWEEP_AFTER`, in seconds. */
export function sweepTimes(env: NodeJS.ProcessEnv): { everyMs: number; afterMs: number } {
  const seconds = (text: string | undefined, normal: number) =>
    z.coerce
      .number()
      .nonnegative()
      .catch(normal)
      .parse(text ?? normal) * 1000;
  return {
    everyMs: seconds(env.RESURGO_SWEEP_EVERY, EVERY_S),
    afterMs: seconds(env.RESURGO_SWEEP_AFTER, AFTER_S),
  };
}

/** Sweeps every `everyMs` (0: never); the function it returns ends that, and resolves when nothing is under way any more. */
export function startSweeper(options: {
  everyMs: number;
  logger: Logger;
  sweep: (signal: AbortSignal) => Promise<void>;
}): () => Promise<void> {
  const { everyMs, logger, sweep: once } = options;
  if (everyMs === 0) return () => Promise.resolve();
  const stop = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let going = Promise.resolve();
  const again = (): void => {
    timer = setTimeout(() => {
      going = once(stop.signal)
        .catch((error: unknown) => {
          if (!stop.signal.aborted) logger.warn({ err: error, step: 'sweep' }, 'the periodic sweep could not be made');
        })
        .then(() => {
          if (!stop.signal.aborted) again();
        });
    }, everyMs);
  };
  again();
  return () => {
    stop.abort();
    clearTimeout(timer);
    return going;
  };
}

/** One look at every host. A host that fails is told in the log and does not hold up the others. */
export async function sweepOnce(options: SweepOptions): Promise<void> {
  const { client, logger, signal } = options;
  const { runs, places } = await knownRuns({ client });
  for (const [group, hosts] of places) {
    await Promise.all(
      [...hosts.values()].map(async (host) => {
        try {
          await sweepHost({ ...options, group, host, runs });
        } catch (error) {
          if (signal?.aborted === true) return;
          logger.warn({ err: error, host: host.name, group, step: 'sweep' }, 'the host was not swept');
        }
      }),
    );
  }
}

interface Look extends SweepOptions {
  group: string;
  host: HostRef;
  runs: ReadonlyMap<string, KnownRun>;
}

async function sweepHost(look: Look): Promise<void> {
  const { group, runs, afterMs } = look;
  const on = { hosts: look.hosts, host: look.host, step: 'sweep', signal: look.signal, timeoutMs: SWEEP_MS };
  const now = await status({ ...on, group });
  const held = heldLeases(now);
  const onHost = runsOf(now);
  const { dead, halfway, others } = decideSweep({ onHost, known: runs, nowMs: Date.now(), afterMs });
  for (const run of dead) {
    // The list was made a moment ago: a reset may have brought the run back to life.
    if (!(await isOver({ ...look, run }))) continue;
    tell(look, run, await sweep({ ...on, group, fix: true, targetRun: run }));
    await giveGroupBack(look, held, run);
  }
  for (const run of halfway) await giveGroupBack(look, held, run);
  if (others) tell(look, undefined, await sweep({ ...on, group, fix: true }));
}

/** The lease of a run that is over would keep its group until it runs out. */
async function giveGroupBack(look: Look, held: readonly HeldLease[], run: string): Promise<void> {
  const { hosts, host, group, logger, signal } = look;
  const lease = held.find((each) => each.run === run);
  if (lease === undefined || !(await isOver({ ...look, run }))) return;
  await giveBack({ hosts, host, group, step: 'sweep', signal, lease });
  logger.info({ run, host: host.name, group, step: 'sweep' }, 'gave back the lease of a dead run');
}

const named = z.looseObject({ run: z.string() });

/** Every run that has something there, or holds the lease. */
function runsOf(now: Status): string[] {
  return [...KINDS.flatMap((kind): unknown[] => now[kind]), ...heldLeases(now)].flatMap(
    (each) => named.safeParse(each).data?.run ?? [],
  );
}

function tell(
  { logger, host, group }: Look,
  run: string | undefined,
  answer: { found: unknown[]; mended: unknown[] },
): void {
  const { found, mended } = answer;
  if (found.length === 0) return;
  const at = { ...(run === undefined ? {} : { run }), host: host.name, group, step: 'sweep', found, mended };
  if (mended.length === found.length) logger.info(at, 'swept what a dead run left');
  else logger.warn(at, 'swept a part of what a dead run left; the next sweep tries again');
}
