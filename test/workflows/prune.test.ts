import { generateKeyPairSync, sign } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import { HostError } from '../../hosts/errors';
import type { FakeCall, FakeHosts, FakeOptions } from '../../hosts/fake';
import { CONTROL_QUEUE } from '../../planning/queues';
import type { PruneInput } from '../../planning/prune';
import type { prune, PruneReport } from '../../workflows/prune';
import { entry } from '../cli/support/stored';
import { backupInput, fleetRunbook, useEngine, withFleet } from './support/engine';

jest.setTimeout(120_000);

const KEEP_ONE = { keep: { last: 1, daily: 0, weekly: 0, monthly: 0, yearly: 0 } };
const IDS = ['20260101_010000', '20260102_010000', '20260103_010000'];

const engine = useEngine();

function input(options: { approved: PruneInput['approved']; group?: object }): PruneInput {
  return { ...backupInput(fleetRunbook(1, { ...KEEP_ONE, ...options.group })), approved: options.approved };
}

async function start(of: PruneInput): Promise<WorkflowHandle<typeof prune>> {
  return engine.env.client.workflow.start<typeof prune>('prune', {
    workflowId: `prune/portal/${of.run}`,
    taskQueue: CONTROL_QUEUE,
    args: [of],
  });
}

/** The ids that `store-remove` jobs were started for, in their order; a removed backup is gone from the fake store. */
function removals(options: { refuse?: (id: string) => HostError | undefined } = {}) {
  const ids: string[] = [];
  let fleet: FakeHosts | undefined;
  const intercept = (call: FakeCall): undefined => {
    if (call.verb !== 'job.start' || call.args.kind !== 'store-remove') return;
    const id = String(call.args.id);
    const refusal = options.refuse?.(id);
    if (refusal !== undefined) throw refusal;
    ids.push(id);
    const host = fleet?.host('target');
    if (host !== undefined) host.backups = host.backups.filter((each) => each.id !== id);
  };
  const fill = (into: FakeHosts, entries = IDS.map((id) => entry({ id }))): void => {
    fleet = into;
    into.host('target').backups.push(...entries);
  };
  return { ids, fill, fake: { intercept } satisfies FakeOptions };
}

function refused(code: 'not-allowed' | 'failed', message: string): HostError {
  return new HostError({ host: 'target', verb: 'job.start', code, message, retryable: false });
}

