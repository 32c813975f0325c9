/** A store's backups as retention sees them, with the store's clock beside: a removal must not rest on one clock alone. */
import type { PrunableBackup } from '../planning/prune';
import { readBackups } from './backups';
import type { HostRef, Hosts } from './hosts';

export interface Prunable {
  backups: PrunableBackup[];
  /** Wall clocks, ms since 1970; the director's is taken in the middle of the store's answer. */
  storeMs: number;
  directorMs: number;
}

/** Reads a group's backups and the store host's clock. @throws HostError */
export async function readPrunable(options: {
  hosts: Hosts;
  storeHost: HostRef;
  store: string;
  group: string;
}): Promise<Prunable> {
  const { hosts, storeHost } = options;
  const { backups } = await readBackups(options);
  const askedMs = Date.now();
  const { timeMs } = await hosts.call({ host: storeHost, verb: 'probe', step: 'read clock', args: {} });
  return {
    storeMs: timeMs,
    directorMs: Math.round((askedMs + Date.now()) / 2),
    backups: backups.map(({ id, manifest, problem, holds, usedBytes }) => ({
      id,
      state: manifest?.state ?? null,
      problem: problem ?? null,
      holds,
      usedBytes: usedBytes ?? null,
    })),
  };
}
