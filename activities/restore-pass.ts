/** One pass of a restore over a tree: what its job is called, by what it compares, what it leaves alone. */
import { jobName } from '../planning/ids';
import { mountedSince } from '../planning/restore-mounts';
import type { Mounts } from '../planning/restore-mounts';
import type { RunFence } from './context';
import { nameOf } from './restore-item';
import type { RestoreItemRef } from './restore-item';

/** The passes over a tree, each a job of its own, and whether it only counts. */
export const DRY = { count: true, recount: true, stream: false, restore: false, prove: true } as const;
export type Pass = keyof typeof DRY;

/** The item, with all that is mounted there now kept as well as what the plan keeps. */
export function protectingNow(
  { item, nested }: { item: RestoreItemRef; nested?: readonly string[] },
  now: Mounts,
): RestoreItemRef {
  if (nested === undefined || item.single) return item;
  return { ...item, protect: [...new Set([...item.protect, ...mountedSince({ planned: { nested }, now })])] };
}

/** Whether a pass compares files by content. What size and time have missed once they would miss in a retry again. */
export function byContent({ fence, item, what }: { fence: RunFence; item: RestoreItemRef; what: Pass }): boolean {
  return what === 'prove' || item.single || item.checksum === true || (what === 'restore' && fence.round > 0);
}

/** The sender's job, and the grant that it needs. */
export function sendName({ what, ...input }: { fence: RunFence; item: RestoreItemRef; what: Pass }): string {
  return jobName({ run: input.fence.run, step: what, key: keyFor(input) });
}

/** What a job is named by: a try that an operator asked for sends and compares anew, one that goes on after a crash attaches. */
export function keyFor({ fence, item }: { fence: RunFence; item: RestoreItemRef }): string {
  return fence.round === 0 ? nameOf(item) : `${nameOf(item)}, try ${fence.round + 1}`;
}
