/** Replies of the freeze session, phase by phase, and of what undoes it. */
import { z } from 'zod';
import { container, count, snapshot } from './common';

const clocks = {
  /** The host's wall clock when the phase was done, ms since 1970. */
  timeMs: count,
  /** The host's monotonic clock then, ms since boot. */
  uptimeMs: count,
};
const unit = z.union([z.string().transform((name) => ({ name })), z.looseObject({ name: z.string() })]);

export const armed = z.looseObject({
  ...clocks,
  phase: z.literal('armed'),
  containers: z.array(container).default([]),
  units: z.array(unit).default([]),
});
export const paused = z.looseObject({
  ...clocks,
  phase: z.literal('paused'),
  containers: z.array(container.or(z.string())).default([]),
});
export const snapshotted = z.looseObject({
  ...clocks,
  phase: z.literal('snapshotted'),
  snapshots: z.array(snapshot).default([]),
});
export const thawed = z.looseObject({
  ...clocks,
  phase: z.literal('thawed'),
  /** Empty, or why this instant does not count (S1). */
  torn: z.string().default(''),
  containers: z.array(container.or(z.string())).default([]),
  pausedMs: count.default(0),
  /** What the engine's event log showed since it was armed. */
  events: z.unknown().optional(),
  deadmanFired: z.boolean().default(false),
});

export const thaw = z.object({
  thawed: z.array(z.unknown()).default([]),
  failed: z.array(z.unknown()).default([]),
});
export const hook = z.looseObject({
  exit: z.number().int().optional(),
  tail: z.string().optional(),
  /** Of an "after": its dead-man had run it before. */
  deadmanFired: z.boolean().optional(),
});
export const snapshotDrop = z.object({ dropped: z.array(z.union([z.string(), z.looseObject({})])).default([]) });
