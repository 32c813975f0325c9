/** The store's side of a backup: open it at its last sealed state, seal what arrived, read what is there, remove what retention lets go. */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { z } from 'zod';
import { newestWhole, readBackups, type StoreEntry } from '../hosts/backups';
import type { HostRef } from '../hosts/hosts';
import { CancelError, runJob } from '../hosts/jobs';
import { canonicalJson } from '../planning/canonical';
import { jobName } from '../planning/ids';
import type { Manifest } from '../planning/manifest';
import type { ActivityDeps, RunFence } from './context';
import { asActivity, fenceFor, heartbeating, jobSignal } from './context';

export interface StoreInput {
  fence: RunFence;
  store: { name: string; host: HostRef };
}

/** What the store holds of a group: enough to compare the present with. */
export interface StoreState {
  /** Newest whole backup, or null when there is none. */
  last: { id: string; manifest: Manifest } | null;
  /** Newest backup of any state, with the sum of each tree's listing; null for a tree that may differ from it (read in use). */
  newest: {
    id: string;
    listings: Record<string, string | null>;
    /** Of each tree, the bytes of its files. Runs that began before this was told lack it. */
    bytes?: Record<string, number>;
  } | null;
  ids: string[];
  /** The run that the store is open for, or was when it died; null for none. */
  incomplete: string | null;
  freeBytes: number;
  reserveBytes: number;
  fsType: string;
  /** What is unsafe about how the store is mounted (S29). */
  warnings: string[];
}

const sealed = z.looseObject({ id: z.string() });

/** How the store was opened. */
export interface OpenedStore {
  /** The backup whose content `current` has now; empty for none. */
  last: string;
  /** Whether its file system keeps times in whole seconds, so that what lies there is never quite what was sent. */
  wholeSeconds: boolean;
  /** Trees in `current` that are not quite as sealed, because large hard links were cut; null from a hostkit that doesn't say. */
  changed: string[] | null;
}
const opened = z.looseObject({
  last: z.string(),
  wholeSeconds: z.boolean().default(true),
  changed: z.array(z.string()).nullable().default(null),
});

/** Makes the activities `readStore`, `openStore` and `sealBackup`. */
export function storeActivities({ hosts, openSigner }: ActivityDeps) {
  async function readStore(input: { group: string; store: StoreInput['store'] }): Promise<StoreState> {
    const { group, store } = input;
    const [{ backups, incomplete }, space] = await Promise.all([
      readBackups({ hosts, storeHost: store.host, store: store.name, group }),
      hosts.call({ host: store.host, verb: 'store.space', step: 'read store', args: { store: store.name, group } }),
    ]);
    const last = newestWhole(backups);
    const reserveBytes = Math.round(((space.totalBytes ?? 0) * (space.reservePercent ?? 0)) / 100);
    return {
      last: last?.manifest === undefined ? null : { id: last.id, manifest: last.manifest },
      newest: newestOf(backups.at(-1)),
      ids: backups.map((each) => each.id),
      incomplete,
      freeBytes: space.freeBytes,
      reserveBytes,
      fsType: space.fsType,
      warnings: space.warnings,
    };
  }

  /** Rolls `current` back to the last sealed state (S15) and marks it as being written. */
  async function openStore(input: StoreInput): Promise<OpenedStore> {
    const { result } = await runJob({
      ...jobOf({ input, kind: 'store-open', step: 'open store' }),
      signal: jobSignal(),
      kind: 'store-open',
      args: { store: input.store.name },
    });
    const { last, wholeSeconds, changed } = opened.parse(result);
    return { last, wholeSeconds, changed };
  }

  /** Signs the manifest and publishes the backup (S17, S19); idempotent for the same id. Once published it is sealed, cancelled or not. */
  async function sealBackup(input: StoreInput & { manifest: Manifest; runbookText: string }): Promise<{ id: string }> {
    const signal = jobSignal();
    const signer = await openSigner();
    const bytes = Buffer.from(
      canonicalJson({ ...input.manifest, director: { ...input.manifest.director, publicKeyHex: signer.publicKeyHex } }),
    );
    const manifest = await packed(bytes);
    const args = {
      store: input.store.name,
      id: input.manifest.id,
      manifest: manifest.slice(0, PART_CHARS),
      manifestRest: manifest.length > PART_CHARS ? manifest.slice(PART_CHARS) : undefined,
      manifestSig: signer.sign(bytes),
      runbook: await packed(Buffer.from(input.runbookText)),
      trees: await packed(
        Buffer.from(input.manifest.sources.flatMap((each) => (each.state === 'ok' ? [each.tree] : [])).join('\n')),
      ),
    };
    try {
      const { result } = await runJob({
        ...jobOf({ input, kind: 'store-seal', step: 'seal' }),
        signal,
        kind: 'store-seal',
        args,
      });
      return sealed.parse(result);
    } catch (error) {
      if (!(error instanceof CancelError) || !(await isSealed({ input, bytes }))) throw error;
      // The cancel came too late: stopped between the publishing and its own end. The same seal again finds it, and does the rest.
      const { result } = await runJob({
        ...jobOf({ input, kind: 'store-seal-rest', step: 'seal' }),
        kind: 'store-seal',
        args,
      });
      return sealed.parse(result);
    }
  }

  /** Does the store hold this very backup? A signed manifest is no other's. */
  async function isSealed({ input, bytes }: { input: StoreInput & { manifest: Manifest }; bytes: Buffer }) {
    const { store, fence } = input;
    const args = { store: store.name, group: fence.group };
    const { backups } = await hosts.call({
      host: store.host,
      verb: 'store.list',
      step: 'seal',
      args,
      timeoutMs: 120_000,
    });
    return backups.some((each) => each.id === input.manifest.id && each.manifest === bytes.toString('base64'));
  }

  /** What the jobs of a store have in common; the name follows from run and kind, so that a retry attaches. */
  function jobOf({ input, kind, step }: { input: StoreInput; kind: string; step: string }) {
    return {
      hosts,
      host: input.store.host,
      job: jobName({ run: input.fence.run, step: kind }),
      fence: fenceFor({ fence: input.fence, step }),
      step,
    };
  }

  return {
    readStore: (input: { group: string; store: StoreInput['store'] }) =>
      asActivity(() => heartbeating({ body: () => readStore(input) })),
    openStore: (input: StoreInput) => asActivity(() => heartbeating({ body: () => openStore(input) })),
    sealBackup: (input: StoreInput & { manifest: Manifest; runbookText: string }) =>
      asActivity(() => heartbeating({ body: () => sealBackup(input) })),
  };
}

/** Longer texts are sent compressed: the hostkit takes 256 KiB a line. Shorter ones as they are, which older hostkits take too. */
const PLAIN_BYTES = 128 * 1024;
/** A manifest of more than a thousand sources is sent in two parts; whole groups of base64 in each. */
const PART_CHARS = 240 * 1024;

async function packed(bytes: Buffer): Promise<string> {
  return (bytes.length <= PLAIN_BYTES ? bytes : await promisify(gzip)(bytes, { level: 9 })).toString('base64');
}

function newestOf(entry: StoreEntry | undefined): StoreState['newest'] {
  if (entry?.manifest === undefined || entry.problem !== undefined) return null;
  const trees = entry.manifest.sources.flatMap((each) => (each.state === 'ok' ? [each] : []));
  return {
    id: entry.id,
    listings: Object.fromEntries(trees.map((each) => [each.tree, each.label === 'none' ? null : each.listingSha256])),
    bytes: Object.fromEntries(trees.map((each) => [each.tree, each.bytes])),
  };
}
