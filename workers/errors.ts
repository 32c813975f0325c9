/** What can go wrong around the engine, as typed errors that name the host, the step and what to do next. */
import { hostname } from 'node:os';

/** Which kind of trouble an {@link EngineError} is about; the CLI and tests tell errors apart by it. */
export type EngineErrorCode =
  | 'cli-not-found'
  | 'config'
  | 'engine-busy'
  | 'engine-died'
  | 'engine-unreachable'
  | 'search-attributes'
  | 'state-folder'
  | 'version'
  | 'worker-died'
  | 'bundle-missing';

/** Details of an {@link EngineError}. */
export interface EngineErrorDetails {
  code: EngineErrorCode;
  /** The step that failed, in a few words ("starting the server"). */
  step: string;
  /** What happened, as a clause without a full stop. */
  problem: string;
  /** What the operator should do now, as a sentence. */
  next: string;
  /** The host it happened on or was directed to. @default this machine's name */
  host?: string;
  cause?: unknown;
}

/** An error of the embedded engine, the worker process, or the connection to a Temporal server. */
export class EngineError extends Error {
  readonly code: EngineErrorCode;
  readonly step: string;
  readonly host: string;
  readonly next: string;

  constructor({ code, step, problem, next, host = hostname(), cause }: EngineErrorDetails) {
    super(`${host}: ${step}: ${problem}. ${next}`, { cause });
    this.name = 'EngineError';
    this.code = code;
    this.step = step;
    this.host = host;
    this.next = next;
  }
}

/** No Temporal server answers at the address within the time allowed. */
export class EngineUnreachableError extends EngineError {
  /** The address that was tried, `host:port`. */
  readonly address: string;

  constructor({ address, next, cause }: { address: string; next: string; cause?: unknown }) {
    super({
      code: 'engine-unreachable',
      step: 'reaching the Temporal server',
      problem: `no answer from ${address}${cause instanceof Error ? ` (${cause.message})` : ''}`,
      next,
      host: address,
      cause,
    });
    this.name = 'EngineUnreachableError';
    this.address = address;
  }
}
