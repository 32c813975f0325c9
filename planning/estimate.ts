/** How long the fleet will stand still, before the run. What room a backup needs: `space.ts`. */

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
    const basis = recent.length === 1 ? 'that of the last backup' : `median of the last ${recent.length} backups`;
    return { ms, worstMs: Math.max(...recent), basis };
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
