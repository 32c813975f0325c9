/** What a store says it holds, read from the store itself (no engine needed) and checked: whole, readable, and signed by whom. */
import type { Manifest } from '../planning/manifest';
import { parseManifest } from '../planning/manifest-schema';
import { verifyManifest } from './director-keys';
import type { HostRef, Hosts } from './hosts';

/** One backup as it lies in the store. */
export interface StoreEntry {
  id: string;
  /** Undefined when it can't be read; `problem` then says why. */
  manifest: Manifest | undefined;
  /** Why this is not a good backup: a damaged or missing manifest, a bad signature. */
  problem: string | undefined;
  /** The key that signed it (ed25519, hex); whose it is, the reader decides (S19). */
  signedBy: string | undefined;
  /** Bytes that removing it would free, where the store can tell. */
  usedBytes: number | undefined;
  holds: string[];
}

export interface StoreListing {
  /** Oldest first. */
  backups: StoreEntry[];
  /** The run that writes `current` now (or died while it did), or null. */
  incomplete: string | null;
}

/** Whether a backup is signed by one of the keys (ed25519, hex) that are known here (S19). */
export function isGenuine({ signedBy }: StoreEntry, genuine: readonly string[]): boolean {
  return signedBy !== undefined && genuine.includes(signedBy);
}

/** How a backup of another director is marked (S19). */
export function unknownKey(signedBy: string): string {
  return `signed by the unknown key ${signedBy.slice(0, 12)}`;
}

/** Whether a backup is readable and has every source; by whom it is signed is another question. */
export function isWhole({ problem, manifest }: StoreEntry): boolean {
  return problem === undefined && manifest?.state === 'Completed';
}

/** The newest whole one of a list that has the oldest first; partial ones don't count (S18). */
export function newestWhole(backups: readonly StoreEntry[]): StoreEntry | undefined {
  return backups.findLast(isWhole);
}

/** The trees that a backup holds; none of one that can't be read. */
export function treesOf(entry: StoreEntry | undefined): Set<string> {
  const sources = entry?.problem === undefined ? (entry?.manifest?.sources ?? []) : [];
  return new Set(sources.flatMap((each) => (each.state === 'ok' ? [each.tree] : [])));
}

/** Reads a group's backups. @throws HostError */
export async function readBackups(options: {
  hosts: Hosts;
  storeHost: HostRef;
  store: string;
  group: string;
  step?: string;
}): Promise<StoreListing> {
  const { hosts, storeHost, store, group, step = 'read store' } = options;
  const args = { store, group };
  const reply = await hosts.call({ host: storeHost, verb: 'store.list', step, args, timeoutMs: 120_000 });
  const backups = reply.backups.map(readEntry).sort((a, b) => (a.id < b.id ? -1 : 1));
  return { backups, incomplete: reply.incomplete ?? null };
}

type Stored = {
  id: string;
  state?: string;
  manifest?: string;
  manifestSig?: string;
  usedBytes?: number;
  holds?: string[];
};

/** Never throws: a damaged backup is shown as such, not left out. */
function readEntry({ id, state, manifest, manifestSig, usedBytes, holds = [] }: Stored): StoreEntry {
  const entry = { id, usedBytes, holds, manifest: undefined, signedBy: undefined };
  if (manifest === undefined || manifest === '')
    return { ...entry, problem: state === 'lost' ? 'the store has lost it' : 'its manifest is missing' };
  const bytes = Buffer.from(manifest, 'base64');
  const parsed = parseManifest(bytes.toString('utf8'));
  if (typeof parsed === 'string') return { ...entry, problem: parsed };
  if (parsed.id !== id) return { ...entry, problem: `its manifest is of another backup, ${parsed.id}` };
  const publicHex = parsed.director.publicKeyHex;
  const genuine = manifestSig !== undefined && verifyManifest({ bytes, signature: manifestSig, publicHex });
  if (!genuine)
    return { ...entry, manifest: parsed, problem: 'its manifest was changed after it was signed, or is not signed' };
  return { ...entry, manifest: parsed, problem: undefined, signedBy: publicHex };
}
