/** What holds of every run because of how it stands on Temporal: what its effects are keyed by, and how it is seen. */
import { setTimeout as sleep } from 'node:timers/promises';
import { temporal } from '@temporalio/proto';
import type { WorkflowHandle } from '@temporalio/client';
import { followToEnd } from '../../cli/follow';
import { Output } from '../../cli/output';
import type { FakeCall } from '../../hosts/fake';
import { CONTROL_QUEUE } from '../../planning/queues';
import type { BackupInput } from '../../planning/run-input';
import type { backup } from '../../workflows/backup';
import { backupInput, fleetRunbook, useEngine, withFleet } from './support/engine';

jest.setTimeout(120_000);

const engine = useEngine();

type Handle = WorkflowHandle<typeof backup>;
const idOf = (input: BackupInput): string => `backup/portal/${input.run}`;

function start(input: BackupInput): Promise<Handle> {
  return engine.env.client.workflow.start<typeof backup>('backup', {
    workflowId: idOf(input),
    taskQueue: CONTROL_QUEUE,
    args: [input],
  });
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 60_000; !(await holds());) {
    if (Date.now() > end) throw new Error('not within a minute');
    await sleep(50);
  }
}

test('S31 effects are keyed by the run id of the input: an execution that was reset attaches to the same jobs', async () => {
  const runs = new Set<unknown>();
  const sends: unknown[] = [];
  const intercept = (call: FakeCall): undefined => {
    if ('run' in call.args) runs.add(call.args['run']);
    if (call.verb === 'job.start' && call.args['kind'] === 'send') sends.push(call.args['job']);
  };
  const input = backupInput(fleetRunbook(2));
  await withFleet({ engine, fake: { intercept, jobMs: 4_000 } }, async (fleet) => {
    const first = await start(input);
    await until(() => sends.length === 2);
    const { client } = engine.env;
    const { events } = await first.fetchHistory();
    const completed = (events ?? []).filter(
      ({ eventType }) => eventType === temporal.api.enums.v1.EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
    );
    const { runId } = await first.describe();
    const reset = await client.workflowService.resetWorkflowExecution({
      namespace: client.options.namespace,
      workflowExecution: { workflowId: idOf(input), runId },
      reason: 'a test',
      requestId: 'reset-once',
      workflowTaskFinishEventId: completed.at(-1)?.eventId,
    });
    expect(reset.runId).not.toBe(runId);
    const report = await client.workflow.getHandle<typeof backup>(idOf(input), reset.runId).result();
    expect(report.state).toBe('Completed');
    // Asked for twice, and one job each on its host.
    expect(sends.length).toBeGreaterThan(2);
    expect(new Set(sends).size).toBe(2);
    expect(fleet.host('target').backups.map(({ run }) => run)).toEqual([input.run]);
  });
  expect([...runs]).toEqual([input.run]);
});

test('S32 progress can be read while no worker is up', async () => {
  const input = backupInput(fleetRunbook(1));
  let handle: Handle | undefined;
  const progress = { bytes: 1_000, totalBytes: 4_000, files: 3 };
  const intercept = (call: FakeCall): Record<string, unknown> | undefined =>
    call.verb === 'job.poll' && String(call.args['job']).includes('.send.')
      ? { state: 'running', progress }
      : undefined;
  await withFleet({ engine, fake: { intercept } }, async () => {
    handle = await start(input);
    const copying = async (): Promise<boolean> => {
      const { raw } = await (handle as Handle).describe();
      return (raw.pendingActivities ?? []).some(
        ({ activityType, heartbeatDetails }) =>
          activityType?.name === 'copySource' &&
          String(heartbeatDetails?.payloads?.[0]?.data).includes('"totalBytes":4000'),
      );
    };
    await until(copying);
  });
  // Both workers are gone now: a query would find nobody.
  const said: string[] = [];
  const spy = jest.spyOn(process.stdout, 'write').mockImplementation((text) => said.push(String(text)) > 0);
  try {
    const followed = followToEnd({
      handle: handle as Handle,
      out: new Output({ json: true, quiet: false }),
      comeBack: `resurgo watch ${input.run}`,
      show: () => 0,
    });
    await until(() => said.some((line) => line.includes('"activity":"copySource"')));
    await (handle as Handle).terminate('enough seen');
    expect(await followed).toBe(1);
  } finally {
    spy.mockRestore();
  }
  const { type, activity, source, step, bytes, totalBytes } = JSON.parse(
    said.find((line) => line.includes('"activity":"copySource"')) ?? '{}',
  ) as Record<string, unknown>;
  expect({ type, activity, source, step }).toEqual({
    type: 'progress',
    activity: 'copySource',
    source: 'app-1@+srv+data',
    step: 'copy',
  });
  expect({ bytes, totalBytes }).toEqual({ bytes: 1_000, totalBytes: 4_000 });
});
