/**
 * The two workers of a worker process: one for control steps and the workflows, one for bulk copies, so that long copies can't
 * starve short steps.
 *
 * Shutdown (SIGTERM) cancels every running activity with the reason WORKER_SHUTDOWN. Within an activity:
 *
 *     const context = Context.current();
 *     context.cancellationSignal.addEventListener('abort', () => {
 *       if (context.cancellationDetails?.workerShutdown) detach();  // leave the remote job running; the next attempt attaches
 *       else stopRemoteJobAndConfirm();                              // requested (or the attempt is no longer wanted)
 *     });
 *
 * (`context.cancellationSignal.reason.message` is `WORKER_SHUTDOWN` likewise.) An activity that detaches throws the
 * `CancelledFailure` on; the SDK reports it as a retryable failure of type `WorkerShutdown`, so the server starts the next
 * attempt at once on another worker: attempts by shutdowns count toward `maximumAttempts`. One that doesn't stop within
 * {@link SHUTDOWN_FORCE_MS} is left to the server's heartbeat time-out.
 */
import { hostname } from 'node:os';
import { Worker, type NativeConnection, type WorkerOptions } from '@temporalio/worker';
import { dataConverter } from './payloads';
import { stepLogAttributes } from './step-logging';

/** Task queue of workflows and short steps. */
export const CONTROL_QUEUE = 'resurgo-control';
/** Task queue of copies and other bulk work. */
export const BULK_QUEUE = 'resurgo-bulk';

/** Short steps may end by themselves for this long after SIGTERM, ms; then they are told. */
export const SHUTDOWN_GRACE_MS = 500;
/** After this long a worker is given up, ms. */
export const SHUTDOWN_FORCE_MS = 5_000;

/** Activities by name. */
export type Activities = Record<string, (...args: never[]) => Promise<unknown>>;

/** Options of {@link createWorkers}. */
export interface WorkersOptions {
  connection: NativeConnection;
  namespace: string;
  /** The workflow bundle's file. */
  bundlePath: string;
  activities: Activities;
  /** Control steps at once. @default 200 */
  controlConcurrency?: number;
  /** Copies at once; the runbook's own limits are far below. @default 100 */
  bulkConcurrency?: number;
}

/** A running pair of workers. */
export interface Workers {
  /** Resolves when both have ended; rejects when one fails. */
  run: () => Promise<void>;
  /** Tells both to end; harmless to repeat. */
  shutdown: () => void;
}

/** Creates both workers on one connection; they take work once {@link Workers.run} is called. */
export async function createWorkers(options: WorkersOptions): Promise<Workers> {
  const { bundlePath, controlConcurrency = 200, bulkConcurrency = 100 } = options;
  const control = await Worker.create({
    ...common(options),
    taskQueue: CONTROL_QUEUE,
    workflowBundle: { codePath: bundlePath },
    // A killed worker's runs are handed to another one after this time.
    stickyQueueScheduleToStartTimeout: '3s',
    maxConcurrentActivityTaskExecutions: controlConcurrency,
  });
  const bulk = await Worker.create({
    ...common(options),
    taskQueue: BULK_QUEUE,
    maxConcurrentActivityTaskExecutions: bulkConcurrency,
  });
  const workers = [control, bulk];
  const shutdown = (): void => {
    for (const worker of workers) {
      if (worker.getState() === 'RUNNING') worker.shutdown();
    }
  };
  return {
    shutdown,
    run: async () => {
      const running = workers.map((worker) =>
        // One that fails takes the other with it: half a worker looks alive and isn't.
        worker.run().finally(shutdown),
      );
      const failure = (await Promise.allSettled(running)).find((outcome) => outcome.status === 'rejected');
      if (failure !== undefined) throw failure.reason;
    },
  };
}

function common({ connection, namespace, activities }: WorkersOptions): Omit<WorkerOptions, 'taskQueue'> {
  return {
    connection,
    namespace,
    activities,
    dataConverter,
    identity: `resurgo ${process.pid}@${hostname()}`,
    // Cancellation reaches an activity with its heartbeats only: the default of up to a minute is too long for an operator.
    maxHeartbeatThrottleInterval: '5s',
    defaultHeartbeatThrottleInterval: '5s',
    shutdownGraceTime: SHUTDOWN_GRACE_MS,
    shutdownForceTime: SHUTDOWN_FORCE_MS,
    interceptors: { activity: [stepLogAttributes] },
  };
}
