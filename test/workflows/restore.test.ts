/** The restore's own decisions, over a fake fleet: waves, half-way ends, who is told what, whose signature counts. */
import type { WorkflowHandle } from '@temporalio/client';
import { WorkflowFailedError } from '@temporalio/client';
import { HostError } from '../../hosts/errors';
import type { FakeCall, FakeHosts } from '../../hosts/fake';
import { CONTROL_QUEUE } from '../../planning/queues';
import type { RestoreInput } from '../../planning/run-input';
import type { backup } from '../../workflows/backup';
import type { restore, RestoreReport } from '../../workflows/restore';
import { until } from '../workers/fixtures/engine';
import { stranger } from '../cli/support/stored';
import { backupInput, fleetRunbook, useEngine, withFleet } from './support/engine';

jest.setTimeout(120_000);

const engine = useEngine();

type Handle = WorkflowHandle<typeof restore>;
interface Question {
  step: string;
  approve?: string;
  failure: { message: string };
}

/** A sealed backup of that runbook, and the input of a restore of it. */
async function sealed(text: string): Promise<RestoreInput> {
  const made = backupInput(text);
  const { id } = await engine.env.client.workflow.execute<typeof backup>('backup', {
    workflowId: `backup/portal/${made.run}`,
    taskQueue: CONTROL_QUEUE,
    args: [made],
  });
  return inputOf(text, id);
}

function inputOf(text: string, id: string): RestoreInput {
  const { run, ...into } = backupInput(text);
  return {
    run,
    requestedBy: 'test',
    into,
    from: { group: 'portal', store: 'main', storeHost: into.storeHost },
    id,
    select: {},
    mode: 'in-place',
    folder: null,
    deletes: true,
    newDisk: false,
    approve: null,
    planOnly: false,
  };
}

function start(input: RestoreInput): Promise<Handle> {
  return engine.env.client.workflow.start<typeof restore>('restore', {
    workflowId: `restore/portal/${input.run}`,
    taskQueue: CONTROL_QUEUE,
    args: [input],
  });
}

