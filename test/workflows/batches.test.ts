/** A fleet too large for one history: its copies are made by children of the run, and people notice nothing of it. */
import type { WorkflowHandle } from '@temporalio/client';
import { HostError } from '../../hosts/errors';
import type { FakeCall, FakeHosts } from '../../hosts/fake';
import { CONTROL_QUEUE } from '../../planning/queues';
import type { backup } from '../../workflows/backup';
import type { OpenQuestion } from '../../workflows/gate';
import { until } from '../workers/fixtures/engine';
import { backupInput, fleetRunbook, useEngine, withFleet } from './support/engine';

jest.setTimeout(180_000);

/** More than one history takes. */
const HOSTS = 160;
const LARGE = fleetRunbook(HOSTS, { transfer: { parallel: 64 } });

const engine = useEngine();

type Handle = WorkflowHandle<typeof backup>;

async function start(text = LARGE): Promise<Handle> {
  const input = backupInput(text);
  return engine.env.client.workflow.start<typeof backup>('backup', {
    workflowId: `backup/portal/${input.run}`,
    taskQueue: CONTROL_QUEUE,
    args: [input],
  });
}

function questions(handle: Handle): Promise<OpenQuestion[]> {
  return handle.query<OpenQuestion[]>('questions');
}

async function untilAsked(handle: Handle, count = 1): Promise<OpenQuestion[]> {
  await until(`${count} questions`, async () => (await questions(handle)).length >= count, 60_000);
  return questions(handle);
}

async function childrenOf({ workflowId }: Handle): Promise<{ id: string; status: string; events: number }[]> {
  const { events } = await engine.env.client.workflow.getHandle(workflowId).fetchHistory();
  const ids = (events ?? []).flatMap((event) => {
    const id = event.childWorkflowExecutionStartedEventAttributes?.workflowExecution?.workflowId;
    return id === undefined || id === null ? [] : [id];
  });
  return Promise.all(
    ids.map(async (id) => {
      const { status, historyLength } = await engine.env.client.workflow.getHandle(id).describe();
      return { id, status: status.name, events: historyLength };
    }),
  );
}

const longCopies = (kind: string): number => (kind === 'send' ? 60_000 : 30);

/** Refuses the grant of these hosts as long as `broken`. */
function refusing(hosts: readonly string[]) {
  const state = { broken: true, attempts: [] as number[] };
  const intercept = (call: FakeCall): undefined => {
    if (call.verb !== 'grant.key' || !hosts.includes(call.host)) return;
    state.attempts.push(Number(call.args.attempt));
    const message = 'said the test';
    if (state.broken) throw new HostError({ host: call.host, verb: call.verb, code: 'not-allowed', message });
  };
  return { state, fake: { intercept } };
}

function jobsOf(fleet: FakeHosts): number {
  return Array.from({ length: HOSTS }, (_, i) => fleet.host(`app-${i + 1}`).jobs.size).reduce((sum, n) => sum + n, 0);
}

test('every source is copied once, by children of the run, and no history is long', async () => {
  await withFleet({ engine }, async (fleet) => {
    const handle = await start();
    const report = await handle.result();
    expect(report.state).toBe('Completed');
    expect(report.sources.filter((each) => each.state === 'ok')).toHaveLength(HOSTS);
    const children = await childrenOf(handle);
    expect(children.map((each) => each.id).sort()).toEqual([1, 2].map((n) => `${handle.workflowId}/copies-${n}`));
    expect((await handle.describe()).historyLength).toBeLessThan(200);
    for (const child of children) expect(child).toMatchObject({ status: 'COMPLETED' });
    expect(Math.max(...children.map((each) => each.events))).toBeLessThan(600);
    expect(fleet.counts.get('grant.key')).toBe(HOSTS);
  });
});

test('what fails in a child is asked at the run itself, and a retry goes on there as a later round (S3)', async () => {
  const { state, fake } = refusing(['app-7']);
  await withFleet({ engine, fake }, async () => {
    const handle = await start();
    const asked = await untilAsked(handle);
    expect(asked).toMatchObject([{ step: 'copy app-7:data', allowed: ['retry', 'skip', 'abort'] }]);
    expect(await handle.query('board')).toContainEqual(
      expect.objectContaining({ step: 'copy app-7:data', state: 'needs operator' }),
    );
    state.broken = false;
    await handle.executeUpdate('decide', { args: [{ decision: 'retry', by: 'test' }] });
    expect((await handle.result()).state).toBe('Completed');
    expect(state.attempts[0]).toBe(1);
    expect(state.attempts.at(-1)).toBe(1001);
  });
});

test('S18 sources that are skipped in a child make the backup partial, and each is asked for by its name', async () => {
  const { fake } = refusing(['app-7', 'app-8']);
  await withFleet({ engine, fake }, async () => {
    const handle = await start();
    await untilAsked(handle, 2);
    for (const host of ['app-8', 'app-7'])
      await handle.executeUpdate('decide', {
        args: [{ step: `copy ${host}:data`, decision: 'skip', by: 'test' }],
      });
    const report = await handle.result();
    expect(report.state).toBe('Partial');
    expect(report.sources.filter((each) => each.state === 'missing').map((each) => each.tree)).toEqual([
      'app-7@+srv+data',
      'app-8@+srv+data',
    ]);
  });
});

