/** Runs whose histories are kept: each way in which a workflow can go that a change of its code must not alter for runs under way. */
import type { Workflow } from '@temporalio/common';
import type { WorkflowHandle } from '@temporalio/client';
import { HostError } from '../../../hosts/errors';
import type { FakeCall, FakeHosts, FakeOptions } from '../../../hosts/fake';
import { CONTROL_QUEUE } from '../../../planning/queues';
import type { PruneInput } from '../../../planning/prune';
import type { BackupInput, RecoverInput, RescueInput, RestoreInput } from '../../../planning/run-input';
import type { BackupReport } from '../../../workflows/backup';
import type { CopyBatchInput } from '../../../workflows/copy-batch';
import type { DecideInput, OpenQuestion } from '../../../workflows/gate';
import { machine } from '../../planning/layout-machines';
import { until } from '../../workers/fixtures/engine';
import { Ear } from './ear';
import type { Engine } from './engine';
import { backupInput, fleetRunbook, withFleet } from './engine';
import { recovery } from './recovery';

/** How a recorded run must end, today as then. */
export interface Expected {
  /** The result's state; left out where the run fails. */
  state?: 'Completed' | 'Partial';
  /** The failure's type, or `cancelled`. */
  failure?: string;
}

export interface Scenario {
  /** The file's name. */
  name: string;
  expected: Expected;
  /** Makes the run, over a fleet in memory. */
  fake?: FakeOptions;
  run: ((on: Stage) => Promise<WorkflowHandle>) | 'of an earlier version';
}

/** What a scenario works with. */
export interface Stage {
  engine: Engine;
  fleet: FakeHosts;
}

const BY = 'operator@director';

