/** Lets a rescue system that was told to reboot, and has not, be noticed within moments. Loaded into the bundles of some tests alone. */
import type { WorkflowInterceptorsFactory } from '@temporalio/workflow';

const STAY_MS = 200;

export const interceptors: WorkflowInterceptorsFactory = () => ({
  outbound: [
    {
      scheduleActivity: (input, next) =>
        next({
          ...input,
          args: input.args.map((arg) =>
            typeof arg === 'object' && arg !== null && 'stayMs' in arg ? { ...arg, stayMs: STAY_MS } : arg,
          ),
        }),
    },
  ],
});
