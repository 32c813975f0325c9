/** The lease of a group at the store and at every host (S4). Each throws HostError; `lease-held` carries `holder` in its detail. */
import type { Reply } from '../replies';
import { context, type On } from './on';

/** Who holds the lease; at a host other than the store's, `store` is left out. */
export interface Lease {
  group: string;
  store?: string;
  run: string;
  owner: string;
  term: number;
}

/**
 * Takes the lease. At the store `term` 0 asks for the next term; the same run again keeps its term. At a host the given term
 * raises the fence and ends older runs' receivers and jobs. `least` is the lowest term that will do.
 */
export function takeLease(on: On & Lease & { ttlS: number; least?: number }): Promise<Reply<'lease.take'>> {
  return on.hosts.call({ ...context(on), verb: 'lease.take', args: { ...lease(on), ttl: on.ttlS, least: on.least } });
}

/** Prolongs the lease by `ttlS` from now; `lease-held` or `fenced` when it is no longer ours. */
export function renewLease(on: On & Lease & { ttlS: number }): Promise<Reply<'lease.renew'>> {
  return on.hosts.call({ ...context(on), verb: 'lease.renew', args: { ...lease(on), ttl: on.ttlS } });
}

/** Gives the lease back; nothing happens when it is not ours. */
export async function releaseLease(on: On & Lease): Promise<void> {
  await on.hosts.call({ ...context(on), verb: 'lease.release', args: lease(on) });
}

function lease({ group, store, run, owner, term }: Lease): Lease {
  return { group, store, run, owner, term };
}
