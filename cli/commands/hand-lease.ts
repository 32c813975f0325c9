/**
 * The lease under which an operator's hand works: a run of its own (`hand-…`), so that no backup, restore or prune interleaves (S4)
 * and the hosts know the hand's verbs from those of a run that was cut off (S3).
 */
import { z } from 'zod';
import type { Fence } from '../../hosts/args';
import { HostError, holderOf, seenTerm } from '../../hosts/errors';
import type { HostErrorCode } from '../../hosts/errors';
import type { HostRef, Hosts } from '../../hosts/hosts';
import { releaseLease, takeLease } from '../../hosts/verbs/lease';
import { status } from '../../hosts/verbs/reading';
import { BRIEF_HAND, byHandWords, HAND, isByHand } from '../../planning/by-hand';
import { runId } from '../../planning/ids';
import type { GroupSetup } from '../../planning/run-input';
import { operator } from '../context';
import { CliError } from '../exit';

export interface Hand {
  /** Who the hosts are told it is. */
  run: string;
  /** The fence of one host's verb. */
  fenceAt(host: HostRef): Fence;
  /** Set when the store could not be asked: the hand works under what each host knew last. */
  withoutStore: string | undefined;
  /** Hosts that would not be told of the hand, with the reason: nothing is done there, and all the others go on. */
  failed: ReadonlyMap<string, string>;
}

/** Somebody else has the group: the only answers that forbid to go on without the one who gives them. */
const TAKEN: readonly HostErrorCode[] = ['lease-held', 'fenced'];

/** A verb's own time and more; a hand that dies gives the group back after it. */
const WORK_TTL_S = 900;

interface Options {
  hosts: Hosts;
  setup: GroupSetup;
  /** The step that the hosts note. */
  step: string;
  /** How long the group stays held when nobody gives it back, s. */
  ttlS?: number;
  /** Whether the store may be out of reach: what undoes something must not depend on it. */
  withoutStore: boolean;
  /** Done in a moment; not under a pause that still stands, which would end with the lease that is given back. */
  brief?: boolean;
}

/**
 * Takes the group at the store and at each of its hosts. A pause that still stands holds the group: the hand that lifts it goes on
 * under its run.
 * @throws CliError when a run holds the group; HostError when the store can't be reached and `withoutStore` is false
 */
export async function takeHand(options: Options): Promise<Hand> {
  const { setup } = options;
  try {
    const own = runId({ nowMs: Date.now(), random: Math.random() }).slice(1);
    const run = options.brief === true ? `${BRIEF_HAND}${own}` : ((await heldByHand(options)) ?? `${HAND}${own}`);
    let taken = await take({ ...options, run });
    // The store counts anew: another target, or one that was enrolled again. Were the group held, the store or the host had said so.
    if (taken.seen > 0) taken = await take({ ...options, run, least: taken.seen + 1 });
    const { term, failed } = taken;
    const fence = { group: setup.group.name, run, term, step: options.step, attempt: 1 };
    return { run, fenceAt: () => fence, withoutStore: undefined, failed };
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    if (error.code === 'lease-held') throw heldElsewhere({ error, group: setup.group.name });
    // What kept the store from answering is of no matter: a target that was rebuilt shows another key, or has no hostkit.
    if (!options.withoutStore || TAKEN.includes(error.code)) throw error;
    return withoutStore({ ...options, reason: error.message });
  }
}

/** The group at the store, then at its hosts; `seen` is the highest term that a host knows of a run that is over, 0 for none. */
async function take({ hosts, setup, step, ttlS = WORK_TTL_S, run, least }: Options & { run: string; least?: number }) {
  const lease = leaseOf({ setup, run, term: 0 });
  const at = { hosts, step, ttlS };
  const { term } = await takeLease({ ...at, ...lease, host: setup.storeHost, store: setup.store.name, least });
  let seen = 0;
  const failed = await eachHost(setup.hosts, async (host) => {
    try {
      await takeLease({ ...at, ...lease, term, host });
    } catch (error) {
      const higher = seenTerm(error);
      // Once the store was asked for more than the hosts have seen, whoever is above it is another.
      if (higher === undefined || least !== undefined) throw error;
      seen = Math.max(seen, higher);
    }
  });
  return { term, failed, seen };
}

