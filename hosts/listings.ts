/** The listing of a sealed tree, line by line, straight from the store: what `find`, `diff` and a restore of one path read. */
import { createInterface } from 'node:readline';
import { pipeline } from 'node:stream/promises';
import { PassThrough } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { HostError } from './errors';
import type { HostRef, Hosts } from './hosts';

export interface ListingRef {
  storeHost: HostRef;
  store: string;
  group: string;
  id: string;
  tree: string;
}

/**
 * The lines of a listing, as they were sealed. Bounded memory: a listing of millions of entries is never held as a whole.
 * @throws HostError when the store refuses, the connection breaks, or the bytes are not a whole gzip
 */
export async function* listingLines({
  hosts,
  ref,
  step = 'read listing',
}: {
  hosts: Hosts;
  ref: ListingRef;
  step?: string;
}): AsyncGenerator<string> {
  const { storeHost, store, group, id, tree } = ref;
  const stream = await hosts.listing({ host: storeHost, step, store, group, id, tree });
  const text = new PassThrough();
  const unpacked = pipeline(stream, createGunzip(), text).catch((error: unknown) => {
    if (error instanceof HostError) throw error;
    const message = `the listing of ${tree} in backup ${id} can't be read: ${error instanceof Error ? error.message : String(error)}`;
    throw new HostError({ host: storeHost.name, verb: 'store.listing', step, code: 'failed', message });
  });
  // Lines that are read end without an error when the stream breaks: the pipeline's own end tells.
  unpacked.catch(() => text.end());
  yield* createInterface({ input: text, crlfDelay: Infinity });
  await unpacked;
}