test('an abort ends the children before the run takes back what they did', async () => {
  const { fake } = refusing(['app-100']);
  await withFleet({ engine, fake: { ...fake, jobMs: longCopies } }, async (fleet) => {
    const handle = await start();
    await untilAsked(handle);
    await handle.executeUpdate('decide', { args: [{ decision: 'abort', by: 'test' }] });
    await expect(handle.result()).rejects.toMatchObject({
      cause: { type: 'AbortedByOperator', message: expect.stringContaining('copy app-100:data') as string },
    });
    expect((await childrenOf(handle)).map((each) => each.status)).toEqual(['CANCELLED', 'CANCELLED']);
    expect(fleet.counts.get('job.stop')).toBeGreaterThan(0);
    expect(jobsOf(fleet)).toBe(0);
    expect(fleet.counts.get('lease.release')).toBeGreaterThan(0);
  });
});

test('a cancelled run cancels its children, which stop their copies', async () => {
  await withFleet({ engine, fake: { jobMs: longCopies } }, async (fleet) => {
    const handle = await start();
    await until('copies run', () => (fleet.counts.get('job.poll') ?? 0) > 20, 60_000);
    await handle.cancel();
    await expect(handle.result()).rejects.toThrow();
    expect((await handle.describe()).status.name).toBe('CANCELLED');
    expect((await childrenOf(handle)).map((each) => each.status)).toEqual(['CANCELLED', 'CANCELLED']);
    expect(jobsOf(fleet)).toBe(0);
  });
});

describe('a small fleet, in one history', () => {
  test('an abort stops the copies that still run before anything is taken back', async () => {
    const { fake } = refusing(['app-1']);
    const seen: string[] = [];
    const intercept = (call: FakeCall): undefined => {
      if (['job.stop', 'job.forget'].includes(call.verb) && call.host === 'app-2') seen.push(call.verb);
      fake.intercept(call);
    };
    await withFleet({ engine, fake: { intercept, jobMs: longCopies } }, async (fleet) => {
      const handle = await start(fleetRunbook(2));
      await untilAsked(handle);
      await until('the other copy runs', () => fleet.host('app-2').jobs.size > 0);
      await handle.executeUpdate('decide', { args: [{ decision: 'abort', by: 'test' }] });
      await expect(handle.result()).rejects.toMatchObject({ cause: { type: 'AbortedByOperator' } });
      expect(seen).toEqual(['job.stop', 'job.forget']);
      expect(await childrenOf(handle)).toEqual([]);
    });
  });

  /** How many copies were under way at the same time, at most. */
  const counting = (fake: ReturnType<typeof refusing>['fake']) => {
    let busy = 0;
    const seen = { most: 0 };
    const intercept = (call: FakeCall): undefined => {
      fake.intercept(call);
      if (call.verb === 'grant.key') seen.most = Math.max(seen.most, (busy += 1));
      if (call.verb === 'grant.close' && call.args.grant !== undefined) busy -= 1;
    };
    return { seen, fake: { intercept, jobMs: 500 } };
  };

  test('a copy that waits for a person leaves its slot to the others, and a retry waits for a free one', async () => {
    const { state, fake } = refusing(['app-1']);
    const counted = counting(fake);
    await withFleet({ engine, fake: counted.fake }, async (fleet) => {
      const handle = await start(fleetRunbook(6, { transfer: { parallel: 1 } }));
      await untilAsked(handle);
      await until('two others are copied', () => (fleet.counts.get('grant.close') ?? 0) >= 2);
      expect(await questions(handle)).toHaveLength(1);
      state.broken = false;
      await handle.executeUpdate('decide', { args: [{ decision: 'retry', by: 'test' }] });
      expect((await handle.result()).state).toBe('Completed');
      expect(counted.seen.most).toBe(1);
    });
  });

  test('of several retries that wait for a slot, one gets it at a time', async () => {
    const { state, fake } = refusing(['app-1', 'app-2', 'app-3']);
    const counted = counting(fake);
    await withFleet({ engine, fake: counted.fake }, async () => {
      const handle = await start(fleetRunbook(6, { transfer: { parallel: 1 } }));
      await untilAsked(handle, 3);
      state.broken = false;
      for (const { step } of await questions(handle))
        await handle.executeUpdate('decide', { args: [{ step, decision: 'retry', by: 'test' }] });
      expect((await handle.result()).state).toBe('Completed');
      expect(counted.seen.most).toBe(1);
    });
  });

  test('when many copies fail, only some are asked: the others wait', async () => {
    const { state, fake } = refusing(Array.from({ length: 12 }, (_, i) => `app-${i + 1}`));
    await withFleet({ engine, fake }, async () => {
      const handle = await start(fleetRunbook(12, { transfer: { parallel: 2 } }));
      await untilAsked(handle, 4);
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      const asked = await questions(handle);
      expect(asked.length).toBeLessThanOrEqual(5);
      state.broken = false;
      for (const { step } of asked)
        await handle.executeUpdate('decide', { args: [{ step, decision: 'retry', by: 'test' }] });
      expect((await handle.result()).state).toBe('Completed');
    });
  });
});
