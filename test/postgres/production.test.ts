/** The production topology for real: the server on PostgreSQL, each part killed or restarted while a run is under way. */
import { mkdtempSync, rmSync } from 'node:fs';
import { spawn, type ChildProcess } from 'node:child_process';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connectClient, type ConnectedClient } from '../../workers/connection';
import { ensureEngine } from '../../workers/engine';
import { searchAttributeKeys } from '../../workers/search-attributes';
import { CONTROL_QUEUE } from '../../workers/worker';
import { buildFixtureBundle, fixtureWorker, letGo, Scratch, traceOf, until } from '../workers/fixtures/engine';
import type { holding } from '../workers/fixtures/workflows';
import { startProductionTemporal, type ProductionTemporal } from './production';

// The first run builds the server.
jest.setTimeout(20 * 60_000);

let temporal: ProductionTemporal;
let bundleFolder: string;
let scratch: Scratch;
let connected: ConnectedClient;
const workers: ChildProcess[] = [];

beforeAll(async () => {
  bundleFolder = mkdtempSync(path.join(tmpdir(), 'resurgo-bundle-test-'));
  scratch = new Scratch(await buildFixtureBundle(bundleFolder));
  temporal = await startProductionTemporal();
  connected = await connectClient({ settings: { address: temporal.address, namespace: 'default', external: true } });
});
afterEach(() => {
  for (const worker of workers.splice(0)) worker.kill('SIGKILL');
});
afterAll(async () => {
  await connected.connection.close();
  await temporal.stop();
  await scratch.end();
  rmSync(bundleFolder, { recursive: true, force: true });
});

function startWorker(): ChildProcess {
  const { command, args } = fixtureWorker();
  const env = { ...scratch.env, RESURGO_STATE: scratch.stateDir, TEMPORAL_ADDRESS: temporal.address };
  const child = spawn(command, [...args, '--state', scratch.stateDir], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  workers.push(child);
  return child;
}

async function startHolding(name: string): Promise<{ folder: string; result: () => Promise<number> }> {
  const folder = scratch.traceFolder(name);
  const handle = await connected.client.workflow.start<typeof holding>('holding', {
    ...{ taskQueue: CONTROL_QUEUE, workflowId: `backup/portal/${name}`, args: [{ folder, run: name }] },
    typedSearchAttributes: [{ key: searchAttributeKeys.runbook, value: 'fixture' }],
  });
  await until('the long step starts', () => traceOf(folder).some((line) => line.startsWith('hold attempt 1')), 60_000);
  return { folder, result: () => handle.result() };
}

/** The run went through once: one first and one last step, whatever happened to the one between. */
function expectOnce(folder: string): void {
  const steps = traceOf(folder).map((line) => line.split(' ')[0]);
  expect(steps.filter((step) => step === 'first')).toHaveLength(1);
  expect(steps.filter((step) => step === 'last')).toHaveLength(1);
  expect(steps.at(-1)).toBe('last');
}

test('the engine uses it and starts nothing', async () => {
  const env = { ...scratch.env, TEMPORAL_ADDRESS: temporal.address };
  expect(await ensureEngine({ env, stateDir: scratch.stateDir })).toMatchObject({
    ...{ external: true, address: temporal.address },
  });
});

test('a worker killed in a step: another worker goes on', async () => {
  const first = startWorker();
  const { folder, result } = await startHolding('run-worker-killed');
  first.kill('SIGKILL');
  startWorker();
  letGo(folder);
  expect(await result()).toBe(2);
  expectOnce(folder);
});

test('the server killed in a step: the run goes on when it is back', async () => {
  startWorker();
  const { folder, result } = await startHolding('run-server-killed');
  await temporal.kill();
  await temporal.restart();
  letGo(folder);
  expect(await result()).toBeGreaterThanOrEqual(1);
  expectOnce(folder);
});

test.each(['fast', 'crash'] as const)('PostgreSQL restarted in a step (%s): the run goes on', async (how) => {
  startWorker();
  const { folder, result } = await startHolding(`run-postgres-${how}`);
  await temporal.restartPostgres(how);
  letGo(folder);
  expect(await result()).toBeGreaterThanOrEqual(1);
  expectOnce(folder);
});
