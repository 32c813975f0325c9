/** The lease: one run per group, over all directors and engines (S4), and the fence that its term raises on every host (S3). */
import { ApplicationFailure } from '@temporalio/activity';
import type { HostRef } from '../hosts/hosts';
import { HostError, holderOf, seenTerm } from '../hosts/errors';
import { byHandWords, isByHand } from '../planning/by-hand';
import { groupOf } from '../planning/series';
import type { ActivityDeps, AwayHost } from './context';
import { asActivity, forEachLimited, heartbeating, unlessAway } from './context';

export interface LeaseInput {
  group: string;
  run: string;
  /** Who holds it, as another director is told: `director-id/run`. */
  owner: string;
  store: { name: string; host: HostRef };
  /** How long it lasts without being renewed, seconds. */
  ttlS: number;
}

export interface LeaseHolders extends LeaseInput {
  term: number;
  hosts: HostRef[];
}

/** What can be done about who holds the group. A run of this very director is named with the commands that end it. */
function nextTo(error: HostError, { group: series, owner }: LeaseInput): string {
  const group = groupOf(series);
  const holder = holderOf(error);
  if (holder !== undefined && isByHand(holder.run)) return `: ${byHandWords({ run: holder.run, group })}`;
  const [here] = owner.split('/');
  if (holder === undefined || holder.owner !== `${here}/${holder.run}`) return ' (`resurgo runs` shows it there)';
  const { run } = holder;
  return `: that is here. \`resurgo show ${run}\` tells what it does; \`resurgo abort ${run}\` ends it where it waits for an answer, \`resurgo cancel ${run}\` at any time. Of one that has ended already the group is given back within minutes, by the worker, or at once by \`resurgo doctor ${group} --fix\``;
}

/** What the hosts said to a term. */
export interface RaisedFences {
  unreachable: AwayHost[];
  /** The highest term that stands in the way. */
  seen?: number;
}

/** Makes the activities `takeLease`, `raiseFences`, `renewLease` and `releaseLease`. */
export function leaseActivities({ hosts, logger }: ActivityDeps) {
  /** Asks the store for the group; the same run again keeps its term. A holder is named, and nothing waits for it. */
  async function takeLease(input: LeaseInput & { least?: number }): Promise<{ term: number }> {
    const { group, run, owner, store, ttlS, least } = input;
    try {
      const args = { group, run, owner, store: store.name, term: 0, ttl: ttlS, least };
      const reply = await hosts.call({ host: store.host, verb: 'lease.take', step: 'lease', args });
      return { term: reply.term };
    } catch (error) {
      if (!(error instanceof HostError) || error.code !== 'lease-held') throw error;
      throw ApplicationFailure.create({
        type: 'lease-held',
        nonRetryable: true,
        message: `${error.reason}${nextTo(error, input)}`,
        details: [{ code: 'lease-held', host: store.host.name }],
      });
    }
  }

  /**
   * Raises the fence on every host: an older run's verbs are refused from now on. Hosts that are away are named, not failed; `partial`: see
   * {@link unlessAway}. `seen` is there when hosts know a higher term of a run that holds the group no more: the store counts anew.
   */
  async function raiseFences(input: LeaseHolders & { partial: boolean }): Promise<RaisedFences> {
    const unreachable: AwayHost[] = [];
    let seen: number | undefined;
    const { group, run, owner, term, ttlS } = input;
    const args = { group, run, owner, term, ttl: ttlS };
    await hosts.warm({ hosts: input.hosts });
    await forEachLimited({
      items: input.hosts,
      limit: 64,
      each: (host) =>
        unlessAway({
          host: host.name,
          away: unreachable,
          partial: input.partial,
          body: async () => {
            try {
              await hosts.call({ host, verb: 'lease.take', step: 'lease', args });
            } catch (error) {
              const higher = seenTerm(error);
              if (higher === undefined) throw error;
              seen = Math.max(seen ?? 0, higher);
            }
          },
        }),
    });
    return { unreachable, seen };
  }

  /**
   * Prolongs the lease: on the hosts, where one that ran out a day ago marks a dead run that may be swept, and at the store. A host that
   * does not answer, or has another run's by now, keeps nothing from being prolonged elsewhere.
   */
  async function renewLease(input: LeaseHolders): Promise<void> {
    const { group, run, owner, store, term, ttlS } = input;
    const args = { group, run, owner, term, ttl: ttlS };
    await forEachLimited({
      items: input.hosts.filter((host) => host.name !== store.host.name),
      limit: 64,
      each: async (host) => {
        try {
          await hosts.call({ host, verb: 'lease.renew', step: 'lease', args });
        } catch (error) {
          if (!(error instanceof HostError)) throw error;
          logger.warn({ run, host: host.name, code: error.code }, 'the lease was not prolonged on this host');
        }
      },
    });
    await hosts.call({ host: store.host, verb: 'lease.renew', step: 'lease', args: { ...args, store: store.name } });
  }

  /**
   * Gives the group back, on the hosts first: the store's word is what another run asks. A sick host keeps an old fence, which the next
   * run's higher term passes: it is told of, and it does not keep the group. One that is away has a lease that runs out by itself.
   */
  async function releaseLease(input: LeaseHolders): Promise<void> {
    const { group, run, owner, term, store } = input;
    const sick: unknown[] = [];
    const away: AwayHost[] = [];
    await forEachLimited({
      items: input.hosts,
      limit: 64,
      each: async (host) => {
        try {
          const args = { group, run, owner, term };
          const body = () => hosts.call({ host, verb: 'lease.release', step: 'lease', args });
          await unlessAway({ host: host.name, away, partial: false, body });
        } catch (error) {
          sick.push(error);
        }
      },
    });
    for (const each of away)
      logger.warn({ run, ...each }, 'the lease was not given back on this host: it runs out there');
    await hosts.call({
      host: store.host,
      verb: 'lease.release',
      step: 'lease',
      args: { group, run, owner, term, store: store.name },
    });
    if (sick.length > 0) throw sick[0];
  }

  return {
    takeLease: (input: LeaseInput & { least?: number }) =>
      asActivity(() => heartbeating({ body: () => takeLease(input) })),
    raiseFences: (input: LeaseHolders & { partial: boolean }) =>
      asActivity(() => heartbeating({ body: () => raiseFences(input) })),
    renewLease: (input: LeaseHolders) => asActivity(() => heartbeating({ body: () => renewLease(input) })),
    releaseLease: (input: LeaseHolders) => asActivity(() => heartbeating({ body: () => releaseLease(input) })),
  };
}
