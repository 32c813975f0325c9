/** What a person at the terminal learns of an engine that nobody works for, and of a schedule that is older than the runbook. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { adoptSigner } from '../../hosts/adopted-signers';
import { ensureDirectorKeys } from '../../hosts/director-keys';
import { FakeHosts } from '../../hosts/fake';
import { SshHosts } from '../../hosts/ssh-hosts';
import { CONTROL_QUEUE } from '../../planning/queues';
import { resurgo } from '../cli/support/run';
import { publicKeyHex } from '../cli/support/stored';
import { until } from '../workers/fixtures/engine';
import type { Engine } from './support/engine';
import { backupInput, fleetRunbook, startEngine, withFleet } from './support/engine';

jest.setTimeout(120_000);

let engine: Engine;
let folder: string;
const before = { state: process.env.RESURGO_STATE, address: process.env.TEMPORAL_ADDRESS };

beforeAll(async () => {
  engine = await startEngine();
  folder = mkdtempSync(join(tmpdir(), 'resurgo-no-worker-'));
  process.env.RESURGO_STATE = join(folder, 'state');
  process.env.TEMPORAL_ADDRESS = engine.env.address;
  await ensureDirectorKeys({ stateDir: join(folder, 'state') });
  await adoptSigner({ stateDir: join(folder, 'state'), publicKeyHex, by: 'test', now: new Date(0) });
});
afterAll(async () => {
  restoreEnv('RESURGO_STATE', before.state);
  restoreEnv('TEMPORAL_ADDRESS', before.address);
  rmSync(folder, { recursive: true, force: true });
  await engine.env.teardown();
});
beforeEach(() => {
  const fleet = new FakeHosts({ latencyMs: 0 });
  jest.spyOn(SshHosts, 'open').mockResolvedValue(Object.assign(fleet, { close: () => Promise.resolve() }) as never);
});
afterEach(() => {
  jest.restoreAllMocks();
});

function restoreEnv(name: string, value: string | undefined): void {
  if (value === undefined) Reflect.deleteProperty(process.env, name);
  else process.env[name] = value;
}

function run(text: string, ...args: string[]) {
  const file = join(folder, 'fleet.yaml');
  writeFileSync(file, text);
  return resurgo('-r', file, ...args);
}

// First: the server remembers for some minutes who has asked it for work.
describe('with no worker', () => {
  const text = fleetRunbook(1);

  test('doctor and status say so, and how to start one', async () => {
    const examined = await run(text, 'doctor');
    expect(examined).toMatchObject({ code: 1, stdout: expect.stringContaining('without a worker') as string });
    expect(examined.stdout).toContain('resurgo engine start');
    const looked = await run(text, 'status');
    expect(looked.stdout).toContain('the engine runs without a worker');
    expect(looked.stdout).not.toContain('are not known');
  });

  test('a run that is followed says so once, and an answer to it does not hang', async () => {
    const input = backupInput(text);
    const handle = await engine.env.client.workflow.start('backup', {
      workflowId: `backup/portal/${input.run}`,
      taskQueue: CONTROL_QUEUE,
      args: [input],
    });
    const began = Date.now();
    const answered = await run(text, 'abort', input.run);
    expect(answered).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/no worker serves.*Nothing was sent/) as string,
    });
    expect(Date.now() - began).toBeLessThan(15_000);
    expect((await run(text, 'cancel', input.run)).stderr).toContain('no worker serves');

    const watched = run(text, 'watch', input.run);
    await new Promise((resolve) => setTimeout(resolve, 13_500));
    await handle.terminate('said the test');
    const { stderr } = await watched;
    expect(stderr.split('no worker serves')).toHaveLength(2);
  });
});

test('with a worker nothing of it is said, and one that is gone is missed at the answer', async () => {
  const text = fleetRunbook(1);
  await withFleet({ engine }, async () => {
    await until('the worker is seen', async () => !(await run(text, 'doctor')).stdout.includes('without a worker'));
    expect((await run(text, 'status')).stdout).not.toContain('worker');
  });
  const input = backupInput(text);
  const handle = await engine.env.client.workflow.start('backup', {
    workflowId: `backup/portal/${input.run}`,
    taskQueue: CONTROL_QUEUE,
    args: [input],
  });
  const answered = await run(text, 'abort', input.run);
  expect(answered).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('has not answered within 20 s') as string,
  });
  await handle.terminate('said the test');
});

test('status tells that a schedule still has the runbook of before', async () => {
  const nightly = { schedule: { cron: '30 1 * * 7' } };
  expect((await run(fleetRunbook(1, nightly), 'schedule', 'apply')).code).toBe(0);
  expect((await run(fleetRunbook(1, nightly), 'status')).stdout).not.toContain('SCHEDULE IS OLD');
  const changed = fleetRunbook(2, nightly);
  expect((await run(changed, 'status')).stdout).toMatch(
    /SCHEDULE IS OLD \(the group has changed.*resurgo schedule apply portal/,
  );
  const json = JSON.parse((await run(changed, '--json', 'status')).stdout) as { groups: object[] };
  expect(json.groups).toMatchObject([{ scheduleDrift: expect.arrayContaining(['the group has changed']) as string[] }]);
  expect((await run(fleetRunbook(1), 'status')).stdout).toContain('the runbook has no schedule for it');
  expect((await run(changed, 'schedule', 'remove', 'portal')).code).toBe(0);
});
