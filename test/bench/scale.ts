/**
 * The bench of scale: 10, 100 and 1,000 hosts at the `hosts/` boundary, through the real backup workflow, a real Temporal server and the
 * product's worker process. It says how long the barrier and the run take, and what they cost in history and memory.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, WorkflowHandle, WorkflowHandleWithFirstExecutionRunId } from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import { DefaultLogger } from '@temporalio/worker';
import { runId, workflowId } from '../../planning/ids';
import { groupSetup } from '../../planning/run-input';
import type { BackupInput } from '../../planning/run-input';
import { SEARCH_ATTRIBUTES } from '../../planning/search-attributes';
import { parseRunbook } from '../../runbooks/load';
import { buildWorkflowBundle, packageVersion } from '../../workers/bundle';
import { connectClient } from '../../workers/connection';
import { engineSettings, engineStatus, ensureEngine } from '../../workers/engine';
import { CONTROL_QUEUE } from '../../workers/worker';
import type { backup } from '../../workflows/backup';
import type { OpenQuestion } from '../../workflows/gate';
import { Scratch } from '../workers/fixtures/engine';
import { LATENCY_MS, scaleRunbook } from './scale-fleet';
import { row } from './support/figures';
import type { BenchOptions, Figure, Row } from './support/figures';

/** What one run cost. */
interface Measured {
  /** From the first host's pause to the last host's thaw, ms. */
  barrierMs: number;
  /** The freeze's activity whole: arming, the barrier, its evidence, ms. */
  freezeMs: number;
  /** From the run's start to its end, ms. */
  totalMs: number;
  /** Workflows of the run: its own, and its children. */
  workflows: number;
  /** Events over all of them, and of the longest history. */
  events: number;
  longestEvents: number;
  /** Bytes over all of them, of the largest history, and of the largest single event. */
  historyBytes: number;
  largestBytes: number;
  largestEventBytes: number;
}

/** One size of fleet. */
interface Scale {
  hosts: number;
  runs: Measured[];
  /** Peak resident memory of the worker over all runs, with the fleet in it, bytes. */
  workerPeakBytes: number;
}

/** Of the largest fleet; Temporal's own limits are 51,200 events, 50 MB a history, 2 MB a payload. */
const GOALS = { hosts: 1000, barrierMs: 2_000, workerPeakMib: 1024 };
/** Copies at a time: the runbook's `transfer.parallel`. */
const PARALLEL = 32;
const MIB = 2 ** 20;

/** The bench as a figure for the table of all benches; takes some minutes. */
export async function benchScale({ rounds, size, say }: BenchOptions): Promise<Figure> {
  const scales = await measureScale({ sizes: size === 'full' ? [10, 100, 1000] : [10, 100], rounds, say });
  return {
    title: 'Scale',
    how: `A backup of a fleet in memory, ${LATENCY_MS} ms a verb and ${PARALLEL} copies at a time, through the real workflow, a Temporal server with its database in a file, and a worker process of its own (whose memory holds the fleet too). Each size has a server and a worker of its own.`,
    rows: scales.flatMap(rowsOf),
  };
}

function rowsOf({ hosts, runs, workerPeakBytes }: Scale): Row[] {
  const goal = (most: number): number | undefined => (hosts === GOALS.hosts ? most : undefined);
  const of = (pick: (run: Measured) => number): number[] => runs.map(pick);
  const what = (text: string): string => `${hosts} hosts: ${text}`;
  return [
    row({ what: what('barrier'), unit: 'ms', samples: of((run) => run.barrierMs), goal: goal(GOALS.barrierMs) }),
    row({ what: what('freeze with arming'), unit: 'ms', samples: of((run) => run.freezeMs) }),
    row({ what: what('whole run'), unit: 's', samples: of((run) => run.totalMs / 1000) }),
    row({ what: what('workflows'), unit: 'count', samples: of((run) => run.workflows) }),
    row({ what: what('history events, all'), unit: 'count', samples: of((run) => run.events) }),
    row({ what: what('history events, longest'), unit: 'count', samples: of((run) => run.longestEvents) }),
    row({ what: what('history, all'), unit: 'MiB', samples: of((run) => run.historyBytes / MIB) }),
    row({ what: what('history, largest'), unit: 'MiB', samples: of((run) => run.largestBytes / MIB) }),
    row({ what: what('largest event'), unit: 'MiB', samples: of((run) => run.largestEventBytes / MIB) }),
    row({
      ...{ what: what('worker memory, peak over all rounds'), unit: 'MiB' },
      ...{ samples: [workerPeakBytes / MIB], goal: goal(GOALS.workerPeakMib) },
    }),
  ];
}

/** Each size has a server and a worker of its own, ended before the next. */
export async function measureScale(options: {
  sizes: readonly number[];
  rounds: number;
  say: (text: string) => void;
}): Promise<Scale[]> {
  const folder = mkdtempSync(path.join(tmpdir(), 'resurgo-bench-scale-'));
  // What the clean-up waits for does not keep the process alive by itself.
  const alive = setInterval(() => undefined, 60_000);
  try {
    const bundle = path.join(folder, 'workflows-bundle.js');
    const workflowsPath = path.resolve(__dirname, '../../workflows/index.ts');
    await buildWorkflowBundle({ workflowsPath, outFile: bundle, logger: new DefaultLogger('WARN') });
    const scales: Scale[] = [];
    for (const hosts of options.sizes) scales.push(await oneSize({ ...options, bundle, hosts }));
    return scales;
  } finally {
    clearInterval(alive);
    rmSync(folder, { recursive: true, force: true });
  }
}

