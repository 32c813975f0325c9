/** A real Temporal server and the real workflows and activities, over a fake fleet. */
import path from 'node:path';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { bundleWorkflowCode, DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { pino } from 'pino';
import { activitiesFrom } from '../../../activities';
import type { ActivityDeps } from '../../../activities';
import { FAKE_RESCUE, FakeHosts } from '../../../hosts/fake';
import type { FakeOptions } from '../../../hosts/fake';
import { BULK_QUEUE, CONTROL_QUEUE } from '../../../planning/queues';
import { groupSetup } from '../../../planning/run-input';
import type { BackupInput } from '../../../planning/run-input';
import { SEARCH_ATTRIBUTES } from '../../../planning/search-attributes';
import { parseRunbook } from '../../../runbooks/load';
import { own } from '../../cli/support/stored';
import { packageVersion } from '../../../workers/bundle';
import { findTemporalCli } from '../../../workers/temporal-cli';
import { SearchAttributeType } from '@temporalio/common';

Runtime.install({ logger: new DefaultLogger('ERROR') });

export interface Engine {
  env: TestWorkflowEnvironment;
  bundle: { code: string };
}

interface EngineOptions {
  /** The workflows' long timers fire within a moment. */
  shortWaits?: boolean;
  /** A machine that was told to reboot and has not is noticed within moments. */
  shortStay?: boolean;
}

/** Starts a server of its own and bundles the workflows once. */
export async function startEngine({ shortWaits = false, shortStay = false }: EngineOptions = {}): Promise<Engine> {
  const cli = await findTemporalCli();
  const env = await TestWorkflowEnvironment.createLocal({
    server: {
      executable: { type: 'existing-path', path: cli.path },
      searchAttributes: Object.values(SEARCH_ATTRIBUTES).map(({ name, type }) => ({
        name,
        type: SearchAttributeType[type],
      })),
    },
  });
  const bundle = await bundleWorkflowCode({
    workflowsPath: path.resolve(__dirname, '../../../workflows/index.ts'),
    workflowInterceptorModules: [
      ...(shortWaits ? [path.resolve(__dirname, 'short-waits.ts')] : []),
      ...(shortStay ? [path.resolve(__dirname, 'short-stay.ts')] : []),
    ],
    logger: new DefaultLogger('ERROR'),
  });
  return { env, bundle };
}

/** An engine of this test file: there from its first test to its last. Call it at the top of the file, after the time limit is set. */
export function useEngine(options: EngineOptions = {}): Engine {
  let started: Engine | undefined;
  const there = (): Engine => {
    if (started === undefined) throw new Error('the engine is there within tests alone');
    return started;
  };
  beforeAll(async () => {
    started = await startEngine(options);
  });
  afterAll(async () => {
    await started?.env.teardown();
  });
  return {
    get env() {
      return there().env;
    },
    get bundle() {
      return there().bundle;
    },
  };
}

/** Runs `body` while two workers (control and bulk) serve the fake fleet of a director with this key. */
export async function withFleet<T>(
  options: {
    engine: Engine;
    fake?: FakeOptions;
    signer?: typeof own;
    /** Whose backups it takes as genuine. @default its own */
    genuine?: ActivityDeps['genuineSigners'];
    rescue?: Partial<ActivityDeps['rescue']>;
  },
  body: (fleet: FakeHosts) => Promise<T>,
): Promise<T> {
  const { engine, fake, signer = own } = options;
  const fleet = new FakeHosts({ latencyMs: 2, jobMs: 30, ...fake });
  const activities = activitiesFrom({
    hosts: fleet,
    logger: pino({ level: 'silent' }),
    genuineSigners: options.genuine ?? (() => Promise.resolve([signer.publicKeyHex])),
    openSigner: () => Promise.resolve(signer),
    rescue: { ...FAKE_RESCUE, ...options.rescue },
  });
  const workers = await Promise.all(
    [CONTROL_QUEUE, BULK_QUEUE].map((taskQueue) =>
      Worker.create({
        connection: engine.env.nativeConnection,
        taskQueue,
        workflowBundle: engine.bundle,
        activities,
        maxHeartbeatThrottleInterval: '1s',
      }),
    ),
  );
  const [first, second] = workers;
  if (first === undefined || second === undefined) throw new Error('no workers');
  return first.runUntil(() => second.runUntil(() => body(fleet)));
}

/** A group of `count` hosts with a source each, and a store. */
export function fleetRunbook(count: number, group: object = {}): string {
  const names = Array.from({ length: count }, (_, i) => `app-${i + 1}`);
  return JSON.stringify({
    version: 1,
    hosts: Object.fromEntries(
      [...names, 'target'].map((name, i) => [name, { address: `10.0.${Math.floor(i / 250)}.${(i % 250) + 1}` }]),
    ),
    stores: { main: { host: 'target', kind: 'btrfs', place: '/backup' } },
    groups: {
      portal: {
        sources: names.map((host) => ({ host, path: '/srv/data', name: 'data', snapshot: 'btrfs' })),
        target: 'main',
        ...group,
      },
    },
  });
}

let runs = 0;

/** The input of a backup of that runbook. */
export function backupInput(text: string): BackupInput {
  const runbook = parseRunbook({ text, file: 'test.yaml' });
  runs += 1;
  return {
    ...groupSetup({ runbook, group: 'portal', runbookText: text, directorId: 'director-test' }),
    run: `r-test-${process.pid}-${runs}`,
    requestedBy: 'test',
    checksum: false,
    version: packageVersion(),
  };
}
