/** Pieces that the replies of several verbs share. Schemas strip what they don't know, so a newer hostkit may add. */
import { z } from 'zod';

/** Milliseconds, bytes, counts: never negative, never beyond what a double holds exactly. */
export const count = z.number().int().nonnegative();

/** A reply that says no more than that it was done. */
export const done = z.object({ ok: z.literal(true) });

/** A free-form record of a verb whose evidence is only carried along. */
export const evidence = z.record(z.string(), z.unknown());

/** One container as the hostkit recorded it. */
export const container = z.object({
  id: z.string(),
  name: z.string().default(''),
  image: z.string().optional(),
  cgroup: z.string().optional(),
  state: z.string().optional(),
});

/** What is mounted on a host and left out of a whole machine. */
export const leftOut = z.object({ path: z.string(), reason: z.string() });

/** One snapshot on a source's host. */
export const snapshot = z.object({
  source: z.string(),
  run: z.string().optional(),
  freeze: z.number().int().optional(),
  kind: z.string().optional(),
  name: z.string().optional(),
  createdMs: count.optional(),
  usedBytes: count.optional(),
  /** Of a whole machine: its file systems that a snapshot holds, each with its kind, … */
  held: z.array(z.string()).optional(),
  /** … those that are read live, … */
  live: z.array(z.string()).optional(),
  /** … those too that hardly ever change, and are looked at before and after, … */
  watched: z.array(z.string()).optional(),
  /** … and what is mounted there and is no part of it. */
  skipped: z.array(leftOut).optional(),
  /** Taken by a restore of what it overwrote: it outlives its run. */
  safety: z.boolean().optional(),
  /** Until when a safety snapshot is kept, ms since 1970. */
  keepUntilMs: count.optional(),
});

/** An armed or fired dead-man. */
export const deadman = z.object({
  group: z.string(),
  run: z.string().optional(),
  fired: z.boolean().optional(),
  untilMs: count.optional(),
});
