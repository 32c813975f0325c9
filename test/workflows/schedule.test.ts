import type { Client } from '@temporalio/client';
import { ScheduleOverlapPolicy } from '@temporalio/client';
import {
  applySchedule,
  driftOf,
  removeSchedule,
  standingSchedule,
  wantedSchedule,
} from '../../cli/commands/schedule-plan';
import type { WantedSchedule } from '../../cli/commands/schedule-plan';
import { HostError } from '../../hosts/errors';
import type { FakeCall } from '../../hosts/fake';
import { parseWorkflowId } from '../../planning/ids';
import { CONTROL_QUEUE } from '../../planning/queues';
import type { scheduledBackup, ScheduledBackupInput } from '../../workflows/scheduled-backup';
import type { Engine } from './support/engine';
import { backupInput, fleetRunbook, startEngine, withFleet } from './support/engine';

jest.setTimeout(120_000);

const NIGHTLY = { schedule: { cron: '30 1 * * 7', jitter: '5m', catchup: '2h' } };
const KEEP_ONE = { keep: { last: 1, daily: 0, weekly: 0, monthly: 0, yearly: 0 } };

let engine: Engine;
let client: Client;
beforeAll(async () => {
  engine = await startEngine();
  client = engine.env.client;
});
afterAll(async () => {
  await engine.env.teardown();
});

function input(group: object = {}): ScheduledBackupInput {
  return backupInput(fleetRunbook(2, group));
}

function wanted(group: object): WantedSchedule {
  const found = wantedSchedule({ setup: input(group), version: '0.1.0' });
  if (found === undefined) throw new Error('the runbook has no schedule');
  return found;
}

let fired = 0;
async function fire(of: ScheduledBackupInput) {
  fired += 1;
  return client.workflow.start<typeof scheduledBackup>('scheduledBackup', {
    workflowId: `scheduled/portal-${fired}`,
    taskQueue: CONTROL_QUEUE,
    args: [of],
  });
}

async function children(workflowId: string): Promise<{ kind: string; run: string }[]> {
  const { events } = await client.workflow.getHandle(workflowId).fetchHistory();
  return (events ?? []).flatMap((event) => {
    const id = event.startChildWorkflowExecutionInitiatedEventAttributes?.workflowId;
    const parsed = id === undefined || id === null ? undefined : parseWorkflowId(id);
    return parsed === undefined ? [] : [{ kind: parsed.kind, run: parsed.run }];
  });
}

test('a firing backs up under a run id of its own and prunes by the runbook', async () => {
  await withFleet({ engine }, async (fleet) => {
    const first = await (await fire(input(KEEP_ONE))).result();
    expect(first).toMatchObject({ state: 'Completed', prune: { state: 'Completed', removed: [] } });
    // Backups are named by the second.
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    const handle = await fire(input(KEEP_ONE));
    const report = await handle.result();
    expect(report).toMatchObject({ state: 'Completed', backup: { state: 'Completed' } });
    expect(report.prune).toMatchObject({ state: 'Completed', removed: [{ id: first.id }], kept: [{ id: report.id }] });
    const runs = await children(handle.workflowId);
    expect(runs.map((each) => each.kind)).toEqual(['backup', 'prune']);
    expect(new Set(runs.map((each) => each.run)).size).toBe(2);
    expect(fleet.host('target').backups[1]?.run).toBe(runs[0]?.run);
  });
});

test('where the runbook writes no `keep`, a firing removes nothing and says so', async () => {
  await withFleet({ engine }, async (fleet) => {
    const made: string[] = [];
    for (let count = 0; count < 4; count += 1) {
      const handle = await fire(input({ ...NIGHTLY, rpo: '2w' }));
      const report = await handle.result();
      expect(report).toMatchObject({
        state: 'Completed',
        prune: { state: 'Off', reason: expect.stringContaining('no `keep`') as string },
      });
      expect((await children(handle.workflowId)).map((each) => each.kind)).toEqual(['backup']);
      made.push(report.id);
      await new Promise((resolve) => setTimeout(resolve, 1_100));
    }
    expect(fleet.host('target').backups.map((each) => each.id)).toEqual(made);
  });
});

