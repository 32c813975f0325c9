/** The freeze as a session over one ssh channel: one word down, one line of JSON up; the channel's end thaws the host. */
import type { z } from 'zod';
import type { armed, paused, snapshotted, thawed } from './replies/freezing';

/** The director's own clock around one phase: monotonic ms (`performance.now()`), and the wall clock of the answer. */
export interface PhaseTimes {
  sentMs: number;
  answeredMs: number;
  answeredAtMs: number;
}
export type Phase<S extends z.ZodType> = z.output<S> & { director: PhaseTimes };
export type Armed = Phase<typeof armed>;
export type Paused = Phase<typeof paused>;
export type Snapshotted = Phase<typeof snapshotted>;
export type Thawed = Phase<typeof thawed>;

/**
 * One host held for a freeze. Each phase rejects with a HostError; when the channel is lost the code is `session-lost`,
 * and the host thaws itself.
 */
export interface FreezeSession {
  readonly host: string;
  readonly armed: Armed;
  /** Aborted with a HostError (`session-lost`) as soon as the channel is gone, also between phases. */
  readonly lost: AbortSignal;
  pause(options?: { timeoutMs?: number }): Promise<Paused>;
  snapshot(options?: { timeoutMs?: number }): Promise<Snapshotted>;
  thaw(options?: { timeoutMs?: number }): Promise<Thawed>;
  /** Ends the input: whatever is still paused is thawed by the host. Idempotent, never rejects. */
  close(): Promise<void>;
}
