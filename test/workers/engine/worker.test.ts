/** The worker process on its own, as systemd runs it: signals, a missing server, an external address. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import { connectAtBoot } from '../../../workers/boot-wait';
import { connectClient } from '../../../workers/connection';
import { engineStatus, ensureEngine, type Engine } from '../../../workers/engine';
import { statePaths } from '../../../workers/paths';
import { CONTROL_QUEUE } from '../../../workers/worker';
import { buildFixtureBundle, fixtureWorker, letGo, Scratch, traceOf, until } from '../fixtures/engine';

jest.setTimeout(90_000);

let bundleFolder: string;
let scratch: Scratch;
let engine: Engine;
const children: ChildProcess[] = [];

beforeAll(async () => {
  bundleFolder = mkdtempSync(path.join(tmpdir(), 'resurgo-bundle-test-'));
  scratch = new Scratch(await buildFixtureBundle(bundleFolder));
  engine = await ensureEngine(scratch.options(false));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});
afterAll(async () => {
  await scratch.end();
  rmSync(bundleFolder, { recursive: true, force: true });
});

function worker(env: NodeJS.ProcessEnv): ChildProcess {
  const { command, args } = fixtureWorker();
  const child = spawn(command, [...args, '--state', scratch.stateDir], {
    env: { ...scratch.env, RESURGO_STATE: scratch.stateDir, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  return child;
}

/** What a systemd unit starts. */
function resurgoWorker(env: NodeJS.ProcessEnv): ChildProcess {
  const child = spawn(process.execPath, [path.join(__dirname, '../../../bin/resurgo.js'), 'worker'], {
    env: { ...scratch.env, RESURGO_STATE: scratch.stateDir, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  return child;
}

/** Sends a signal and returns exit code and milliseconds until the end. */
async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<{ code: unknown; ms: number }> {
  const start = Date.now();
  const ended = once(child, 'exit');
  child.kill(signal);
  const [code] = (await ended) as unknown[];
  return { code, ms: Date.now() - start };
}

async function run(workflow: 'holding' | 'deafening', name: string): Promise<string> {
  const folder = scratch.traceFolder(name);
  const { client, connection } = await connectClient({ settings: engine });
  await client.workflow.start(workflow, {
    ...{ taskQueue: CONTROL_QUEUE, workflowId: `backup/portal/${name}`, args: [{ folder, run: name }] },
  });
  await connection.close();
  return folder;
}

test.each(['SIGTERM', 'SIGINT'] as const)(
  '%s ends a worker at once while a step runs: it detaches, exit 0',
  async (signal) => {
    const child = worker({ TEMPORAL_ADDRESS: engine.address });
    const folder = await run('holding', `run-${signal.toLowerCase()}`);
    await until('the step runs', () => traceOf(folder).some((line) => line.startsWith('hold attempt 1')));
    const { code, ms } = await end(child, signal);
    expect(code).toBe(0);
    expect(ms).toBeLessThan(4_000);
    expect(traceOf(folder).at(-1)).toBe('detached');
    // Nobody works on it now; another worker goes on with the same run.
    worker({ TEMPORAL_ADDRESS: engine.address });
    letGo(folder);
    await until('the run ends', () => traceOf(folder).at(-1) === 'last');
  },
);

test('a step that takes no notice of the shutdown does not hold the worker back for long', async () => {
  const child = worker({});
  const folder = await run('deafening', 'run-deaf-step');
  await until('the step runs', () => traceOf(folder).includes('deaf'));
  const { code, ms } = await end(child, 'SIGTERM');
  expect(code).toBe(0);
  expect(ms).toBeLessThan(10_000);
});

test('a worker waits for a server that is not there yet, and ends at once when told to', async () => {
  const child = worker({ TEMPORAL_ADDRESS: '127.0.0.1:9' });
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  expect(child.exitCode).toBeNull();
  const { code, ms } = await end(child, 'SIGTERM');
  expect(code).toBe(0);
  expect(ms).toBeLessThan(2_000);
});

test('a namespace that does not exist is named, with what to do', async () => {
  const said: string[] = [];
  const logger = pino({}, { write: (line: string) => said.push(line) });
  const settings = { address: engine.address, namespace: 'zz', external: true };
  await expect(connectAtBoot({ settings, logger, waitMs: 1_000 })).rejects.toMatchObject({
    message: expect.stringMatching(/no namespace "zz".*TEMPORAL_NAMESPACE.*namespace create/) as string,
  });
  expect(said).toEqual([expect.stringContaining('no namespace') as string]);
});

test('`resurgo worker`, which a systemd unit starts, takes work and detaches at SIGTERM', async () => {
  const child = resurgoWorker({ TEMPORAL_ADDRESS: engine.address });
  let said = '';
  child.stdout?.on('data', (data: Buffer) => (said += data.toString()));
  await until('it takes work', () => said.includes('the worker takes work'));
  const { code } = await end(child, 'SIGTERM');
  expect(code).toBe(0);
  expect(said).toContain('remote jobs go on');
});

test('a worker without a bundle says so and exits 1', async () => {
  const child = worker({ RESURGO_WORKFLOWS_BUNDLE: '/nowhere/bundle.js' });
  const [code] = (await once(child, 'exit')) as unknown[];
  expect(code).toBe(1);
  expect(readFileSync(statePaths(scratch.stateDir).workerLog, 'utf8')).toContain('npm run build');
});

test('with an external address the engine is used as it is: nothing is started', async () => {
  const other = new Scratch();
  try {
    const env = { ...other.env, TEMPORAL_ADDRESS: engine.address, RESURGO_UI_URL: 'https://temporal.example' };
    const options = { stateDir: other.stateDir, env };
    expect(await ensureEngine(options)).toEqual({
      ...{ address: engine.address, namespace: 'default', uiUrl: 'https://temporal.example', external: true },
    });
    expect(await engineStatus(options)).toMatchObject({ external: true, serving: true, worker: undefined });
    expect(await engineStatus({ ...options, env: other.env })).toMatchObject({ external: false, serving: false });
  } finally {
    await other.end();
  }
});