async function oneSize({
  bundle,
  hosts,
  rounds,
  say,
}: {
  bundle: string;
  hosts: number;
  rounds: number;
  say: (text: string) => void;
}): Promise<Scale> {
  const scratch = new Scratch(bundle);
  const register = path.resolve(__dirname, '../workers/fixtures/register.js');
  const args = ['-r', register, path.join(__dirname, 'scale-worker.ts')];
  const options = scratch.options({ command: process.execPath, args, build: 'bench' });
  try {
    const engine = await ensureEngine(options);
    const { client, connection } = await connectClient({ settings: engineSettings(engine, scratch.env) });
    const runs: Measured[] = [];
    for (let round = 1; round <= rounds; round += 1) {
      const run = await oneRun({ client, hosts });
      runs.push(run);
      say(`scale, ${hosts} hosts, round ${round}: ${JSON.stringify(run)}`);
      // Backups are named by the second of their freeze.
      await sleep(1_000);
    }
    await connection.close();
    const pid = (await engineStatus(options)).worker?.pid;
    if (pid === undefined) throw new Error('the worker is gone');
    return { hosts, runs, workerPeakBytes: peakBytes(pid) };
  } finally {
    await scratch.end();
  }
}

async function oneRun({ client, hosts }: { client: Client; hosts: number }): Promise<Measured> {
  const runbookText = scaleRunbook({ count: hosts, parallel: PARALLEL });
  const runbook = parseRunbook({ text: runbookText, file: 'scale.yaml' });
  const run = runId({ nowMs: Date.now(), random: Math.random() });
  const input: BackupInput = {
    ...groupSetup({ runbook, group: 'fleet', runbookText, directorId: 'director-bench' }),
    ...{ run, requestedBy: 'bench', checksum: false, version: packageVersion() },
  };
  const handle = await client.workflow.start<typeof backup>('backup', {
    workflowId: workflowId({ kind: 'backup', group: 'fleet', run }),
    taskQueue: CONTROL_QUEUE,
    args: [input],
  });
  const report = await ended(handle);
  if (report.state !== 'Completed' || report.sources.length !== hosts)
    throw new Error(`${hosts} hosts: the backup is ${report.state} with ${report.sources.length} sources`);
  const { startTime, closeTime } = await handle.describe();
  const histories = await historiesOf(client, handle.workflowId);
  const [own] = histories;
  return {
    barrierMs: report.pauseMs,
    freezeMs: own === undefined ? Number.NaN : tookMs(own.events, 'freeze'),
    totalMs: (closeTime?.getTime() ?? Number.NaN) - startTime.getTime(),
    workflows: histories.length,
    events: sum(histories.map((each) => each.events.length)),
    longestEvents: Math.max(...histories.map((each) => each.events.length)),
    historyBytes: sum(histories.map((each) => each.bytes)),
    largestBytes: Math.max(...histories.map((each) => each.bytes)),
    largestEventBytes: Math.max(...histories.flatMap((each) => each.events.map(weight))),
  };
}

/** The run's report; nobody is there to answer, so a run that asks has failed. */
async function ended(handle: WorkflowHandleWithFirstExecutionRunId<typeof backup>) {
  for (;;) {
    const { status, typedSearchAttributes } = await handle.describe();
    if (status.name !== 'RUNNING') return handle.result();
    if (typedSearchAttributes.get(needsOperator) === true)
      throw new Error(`the run asks: ${JSON.stringify(await handle.query<OpenQuestion[]>('questions'))}`);
    await sleep(1_000);
  }
}

const needsOperator = defineSearchAttributeKey(SEARCH_ATTRIBUTES.needsOperator.name, 'BOOL');

type Event = NonNullable<Awaited<ReturnType<WorkflowHandle['fetchHistory']>>['events']>[number];

/** A run's own history, then its children's. */
async function historiesOf(client: Client, id: string): Promise<{ events: Event[]; bytes: number }[]> {
  const handle = client.workflow.getHandle(id);
  const events = (await handle.fetchHistory()).events ?? [];
  const { historySize } = await handle.describe();
  const children = events.flatMap((event) => {
    const child = event.childWorkflowExecutionStartedEventAttributes?.workflowExecution?.workflowId;
    return child === undefined || child === null ? [] : [child];
  });
  const below: { events: Event[]; bytes: number }[] = [];
  for (const child of children) below.push(...(await historiesOf(client, child)));
  return [{ events, bytes: historySize ?? sum(events.map(weight)) }, ...below];
}

/** From an activity's schedule to its end, ms. */
function tookMs(events: readonly Event[], activity: string): number {
  const scheduled = events.find((each) => each.activityTaskScheduledEventAttributes?.activityType?.name === activity);
  const ended = events.find(
    (each) => String(each.activityTaskCompletedEventAttributes?.scheduledEventId) === String(scheduled?.eventId),
  );
  return millis(ended?.eventTime) - millis(scheduled?.eventTime);
}

function millis(time: Event['eventTime']): number {
  return time === undefined || time === null
    ? Number.NaN
    : Number(time.seconds) * 1000 + Math.round((time.nanos ?? 0) / 1e6);
}

/** About the bytes of an event on the wire: all texts and payloads in it. */
function weight(value: unknown): number {
  if (value instanceof Uint8Array || typeof value === 'string') return value.length;
  return typeof value === 'object' && value !== null ? sum(Object.values(value).map(weight)) : 0;
}

/** The peak of a process's resident memory, as the kernel kept it. */
function peakBytes(pid: number): number {
  const line = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1]) * 1024;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, each) => total + each, 0);
}
