/**
 * The boundary to the fleet: everything above `hosts/` reaches a host through this interface and the typed verbs of
 * `hosts/verbs/`. `SshHosts` is the real one, `FakeHosts` stands in for a thousand hosts in tests of scale.
 */
import type { Readable } from 'node:stream';
import type { Fence, RescueFile, Verb, VerbArgs } from './args';
import type { FreezeSession } from './freeze-session';
import type { Look } from './look';
import type { Reply } from './replies';

/**
 * Where a host is reached: plain data, so that a workflow carries it in its input. `name` is the runbook's name of the
 * host and the name under which its ssh host key is pinned.
 */
export interface HostRef {
  name: string;
  /** Host name or address, as seen from the director (or from `via`). */
  address: string;
  /** Default 22. */
  port?: number;
  /** Default `resurgo`. */
  user?: string;
  /** A proxy jump; the director's key must be allowed to forward there. */
  via?: HostRef;
  /**
   * What its ssh host key is pinned for, in the place of its address: a rescue system often has the address of the machine that it
   * recovers, whose own key must stay pinned beside it.
   */
  pinnedAs?: string;
}

/** What every request may carry besides its verb. */
export interface CallContext {
  host: HostRef;
  /** The step's name, for errors and logs; mutating verbs carry the fence's step by themselves. */
  step?: string;
  /** Ends the wait for an answer, in ms. Default 60 000; the host may go on with the verb. */
  timeoutMs?: number;
  /** Ends the wait at once; the rejection is the signal's reason. */
  signal?: AbortSignal;
}

export type CallOptions<V extends Verb> = CallContext & { verb: V; args: VerbArgs[V] };

export interface FreezeOptions extends CallContext {
  fence: Fence;
  /** Which freeze of this run, from 0: a torn instant is repeated under the next number. */
  freeze: number;
  /** The dead-man's limit in seconds; the host's own configuration may lower it. */
  maxPauseS: number;
}

/** How one host answered to being warmed. */
export interface Warmth {
  host: string;
  ok: boolean;
  /** How long connecting took; ~0 when it was warm already. */
  ms: number;
  error?: Error;
}

export interface Hosts {
  /**
   * Runs one verb of the hostkit on one host and parses its answer.
   * @throws HostError naming host, verb and step; or `signal.reason` when aborted.
   */
  call<V extends Verb>(options: CallOptions<V>): Promise<Reply<V>>;

  /**
   * The listing of a sealed tree as gzip'd bytes; the stream errs with a HostError if the channel ends early.
   * @throws HostError before the first byte when the store refuses.
   */
  listing(options: CallContext & { store: string; group: string; id: string; tree: string }): Promise<Readable>;

  /**
   * One file of a host's rescue media, as it lies in the store; the stream errs with a HostError if the channel ends early.
   * @throws HostError before the first byte when the store refuses.
   */
  rescueFile(options: CallContext & { file: RescueFile }): Promise<Readable>;

  /**
   * Arms one host for a freeze; resolves when it has answered `armed`. Close the session in every case.
   * @throws HostError
   */
  openFreeze(options: FreezeOptions): Promise<FreezeSession>;

  /** Opens the connections ahead of a freeze; never rejects, tells per host how it went. */
  warm(options: { hosts: readonly HostRef[]; timeoutMs?: number; signal?: AbortSignal }): Promise<Warmth[]>;

  /** Whether anything answers where a host is reached, whatever key is pinned for it; bounded, and nobody logs in there. */
  look(options: { host: HostRef }): Promise<Look>;

  /** Ends all connections; calls still under way reject with a retryable HostError. Idempotent. */
  close(): Promise<void>;
}