async function asked(handle: Handle, step: string): Promise<Question> {
  for (let tries = 0; tries < 300; tries += 1) {
    if ((await handle.describe()).status.name !== 'RUNNING') throw new Error(await failure(handle));
    const questions = await handle.query<Question[]>('questions');
    const found = questions.find((each) => each.step === step);
    if (found !== undefined) return found;
    if (questions[0] !== undefined) throw new Error(`${questions[0].step}: ${questions[0].failure.message}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`nobody was asked about ${step}`);
}

async function approved(input: RestoreInput): Promise<Handle> {
  const handle = await start(input);
  const { approve } = await asked(handle, 'approve');
  await handle.executeUpdate('decide', { args: [{ decision: 'approve', step: 'approve', hash: approve, by: 'anna' }] });
  return handle;
}

/** How a restore that must not succeed has failed. */
async function failure(handle: Handle): Promise<string> {
  try {
    await handle.result();
  } catch (error) {
    if (error instanceof WorkflowFailedError) return error.cause?.message ?? '';
    throw error;
  }
  throw new Error('it succeeded');
}

/** What a restore asks that can't read its backup; it is then aborted. */
async function refused(input: RestoreInput): Promise<string> {
  const handle = await start(input);
  const { failure: said } = await asked(handle, 'read backup');
  await handle.executeUpdate('decide', { args: [{ decision: 'abort', by: 'anna' }] });
  expect(await failure(handle)).toMatch(/Nothing was changed/);
  return said.message;
}

function refuse(call: FakeCall): never {
  throw new HostError({ host: call.host, verb: call.verb, code: 'not-allowed', message: 'said the test' });
}

/** Notes every stop and start as it begins and ends. */
function watching(fleetSlow = 200) {
  const seen: string[] = [];
  const intercept = (call: FakeCall): undefined => {
    if (call.verb === 'restore.stop' || call.verb === 'restore.start') seen.push(`${call.verb.slice(8)} ${call.host}`);
  };
  const latencyMs = (call: FakeCall): number => {
    if (call.verb !== 'restore.stop' && call.verb !== 'restore.start') return 2;
    seen.push(`${call.verb.slice(8)}… ${call.host}`);
    return fleetSlow;
  };
  return { seen, intercept, latencyMs };
}

const sorted = (words: string[]): string[] => [...words].sort();

test('hosts of a wave are stopped side by side, wave after wave, and started the other way round', async () => {
  const { seen, intercept, latencyMs } = watching();
  let report: RestoreReport | undefined;
  await withFleet({ engine, fake: { intercept, latencyMs } }, async () => {
    const input = await sealed(fleetRunbook(4, { restore: { order: ['app-3'] } }));
    report = await (await approved(input)).result();
  });
  expect(report?.hosts).toEqual(['app-3', 'app-1', 'app-2', 'app-4'].map((host) => ({ host, state: 'running again' })));
  const rest = ['app-1', 'app-2', 'app-4'];
  expect(seen.slice(0, 2)).toEqual(['stop… app-3', 'stop app-3']);
  // All three are on their way before the first of them is done.
  expect(sorted(seen.slice(2, 5))).toEqual(rest.map((host) => `stop… ${host}`));
  expect(sorted(seen.slice(5, 8))).toEqual(rest.map((host) => `stop ${host}`));
  expect(sorted(seen.slice(8, 11))).toEqual(rest.map((host) => `start… ${host}`));
  expect(sorted(seen.slice(11, 14))).toEqual(rest.map((host) => `start ${host}`));
  expect(seen.slice(14)).toEqual(['start… app-3', 'start app-3']);
});

test('an answered question no longer waits in the table; a cancelled restore says that it was, and where each host is', async () => {
  let message = '';
  let states: (string | undefined)[] = [];
  const jobMs = (kind: string): number => (kind === 'restore-send' ? 3_000 : 5);
  await withFleet({ engine, fake: { latencyMs: 2, jobMs } }, async (fleet) => {
    const handle = await approved(await sealed(fleetRunbook(2)));
    const stateOf = async (): Promise<(string | undefined)[]> => {
      const rows = await handle.query<{ step: string; state: string }[]>('board');
      return rows.filter(({ step }) => step === 'approve').map(({ state }) => state);
    };
    states = await stateOf();
    await until('the data comes', () =>
      [...fleet.host('target').jobs.values()].some(
        ({ kind, args }) => kind === 'restore-send' && args['dryRun'] === false,
      ),
    );
    await handle.cancel();
    message = await failure(handle);
  });
  expect(states).toEqual(['done']);
  expect(message).toMatch(/^the restore was cancelled. Hosts now: /);
});

test('what the tidying after a good restore could not do stands in its report', async () => {
  let report: RestoreReport | undefined;
  const intercept = (call: FakeCall): undefined => {
    if (call.verb === 'job.forget' && String(call.args['targetRun']) === restoring && call.host === 'app-1')
      refuse(call);
  };
  let restoring = '';
  await withFleet({ engine, fake: { intercept, latencyMs: 2 } }, async () => {
    const input = await sealed(fleetRunbook(2));
    restoring = input.run;
    report = await (await approved(input)).result();
  });
  expect(report?.state).toBe('Completed');
  expect(report?.warnings.join('\n')).toMatch(/forget run: .*said the test.*doctor --fix/);
});

test('a host that was away from the start is told, and keeps nothing from being tidied elsewhere', async () => {
  const asked: string[] = [];
  let restoring = '';
  const intercept = (call: FakeCall): undefined => {
    if (restoring === '' || call.args['run'] !== restoring) return;
    asked.push(`${call.host} ${call.verb}${call.args['store'] === undefined ? '' : ' store'}`);
    if (call.host === 'app-2')
      throw new HostError({ host: call.host, verb: call.verb, code: 'unreachable', message: 'said the test' });
  };
  let report: RestoreReport | undefined;
  await withFleet({ engine, fake: { intercept, latencyMs: 2 } }, async () => {
    const input = await sealed(fleetRunbook(3));
    restoring = input.run;
    report = await (await start({ ...input, select: { host: 'app-1' }, planOnly: true })).result();
  });
  expect(report?.state).toBe('Planned');
  expect(report?.warnings).toEqual([
    'these hosts of group portal go on running meanwhile: app-2, app-3',
    expect.stringMatching(/^app-2 was away and is left as it is: app-2: lease\.take: said the test \[unreachable\]/),
  ]);
  expect(asked.filter((each) => each.startsWith('app-2'))).toEqual(['app-2 lease.take']);
  const tidied = asked.filter((each) => /job\.forget|lease\.release/.test(each));
  const reached = ['app-1', 'app-3', 'target'];
  expect(sorted(tidied)).toEqual(
    sorted([
      ...reached.map((host) => `${host} job.forget`),
      'app-1 lease.release',
      'app-3 lease.release',
      'target lease.release store',
    ]),
  );
});

test('an abort while hosts are being stopped waits for all of them, and starts again what was stopped', async () => {
  const order: string[] = [];
  const intercept = (call: FakeCall): undefined => {
    if (call.verb === 'restore.stop' && call.host === 'app-2') refuse(call);
    if (call.verb.startsWith('restore.st')) order.push(`${call.verb.slice(8)} ${call.host}`);
  };
  const latencyMs = (call: FakeCall): number => (call.verb === 'restore.stop' && call.host === 'app-3' ? 1_500 : 2);
  await withFleet({ engine, fake: { intercept, latencyMs } }, async () => {
    const handle = await approved(await sealed(fleetRunbook(3)));
    await asked(handle, 'stop app-2');
    await handle.executeUpdate('decide', { args: [{ decision: 'abort', step: 'stop app-2', by: 'anna' }] });
    expect(await failure(handle)).toMatch(
      /aborted by anna at step "stop app-2"\. Hosts now: app-1 running again, app-2 running again, app-3 running again$/,
    );
  });
  expect(order.slice(0, 2)).toEqual(['stop app-1', 'stop app-3']);
  expect(sorted(order.slice(2))).toEqual(['start app-1', 'start app-2', 'start app-3']);
});

/** A fake whose destinations hold `counts` entries that the backup does not, at each count in turn. */
function growing(counts: readonly number[]) {
  const seen = { stops: 0, limits: [] as unknown[] };
  const jobs = new Map<string, number>();
  const intercept = (call: FakeCall): Record<string, unknown> | undefined => {
    const { kind, job, dryRun, maxDelete } = call.args;
    if (call.verb === 'restore.stop') seen.stops += 1;
    if (call.verb === 'job.start' && kind === 'restore-send') {
      if (dryRun === true) jobs.set(String(job), counts[jobs.size] ?? 0);
      else seen.limits.push(maxDelete);
    }
    const deletions = call.verb === 'job.poll' ? jobs.get(String(job)) : undefined;
    return deletions === undefined
      ? undefined
      : { state: 'exited', exit: 0, result: { files: 1, bytes: 1, deletions, listing: { sha256: '0'.repeat(64) } } };
  };
  return { seen, fake: { intercept } };
}

test('what was written after the plan was made is not deleted by its approval: the run ends before anything is stopped', async () => {
  const { seen, fake } = growing([7, 200]);
  await withFleet({ engine, fake }, async () => {
    const handle = await approved(await sealed(fleetRunbook(1)));
    expect(await failure(handle)).toMatch(
      /app-1:data is not what the plan was made for: 200 entries would be deleted there now, and 7 when it was made/,
    );
  });
  expect(seen).toEqual({ stops: 0, limits: [] });
});

test('a restore may delete what its plan counted, and little more', async () => {
  const { seen, fake } = growing([7, 9]);
  await withFleet({ engine, fake }, async () => {
    expect((await (await approved(await sealed(fleetRunbook(1)))).result()).state).toBe('Completed');
  });
  expect(seen).toEqual({ stops: 1, limits: [107] });
});

test('S3 S4 a backup of another store is not restored under the lease of this one', async () => {
  await withFleet({ engine }, async (fleet) => {
    const input = await sealed(fleetRunbook(1));
    const taken = fleet.counts.get('lease.take');
    const handle = await start({ ...input, from: { ...input.from, store: 'offsite' } });
    expect(await failure(handle)).toMatch(/the backup lies in store offsite on target .* has store main on target/);
    expect(fleet.counts.get('lease.take')).toBe(taken);
  });
});

test('S21 an abort with one host half restored starts nothing, and says in what state each host is', async () => {
  const started: string[] = [];
  const intercept = (call: FakeCall): undefined => {
    const { kind, dryRun, tree } = call.args;
    if (call.verb === 'job.start' && kind === 'restore-send' && dryRun === false && tree === 'app-1@+srv+data')
      refuse(call);
    if (call.verb === 'restore.start') started.push(call.host);
  };
  await withFleet({ engine, fake: { intercept } }, async () => {
    const handle = await approved(await sealed(fleetRunbook(2)));
    await asked(handle, 'restore app-1:data');
    const rows = async () => handle.query<{ step: string; state: string }[]>('board');
    while (!(await rows()).some(({ step, state }) => step === 'restore app-2:data' && state === 'done'))
      await new Promise((resolve) => setTimeout(resolve, 50));
    await handle.executeUpdate('decide', { args: [{ decision: 'abort', step: 'restore app-1:data', by: 'anna' }] });
    expect(await failure(handle)).toMatch(
      /Hosts now: app-1 partly restored, app-2 restored, stopped\. What is stopped stays stopped, over a reboot too; so do the containers and units that were stopped on app-1, where .* with `resurgo start portal --as-it-is`/,
    );
  });
  expect(started).toEqual([]);
});

test('a container that was removed while it was stopped, or that another restore keeps stopped, holds up nothing, and is named', async () => {
  const kept = [{ name: 'docker.service', by: 'the restore of group ledger' }];
  const intercept = (call: FakeCall): Record<string, unknown> | undefined =>
    call.verb === 'restore.start' && call.host === 'app-2'
      ? { started: ['db'], failed: [], gone: ['web'], kept }
      : undefined;
  await withFleet({ engine, fake: { intercept } }, async () => {
    const report = await (await approved(await sealed(fleetRunbook(2)))).result();
    expect(report.state).toBe('Completed');
    expect(report.warnings).toEqual([
      expect.stringMatching(/^app-2: container web was removed or made anew/),
      'app-2: docker.service: kept stopped by the restore of group ledger, whose end starts it',
    ]);
  });
});

test('what is not healthy after the start is told by host and container, and is no success', async () => {
  const sick = {
    healthy: false,
    containers: [
      { name: 'db', state: 'restarting', why: 'it ended with exit 1' },
      { name: 'web', state: 'well', why: '' },
    ],
  };
  const intercept = (call: FakeCall): Record<string, unknown> | undefined =>
    call.verb === 'restore.health' && call.host === 'app-2' ? sick : undefined;
  await withFleet({ engine, fake: { intercept } }, async () => {
    const message = await failure(await approved(await sealed(fleetRunbook(2))));
    expect(message).toMatch(/data is back and verified, but .*app-2: container db is restarting: it ended with exit 1/);
    expect(message).toMatch(/Hosts now: app-1 running again, app-2 running again$/);
    expect(message).not.toMatch(/web/);
  });
});

test('a disk that has gone between the plan and its approval is seen before anything is stopped', async () => {
  let plans = 0;
  let stops = 0;
  const intercept = (call: FakeCall): Record<string, unknown> | undefined => {
    if (call.verb === 'restore.stop') stops += 1;
    return call.verb === 'restore.check' && (plans += 1) > 1 ? { fsUuid: 'another' } : undefined;
  };
  await withFleet({ engine, fake: { intercept } }, async () => {
    const message = await failure(await approved(await sealed(fleetRunbook(1))));
    expect(message).toMatch(/app-1:data is not what the plan was made for: .*another now.*Nothing was changed$/);
  });
  expect(stops).toBe(0);
});

test('S20 what was mounted between the plan and its approval would be emptied: the run ends before anything is stopped', async () => {
  let looks = 0;
  const asked: string[] = [];
  const intercept = ({ verb, args }: FakeCall): Record<string, unknown> | undefined => {
    if (verb === 'restore.stop' || (verb === 'job.start' && args['dryRun'] === false)) asked.push(verb);
    if (verb !== 'restore.check') return undefined;
    return { mountPoint: '/srv', protected: (looks += 1) > 1 ? ['/old', '/late'] : ['/old'] };
  };
  await withFleet({ engine, fake: { intercept } }, async () => {
    const message = await failure(await approved(await sealed(fleetRunbook(1))));
    expect(message).toMatch(
      /app-1:data is not what the plan was made for: late is mounted in it now, and was not when its plan was made\. Restore again, and read the new plan.*Nothing was changed$/,
    );
  });
  expect(asked).toEqual([]);
});

test('S20 a mount that comes after the stop is asked about, and nothing is sent; what stays for its content is told', async () => {
  let late = false;
  let sent = 0;
  const intercept = ({ verb, args }: FakeCall): Record<string, unknown> | undefined => {
    if (verb === 'restore.stop') late = true;
    if (verb === 'job.start' && args['kind'] === 'restore-send' && args['dryRun'] === false) sent += 1;
    if (verb === 'job.poll' && String(args['job']).includes('.verify.'))
      return { state: 'exited', exit: 0, result: { differences: [], kept: ['newdir'] } };
    return verb === 'restore.check' ? { protected: late ? ['/late'] : [] } : undefined;
  };
  await withFleet({ engine, fake: { intercept } }, async () => {
    const handle = await approved({ ...(await sealed(fleetRunbook(1))), checksum: true });
    const question = await asked(handle, 'restore app-1:data');
    expect(question.failure.message).toMatch(/late is mounted in it now.*unmount it and retry/);
    expect(sent).toBe(0);
    late = false;
    await handle.executeUpdate('decide', { args: [{ decision: 'retry', step: 'restore app-1:data', by: 'anna' }] });
    const report = await handle.result();
    expect(report.plan.checksum).toBe(true);
    expect(report.items).toMatchObject([{ destination: 'app-1:data', byContent: true }]);
    expect(report.warnings).toContain('app-1:data: kept: newdir, because it holds what is excluded or mounted');
  });
});

test('a path that the backup does not hold ends the restore at once and gives the group back', async () => {
  let held = false;
  const intercept = ({ verb }: FakeCall): undefined => {
    if (verb === 'lease.take') held = true;
    if (verb === 'lease.release') held = false;
  };
  await withFleet({ engine, fake: { intercept } }, async () => {
    const input = await sealed(fleetRunbook(2));
    const handle = await start({ ...input, select: { host: 'app-1', path: '/srv/data/reprots' } });
    // Nobody is asked: `asked` throws with the run's end.
    await expect(asked(handle, 'look up reprots')).rejects.toThrow(
      /holds no reprots in app-1@\+srv\+data \[not-found\] Next: look for it with `resurgo find`.*Nothing was changed$/,
    );
    await expect(handle.result()).rejects.toMatchObject({ cause: { type: 'not-found' } });
    expect(held).toBe(false);
  });
});

test('a place that is no folder is told in the plan, and nothing waits', async () => {
  const intercept = (call: FakeCall): undefined => {
    if (call.verb === 'restore.check')
      throw new HostError({ host: call.host, verb: call.verb, code: 'exists', message: '/x/file is no folder' });
  };
  await withFleet({ engine, fake: { intercept } }, async () => {
    const input = await sealed(fleetRunbook(1));
    const { state, plan } = await (await start({ ...input, planOnly: true })).result();
    expect(state).toBe('Planned');
    expect(plan.blockers).toEqual(['app-1:/srv/data: /x/file is no folder']);
  });
});

test('a step that fails where only the plan is wanted ends the run with its own words, and gives the group back', async () => {
  let held = false;
  const intercept = (call: FakeCall): undefined => {
    if (call.verb === 'lease.take') held = true;
    if (call.verb === 'lease.release') held = false;
    if (call.verb === 'job.start' && call.args['kind'] === 'restore-send') refuse(call);
  };
  await withFleet({ engine, fake: { intercept } }, async () => {
    const input = await sealed(fleetRunbook(2));
    const handle = await start({ ...input, planOnly: true });
    await expect(asked(handle, 'count app-1:data')).rejects.toThrow(
      /said the test \[not-allowed\].*Nothing was changed$/,
    );
    expect(held).toBe(false);
    // Who wants more than a plan is asked, as ever.
    const other = await start(inputOf(fleetRunbook(2), input.id));
    while ((await other.query<Question[]>('questions')).length === 0) await new Promise((done) => setTimeout(done, 50));
    await other.executeUpdate('decide', { args: [{ decision: 'abort', by: 'anna' }] });
    expect(await failure(other)).toMatch(/aborted by anna/);
  });
});

test('a path that can not be looked up for another reason is asked about', async () => {
  let refusals = 1;
  const intercept = (call: FakeCall): undefined => {
    if (call.verb === 'store.listing' && (refusals -= 1) >= 0) refuse(call);
  };
  await withFleet({ engine, fake: { intercept } }, async () => {
    const input = await sealed(fleetRunbook(1));
    const handle = await start({ ...input, select: { path: '/srv/data/reports' } });
    await asked(handle, 'look up reports');
    await handle.executeUpdate('decide', { args: [{ decision: 'abort', by: 'anna' }] });
    expect(await failure(handle)).toMatch(/aborted by anna/);
  });
});

test("S19 a backup that another director's key has signed is not restored, nor one that was changed after it was signed", async () => {
  const text = fleetRunbook(1);
  let stored: ReturnType<FakeHosts['host']>['backups'] = [];
  await withFleet({ engine }, async (fleet) => {
    const input = await sealed(text);
    stored = fleet.host('target').backups;
    const [made] = stored;
    if (made === undefined) throw new Error('nothing was sealed');
    const manifest = Buffer.from(made.manifest, 'base64').toString().replace('"label":"', '"label": "');
    const id = '20991231_235959';
    const other = manifest.replaceAll(input.id, id);
    fleet.host('target').backups.push({ ...made, id, manifest: Buffer.from(other).toString('base64') });
    expect(await refused(inputOf(text, id))).toMatch(/changed after it was signed/);
    expect((await (await start({ ...inputOf(text, input.id), planOnly: true })).result()).state).toBe('Planned');
  });
  // Another director: the same store, keys of its own.
  await withFleet({ engine, signer: stranger }, async (fleet) => {
    fleet.host('target').backups.push(...stored);
    const id = stored[0]?.id ?? '';
    expect(await refused(inputOf(text, id))).toMatch(
      /is signed by a key that this director does not know, [0-9a-f]{64}/,
    );
    expect([...fleet.counts.keys()]).not.toContain('restore.check');
  });
});
