/** The one error that planning throws: a decision that must not be taken, with what to do next. */

export type PlanningCode =
  'bad-name' | 'bad-manifest' | 'bad-listing' | 'bad-policy' | 'bad-plan' | 'clock-skew' | 'not-found' | 'ambiguous';

export interface PlanningErrorOptions {
  code: PlanningCode;
  message: string;
  /** What the operator does next. */
  next: string;
  host?: string;
  step?: string;
}

/** A decision that planning refuses. Deterministic: retrying with the same input fails the same way. */
export class PlanningError extends Error {
  override readonly name: string = 'PlanningError';
  readonly code: PlanningCode;
  readonly next: string;
  readonly host: string | undefined;
  readonly step: string | undefined;

  constructor({ code, message, next, host, step }: PlanningErrorOptions) {
    super(`${message}. ${next}`);
    this.code = code;
    this.next = next;
    this.host = host;
    this.step = step;
  }
}