/**
 * Gives the group back. What the hand did stands, so a host that does not take it back is no failure: the lease runs out there by
 * itself. Resolves to why, by host.
 */
export async function releaseHand(options: {
  hosts: Hosts;
  setup: GroupSetup;
  hand: Hand;
}): Promise<ReadonlyMap<string, string>> {
  const { hosts, setup, hand } = options;
  if (hand.withoutStore !== undefined) return new Map();
  const { run, term } = hand.fenceAt(setup.storeHost);
  const lease = leaseOf({ setup, run, term });
  const reached = setup.hosts.filter(({ name }) => !hand.failed.has(name));
  // Somebody who took the group over meanwhile has it: that is no failure of the work either.
  const at = { forbids: [] };
  const there = await eachHost(reached, (host) => releaseLease({ hosts, host, ...lease }), at);
  const { store, storeHost } = setup;
  const atStore = await eachHost([storeHost], (host) => releaseLease({ hosts, host, store: store.name, ...lease }), at);
  return new Map([...there, ...atStore]);
}

const leases = z.object({
  leases: z.array(z.looseObject({ run: z.string(), term: z.number(), live: z.boolean().default(false) })),
});

async function leaseAt(options: { hosts: Hosts; host: HostRef; group: string; step: string }) {
  const known = leases.safeParse(await status(options));
  return known.data?.leases[0];
}

/** The run of a hand that holds the group now, or undefined. */
async function heldByHand({ hosts, setup, step }: Options): Promise<string | undefined> {
  const lease = await leaseAt({ hosts, host: setup.storeHost, group: setup.group.name, step });
  return lease?.live === true && lease.run.startsWith(HAND) ? lease.run : undefined;
}

/** Under each host's own last term and run: nothing newer is superseded, and only a hand's own record is reversed. */
async function withoutStore({ hosts, setup, step, reason }: Options & { reason: string }): Promise<Hand> {
  const group = setup.group.name;
  const known = new Map<string, Fence>();
  const failed = await eachHost(setup.hosts, async (host) => {
    const lease = await leaseAt({ hosts, host, group, step });
    const { run, term } = lease ?? { run: `${HAND}without-store`, term: 0 };
    known.set(host.name, { group, run, term, step, attempt: 1 });
  });
  const fallback: Fence = { group, run: `${HAND}without-store`, term: 0, step, attempt: 1 };
  return { run: fallback.run, fenceAt: (host) => known.get(host.name) ?? fallback, withoutStore: reason, failed };
}

/** Hosts side by side; one that fails keeps no other from its turn. Resolves to the failures. @throws HostError with a code that forbids to go on: by itself, when somebody else has the group */
async function eachHost(
  hosts: readonly HostRef[],
  each: (host: HostRef) => Promise<unknown>,
  { forbids = TAKEN }: { forbids?: readonly HostErrorCode[] } = {},
): Promise<Map<string, string>> {
  const failed = new Map<string, string>();
  await Promise.all(
    hosts.map(async (host) => {
      try {
        await each(host);
      } catch (error) {
        if (!(error instanceof HostError) || forbids.includes(error.code)) throw error;
        failed.set(host.name, error.message);
      }
    }),
  );
  return failed;
}

function leaseOf({ setup, run, term }: { setup: GroupSetup; run: string; term: number }) {
  return { group: setup.group.name, run, owner: `${setup.directorId}/${operator()}/${run}`, term };
}

function heldElsewhere({ error, group }: { error: HostError; group: string }): CliError {
  const holder = holderOf(error);
  const run = holder?.run ?? 'RUN';
  const next = isByHand(run)
    ? byHandWords({ run, group })
    : `look with \`resurgo show ${run}\`, end it with \`resurgo cancel ${run}\`. If it has ended already, \`resurgo doctor ${group} --fix\` gives the group back`;
  return new CliError(`${error.reason}. Nothing was changed: ${next}`);
}
