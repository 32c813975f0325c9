/** What undoes a freeze, and the hooks around it. The freeze itself is `Hosts.openFreeze`. Each throws HostError. */
import type { Fence } from '../args';
import type { Reply } from '../replies';
import { context, type On } from './on';

/** Dropping waits for file systems that are busy, in ms. */
const DROP_MS = 120_000;

/** Reverses whatever this host has recorded as paused, stopped or frozen for the group; idempotent. */
export function thaw(on: On & { fence: Fence }): Promise<Reply<'thaw'>> {
  return on.hosts.call({ ...context(on), verb: 'thaw', args: on.fence });
}

/** Runs one of the hooks that this host's configuration names. `timeoutMs` must be beyond the hook's own time-out. */
export function hook(on: On & { fence: Fence; phase: 'before' | 'after'; name: string }): Promise<Reply<'hook'>> {
  return on.hosts.call({ ...context(on), verb: 'hook', args: { ...on.fence, phase: on.phase, name: on.name } });
}

/** Removes a run's snapshots: those of one freeze, or all; idempotent. */
export async function dropSnapshots(
  on: On & { fence: Fence; targetRun: string; freeze: number | 'all' },
): Promise<Reply<'snapshot.drop'>> {
  const freeze = on.freeze === 'all' ? -1 : on.freeze;
  const args = { ...on.fence, targetRun: on.targetRun, freeze };
  return on.hosts.call({ ...context(on), timeoutMs: on.timeoutMs ?? DROP_MS, verb: 'snapshot.drop', args });
}
