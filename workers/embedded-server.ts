/** The embedded Temporal server: the CLI's development server on a SQLite file in the state folder, on loopback. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection } from '@temporalio/client';
import { msToTs, tsToMs } from '@temporalio/common/lib/time';
import { z } from 'zod';
import { connectClient, DEFAULT_NAMESPACE, isServing } from './connection';
import { EngineError } from './errors';
import type { StatePaths } from './paths';
import { choosePorts, portsSchema, type Ports } from './ports';
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
} from './processes';
import { registerSearchAttributes } from './search-attributes';
import { findTemporalCli, type TemporalCli } from './temporal-cli';

/** Closed runs stay visible this long; the development server's own default is a day. */
export const RETENTION_DAYS = 90;

const serverRecordSchema = z.object({ process: processIdentitySchema, ...portsSchema.shape });

/** A server process of ours and where it listens. */
export type ServerRecord = z.infer<typeof serverRecordSchema>;

/** How long a live server may take to answer before it counts as hung, ms. It takes one or two; on a machine that others starve, a minute. */
const BOOT_LIMIT_MS = 120_000;
const STOP_GRACE_MS = 10_000;
/** Another process can take a port between our look and the server's start. */
const START_TRIES = 3;

/**
 * The running server of this state folder, or undefined. Without its record (lost between start and write) it is found by
 * its command line: a second server on the same SQLite file must never start.
 */
export function findServer(paths: StatePaths): ServerRecord | undefined {
  const record = readRecord(paths.serverRecord, serverRecordSchema);
  if (record !== undefined && isAlive(record.process)) return record;
  for (const { process, args } of findProcesses(['start-dev', '--db-filename', paths.db])) {
    const ports = portsSchema.safeParse({
      port: Number(args[args.indexOf('--port') + 1]),
      uiPort: Number(args[args.indexOf('--ui-port') + 1]),
    });
    if (ports.success) return { process, ...ports.data };
  }
  return undefined;
}

/** `host:port` of the server's frontend. */
export function serverAddress({ port }: Ports): string {
  return `127.0.0.1:${port}`;
}

/**
 * Starts the server unless it runs, waits until it answers, and sees to retention and search attributes. The caller holds the
 * engine lock.
 * @throws EngineError `cli-not-found`, `version`, `engine-died` or `search-attributes`
 */
export async function startServer({
  paths,
  env,
  download = true,
}: {
  paths: StatePaths;
  env: NodeJS.ProcessEnv;
  /** Whether a missing CLI may be downloaded. */
  download?: boolean;
}): Promise<{ server: ServerRecord; started: boolean }> {
  const running = findServer(paths);
  if (running !== undefined) {
    if (await waitServing(running)) {
      writeRecord(paths.serverRecord, running);
      await settle(running);
      return { server: running, started: false };
    }
    await endProcess(running.process, STOP_GRACE_MS);
  }
  const cli = await findTemporalCli({ env, download });
  checkDatabaseVersion(paths, cli);
  const server = await launch(paths, cli, env);
  writeFileSync(paths.dbVersion, `${cli.version}\n`, { mode: 0o600 });
  await settle(server);
  return { server, started: true };
}

/** Ends exactly the server of this state folder. The caller holds the engine lock. */
export async function stopServer(paths: StatePaths): Promise<'gone' | 'ended' | 'killed' | 'stuck'> {
  const running = findServer(paths);
  const outcome = running === undefined ? 'gone' : await endProcess(running.process, STOP_GRACE_MS);
  if (outcome !== 'stuck') removeRecord(paths.serverRecord);
  return outcome;
}

async function launch(paths: StatePaths, cli: TemporalCli, env: NodeJS.ProcessEnv): Promise<ServerRecord> {
  for (let tries = 1; ; tries += 1) {
    const ports = await choosePorts(paths.ports);
    const process = await startDetached({
      command: cli.path,
      args: serverArguments(paths, ports),
      // Nothing else of the caller's environment: TEMPORAL_* and the user's temporal.toml would change the server's ways.
      env: { PATH: env.PATH, HOME: paths.root, TMPDIR: env.TMPDIR, TZ: 'UTC' },
      cwd: paths.root,
      logFile: paths.serverLog,
    });
    const server = { process, ...ports };
    writeRecord(paths.serverRecord, server);
    if (await waitServing(server)) return server;
    const log = tail(paths.serverLog);
    await endProcess(process, STOP_GRACE_MS);
    removeRecord(paths.serverRecord);
    if (tries >= START_TRIES || !/address already in use/i.test(log)) throw died(paths, log);
  }
}

function serverArguments(paths: StatePaths, { port, uiPort }: Ports): string[] {
  return [
    ...['server', 'start-dev', '--db-filename', paths.db, '--ip', '127.0.0.1'],
    ...['--port', String(port), '--ui-port', String(uiPort), '--ui-disable-news-fetch', '--log-level', 'warn'],
  ];
}

/** Waits until the server answers; false when it ended or took longer than {@link BOOT_LIMIT_MS}. */
async function waitServing(server: ServerRecord): Promise<boolean> {
  const end = Date.now() + BOOT_LIMIT_MS;
  while (isAlive(server.process) && Date.now() < end) {
    // Alive still, after the answer: it may have come from whoever has taken the port.
    if (await isServing(serverAddress(server))) return isAlive(server.process);
    await sleep(100);
  }
  return false;
}

/** Retention and search attributes, whether the file is new or old. */
async function settle(server: ServerRecord): Promise<void> {
  const settings = { address: serverAddress(server), namespace: DEFAULT_NAMESPACE, external: false };
  const { connection } = await connectClient({ settings });
  try {
    await raiseRetention(connection);
    await registerSearchAttributes({ connection, namespace: DEFAULT_NAMESPACE });
  } finally {
    await connection.close();
  }
}

async function raiseRetention(connection: Connection): Promise<void> {
  const wantedMs = RETENTION_DAYS * 86_400_000;
  const end = Date.now() + 10_000;
  for (;;) {
    try {
      const { config } = await connection.workflowService.describeNamespace({ namespace: DEFAULT_NAMESPACE });
      const ttl = config?.workflowExecutionRetentionTtl;
      if (ttl && tsToMs(ttl) >= wantedMs) return;
      await connection.workflowService.updateNamespace({
        namespace: DEFAULT_NAMESPACE,
        config: { workflowExecutionRetentionTtl: msToTs(wantedMs) },
      });
      return;
    } catch (error) {
      // A server answers a moment before its namespace can be read.
      if (Date.now() >= end) throw error;
      await sleep(200);
    }
  }
}

function checkDatabaseVersion(paths: StatePaths, cli: TemporalCli): void {
  if (!existsSync(paths.db) || !existsSync(paths.dbVersion)) return;
  const made = readFileSync(paths.dbVersion, 'utf8').trim();
  if (made === cli.version) return;
  throw new EngineError({
    code: 'version',
    step: 'opening the engine database',
    problem: `${paths.db} was made by Temporal CLI ${made}, and ${cli.path} is ${cli.version}`,
    next: `Use Temporal CLI ${made} (RESURGO_TEMPORAL_CLI), or move the file away once no run is under way: backups don't depend on it.`,
  });
}

function died(paths: StatePaths, log: string): EngineError {
  return new EngineError({
    code: 'engine-died',
    step: 'starting the embedded Temporal server',
    problem: `it did not come up${log === '' ? '' : `; its log ends with:\n${log}\n`}`,
    next: `Read ${paths.serverLog}, mend the cause, and run \`resurgo engine start\`.`,
  });
}
