/** The worker beside the embedded server: a background process, found again by the next command, replaced when it was built from other code. */
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { buildIdentity, packageRoot, workflowBundlePath } from './bundle';
import { EngineError } from './errors';
import type { StatePaths } from './paths';
import {
  endProcess,
  findProcesses,
  isAlive,
  processIdentitySchema,
  readRecord,
  removeRecord,
  startDetached,
  tail,
  writeRecord,
  type ProcessIdentity,
} from './processes';

/** How to start a worker process, and what it is built from. */
export interface WorkerCommand {
  command: string;
  args: readonly string[];
  /** A worker of another build is replaced. */
  build: string;
}

/** Written by the command that starts a worker. */
export const workerRecordSchema = z.object({ process: processIdentitySchema, build: z.string(), address: z.string() });
export type WorkerRecord = z.infer<typeof workerRecordSchema>;

/** Written by the worker when it takes work. */
export const workerReadySchema = z.object({ process: processIdentitySchema });

/** Arguments by which a background worker of a state folder is known. */
export function workerMark(paths: StatePaths): string[] {
  return ['--background', '--state', paths.root];
}

/** A worker detaches within a few seconds of SIGTERM; after this it is killed, which remote jobs survive likewise. */
const STOP_GRACE_MS = 12_000;
const READY_LIMIT_MS = 60_000;

/** The compiled worker of this installation. @throws EngineError `bundle-missing` when nothing was built */
export function defaultWorkerCommand(env: NodeJS.ProcessEnv = process.env): WorkerCommand {
  const bundlePath = workflowBundlePath(env);
  const dist = path.join(packageRoot(), 'dist');
  return {
    command: process.execPath,
    args: [path.join(dist, 'workers', 'worker-main.js')],
    build: buildIdentity({ bundlePath, codeFolder: dist }),
  };
}

/** The live background worker of this state folder, or undefined. */
export function findWorker(paths: StatePaths): WorkerRecord | undefined {
  const record = readRecord(paths.workerRecord, workerRecordSchema);
  return record !== undefined && isAlive(record.process) ? record : undefined;
}

/** Whether this worker has said that it takes work. */
export function isReady(paths: StatePaths, worker: WorkerRecord): boolean {
  const ready = readRecord(paths.workerReady, workerReadySchema)?.process;
  return ready?.pid === worker.process.pid && ready.startTicks === worker.process.startTicks;
}

/**
 * Starts the worker unless one of the same build serves this address, and waits until it takes work. The caller holds the
 * engine lock.
 * @throws EngineError `worker-died`
 */
export async function startWorker({
  paths,
  address,
  command,
  env,
}: {
  paths: StatePaths;
  address: string;
  command: WorkerCommand;
  env: NodeJS.ProcessEnv;
}): Promise<{ worker: WorkerRecord; started: boolean }> {
  const running = findWorker(paths);
  if (running?.build === command.build && running.address === address) {
    if (await waitReady(paths, running)) return { worker: running, started: false };
  }
  await stopWorker(paths);
  const args = [...command.args, ...workerMark(paths), '--embedded', address];
  const identity = await startDetached({
    command: command.command,
    args,
    env,
    cwd: paths.root,
    logFile: paths.workerOutput,
  });
  const worker = { process: identity, build: command.build, address };
  writeRecord(paths.workerRecord, worker);
  if (await waitReady(paths, worker)) return { worker, started: true };
  await stopWorker(paths);
  throw new EngineError({
    code: 'worker-died',
    step: 'starting the worker',
    problem: `it did not come up; its output ends with:\n${tail(paths.workerOutput) || tail(paths.workerLog)}\n`,
    next: `Read ${paths.workerLog}, mend the cause, and run \`resurgo engine start\`.`,
  });
}

/** Ends every background worker of this state folder. The caller holds the engine lock. */
export async function stopWorker(paths: StatePaths): Promise<'gone' | 'ended' | 'killed' | 'stuck'> {
  const recorded = findWorker(paths)?.process;
  // Also one whose record was lost: it would go on working with old code.
  const others = findProcesses(workerMark(paths)).map((found) => found.process);
  const all = [recorded, ...others.filter((other) => other.pid !== recorded?.pid)].filter(
    (process): process is ProcessIdentity => process !== undefined,
  );
  const outcomes = await Promise.all(all.map((process) => endProcess(process, STOP_GRACE_MS)));
  removeRecord(paths.workerRecord);
  removeRecord(paths.workerReady);
  return (['stuck', 'killed', 'ended'] as const).find((outcome) => outcomes.includes(outcome)) ?? 'gone';
}

async function waitReady(paths: StatePaths, worker: WorkerRecord): Promise<boolean> {
  const end = Date.now() + READY_LIMIT_MS;
  while (!isReady(paths, worker)) {
    if (!isAlive(worker.process) || Date.now() >= end) return false;
    await sleep(50);
  }
  return true;
}
