/** Lets what a workflow waits for by the minute or by the day come within a moment. Loaded into the bundles of some tests alone. */
import type { WorkflowInterceptorsFactory } from '@temporalio/workflow';

const LONG_MS = 60_000;
const MOMENT_MS = 700;

export const interceptors: WorkflowInterceptorsFactory = () => ({
  outbound: [
    {
      startTimer: (input, next) =>
        next({ ...input, durationMs: input.durationMs < LONG_MS ? input.durationMs : MOMENT_MS }),
    },
  ],
});
