/** The rescue media that a store keeps, read from the store itself (no engine needed) and checked: readable, and signed by whom. */
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { parseRescueBuild, type RescueBuild, type RescueFileEntry } from '../planning/rescue-media';
import { verifyManifest } from './director-keys';
import { HostError } from './errors';
import type { HostRef, Hosts } from './hosts';
import { listRescue } from './verbs/rescue';

/** One build as it lies in the store. */
export interface RescueEntry {
  /** The host's name without the deployment's prefix. */
  host: string;
  id: string;
  usedBytes: number;
  /** Undefined when it can't be read; `problem` then says why. */
  build: RescueBuild | undefined;
  /** Why these media are not to be used: a damaged build.json, a bad signature. */
  problem: string | undefined;
  /** The key that signed it (ed25519, hex); whose it is, the reader decides (S19). */
  signedBy: string | undefined;
}

/** Where a group's media lie. */
export interface RescueStore {
  hosts: Hosts;
  storeHost: HostRef;
  store: string;
  group: string;
}

/** The media of a group, or of one of its hosts, the oldest of each host first. @throws HostError */
export async function readRescueMedia(at: RescueStore & { of?: string; step?: string }): Promise<RescueEntry[]> {
  const { hosts, storeHost, store, group, of, step = 'read rescue media' } = at;
  const { builds } = await listRescue({ hosts, host: storeHost, step, store, group, of });
  return builds.map(readEntry).sort((a, b) => (a.host === b.host ? (a.id < b.id ? -1 : 1) : a.host < b.host ? -1 : 1));
}

/** Whether media can be used: readable, and signed by one of the keys that are known here. */
export function isUsable({ problem, signedBy }: RescueEntry, genuine: readonly string[]): boolean {
  return problem === undefined && signedBy !== undefined && genuine.includes(signedBy);
}

/** Never throws: damaged media are shown as such, not left out. */
function readEntry(listed: { host: string; id: string; build: string; sig: string; usedBytes: number }): RescueEntry {
  const { host, id, usedBytes } = listed;
  const entry = { host, id, usedBytes, build: undefined, signedBy: undefined };
  if (listed.build === '') return { ...entry, problem: 'its build.json is missing' };
  const bytes = Buffer.from(listed.build, 'base64');
  const build = parseRescueBuild(bytes.toString('utf8'));
  if (typeof build === 'string') return { ...entry, problem: build };
  // Else media of one host could be given out as another's.
  if (build.id !== id || build.host !== host)
    return { ...entry, problem: `its build.json is of other media, ${build.id} of ${build.host}` };
  const publicHex = build.director.publicKeyHex;
  if (!verifyManifest({ bytes, signature: listed.sig, publicHex }))
    return { ...entry, build, problem: 'its build.json was changed after it was signed, or is not signed' };
  return { ...entry, build, problem: undefined, signedBy: publicHex };
}

/**
 * Copies one file of a build to `to`, 0600 from the first byte on. It gets its name when all of it has come and its sum is that of the
 * signed build.json. @throws HostError
 */
export async function fetchRescueFile(
  from: RescueStore & {
    build: RescueBuild;
    file: RescueFileEntry;
    to: string;
    onBytes?: (bytes: number) => void;
    signal?: AbortSignal;
  },
): Promise<void> {
  const { hosts, storeHost, store, group, build, file, to, onBytes, signal } = from;
  const step = `fetch ${file.name}`;
  const beside = `${to}.part`;
  await rm(beside, { force: true });
  const sum = createHash('sha256');
  let bytes = 0;
  const summed = new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      sum.update(chunk);
      bytes += chunk.length;
      onBytes?.(bytes);
      done(null, chunk);
    },
  });
  try {
    const wanted = { store, group, host: build.host, id: build.id, name: file.name };
    const stream = await hosts.rescueFile({ host: storeHost, step, file: wanted, signal });
    await pipeline(stream, summed, createWriteStream(beside, { flags: 'wx', mode: 0o600 }), { signal });
    if (bytes !== file.bytes || sum.digest('hex') !== file.sha256)
      throw new HostError({
        ...{ host: storeHost.name, verb: 'rescue.file', step, code: 'failed', retryable: false },
        message: `${file.name} of ${build.host} came with another size or sum than it was built with`,
        next: `fetch it again; if it comes so again, build anew (resurgo rescue build ${build.hostName}) and look at the store's disk`,
      });
    const whole = await open(beside, 'r+');
    try {
      await whole.sync();
    } finally {
      await whole.close();
    }
    await rename(beside, to);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
}
