/** The command line at a real terminal, over a real engine and a fake fleet: what a person sees, and how they may leave. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { WorkflowHandle } from '@temporalio/client';
import { z } from 'zod';
import { adoptSigner } from '../../hosts/adopted-signers';
import { ensureDirectorKeys } from '../../hosts/director-keys';
import { HostError } from '../../hosts/errors';
import type { FakeCall } from '../../hosts/fake';
import { CONTROL_QUEUE } from '../../planning/queues';
import type { backup } from '../../workflows/backup';
import { publicKeyHex } from '../cli/support/stored';
import { until } from '../workers/fixtures/engine';
import type { Engine } from './support/engine';
import { backupInput, fleetRunbook, startEngine, withFleet } from './support/engine';
import { CTRL_C, CTRL_D, FAKE_CLI, Terminal } from './support/terminal';

jest.setTimeout(120_000);

const RUN = /run (r\d{8}t\d{6}z-[0-9a-f]{6})/;
const UI = 'http://192.0.2.9:8080';

let engine: Engine;
let folder: string;
let terminals: Terminal[];
/** How long the hosts take to look at a restore's destination, ms. */
let lookMs: number;
/** Whether app-1 is away for the lease. */
let away: boolean;

beforeAll(async () => {
  engine = await startEngine();
});
afterAll(async () => {
  await engine.env.teardown();
});
beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'resurgo-terminal-'));
  const stateDir = path.join(folder, 'state');
  await ensureDirectorKeys({ stateDir });
  await adoptSigner({ stateDir, publicKeyHex, by: 'test', now: new Date(0) });
  writeFileSync(path.join(folder, 'fleet.yaml'), fleetRunbook(1));
  [terminals, lookMs, away] = [[], 2, false];
});
afterEach(() => {
  for (const each of terminals) each.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A fleet with one backup of it in its store. */
async function withBackup(body: () => Promise<void>): Promise<void> {
  const intercept = (call: FakeCall): undefined => {
    if (away && call.verb === 'lease.take' && call.host === 'app-1')
      throw new HostError({ host: call.host, verb: call.verb, code: 'unreachable', message: 'said the test' });
  };
  const latencyMs = (call: FakeCall): number => (call.verb === 'restore.check' ? lookMs : 2);
  await withFleet({ engine, fake: { intercept, latencyMs } }, async (fleet) => {
    const input = backupInput(fleetRunbook(1));
    await engine.env.client.workflow.execute<typeof backup>('backup', {
      workflowId: `backup/portal/${input.run}`,
      taskQueue: CONTROL_QUEUE,
      args: [input],
    });
    writeFileSync(path.join(folder, 'backups.json'), JSON.stringify(fleet.host('target').backups));
    await body();
  });
}

function env(): NodeJS.ProcessEnv {
  return {
    ...process.env,
    RESURGO_STATE: path.join(folder, 'state'),
    RESURGO_TEST_BACKUPS: path.join(folder, 'backups.json'),
    RESURGO_UI_URL: UI,
    TEMPORAL_ADDRESS: engine.env.address,
    TEMPORAL_NAMESPACE: 'default',
  };
}

function terminal(...args: string[]): Terminal {
  const opened = new Terminal({ args: ['-r', path.join(folder, 'fleet.yaml'), ...args], env: env() });
  terminals.push(opened);
  return opened;
}

/** The same without a terminal; the worker lives in this process, so it must not be blocked meanwhile. */
async function command(...args: string[]): Promise<Ran> {
  const [node = '', ...rest] = [...FAKE_CLI, '-r', path.join(folder, 'fleet.yaml'), ...args];
  const child = spawn(node, rest, { env: env(), stdio: ['ignore', 'pipe', 'pipe'] });
  const ran: Ran = { code: null, stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (ran.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (ran.stderr += text));
  const [code] = (await once(child, 'close')) as [number | null];
  return { ...ran, code };
}

interface Ran {
  code: number | null;
  stdout: string;
  stderr: string;
}

function runShown(at: Terminal): string {
  const [, run = ''] = RUN.exec(at.shown) ?? [];
  return run;
}

function handleOf(kind: string, run: string): WorkflowHandle {
  return engine.env.client.workflow.getHandle(`${kind}/portal/${run}`);
}

async function statusOf(handle: WorkflowHandle): Promise<string> {
  return (await handle.describe()).status.name;
}

async function abort(handle: WorkflowHandle): Promise<void> {
  await handle.executeUpdate('decide', { args: [{ decision: 'abort', by: 'anna' }] });
  await until('the run has ended', async () => (await statusOf(handle)) !== 'RUNNING');
}

test.each([
  ['Ctrl-C', CTRL_C],
  ['Ctrl-D', CTRL_D],
])('%s at "Cancel the run?" leaves a run that goes on: exit 130 and no stack', async (_name, key) => {
  await withBackup(async () => {
    away = true;
    const at = terminal('backup');
    await at.sees(/run waits for you at step "reach hosts"/);
    at.type(CTRL_C);
    await at.sees('Detached: the run goes on');
    at.type(CTRL_C);
    await at.sees('Cancel the run?');
    at.type(key);
    expect(await at.ended).toBe(130);
    expect(at.shown).not.toMatch(/AbortError|Aborted|\n\s+at /);
    const handle = handleOf('backup', runShown(at));
    expect(await statusOf(handle)).toBe('RUNNING');
    await abort(handle);
  });
});

test('yes at "Cancel the run?" cancels it', async () => {
  await withBackup(async () => {
    away = true;
    const at = terminal('backup');
    await at.sees(/run waits for you at step "reach hosts"/);
    // However soon the second one comes, it asks.
    at.typeAt('Detached: the run goes on', CTRL_C);
    at.type(CTRL_C);
    await at.sees('Cancel the run?');
    at.type('y\r');
    expect(await at.ended).toBe(130);
    const handle = handleOf('backup', runShown(at));
    await until('the run is cancelled', async () => (await statusOf(handle)) === 'CANCELLED');
  });
});

test.each([
  ['Ctrl-C', CTRL_C],
  ['Ctrl-D', CTRL_D],
])('%s at the approval of a restore says that the run waits, and how to go on or to end it', async (_name, key) => {
  await withBackup(async () => {
    const at = terminal('restore', 'latest');
    await at.sees(/Type [0-9a-f]{12} to go on/);
    at.type(key);
    expect(await at.ended).toBe(130);
    const run = runShown(at);
    expect(at.shown).toMatch(
      new RegExp(`the run waits .*: resurgo approve ${run} [0-9a-f]{12} .*resurgo abort ${run}`),
    );
    expect(at.shown).not.toMatch(/AbortError|Aborted/);
    expect(await statusOf(handleOf('restore', run))).toBe('RUNNING');
    await abort(handleOf('restore', run));
  });
});

test('a restore shows where it is seen and its steps from the start, and Ctrl-C leaves it while its plan is made', async () => {
  await withBackup(async () => {
    lookMs = 5_000;
    const at = terminal('restore', 'latest');
    await at.sees(`${UI}/namespaces/default/workflows/restore%2Fportal%2F`);
    await at.sees(/look at/);
    at.type(CTRL_C);
    await at.sees('Detached: the run goes on');
    expect(await at.ended).toBe(130);
    const run = runShown(at);
    expect(at.shown).toContain(`resurgo watch ${run}`);
    expect(at.shown).not.toContain('Type ');
    expect(await statusOf(handleOf('restore', run))).toBe('RUNNING');
    await until('it asks', async () => (await handleOf('restore', run).query<unknown[]>('questions')).length > 0);
    await abort(handleOf('restore', run));
  });
});

test('a plan is approved by its hash as the events have it, all 64 digits; less than 12 are refused', async () => {
  await withBackup(async () => {
    const waits = await command('--json', 'restore', 'latest');
    expect(waits.code).toBe(3);
    const events = waits.stdout
      .trim()
      .split('\n')
      .map((line) => event.parse(JSON.parse(line)));
    expect(events[0]).toMatchObject({ type: 'started', ui: UI });
    const { run = '', hash = '' } = events.find((each) => each.type === 'plan') ?? {};
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
    expect(await command('approve', run, hash.slice(0, 11))).toMatchObject({ code: 1 });
    expect(await command('approve', run, `${hash.slice(0, 63)}x`)).toMatchObject({ code: 1 });
    expect(await command('approve', run, hash)).toMatchObject({ code: 0, stdout: 'approve: approve\n' });
    expect((await handleOf('restore', run).result()) as object).toMatchObject({ state: 'Completed' });
  });
});

test('show of a run that waits has its steps, its plan and the hash; once it has ended, its report', async () => {
  await withBackup(async () => {
    const waits = await command('restore', 'latest');
    expect(waits.code).toBe(3);
    const [, run = ''] = RUN.exec(waits.stdout) ?? [];
    const shown = await command('show', run);
    expect(shown).toMatchObject({ code: 0, stderr: '' });
    expect(shown.stdout).toContain(`restore of portal, run ${run}: waits for you`);
    expect(shown.stdout).toMatch(/look and count +done/);
    expect(shown.stdout).toMatch(/app-1:\/srv\/data +→ app-1:\/srv\/data/);
    const [, short = ''] = new RegExp(`resurgo approve ${run} ([0-9a-f]{12})\n`).exec(shown.stdout) ?? [];
    const json = event.parse(JSON.parse((await command('--json', 'show', run)).stdout));
    expect(json).toMatchObject({ type: 'run', run, status: 'RUNNING', plan: { items: [{ safety: 'btrfs' }] } });
    expect(json.hash?.slice(0, 12)).toBe(short);
    await handleOf('restore', run).executeUpdate('decide', {
      args: [{ decision: 'approve', step: 'approve', hash: short, by: 'anna' }],
    });
    await handleOf('restore', run).result();
    const ended = await command('show', run);
    expect(ended.stdout).toMatch(/: completed\n[\s\S]*Completed: every restored file was compared/);
    const watched = await command('watch', run);
    expect(watched).toMatchObject({ code: 0, stdout: expect.stringMatching(/app-1: /) as string });
    expect(await command('show', 'r19700101t000000z-000000')).toMatchObject({ code: 1 });
  });
});

test('S18 who comes back to a partial backup learns what is missing and why, with exit 3', async () => {
  const intercept = (call: FakeCall): undefined => {
    if (call.host === 'app-2' && call.verb !== 'lease.release')
      throw new HostError({ host: call.host, verb: call.verb, code: 'unreachable', message: 'said the test' });
  };
  await withFleet({ engine, fake: { intercept } }, async () => {
    const input = backupInput(fleetRunbook(2, { on_unreachable: 'partial' }));
    const handle = await engine.env.client.workflow.start<typeof backup>('backup', {
      workflowId: `backup/portal/${input.run}`,
      taskQueue: CONTROL_QUEUE,
      args: [input],
    });
    await handle.result();
    writeFileSync(path.join(folder, 'backups.json'), '[]');
    const ran = await command('watch', input.run);
    expect(ran.code).toBe(3);
    expect(ran.stdout).toMatch(/^Partial: backup \d{8}_\d{6} .*everything stood still for/m);
    expect(ran.stdout).toMatch(/app-2@\S+ +MISSING .*said the test/);
  });
});

test('show of a run that failed names at its step what failed there', async () => {
  const intercept = (call: FakeCall): undefined => {
    if (call.verb === 'lease.take')
      throw new HostError({ host: call.host, verb: call.verb, code: 'fenced', message: 'said the test' });
  };
  await withFleet({ engine, fake: { intercept } }, async () => {
    const input = backupInput(fleetRunbook(1));
    const handle = await engine.env.client.workflow.start<typeof backup>('backup', {
      workflowId: `backup/portal/${input.run}`,
      taskQueue: CONTROL_QUEUE,
      args: [input],
    });
    await until('it has ended', async () => (await statusOf(handle)) === 'FAILED');
    writeFileSync(path.join(folder, 'backups.json'), '[]');
    const ran = await command('show', input.run);
    expect(ran).toMatchObject({ code: 0, stdout: expect.stringMatching(/lease +failed .*said the test/) as string });
    expect(ran.stderr).toMatch(/^Failed: .*said the test/);
  });
});

const event = z.looseObject({ type: z.string(), run: z.string().optional(), hash: z.string().optional() });
