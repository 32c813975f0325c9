/** The layout of a host as a backup keeps it. */
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { layoutSchema, type Layout } from '../planning/layout-schema';
import { sha256Hex } from '../planning/sha256';
import type { HostRef, Hosts } from './hosts';

/** Reads it; whether its sum is the one of the signed manifest is its caller's to check. @throws HostError */
export async function readLayout(options: {
  hosts: Hosts;
  storeHost: HostRef;
  store: string;
  group: string;
  id: string;
  /** The short name. */
  host: string;
}): Promise<{ layout: Layout; sha256: string }> {
  const { hosts, storeHost, store, group, id, host } = options;
  const args = { store, group, id, host };
  const reply = await hosts.call({ host: storeHost, verb: 'store.layout', step: 'read layout', args });
  const bytes = await promisify(gunzip)(Buffer.from(reply.layout, 'base64'));
  const text = bytes.toString('utf8');
  return { layout: layoutSchema.parse(JSON.parse(text)), sha256: sha256Hex(text) };
}
