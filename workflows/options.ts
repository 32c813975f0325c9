/**
 * How long each kind of step may take and how often it is tried, each with its reason. After the last try the operator is asked
 * (`gate.ts`), so every number is a bound on how long a run works alone, never on how long it lives.
 */
import { ActivityCancellationType, proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../activities';
import { BULK_QUEUE, CONTROL_QUEUE } from '../planning/queues';

/** What all steps at hosts share: they heartbeat, and a cancelled one is awaited, so that nothing is taken back under its hands. */
const atHosts = {
  // A worker that was killed is noticed within this time; the next attempt probes before it acts.
  heartbeatTimeout: '20s',
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
} as const;

/** Verbs that answer within seconds. Four tries in half a minute ride out a restarted sshd; longer trouble is a person's. */
export const quick = proxyActivities<Activities>({
  ...atHosts,
  taskQueue: CONTROL_QUEUE,
  startToCloseTimeout: '10m',
  retry: { initialInterval: '1s', backoffCoefficient: 3, maximumInterval: '20s', maximumAttempts: 4 },
});

/**
 * The freeze. Its own loop repeats torn instants; Temporal's attempts are for a worker that died, where the hosts have thawed by
 * themselves. The heartbeat is short: while nobody holds the sessions the fleet is already running again, but the run stands still.
 * A worker that hangs keeps its open polls for a minute and may be handed the next attempts: six of them outlast it.
 */
export const freezing = proxyActivities<Activities>({
  ...atHosts,
  taskQueue: CONTROL_QUEUE,
  startToCloseTimeout: '15m',
  heartbeatTimeout: '15s',
  retry: { initialInterval: '2s', backoffCoefficient: 2, maximumInterval: '30s', maximumAttempts: 6 },
});

/**
 * Steps that follow a durable remote job. The job outlives the attempt, so attempts are cheap: a new one attaches. Days are allowed
 * because a first copy of a large store takes them; what matters is the heartbeat.
 */
export const bulk = proxyActivities<Activities>({
  ...atHosts,
  taskQueue: BULK_QUEUE,
  startToCloseTimeout: '14d',
  retry: { initialInterval: '2s', backoffCoefficient: 2, maximumInterval: '1m', maximumAttempts: 8 },
});

/**
 * Steps that write over disks, and what makes a new system boot: durable jobs too. What has failed four times in a minute fails for a
 * reason that a person has to see; a file system of many terabytes takes its time.
 */
export const recovering = proxyActivities<Activities>({
  ...atHosts,
  taskQueue: BULK_QUEUE,
  startToCloseTimeout: '2d',
  retry: { initialInterval: '2s', backoffCoefficient: 3, maximumInterval: '30s', maximumAttempts: 4 },
});

/** Undoing what was done to production is tried for a day: a container left paused is the one thing that must not stay. */
export const undoing = proxyActivities<Activities>({
  ...atHosts,
  taskQueue: CONTROL_QUEUE,
  startToCloseTimeout: '10m',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '1m', maximumAttempts: 1440 },
});

/** Tidying up after a run: the sweep does it too, so it is not worth holding a run for long. */
export const tidying = proxyActivities<Activities>({
  ...atHosts,
  taskQueue: CONTROL_QUEUE,
  startToCloseTimeout: '15m',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '30s', maximumAttempts: 6 },
});

/** Unmounting what a run leaves half made: a restart of that machine does it too, so two tries of minutes are enough. */
export const unmounting = proxyActivities<Activities>({
  ...atHosts,
  taskQueue: CONTROL_QUEUE,
  startToCloseTimeout: '5m',
  retry: { initialInterval: '5s', maximumAttempts: 2 },
});

/** A webhook that doesn't answer must not hold a backup. */
export const telling = proxyActivities<Activities>({
  taskQueue: CONTROL_QUEUE,
  startToCloseTimeout: '1m',
  retry: { initialInterval: '2s', backoffCoefficient: 2, maximumAttempts: 5 },
});

/** The call for a person: a run waits for the answer anyway, so it is sent for as long as that takes. */
export const calling = proxyActivities<Activities>({
  taskQueue: CONTROL_QUEUE,
  startToCloseTimeout: '1m',
  retry: { initialInterval: '2s', backoffCoefficient: 2, maximumInterval: '10m' },
});
