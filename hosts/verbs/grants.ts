/** Grants: one way, into or out of one place, for one run (S25). Each throws HostError. */
import type { Fence, GrantPurpose, GrantScope } from '../args';
import type { Reply } from '../replies';
import { context, type On } from './on';

/** Lets the host that will dial make the run's key; it signs it with its own identity. */
export function makeGrantKey(
  on: On & { fence: Fence; grant: string; purpose: GrantPurpose },
): Promise<Reply<'grant.key'>> {
  const args = { ...on.fence, grant: on.grant, purpose: on.purpose };
  return on.hosts.call({ ...context(on), verb: 'grant.key', args });
}

export interface NewGrant {
  fence: Fence;
  grant: string;
  purpose: GrantPurpose;
  scope: GrantScope;
  /** The key from `makeGrantKey`. */
  pubkey: string;
  /** The host that made and signed it, by the name it is enrolled under. */
  peer: string;
  signature: string;
  /** From now, in seconds. */
  expiresS: number;
}

/** Opens the door at the other end; the reply's `hostKeys` are what the peer must pin (S28). */
export function addGrant(on: On & NewGrant): Promise<Reply<'grant.add'>> {
  const { fence, grant, purpose, scope, pubkey, peer, signature, expiresS } = on;
  const args = { ...fence, grant, purpose, ...scope, pubkey, peer, signature, expiresS };
  return on.hosts.call({ ...context(on), verb: 'grant.add', args });
}

/** Closes one grant, or all of the run: line removed, receivers killed and seen gone; idempotent. */
export async function closeGrants(on: On & { fence: Fence; grant?: string }): Promise<void> {
  await on.hosts.call({ ...context(on), verb: 'grant.close', args: { ...on.fence, grant: on.grant } });
}