/** The files of `histories/`, in the order in which they are recorded. */
export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'backup-completed',
    expected: { state: 'Completed' },
    run: (stage) => started(stage, 'backup', backupInput(fleetRunbook(2, HOOKS))),
  },
  {
    // One host's system could not be made again, and one that can tells its layout.
    name: 'backup-with-layouts',
    expected: { state: 'Completed' },
    fake: {
      intercept: ({ verb, host }) =>
        verb === 'layout' && host === 'app-1' ? { facts: machine('uefi-ext4') } : undefined,
    },
    run: (stage) => {
      const input = backupInput(fleetRunbook(2));
      for (const source of input.group.sources) Object.assign(source, { snapshot: 'system' });
      return started(stage, 'backup', input);
    },
  },
  {
    name: 'backup-partial',
    expected: { state: 'Partial' },
    fake: { intercept: refusing({ host: 'app-2', code: 'unreachable' }) },
    run: (stage) => started(stage, 'backup', backupInput(fleetRunbook(2, { on_unreachable: 'partial' }))),
  },
  {
    name: 'backup-retried',
    expected: { state: 'Completed' },
    fake: { intercept: refusing({ verb: 'grant.key', host: 'app-1', code: 'not-allowed', times: 1 }) },
    run: async (stage) => {
      const handle = await started(stage, 'backup', backupInput(fleetRunbook(2)));
      return answered(handle, { decision: 'retry', by: BY });
    },
  },
  {
    name: 'backup-taken-back',
    expected: { failure: 'AbortedByOperator' },
    fake: { intercept: refusing({ verb: 'grant.key', code: 'not-allowed' }) },
    run: async (stage) => {
      const handle = await started(stage, 'backup', backupInput(fleetRunbook(1)));
      return answered(handle, { decision: 'abort', by: BY, reason: 'enough' });
    },
  },
  {
    name: 'backup-cancelled',
    expected: { failure: 'cancelled' },
    fake: { jobMs: (kind) => (kind === 'send' ? 60_000 : 30) },
    run: async (stage) => {
      const handle = await started(stage, 'backup', backupInput(fleetRunbook(1)));
      await until('the copy runs', () => stage.fleet.host('app-1').jobs.size > 0);
      await handle.cancel();
      return handle;
    },
  },
  {
    name: 'backup-notified',
    expected: { state: 'Completed' },
    run: async (stage) => {
      const ear = new Ear();
      const notify = await ear.notify(['start', 'success']);
      const handle = await started(stage, 'backup', backupInput(fleetRunbook(1, { notify })));
      await handle.result().finally(() => {
        ear.close();
      });
      return handle;
    },
  },
  {
    name: 'copy-batch-completed',
    expected: {},
    run: (stage) => started(stage, 'copyBatch', batchInput(backupInput(fleetRunbook(3)))),
  },
  {
    name: 'rescue-completed',
    expected: { state: 'Completed' },
    fake: { intercept: enrolled },
    run: (stage) => started(stage, 'rescue', rescueInput(2)),
  },
  {
    name: 'rescue-retried',
    expected: { state: 'Completed' },
    fake: {
      intercept: both(enrolled, refusing({ verb: 'rescue.open', host: 'target', code: 'no-space', times: 1 })),
    },
    run: async (stage) => answered(await started(stage, 'rescue', rescueInput(1)), { decision: 'retry', by: BY }),
  },
  {
    name: 'rescue-cancelled',
    expected: { failure: 'cancelled' },
    fake: { intercept: enrolled, jobMs: (kind) => (kind === 'rescue-send' ? 60_000 : 30) },
    run: async (stage) => {
      const handle = await started(stage, 'rescue', rescueInput(1));
      const sends = () => [...stage.fleet.host('app-1').jobs.values()].some(({ kind }) => kind === 'rescue-send');
      await until('the media are sent', sends);
      await handle.cancel();
      return handle;
    },
  },
  {
    name: 'restore-approved',
    expected: { state: 'Completed' },
    run: async (stage) => {
      const handle = await started(stage, 'restore', await restoreInput(stage));
      const [question] = await asked(handle);
      return answered(handle, { decision: 'approve', step: 'approve', hash: question?.approve, by: BY });
    },
  },
  {
    // From before the second count.
    name: 'restore-approved-counted-once',
    expected: { state: 'Completed' },
    run: 'of an earlier version',
  },
  {
    name: 'restore-aborted',
    expected: { failure: 'AbortedByOperator' },
    run: async (stage) =>
      answered(await started(stage, 'restore', await restoreInput(stage)), { decision: 'abort', by: BY }),
  },
  recoverScenario('recover-completed', { state: 'Completed' }, 'approve'),
  recoverScenario('recover-aborted', { failure: 'AbortedByOperator' }, 'abort'),
  {
    name: 'prune-completed',
    expected: { state: 'Completed' },
    run: async (stage) => {
      const group = { keep: { last: 1, daily: 0, weekly: 0, monthly: 0, yearly: 0 } };
      for (let made = 0; made < 2; made += 1) await backedUp(stage, group);
      return started(stage, 'prune', { ...backupInput(fleetRunbook(1, group)), approved: 'policy' as const });
    },
  },
  {
    name: 'scheduled-backup-completed',
    expected: { state: 'Completed' },
    run: (stage) => started(stage, 'scheduledBackup', backupInput(fleetRunbook(1))),
  },
];

/** A recovery whose plan is answered so. */
function recoverScenario(name: string, expected: Expected, decision: 'approve' | 'abort'): Scenario {
  const made = recovery();
  return {
    ...{ name, expected, fake: made.fake },
    run: async (stage) => {
      made.seal(stage.fleet);
      const handle = await started(stage, 'recover', made.input);
      const [question] = await asked(handle);
      return answered(handle, { decision, step: 'approve', hash: question?.approve, by: BY });
    },
  };
}

const HOOKS = {
  quiesce: {
    hooks: {
      before: [{ host: 'app-1', name: 'dump', command: '/usr/local/bin/dump' }],
      after: [{ host: 'app-1', name: 'resume', command: '/usr/local/bin/resume' }],
    },
  },
};

/** Plays one scenario to its end. */
export async function play({ engine, scenario }: { engine: Engine; scenario: Scenario }): Promise<WorkflowHandle> {
  const { run } = scenario;
  if (typeof run === 'string') throw new Error(`${scenario.name} is ${run}: it can not be recorded anew`);
  return withFleet({ engine, fake: scenario.fake }, async (fleet) => {
    const handle = await run({ engine, fleet });
    // Its end is what is kept; that a scenario fails is told by the replay.
    await handle.result().catch(() => undefined);
    return handle;
  });
}