test('S18 after a partial backup nothing is pruned', async () => {
  const off = (call: FakeCall): undefined => {
    if (call.host !== 'app-2') return;
    const message = 'it is off';
    throw new HostError({ host: call.host, verb: call.verb, code: 'unreachable', message, retryable: false });
  };
  await withFleet({ engine, fake: { intercept: off } }, async () => {
    const handle = await fire(input({ ...KEEP_ONE, on_unreachable: 'partial' }));
    expect(await handle.result()).toMatchObject({ state: 'Partial', prune: null });
    expect((await children(handle.workflowId)).map((each) => each.kind)).toEqual(['backup']);
  });
});

test('a prune that fails leaves the backup as good as it is, and says so', async () => {
  // Once the backup is sealed: a clock that is off before ends the backup itself.
  let sealed = false;
  const skewed = (call: FakeCall) => {
    sealed ||= call.verb === 'job.start' && call.args['kind'] === 'store-seal';
    return sealed && call.verb === 'probe' && call.host === 'target' ? { timeMs: Date.now() + 3_600_000 } : undefined;
  };
  await withFleet({ engine, fake: { intercept: skewed } }, async () => {
    const report = await (await fire(input(KEEP_ONE))).result();
    expect(report.state).toBe('Completed');
    expect(report.prune).toMatchObject({ state: 'Failed', failure: { code: 'clock-skew' } });
  });
});

test('a backup that fails is the failure of its firing, in its own words', async () => {
  const held = (call: { host: string; verb: string }): undefined => {
    if (call.verb === 'lease.take' && call.host === 'target')
      throw new HostError({ host: call.host, verb: call.verb, code: 'lease-held', message: 'held by run r-other' });
  };
  await withFleet({ engine, fake: { intercept: held } }, async () => {
    await expect((await fire(input())).result()).rejects.toMatchObject({
      cause: { type: 'lease-held', message: expect.stringContaining('r-other') as string },
    });
  });
});

test('S8 ending the firing from outside cancels its backup, which takes back what it did', async () => {
  await withFleet({ engine, fake: { jobMs: 60_000 } }, async (fleet) => {
    const handle = await fire(input());
    const backupRun = async () => (await children(handle.workflowId)).find((each) => each.kind === 'backup');
    for (let tries = 0; tries < 300 && (fleet.counts.get('job.start') ?? 0) === 0; tries += 1)
      await new Promise((resolve) => setTimeout(resolve, 100));
    await handle.terminate('said the test');
    const { run } = (await backupRun())!;
    await expect(client.workflow.getHandle(`backup/portal/${run}`).result()).rejects.toMatchObject({
      name: 'WorkflowFailedError',
    });
    expect((await client.workflow.getHandle(`backup/portal/${run}`).describe()).status.name).toBe('CANCELLED');
    expect(fleet.counts.get('lease.release')).toBeGreaterThan(0);
    for (const name of ['app-1', 'app-2']) expect(fleet.host(name)).toMatchObject({ snapshots: [], paused: 0 });
  });
});

