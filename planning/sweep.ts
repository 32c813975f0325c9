/** Which runs' leftovers the worker may sweep by itself (S8): those that the engine knows to be over, never a living run's. */
import type { WorkflowKind } from './ids';

/** A run as the engine knows it. */
export interface KnownRun {
  run: string;
  kind: WorkflowKind;
  state: 'running' | 'completed' | 'ended';
  /** When it ended, ms since 1970; 0 while it runs. */
  closedMs: number;
}

export interface SweepDecision {
  /** Runs that are over: swept by their names. */
  dead: string[];
  /** Restores that ended half-way: what is theirs stays for a person, but for the lease, which nobody can give back any more. */
  halfway: string[];
  /** Whether the host's own rule may judge the rest, which the engine doesn't know. */
  others: boolean;
}

/**
 * Decides for one group on one host.
 *
 * A run that has just ended is left for `afterMs`: a step of it may still be told so by its next heartbeat. A restore that did not
 * complete is left for a person: its safety snapshot is the only way back. The group it can't keep: the runs that mend it need the lease.
 */
export function decideSweep(options: {
  /** Runs of which something is on the host. */
  onHost: readonly string[];
  known: ReadonlyMap<string, KnownRun>;
  nowMs: number;
  afterMs: number;
}): SweepDecision {
  const { onHost, known, nowMs, afterMs } = options;
  const dead: string[] = [];
  const halfway: string[] = [];
  let others = false;
  let spared = false;
  for (const name of new Set(onHost)) {
    const run = known.get(name);
    if (run === undefined) others = true;
    else if (run.state === 'running' || nowMs - run.closedMs < afterMs) spared = true;
    else if (run.kind === 'restore' && run.state !== 'completed') halfway.push(name);
    else dead.push(name);
  }
  return { dead, halfway, others: others && !spared && halfway.length === 0 };
}
