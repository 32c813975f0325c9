/** A store's backups as retention sees them, with the store's clock beside: a removal must not rest on one clock alone. */
import type { PrunableBackup } from '../planning/prune';
import { readBackups, unknownKey } from './backups';
import type { HostRef, Hosts } from './hosts';

export interface Prunable {
  backups: PrunableBackup[];
  /** Wall clocks, ms since 1970; the director's is taken in the middle of the store's answer. */
  storeMs: number;
  directorMs: number;
}

/**
 * Reads a group's backups and the store host's clock. One that is signed by a key unknown here is a problem as a damaged one is: its
 * state and its id are anybody's word, so it must let no other go. @throws HostError
 */
export async function readPrunable(options: {
  hosts: Hosts;
  storeHost: HostRef;
  store: string;
  group: string;
  /** Public keys, hex. */
  genuine: readonly string[];
}): Promise<Prunable> {
  const { hosts, storeHost, group, genuine } = options;
  const { backups } = await readBackups(options);
  const askedMs = Date.now();
  const { timeMs } = await hosts.call({ host: storeHost, verb: 'probe', step: 'read clock', args: {} });
  return {
    storeMs: timeMs,
    directorMs: Math.round((askedMs + Date.now()) / 2),
    backups: backups.map(({ id, manifest, problem, signedBy, holds, usedBytes }) => ({
      id,
      state: manifest?.state ?? null,
      problem:
        problem ??
        (signedBy !== undefined && !genuine.includes(signedBy)
          ? `${unknownKey(signedBy)} (\`resurgo adopt ${group}\`)`
          : null),
      holds,
      usedBytes: usedBytes ?? null,
    })),
  };
}