describe('schedules on the server', () => {
  const group = 'portal';
  const apply = (of: WantedSchedule | undefined, more: { unpause?: boolean; directorId?: string } = {}) =>
    applySchedule({ client, group, directorId: 'director-test', unpause: false, wanted: of, ...more });
  const standing = async () => (await standingSchedule({ client, group }))!;
  afterEach(() => removeSchedule({ client, group }));

  test('apply is idempotent, and sets UTC, jitter, catch-up and overlap', async () => {
    expect(await apply(wanted(NIGHTLY))).toBe('created');
    expect(await apply(wanted(NIGHTLY))).toBe('unchanged');
    const { policies, spec, info } = await standing();
    expect(policies).toMatchObject({ overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: 7_200_000 });
    expect(spec.jitter).toBe(300_000);
    const next = info.nextActionTimes[0]!;
    // Sunday, 01:30 UTC and up to five minutes of jitter.
    expect([next.getUTCDay(), next.getUTCHours()]).toEqual([0, 1]);
    expect(next.getUTCMinutes()).toBeGreaterThanOrEqual(30);
    expect(next.getUTCMinutes()).toBeLessThanOrEqual(35);
  });

  test('a day must fit both the day of the month and the day of the week, as the check of a runbook takes it', async () => {
    await apply(wanted({ schedule: { ...NIGHTLY.schedule, cron: '0 0 13 * 5' }, rpo: '52w' }));
    const { nextActionTimes } = (await standing()).info;
    expect(nextActionTimes.length).toBeGreaterThan(1);
    for (const next of nextActionTimes) expect([next.getUTCDay(), next.getUTCDate()]).toEqual([5, 13]);
  });

  test('what has changed is told and applied', async () => {
    await apply(wanted(NIGHTLY));
    const later = wanted({ schedule: { ...NIGHTLY.schedule, cron: '0 4 * * *' }, rpo: '12h' });
    expect(driftOf({ found: await standing(), wanted: later })).toEqual([
      'the schedule in the runbook has changed',
      'the group has changed',
    ]);
    expect(await apply(later)).toBe('updated');
    expect(driftOf({ found: await standing(), wanted: later })).toEqual([]);
    expect((await standing()).info.nextActionTimes[0]!.getUTCHours()).toBe(4);
    await client.schedule.getHandle('schedule/backup/portal').update((found) => ({
      ...found,
      policies: { ...found.policies, overlap: ScheduleOverlapPolicy.ALLOW_ALL },
    }));
    expect(driftOf({ found: await standing(), wanted: later })).toEqual([
      'its overlap policy was changed on the server',
    ]);
    expect(await apply(undefined)).toBe('removed');
    expect(await standingSchedule({ client, group })).toBeUndefined();
    expect(await apply(undefined)).toBe('none');
  });

  test('a pause made by hand stays until it is lifted by hand, or by the runbook', async () => {
    await apply(wanted(NIGHTLY));
    await client.schedule.getHandle('schedule/backup/portal').pause('disk is being replaced');
    expect(await apply(wanted(NIGHTLY))).toBe('unchanged');
    expect(await apply(wanted({ ...NIGHTLY, rpo: '12h' }))).toBe('updated');
    expect((await standing()).state).toMatchObject({ paused: true, note: 'disk is being replaced' });
    expect(await apply(wanted({ ...NIGHTLY, rpo: '12h' }), { unpause: true })).toBe('updated');
    expect((await standing()).state.paused).toBe(false);
    expect(await apply(wanted({ schedule: { ...NIGHTLY.schedule, paused: true }, rpo: '12h' }))).toBe('updated');
    expect((await standing()).state.paused).toBe(true);
    expect(await apply(wanted({ ...NIGHTLY, rpo: '12h' }))).toBe('updated');
    expect((await standing()).state.paused).toBe(false);
  });

  test("S4 another director's schedule is not changed", async () => {
    await apply(wanted(NIGHTLY));
    await expect(apply(wanted(NIGHTLY), { directorId: 'director-other' })).rejects.toThrow(
      /was applied by director-test/,
    );
    await expect(apply(undefined, { directorId: 'director-other' })).rejects.toThrow(/was applied by director-test/);
    expect(await standingSchedule({ client, group })).toBeDefined();
  });

  test('a real firing runs, each time under another run id', async () => {
    await withFleet({ engine }, async (fleet) => {
      await apply(wanted(NIGHTLY));
      const handle = client.schedule.getHandle('schedule/backup/portal');
      const done = async (count: number) => {
        for (let tries = 0; tries < 200 && fleet.host('target').backups.length < count; tries += 1)
          await new Promise((resolve) => setTimeout(resolve, 100));
        expect(fleet.host('target').backups).toHaveLength(count);
      };
      await handle.trigger();
      await done(1);
      // Backups are named by the second, and the schedule's own workflow by it too.
      await new Promise((resolve) => setTimeout(resolve, 2_500));
      await handle.trigger();
      await done(2);
      const [first, second] = fleet.host('target').backups;
      expect(first?.run).not.toBe(second?.run);
    });
  });
});
