/**
 * What every activity needs: the fleet, the director's keys, a logger; and how its errors become Temporal's.
 *
 * An activity that drives a remote job ends in one of three ways that must not be mixed up: done, *detached* (this worker is going
 * away or has lost Temporal: the job goes on and the next attempt attaches to it), or *cancelled* (an operator asked for it: the job is stopped).
 */
import { setMaxListeners } from 'node:events';
import { activityInfo, ApplicationFailure, CancelledFailure, Context } from '@temporalio/activity';
import type { Logger } from 'pino';
import type { HostRef, Hosts } from '../hosts/hosts';
import type { Fence } from '../hosts/args';
import { HostError, isAway, isShut } from '../hosts/errors';
import { CancelError, DetachError } from '../hosts/jobs';
import type { BootedMedia, MediaToBoot } from '../hosts/rescue-boot';
import { attemptNumber } from '../planning/fencing';

/** Signs manifests with the director's signing key (S19). */
export interface ManifestSigner {
  /** Ed25519 public key, raw, hex. */
  readonly publicKeyHex: string;
  /** Returns the signature, base64. */
  sign(bytes: Buffer): string;
}

/** What the activities are made from. */
export interface ActivityDeps {
  hosts: Hosts;
  /** Opens the signing key when it is needed: a worker may start before the first enrolment. */
  openSigner: () => Promise<ManifestSigner>;
  /** The public keys (hex) whose manifests are genuine here: this director's, and those that its operator adopted (S19). */
  genuineSigners: () => Promise<string[]>;
  logger: Logger;
  rescue: {
    /** Notes the ssh host key of a host's rescue system. */
    pin: (options: { host: string; hostKey: string }) => Promise<void>;
    /** Notes a recovered machine's own ssh host keys where none are known, or beside them where they are new; false where others are known. */
    pinMachine: (options: { host: HostRef; hostKeys: readonly string[]; isNew?: boolean }) => Promise<boolean>;
    /** Notes them in the place of all others. */
    pinOnly: (options: { host: HostRef; hostKeys: readonly string[] }) => Promise<void>;
    /** Starts rescue media in a virtual machine of this machine; null where it has none. */
    boot: (media: MediaToBoot) => Promise<BootedMedia | null>;
  };
}

/** The part of a fence that the workflow knows; step and attempt are added here. */
export interface RunFence {
  group: string;
  run: string;
  term: number;
  /** How often the operator has had this step tried again. */
  round: number;
}

/** The fence keys of one verb: a later attempt of the same step is told apart from an earlier one that still runs somewhere (S3). */
export function fenceFor(options: { fence: RunFence; step: string }): Fence {
  const { group, run, term, round } = options.fence;
  return {
    group,
    run,
    term,
    step: options.step,
    attempt: attemptNumber({ round, temporalAttempt: activityInfo().attempt }),
  };
}

/** Runs an activity's body and turns what it throws into failures that carry code, host and the next thing to do. */
export async function asActivity<T>(body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    throw toFailure(error);
  }
}

function toFailure(error: unknown): unknown {
  if (error instanceof CancelError) return new CancelledFailure(error.message);
  if (error instanceof DetachError) {
    return ApplicationFailure.create({ message: error.message, type: 'detached', nonRetryable: false });
  }
  if (error instanceof HostError) {
    return ApplicationFailure.create({
      message: error.message,
      type: error.code,
      nonRetryable: !error.retryable,
      details: [{ code: error.code, host: error.host, verb: error.verb }],
    });
  }
  return error;
}

/**
 * Why the current activity is being ended, as the reason that remote jobs understand. Ask for it before the activity's first wait, and
 * once: what was asked for meanwhile is then known at once.
 */
export function jobSignal(): AbortSignal {
  const context = Context.current();
  const { cancellationSignal } = context;
  const controller = new AbortController();
  // One listener a host that is asked: Node takes more than ten for a leak.
  setMaxListeners(0, controller.signal);
  const end = () => {
    // Only a cancellation that was asked for stops the job: a time-out, a shutdown or a lost server leaves it to the next attempt.
    const requested = context.cancellationDetails?.cancelRequested === true;
    controller.abort(
      requested ? new CancelError('the run was cancelled') : new DetachError('this worker is going away'),
    );
  };
  // An abort is told once: a listener that comes after it hears nothing.
  if (cancellationSignal.aborted) end();
  else cancellationSignal.addEventListener('abort', end, { once: true });
  return controller.signal;
}

/** Runs `each` over all items, at most `limit` at a time; waits for all, then throws the first failure. */
export async function forEachLimited<T, R>(options: {
  items: readonly T[];
  limit: number;
  each: (item: T, index: number) => Promise<R>;
}): Promise<R[]> {
  const results = new Array<R>(options.items.length);
  const failures: unknown[] = [];
  let next = 0;
  const lanes = Array.from({ length: Math.min(options.limit, options.items.length) }, async () => {
    for (let index = next++; index < options.items.length; index = next++) {
      const item = options.items[index];
      if (item === undefined) return;
      try {
        results[index] = await options.each(item, index);
      } catch (error) {
        failures.push(error);
      }
    }
  });
  await Promise.all(lanes);
  if (failures.length > 0) throw failures[0];
  return results;
}

/** A host that was asked in vain, and why. */
export interface AwayHost {
  host: string;
  message: string;
}

/**
 * Asks a host; one that is away is added to `away` instead. What broke in the middle is asked once more: an sshd may have restarted. Where
 * the runbook allows a partial result, a host that was reinstalled counts as away: one of forty must not cost the others theirs (S18).
 */
export async function unlessAway<T>(options: {
  host: string;
  away: AwayHost[];
  partial: boolean;
  body: () => Promise<T>;
}): Promise<T | undefined> {
  const { host, away, partial, body } = options;
  for (let first = true; ; first = false) {
    try {
      return await body();
    } catch (error) {
      const shut = partial && isShut(error);
      if (!shut && !isAway(error)) throw error;
      if (first && !shut && error.code !== 'unreachable') continue;
      away.push({ host, message: error.message });
      return undefined;
    }
  }
}

/** Tells Temporal that this activity lives, every few seconds, until the body is done. */
export async function heartbeating<T>(options: { details?: () => unknown; body: () => Promise<T> }): Promise<T> {
  const context = Context.current();
  const beat = (): void => {
    context.heartbeat(options.details?.());
  };
  beat();
  const timer = setInterval(beat, 2_000);
  try {
    return await options.body();
  } finally {
    clearInterval(timer);
  }
}

/** An activity that heartbeats, and hands on why it is being ended ({@link jobSignal}). */
export function withSignal<I, R>(body: (input: I, signal: AbortSignal) => Promise<R>): (input: I) => Promise<R> {
  return (input) => {
    const signal = jobSignal();
    return asActivity(() => heartbeating({ body: () => body(input, signal) }));
  };
}
