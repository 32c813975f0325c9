/** Rescue media in a store. Each throws HostError. */
import type { Fence } from '../args';
import type { Reply } from '../replies';
import { context, type On } from './on';

type OneBuild = On & { fence: Fence; store: string; id: string };

/** `host` here is the store's; `of` the host whose media they are, without the deployment's prefix. */
export function listRescue(on: On & { store: string; group: string; of?: string }): Promise<Reply<'rescue.list'>> {
  const { store, group, of } = on;
  return on.hosts.call({ ...context(on), verb: 'rescue.list', args: { store, group, host: of } });
}

/** Makes the place where a build arrives; again, it keeps what has arrived. */
export async function openRescue(on: OneBuild & { of: string }): Promise<void> {
  const { fence, store, of, id } = on;
  await on.hosts.call({ ...context(on), verb: 'rescue.open', args: { ...fence, store, host: of, id } });
}

/** Gives up what has arrived; what is in the list already stays. Idempotent. */
export async function dropRescue(on: OneBuild & { of: string }): Promise<void> {
  const { fence, store, of, id } = on;
  await on.hosts.call({ ...context(on), verb: 'rescue.drop', args: { ...fence, store, host: of, id } });
}