async function untilAsked(handle: WorkflowHandle): Promise<string> {
  for (let tries = 0; tries < 200; tries += 1) {
    const [first] = await handle.query<{ step: string }[]>('questions');
    if (first !== undefined) return first.step;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('nobody was asked');
}

/** Its result. @throws when it asks a person instead of ending */
async function endedUnasked(handle: WorkflowHandle<typeof prune>): Promise<PruneReport> {
  while ((await handle.describe()).status.name === 'RUNNING') {
    const [first] = await handle.query<{ step: string }[]>('questions');
    if (first !== undefined) throw new Error(`it waits for a person at "${first.step}"`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return handle.result();
}

test('a prune removes what was agreed to, oldest first, and gives the lease back', async () => {
  const { ids, fill, fake } = removals();
  await withFleet({ engine, fake }, async (fleet) => {
    fill(fleet);
    const report = await (await start(input({ approved: IDS.slice(0, 2) }))).result();
    expect(report).toMatchObject({ state: 'Completed', warnings: [] });
    expect(ids).toEqual(IDS.slice(0, 2));
    expect(report.removed.map((each) => each.id)).toEqual(IDS.slice(0, 2));
    expect(report.kept.map((each) => each.id)).toEqual([IDS[2]]);
    expect(fleet.host('target').backups.map((each) => each.id)).toEqual([IDS[2]]);
    expect(fleet.counts.get('lease.release')).toBe(1);
  });
});

test('what nobody agreed to stays, and so does what the plan of this moment keeps', async () => {
  const { ids, fill, fake } = removals();
  await withFleet({ engine, fake }, async (fleet) => {
    fill(fleet, [
      entry({ id: '20260101_010000' }),
      entry({ id: '20260102_010000' }),
      entry({ id: '20260103_010000', holds: ['audit'] }),
    ]);
    // The newest is held and kept anyway; the second was agreed to; the first was not.
    const report = await (await start(input({ approved: ['20260102_010000', '20260103_010000'] }))).result();
    expect(ids).toEqual(['20260102_010000']);
    expect(report.state).toBe('Partial');
    expect(report.warnings.join()).toContain('20260103_010000 stays: the plan has changed');
    expect(report.kept).toContainEqual({ id: '20260101_010000', reasons: ['nobody agreed to its removal'] });
  });
});

test('S18 a partial backup counts for nothing: the last whole one stays behind it', async () => {
  const { ids, fill, fake } = removals();
  await withFleet({ engine, fake }, async (fleet) => {
    fill(fleet, [entry({ id: IDS[0]! }), entry({ id: IDS[1]! }), entry({ id: IDS[2]!, state: 'Partial' })]);
    await (await start(input({ approved: 'policy' }))).result();
    expect(ids).toEqual([IDS[0]]);
  });
});

test('a backup whose manifest was changed is never removed by a policy', async () => {
  const { ids, fill, fake } = removals();
  const { privateKey } = generateKeyPairSync('ed25519');
  const forged = {
    ...entry({ id: IDS[0]! }),
    manifestSig: sign(null, Buffer.from('x'), privateKey).toString('base64'),
  };
  await withFleet({ engine, fake }, async (fleet) => {
    fill(fleet, [forged, entry({ id: IDS[1]! }), entry({ id: IDS[2]! })]);
    const report = await (await start(input({ approved: 'policy' }))).result();
    expect(ids).toEqual([IDS[1]]);
    expect(report.kept.find((each) => each.id === IDS[0])?.reasons.join()).toContain('changed after it was signed');
  });
});

test("S27 what the target's own floor keeps stays, and nobody is asked", async () => {
  const refuse = (id: string): HostError | undefined =>
    id === IDS[0] ? refused('not-allowed', 'this host keeps it (last) whatever the director says') : undefined;
  const { ids, fill, fake } = removals({ refuse });
  await withFleet({ engine, fake }, async (fleet) => {
    fill(fleet);
    const report = await (await start(input({ approved: 'policy' }))).result();
    expect(report.state).toBe('Partial');
    expect(ids).toEqual([IDS[1]]);
    expect(report.kept.find((each) => each.id === IDS[0])?.reasons.join()).toContain('this host keeps it (last)');
  });
});

test('any other failure of a prune that somebody asked for asks the operator, and a retry goes on', async () => {
  let broken = true;
  const { ids, fill, fake } = removals({
    refuse: (id) => (broken && id === IDS[0] ? refused('failed', 'read-only file system') : undefined),
  });
  await withFleet({ engine, fake }, async (fleet) => {
    fill(fleet);
    const handle = await start(input({ approved: IDS.slice(0, 2) }));
    expect(await untilAsked(handle)).toBe(`remove ${IDS[0]!}`);
    broken = false;
    await handle.executeUpdate('decide', { args: [{ decision: 'retry', by: 'test' }] });
    expect((await handle.result()).state).toBe('Completed');
    expect(ids).toEqual(IDS.slice(0, 2));
  });
});

test("a policy's prune waits for nobody: what it can't remove stays, and the rest goes", async () => {
  const { ids, fill, fake } = removals({
    refuse: (id) => (id === IDS[0] ? refused('failed', 'read-only file system') : undefined),
  });
  await withFleet({ engine, fake }, async (fleet) => {
    fill(fleet);
    const report = await endedUnasked(await start(input({ approved: 'policy' })));
    expect(report.state).toBe('Partial');
    expect(ids).toEqual([IDS[1]]);
    expect(report.warnings).toEqual([expect.stringContaining('read-only file system')]);
    expect(report.kept.map((each) => each.id)).toEqual([IDS[2], IDS[0]]);
    expect(fleet.counts.get('lease.release')).toBe(1);
  });
});

test("a policy's prune that can't read its store fails, and gives the lease back", async () => {
  const { ids, fill, fake } = removals();
  const unread: FakeOptions = {
    intercept: (call) => {
      if (call.verb === 'store.list') throw refused('failed', 'the store is not mounted');
      fake.intercept(call);
      return undefined;
    },
  };
  await withFleet({ engine, fake: unread }, async (fleet) => {
    fill(fleet);
    await expect(endedUnasked(await start(input({ approved: 'policy' })))).rejects.toMatchObject({
      cause: { type: 'failed', message: expect.stringContaining('the store is not mounted') as string },
    });
    expect(fleet.counts.get('lease.release')).toBe(1);
  });
  expect(ids).toEqual([]);
});

test('nothing is removed when a backup lies in the future, or the clocks are apart', async () => {
  const { ids, fill, fake } = removals();
  await withFleet({ engine, fake }, async (fleet) => {
    fill(fleet, [...IDS.map((id) => entry({ id })), entry({ id: '20991231_235959' })]);
    await expect((await start(input({ approved: 'policy' }))).result()).rejects.toMatchObject({
      cause: { type: 'clock-skew', message: expect.stringContaining('20991231_235959') as string },
    });
    expect(fleet.counts.get('lease.release')).toBe(1);
  });
  const skewed: FakeOptions = {
    intercept: (call) => {
      fake.intercept(call);
      return call.verb === 'probe' ? { timeMs: Date.now() + 3_600_000 } : undefined;
    },
  };
  await withFleet({ engine, fake: skewed }, async (fleet) => {
    fill(fleet);
    await expect((await start(input({ approved: 'policy' }))).result()).rejects.toMatchObject({
      cause: { type: 'clock-skew', message: expect.stringContaining('60 minutes apart') as string },
    });
  });
  expect(ids).toEqual([]);
});

test('S4 a prune does not start while another run holds the group', async () => {
  const { ids, fill, fake } = removals();
  const held: FakeOptions = {
    intercept: (call) => {
      if (call.verb === 'lease.take') {
        const message = 'held by run r-other of somebody';
        throw new HostError({ host: 'target', verb: call.verb, code: 'lease-held', message });
      }
      fake.intercept(call);
      return undefined;
    },
  };
  await withFleet({ engine, fake: held }, async (fleet) => {
    fill(fleet);
    await expect((await start(input({ approved: 'policy' }))).result()).rejects.toMatchObject({
      cause: { type: 'lease-held', message: expect.stringContaining('r-other') as string },
    });
    expect(fleet.counts.get('job.start')).toBeUndefined();
  });
  expect(ids).toEqual([]);
});
