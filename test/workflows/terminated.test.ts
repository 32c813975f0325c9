/** S8 A restore that was terminated from outside: its group is free again, and all else of it waits for a person. */
import type { Client } from '@temporalio/client';
import { pino } from 'pino';
import type { FakeCall, FakeHosts } from '../../hosts/fake';
import { CONTROL_QUEUE } from '../../planning/queues';
import type { RestoreInput } from '../../planning/run-input';
import { endedAmong, heldBy } from '../../workers/ended-leases';
import { sweepOnce } from '../../workers/sweeper';
import type { backup } from '../../workflows/backup';
import type { restore } from '../../workflows/restore';
import { backupInput, fleetRunbook, useEngine, withFleet } from './support/engine';

jest.setTimeout(120_000);

const engine = useEngine();
const HOSTS = ['app-1', 'target'];

/** Leases as the hosts keep them. */
class Leases {
  readonly live = new Map<string, Record<string, unknown>>();
  readonly swept: FakeCall[] = [];

  readonly intercept = (call: FakeCall): Record<string, unknown> | undefined => {
    const { host, verb, args } = call;
    if (verb === 'lease.take') this.live.set(host, { run: args['run'], owner: args['owner'], term: 1, live: true });
    if (verb === 'lease.release' && this.live.get(host)?.['run'] === args['run']) this.live.delete(host);
    if (verb === 'sweep') this.swept.push(call);
    const held = this.live.get(host);
    return verb === 'status' ? { leases: held === undefined ? [] : [held] } : undefined;
  };
}

/** A restore that waits for its approval; `terminate` ends it as the Temporal UI does. */
async function waiting(client: Client) {
  const text = fleetRunbook(1);
  const { run: made, ...into } = backupInput(text);
  const { id } = await client.workflow.execute<typeof backup>('backup', {
    ...{ workflowId: `backup/portal/${made}`, taskQueue: CONTROL_QUEUE, args: [{ run: made, ...into }] },
  });
  const { run } = backupInput(text);
  const input: RestoreInput = {
    ...{ run, requestedBy: 'test', into, id, select: {}, mode: 'in-place', folder: null, deletes: true },
    ...{ newDisk: false, approve: null, planOnly: false },
    from: { group: 'portal', store: 'main', storeHost: into.storeHost },
  };
  const handle = await client.workflow.start<typeof restore>('restore', {
    ...{ workflowId: `restore/portal/${run}`, taskQueue: CONTROL_QUEUE, args: [input] },
  });
  while ((await handle.query<unknown[]>('questions')).length === 0) await new Promise((done) => setTimeout(done, 50));
  return { run, setup: into, terminate: () => handle.terminate('from outside') };
}

/** Until the engine's list knows that it is over: it comes to that a moment after the end. */
async function listed(client: Client, run: string): Promise<void> {
  for (;;) {
    for await (const { workflowId, status } of client.workflow.list())
      if (workflowId.endsWith(run) && status.name === 'TERMINATED') return;
    await new Promise((done) => setTimeout(done, 100));
  }
}

test('S8 S21 the sweep gives its leases back once it is over, and touches nothing else of it', async () => {
  const leases = new Leases();
  await withFleet({ engine, fake: { intercept: leases.intercept } }, async (hosts: FakeHosts) => {
    const { client } = engine.env;
    const { run, terminate } = await waiting(client);
    const sweep = (afterMs: number) => sweepOnce({ client, hosts, logger: pino({ level: 'silent' }), afterMs });
    await sweep(0);
    expect([...leases.live.keys()].sort()).toEqual(HOSTS);
    await terminate();
    await listed(client, run);
    leases.swept.length = 0;
    await sweep(60_000);
    expect([...leases.live.keys()].sort()).toEqual(HOSTS);
    await sweep(0);
    expect([...leases.live.keys()]).toEqual([]);
    expect(leases.swept).toEqual([]);
  });
});

test('S8 a person need not wait for it: what is held by a run that is over is known at once, and by no other', async () => {
  const leases = new Leases();
  await withFleet({ engine, fake: { intercept: leases.intercept } }, async (hosts: FakeHosts) => {
    const { client } = engine.env;
    const { run, setup, terminate } = await waiting(client);
    const places = [...setup.hosts, setup.storeHost];
    const ended = async () =>
      endedAmong({ client, group: 'portal', held: await heldBy({ hosts, places, group: 'portal' }) });
    expect(await ended()).toEqual([]);
    await terminate();
    expect((await ended()).map(({ host, lease }) => `${host.name} ${lease.run}`)).toEqual(
      HOSTS.map((host) => `${host} ${run}`),
    );
    for (const host of HOSTS) leases.live.set(host, { run: 'hand-1', owner: 'd/anna/hand-1', term: 2, live: true });
    expect(await ended()).toEqual([]);
    for (const host of HOSTS)
      leases.live.set(host, { run: 'r-foreign', owner: 'other/r-foreign', term: 3, live: true });
    expect(await ended()).toEqual([]);
  });
});
