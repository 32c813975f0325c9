/**
 * Tells what a workflow came to, also while it is replayed: Temporal's replay compares commands, not results. Loaded into the bundle
 * of the replay tests alone.
 */
import { ApplicationFailure, isCancellation, proxySinks } from '@temporalio/workflow';
import type { Sinks, WorkflowInterceptorsFactory } from '@temporalio/workflow';

/** What replayed code came to. */
export type Outcome = { result: unknown } | { failure: { type: string; message: string } };

export interface OutcomeSinks extends Sinks {
  outcome: { tell(outcome: Outcome): void };
}

const { outcome } = proxySinks<OutcomeSinks>();

export const interceptors: WorkflowInterceptorsFactory = () => ({
  inbound: [
    {
      async execute(input, next) {
        try {
          const result = await next(input);
          outcome.tell({ result });
          return result;
        } catch (error) {
          outcome.tell({ failure: failureOf(error) });
          throw error;
        }
      },
    },
  ],
});

/** As the server would record it; of a cancellation it keeps no message. */
function failureOf(error: unknown): { type: string; message: string } {
  if (isCancellation(error)) return { type: 'cancelled', message: '' };
  if (error instanceof ApplicationFailure) return { type: error.type ?? '', message: error.message };
  return { type: 'none of ours', message: String(error) };
}