async function started(
  { engine }: Stage,
  type: string,
  input: BackupInput | PruneInput | RecoverInput | RescueInput | RestoreInput | CopyBatchInput,
): Promise<WorkflowHandle> {
  const run = 'run' in input ? input.run : input.task.fence.run;
  return engine.env.client.workflow.start<Workflow>(type, {
    workflowId: `${type}/portal/${run}`,
    taskQueue: CONTROL_QUEUE,
    args: [input],
  });
}

async function asked(handle: WorkflowHandle): Promise<OpenQuestion[]> {
  const questions = (): Promise<OpenQuestion[]> => handle.query<OpenQuestion[]>('questions');
  // A run that ends instead says why by its result.
  await until('a question', async () => {
    if ((await handle.describe()).status.name !== 'RUNNING')
      throw new Error(`it ended: ${JSON.stringify(await handle.result())}`);
    return (await questions()).length > 0;
  });
  return questions();
}

async function answered(handle: WorkflowHandle, answer: DecideInput): Promise<WorkflowHandle> {
  await asked(handle);
  await handle.executeUpdate<string, [DecideInput]>('decide', { args: [answer] });
  return handle;
}

/** A host that this director has enrolled for the group. */
function enrolled({ verb }: FakeCall): Record<string, unknown> | undefined {
  return verb === 'probe' ? { groups: ['portal'] } : undefined;
}

function both(...all: NonNullable<FakeOptions['intercept']>[]): NonNullable<FakeOptions['intercept']> {
  return (call) => all.map((each) => each(call)).find((over) => over !== undefined);
}

function rescueInput(hosts: number): RescueInput {
  const setup = backupInput(fleetRunbook(hosts));
  return { ...setup, options: { policy: setup.group.rescue, bootCheck: 'auto' } };
}

/** Refuses what fits, so many times or for ever. */
function refusing(options: {
  verb?: FakeCall['verb'];
  host?: string;
  code: 'unreachable' | 'not-allowed' | 'no-space';
  times?: number;
}): (call: FakeCall) => undefined {
  const { verb, host, code, times = Number.POSITIVE_INFINITY } = options;
  let refused = 0;
  return (call) => {
    if ((verb ?? call.verb) !== call.verb || (host ?? call.host) !== call.host || refused >= times) return;
    refused += 1;
    const message = 'refused for the record';
    throw new HostError({ host: call.host, verb: call.verb, code, message, retryable: false });
  };
}

async function backedUp(stage: Stage, group: object = {}): Promise<string> {
  const handle = await started(stage, 'backup', backupInput(fleetRunbook(1, group)));
  const { id } = (await handle.result()) as BackupReport;
  // Backups are named by the second of their freeze.
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  return id;
}

async function restoreInput(stage: Stage): Promise<RestoreInput> {
  const { run, requestedBy, ...into } = backupInput(fleetRunbook(1));
  return {
    ...{ run, requestedBy, into, id: await backedUp(stage) },
    from: { group: into.group.name, store: into.store.name, storeHost: into.storeHost },
    ...{
      select: {},
      mode: 'in-place' as const,
      folder: null,
      deletes: true,
      newDisk: false,
      approve: null,
      planOnly: false,
    },
  };
}

function batchInput(input: BackupInput): CopyBatchInput {
  const { group, hosts, store, storeHost, run, checksum } = input;
  const { direction, io, streams } = group.transfer;
  return {
    askAt: `backup/portal/${run}`,
    title: `copies 1 of 1, run ${run}`,
    task: {
      fence: { group: group.name, run, term: 1 },
      items: group.sources.flatMap((source) => {
        const host = hosts.find((each) => each.name === source.host);
        return host === undefined ? [] : [{ source, host }];
      }),
      store: { name: store.name, host: storeHost },
      transfer: { direction, io, streams, bandwidthBytesPerS: 0 },
      ...{ parallel: 2, checksum, onUnreachable: 'fail' as const },
    },
  };
}
