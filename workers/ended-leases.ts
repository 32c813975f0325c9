/**
 * Leases of runs that the engine knows to be over. A run that was terminated from outside gives nothing back, so its lease would keep the
 * group until it runs out; whoever takes the group next ends first what that run still has going on the hosts.
 */
import type { Client } from '@temporalio/client';
import { z } from 'zod';
import { HostError } from '../hosts/errors';
import type { HostRef, Hosts } from '../hosts/hosts';
import type { Status } from '../hosts/replies';
import { releaseLease } from '../hosts/verbs/lease';
import { status } from '../hosts/verbs/reading';
import { isByHand } from '../planning/by-hand';
import { groupOf } from '../planning/series';
import type { KnownRun } from '../planning/sweep';
import { knownRuns } from './sweep-places';

/** A lease that is held now, as a host tells it. */
export interface HeldLease {
  run: string;
  owner: string;
  term: number;
  /** When it runs out, by the host's clock, ms since 1970. */
  untilMs?: number;
}

const leaseShape = z.looseObject({
  run: z.string(),
  owner: z.string(),
  term: z.number(),
  live: z.boolean(),
  untilMs: z.number().optional(),
});

/** The leases of a host's `status` that have not run out. */
export function heldLeases(now: Status): HeldLease[] {
  return now.leases.flatMap((each) => {
    const lease = leaseShape.safeParse(each).data;
    return lease?.live === true ? [lease] : [];
  });
}

interface Place {
  hosts: Hosts;
  host: HostRef;
  group: string;
}

/** Gives one back; nothing happens where another run has taken the group meanwhile. */
export function giveBack({
  lease,
  ...at
}: Place & { lease: HeldLease; step: string; signal?: AbortSignal }): Promise<void> {
  const { run, owner, term } = lease;
  return releaseLease({ ...at, run, owner, term });
}

/** Whether the engine, asked now, says that a run of this group is over. False for a run that it does not know. */
export async function isOver(options: {
  client: Client;
  runs: ReadonlyMap<string, KnownRun>;
  group: string;
  run: string;
}): Promise<boolean> {
  const { client, runs, group, run } = options;
  const kind = runs.get(run)?.kind;
  if (kind === undefined) return false;
  const { status: now } = await client.workflow.getHandle(`${kind}/${groupOf(group)}/${run}`).describe();
  return now.name !== 'RUNNING';
}

/** A run's lease on one host. */
export interface HeldAt {
  host: HostRef;
  lease: HeldLease;
}

/** Who holds a group now, host by host, but for an operator's hand. A host that can't be asked is left out. */
export async function heldBy(options: { hosts: Hosts; places: readonly HostRef[]; group: string }): Promise<HeldAt[]> {
  const { hosts, places, group } = options;
  const held = await Promise.all(
    places.map(async (host) => {
      try {
        const now = await status({ hosts, host, group, step: 'doctor' });
        return heldLeases(now).flatMap((lease) => (isByHand(lease.run) ? [] : [{ host, lease }]));
      } catch (error) {
        if (!(error instanceof HostError)) throw error;
        return [];
      }
    }),
  );
  return held.flat();
}

/** Those of `held` whose run the engine says is over. */
export async function endedAmong(options: {
  client: Client;
  group: string;
  held: readonly HeldAt[];
}): Promise<HeldAt[]> {
  const { client, group, held } = options;
  if (held.length === 0) return [];
  const { runs } = await knownRuns({ client });
  const over = new Map<string, boolean>();
  for (const run of new Set(held.map(({ lease }) => lease.run)))
    over.set(run, await isOver({ client, runs, group, run }));
  return held.filter(({ lease }) => over.get(lease.run) === true);
}
