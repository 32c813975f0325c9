/** The embedded engine as real processes: found again, never doubled, mended, ended. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { WorkflowHandle } from '@temporalio/client';
import { tsToMs } from '@temporalio/common/lib/time';
import { connectEngine, engineStatus, ensureEngine, startEngine, stopEngine } from '../../../workers/engine';
import { findServer } from '../../../workers/embedded-server';
import { statePaths } from '../../../workers/paths';
import { findProcesses, identify, readRecord, writeRecord } from '../../../workers/processes';
import { searchAttributeKeys } from '../../../workers/search-attributes';
import { CONTROL_QUEUE } from '../../../workers/worker';
import { workerRecordSchema } from '../../../workers/background-worker';
import { buildFixtureBundle, fixtureWorker, letGo, Scratch, traceOf, until } from '../fixtures/engine';
import type { holding } from '../fixtures/workflows';

jest.setTimeout(120_000);

let bundleFolder: string;
let bundlePath: string;
let scratch: Scratch;

beforeAll(async () => {
  bundleFolder = mkdtempSync(path.join(tmpdir(), 'resurgo-bundle-test-'));
  bundlePath = await buildFixtureBundle(bundleFolder);
});
afterAll(() => {
  rmSync(bundleFolder, { recursive: true, force: true });
});
beforeEach(() => {
  scratch = new Scratch(bundlePath);
});
afterEach(async () => {
  await scratch.end();
});

/** Starts a run that holds, and waits until its long step runs. */
async function startHolding(name: string): Promise<{ handle: WorkflowHandle<typeof holding>; folder: string }> {
  const folder = scratch.traceFolder(name);
  const { client, connection } = await connectEngine(scratch.options());
  const handle = await client.workflow.start<typeof holding>('holding', {
    taskQueue: CONTROL_QUEUE,
    workflowId: `backup/portal/${name}`,
    args: [{ folder, run: name }],
  });
  await until('the long step starts', () => traceOf(folder).some((line) => line.startsWith('hold attempt 1')));
  closers.push(() => connection.close());
  return { handle, folder };
}

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(closers.splice(0).map((close) => close()));
});

function killServer(): void {
  const server = findServer(statePaths(scratch.stateDir));
  process.kill(server!.process.pid, 'SIGKILL');
}

function workerPid(): number {
  return readRecord(statePaths(scratch.stateDir).workerRecord, workerRecordSchema)!.process.pid;
}

/** Returns when it is gone: a killed process lives on for a moment. */
async function killWorker(): Promise<void> {
  const pid = workerPid();
  process.kill(pid, 'SIGKILL');
  await until('the worker is gone', () => identify(pid) === undefined);
}

test('the engine starts in the background, is found again, tells its status, and stops', async () => {
  const first = await startEngine(scratch.options());
  expect(first).toMatchObject({
    startedServer: true,
    startedWorker: true,
    engine: { external: false, namespace: 'default' },
  });
  expect((await fetch(first.engine.uiUrl!)).status).toBe(200);

  const again = await startEngine(scratch.options());
  expect(again).toEqual({ ...first, startedServer: false, startedWorker: false });
  expect(await engineStatus(scratch.options())).toMatchObject({
    ...{ serving: true, address: first.engine.address, external: false },
    worker: { ready: true, current: true, pid: workerPid() },
  });
  const paths = statePaths(scratch.stateDir);
  for (const folder of [paths.root, paths.logs, paths.keys, paths.run, paths.runLogs]) {
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  }
  const server = findServer(paths)!.process;
  const worker = identify(workerPid())!;

  expect(await stopEngine(scratch.options())).toEqual({ server: 'ended', worker: 'ended' });
  expect(identify(server.pid)).toBeUndefined();
  expect(identify(worker.pid)).toBeUndefined();
  expect(await engineStatus(scratch.options())).toMatchObject({
    serving: false,
    worker: undefined,
    serverPid: undefined,
  });
  expect(await stopEngine(scratch.options())).toEqual({ server: 'gone', worker: 'gone' });
});

test('two commands at once start one server and one worker', async () => {
  const [one, two] = await Promise.all([startEngine(scratch.options()), startEngine(scratch.options())]);
  expect(one.engine).toEqual(two.engine);
  expect([one.startedServer, two.startedServer].sort()).toEqual([false, true]);
  expect([one.startedWorker, two.startedWorker].sort()).toEqual([false, true]);
  expect(findProcesses(['--db-filename', statePaths(scratch.stateDir).db])).toHaveLength(1);
  expect(findProcesses(['--background', '--state', scratch.stateDir])).toHaveLength(1);
});

test('a new server has search attributes and retention at once, and a second start keeps them', async () => {
  for (const round of [1, 2]) {
    const { client, connection } = await connectEngine(scratch.options(false));
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace: 'default' });
    expect(customAttributes).toEqual({
      ...{ ResurgoGroup: 2, ResurgoBackupId: 2, ResurgoOutcome: 2, ResurgoHost: 2, ResurgoRunbook: 2 },
      ResurgoNeedsOperator: 5,
    });
    const { config } = await connection.workflowService.describeNamespace({ namespace: 'default' });
    expect(tsToMs(config?.workflowExecutionRetentionTtl)).toBe(90 * 86_400_000);
    // Usable at once, not only listed.
    await client.workflow.start('nobody-runs-this', {
      ...{ taskQueue: 'none', workflowId: `w${round}` },
      typedSearchAttributes: [
        { key: searchAttributeKeys.group, value: 'portal' },
        { key: searchAttributeKeys.needsOperator, value: true },
      ],
    });
    await connection.close();
    await stopEngine(scratch.options());
  }
});

