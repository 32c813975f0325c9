/** What went wrong in a step, as plain data: read from Temporal's chain of failures, shown to people, kept in reports. */
import { ActivityFailure, ApplicationFailure, ChildWorkflowFailure, TimeoutFailure } from '@temporalio/workflow';

/** One failed step. `code` is the hostkit's or the director's word for it (`unreachable`, `torn`, `no-space`, …). */
export interface StepFailure {
  code: string;
  message: string;
  host?: string;
}

interface FailureDetails {
  code?: unknown;
  host?: unknown;
}

/** Finds the innermost cause that carries a code; falls back to the message of the outermost failure. */
export function describeFailure(error: unknown): StepFailure {
  if ((error instanceof ActivityFailure || error instanceof ChildWorkflowFailure) && error.cause !== undefined)
    return describeFailure(error.cause);
  if (error instanceof ApplicationFailure) {
    const details = readDetails(error.details?.[0]);
    return {
      code: typeof details.code === 'string' ? details.code : (error.type ?? 'failed'),
      message: error.message,
      ...(typeof details.host === 'string' ? { host: details.host } : {}),
    };
  }
  if (error instanceof TimeoutFailure) return { code: 'timeout', message: error.message };
  return { code: 'failed', message: error instanceof Error ? error.message : String(error) };
}

/** The end of a run by its failure, as whoever waits for it reads it: the failure by its code, and `more` about the run. */
export function runFailure(options: {
  failure: StepFailure;
  error: unknown;
  message?: string;
  more?: unknown[];
}): ApplicationFailure {
  const { failure, error, message = failure.message, more = [] } = options;
  return ApplicationFailure.create({
    type: failure.code,
    nonRetryable: true,
    message,
    details: [failure, ...more],
    cause: error instanceof Error ? error : undefined,
  });
}

function readDetails(value: unknown): FailureDetails {
  return typeof value === 'object' && value !== null ? value : {};
}
