/** What a store tells of itself, and what keeps a backup in it. Each throws HostError. */
import type { Readable } from 'node:stream';
import type { Fence } from '../args';
import type { Reply } from '../replies';
import { context, type On } from './on';

type InStore = On & { store: string; group: string };
/** A store of a hundred backups and its manifests, in ms. */
const LIST_MS = 120_000;

/** The group's backups in the store, with their manifests as sealed. */
export function listStore(on: InStore): Promise<Reply<'store.list'>> {
  const args = { store: on.store, group: on.group };
  return on.hosts.call({ ...context(on), timeoutMs: on.timeoutMs ?? LIST_MS, verb: 'store.list', args });
}

/** The listing of one tree of a sealed backup, gzip'd. */
export function storeListing(on: InStore & { id: string; tree: string }): Promise<Readable> {
  const { store, group, id, tree } = on;
  return on.hosts.listing({ ...context(on), store, group, id, tree });
}

/** Free and used space of the store. */
export function storeSpace(on: InStore): Promise<Reply<'store.space'>> {
  const args = { store: on.store, group: on.group };
  return on.hosts.call({ ...context(on), verb: 'store.space', args });
}

/** Gives the run that the store is open for the layout of a host, gzip'd JSON; `layoutHost` is its short name. Again replaces it. */
export async function putLayout(
  on: On & { fence: Fence; store: string; layoutHost: string; gzip: Buffer },
): Promise<void> {
  const { fence, store, layoutHost: host, gzip } = on;
  const args = { ...fence, store, host, layout: gzip.toString('base64') };
  await on.hosts.call({ ...context(on), verb: 'store.layout.put', args });
}

/** The layout of a host as it was sealed with a backup, gzip'd JSON. */
export async function storeLayout(on: InStore & { id: string; layoutHost: string }): Promise<Buffer> {
  const { store, group, id, layoutHost: host } = on;
  const reply = await on.hosts.call({ ...context(on), verb: 'store.layout', args: { store, group, id, host } });
  return Buffer.from(reply.layout, 'base64');
}

type OneHold = On & { fence: Fence; store: string; id: string; name: string };

/** Keeps a backup from every removal, under a name; again is no other hold. */
export async function holdBackup({ fence, store, id, name, ...on }: OneHold): Promise<void> {
  await on.hosts.call({ ...context(on), verb: 'store.hold', args: { ...fence, store, id, name } });
}

/** Takes the hold of that name off; nothing happens where there is none. */
export async function releaseBackup({ fence, store, id, name, ...on }: OneHold): Promise<void> {
  await on.hosts.call({ ...context(on), verb: 'store.release', args: { ...fence, store, id, name } });
}
