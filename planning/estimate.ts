/** Numbers before the run: the space that a backup needs, what it would send, how long the fleet will stand still. */

export interface SourceSize {
  /** Bytes in use now. */
  usedBytes: number;
  /** Bytes at the last backup; left out when there is none. */
  lastBytes?: number;
}

export interface StoreSpace {
  freeBytes: number;
  totalBytes: number;
  /** Share that stays free. */
  reservePercent: number;
}

export interface SpaceEstimate {
  /** Bytes that the backup may need at most, before the store's compression. */
  neededBytes: number;
  /** What is likely to be sent. */
  sentBytes: number;
  freeBytes: number;
  reserveBytes: number;
  fits: boolean;
  /** By how much it does not fit; 0 when it does. */
  missingBytes: number;
  /** How the numbers were come by, for the operator. */
  basis: string;
}

/** Of a source that was backed up before, this share is taken to have changed beside its growth. */
export const ASSUMED_CHANGE = 0.1;

/**
 * Whether a backup fits. A source without an earlier backup needs all its bytes; one with needs its growth and
 * {@link ASSUMED_CHANGE} of what it had. Compression is not counted: the estimate errs on the safe side.
 */
export function spaceEstimate({
  sources,
  store,
}: {
  sources: readonly SourceSize[];
  store: StoreSpace;
}): SpaceEstimate {
  const needs = sources.map(({ usedBytes, lastBytes }) =>
    lastBytes === undefined
      ? usedBytes
      : Math.min(usedBytes, Math.max(0, usedBytes - lastBytes) + Math.ceil(lastBytes * ASSUMED_CHANGE)),
  );
  const neededBytes = needs.reduce((total, each) => total + each, 0);
  const reserveBytes = Math.ceil((store.totalBytes * store.reservePercent) / 100);
  const missingBytes = Math.max(0, neededBytes + reserveBytes - store.freeBytes);
  const first = sources.filter((source) => source.lastBytes === undefined).length;
  return {
    neededBytes,
    sentBytes: neededBytes,
    freeBytes: store.freeBytes,
    reserveBytes,
    fits: missingBytes === 0,
    missingBytes,
    basis: `${first} of ${sources.length} sources whole, the others their growth and ${ASSUMED_CHANGE * 100} % of the rest; without compression`,
  };
}

export interface PauseEstimate {
  ms: number;
  /** Longest of the backups looked at; equals `ms` where there are none. */
  worstMs: number;
  basis: string;
}

/** What the default formula counts with, in ms. */
export const PAUSE_COSTS = { roundTrip: 20, engine: 120, perContainer: 25, perSource: 15 } as const;

/**
 * The pause to expect: the median of the last (up to 5) backups' pauses, newest first; without any, the slowest host's
 * 3 round trips + engine + containers × 25 ms (paused and unpaused, in parallel) + sources × 15 ms.
 */
export function pauseEstimate({
  history,
  hosts,
}: {
  /** Pauses of earlier backups in ms, newest first. */
  history: readonly number[];
  hosts: readonly { containers: number; sources: number; roundTripMs?: number }[];
}): PauseEstimate {
  const recent = history.slice(0, 5);
  if (recent.length > 0) {
    const sorted = [...recent].sort((a, b) => a - b);
    const ms = sorted[Math.floor((sorted.length - 1) / 2)] ?? 0;
    return { ms, worstMs: Math.max(...recent), basis: `median of the last ${recent.length} backups` };
  }
  const { roundTrip, engine, perContainer, perSource } = PAUSE_COSTS;
  const ms = Math.max(
    0,
    ...hosts.map(
      (host) =>
        3 * (host.roundTripMs ?? roundTrip) +
        (host.containers > 0 ? engine : 0) +
        perContainer * host.containers +
        perSource * host.sources,
    ),
  );
  return {
    ms,
    worstMs: ms,
    basis: `formula for the slowest host: 3 round trips, ${engine} ms engine, ${perContainer} ms a container, ${perSource} ms a source`,
  };
}