test('a killed server is started again on the same database, and a running workflow goes on', async () => {
  const { handle, folder } = await startHolding('run-server-killed');
  const before = await ensureEngine(scratch.options());
  killServer();
  expect(await ensureEngine(scratch.options())).toEqual(before);
  letGo(folder);
  expect(await handle.result()).toBeGreaterThanOrEqual(1);
  expect(traceOf(folder).filter((line) => line.startsWith('first'))).toHaveLength(1);
  expect(traceOf(folder).at(-1)).toBe('last');
});

test('with no command at work the worker starts a killed server again by itself', async () => {
  const { handle, folder } = await startHolding('run-kept-alive');
  const old = findServer(statePaths(scratch.stateDir))!.process.pid;
  killServer();
  await until('a new server runs', async () => (await engineStatus(scratch.options())).serving);
  expect(findServer(statePaths(scratch.stateDir))!.process.pid).not.toBe(old);
  letGo(folder);
  expect(await handle.result()).toBeGreaterThanOrEqual(1);
});

test('a killed worker is replaced, and the interrupted step is tried again, nothing else', async () => {
  const { handle, folder } = await startHolding('run-worker-killed');
  await killWorker();
  expect(await startEngine(scratch.options())).toMatchObject({ startedServer: false, startedWorker: true });
  letGo(folder);
  expect(await handle.result()).toBe(2);
  expect(traceOf(folder).map((line) => line.split(' ')[0])).toEqual(['first', 'hold', 'hold', 'last']);
});

test('a worker of another build is replaced; it detaches from its running step at once', async () => {
  const { handle, folder } = await startHolding('run-new-build');
  const old = workerPid();
  const started = Date.now();
  await startEngine(scratch.options(fixtureWorker('two')));
  expect(workerPid()).not.toBe(old);
  expect(identify(old)).toBeUndefined();
  expect(traceOf(folder)).toContain('detached');
  await until('the second attempt', () => traceOf(folder).some((line) => line.startsWith('hold attempt 2')));
  // By the shutdown's own report, not by the heartbeat time-out of 6 s.
  expect(Date.now() - started).toBeLessThan(20_000);
  letGo(folder);
  expect(await handle.result()).toBe(2);
});

test('a requested cancel is told apart from a shutdown', async () => {
  const { handle, folder } = await startHolding('run-cancelled');
  await handle.cancel();
  await expect(handle.result()).rejects.toThrow();
  await until('the step sees the cancel', () => traceOf(folder).includes('cancelled'));
  expect(traceOf(folder)).not.toContain('detached');
});

test('a stale record whose pid now belongs to another process does not get that process killed', async () => {
  const stranger: ChildProcess = spawn('sleep', ['60'], { stdio: 'ignore' });
  try {
    await startEngine(scratch.options());
    await stopEngine(scratch.options());
    const paths = statePaths(scratch.stateDir);
    const now = identify(stranger.pid!)!;
    const past = { ...now, startTicks: String(Number(now.startTicks) - 1) };
    writeRecord(paths.serverRecord, { process: past, port: 1, uiPort: 2 });
    writeRecord(paths.workerRecord, { process: past, build: 'one', address: '127.0.0.1:1' });
    expect(await stopEngine(scratch.options())).toEqual({ server: 'gone', worker: 'gone' });
    expect(identify(stranger.pid!)).toEqual(now);

    // The same start time, of an earlier boot.
    writeRecord(paths.serverRecord, { process: { ...now, bootId: 'earlier' }, port: 1, uiPort: 2 });
    expect(await startEngine(scratch.options())).toMatchObject({ startedServer: true });
    expect(identify(stranger.pid!)).toEqual(now);
  } finally {
    stranger.kill('SIGKILL');
  }
});

test('a lost record does not lead to a second server on the same database', async () => {
  const first = await startEngine(scratch.options(false));
  rmSync(statePaths(scratch.stateDir).serverRecord);
  expect(await startEngine(scratch.options(false))).toEqual({ ...first, startedServer: false });
});

test('a worker whose state folder was removed ends by itself', async () => {
  await startEngine(scratch.options());
  const worker = identify(workerPid())!;
  const server = findServer(statePaths(scratch.stateDir))!;
  try {
    // They write there until then.
    rmSync(scratch.stateDir, { recursive: true, force: true, maxRetries: 20 });
    await until('the worker ends', () => identify(worker.pid) === undefined);
  } finally {
    process.kill(server.process.pid, 'SIGKILL');
  }
});

test('a run has its own log with run, host and step, and no secret in it', async () => {
  const { handle, folder } = await startHolding('run-with-a-log');
  letGo(folder);
  await handle.result();
  const file = path.join(statePaths(scratch.stateDir).runLogs, 'run-with-a-log.log');
  const read = () =>
    readFileSync(file, 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  // The worker writes its log beside the run, so that the run's end does not say that each line is there.
  await until('the lines are there', () =>
    ['holding', 'from the activity factory'].every((wanted) => read().some(({ msg }) => msg === wanted)),
  );
  const lines = read();
  expect(lines.find(({ msg }) => msg === 'holding')).toMatchObject({
    run: 'run-with-a-log',
    step: 'hold',
    password: '[redacted]',
  });
  expect(lines.find(({ msg }) => msg === 'from the activity factory')).toMatchObject({
    run: 'run-with-a-log',
    host: 'fixture-1',
  });
  expect(readFileSync(file, 'utf8')).not.toContain('not-for-the-log');
});
