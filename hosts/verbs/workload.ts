/** The operator's hand tools, and the sweep of what dead runs left (S8). Each throws HostError. */
import type { Fence } from '../args';
import type { Reply } from '../replies';
import { context, type On } from './on';

/** Stopping waits for each container's own grace time, in ms. */
const STOP_MS = 300_000;

/** Pauses the group's workload; the dead-man unpauses it after `maxPauseS` at the latest. */
export function pauseWorkload(on: On & { fence: Fence; maxPauseS: number }): Promise<Reply<'workload.pause'>> {
  const args = { ...on.fence, maxPause: on.maxPauseS };
  return on.hosts.call({ ...context(on), verb: 'workload.pause', args });
}

/** Unpauses what we paused, and only that. */
export function unpauseWorkload(on: On & { fence: Fence }): Promise<Reply<'workload.unpause'>> {
  return on.hosts.call({ ...context(on), verb: 'workload.unpause', args: on.fence });
}

/** Stops the group's workload and sees it stopped. */
export function stopWorkload(on: On & { fence: Fence }): Promise<Reply<'workload.stop'>> {
  return on.hosts.call({ ...context(on), timeoutMs: on.timeoutMs ?? STOP_MS, verb: 'workload.stop', args: on.fence });
}

/** Starts what we stopped, and only that. */
export function startWorkload(on: On & { fence: Fence }): Promise<Reply<'workload.start'>> {
  return on.hosts.call({ ...context(on), timeoutMs: on.timeoutMs ?? STOP_MS, verb: 'workload.start', args: on.fence });
}

/** Finds what dead runs left of a group; with `fix` mends it too. `targetRun` is dead on the caller's word. */
export function sweep(on: On & { group: string; fix: boolean; targetRun?: string }): Promise<Reply<'sweep'>> {
  const { group, fix, targetRun } = on;
  return on.hosts.call({ ...context(on), verb: 'sweep', args: { group, fix, targetRun } });
}
