/**
 * Temporal as in production, for tests: the real server on a PostgreSQL cluster of its own, on loopback, in a scratch folder.
 * Needs Go (for the first build), Debian's postgresql, and util-linux. Nothing of it outlives the test process.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { msToTs } from '@temporalio/common/lib/time';
import { connectClient, isServing } from '../../workers/connection';
import { registerSearchAttributes } from '../../workers/search-attributes';

const run = promisify(execFile);

/** A Temporal server on PostgreSQL, and how to hurt it. */
export interface ProductionTemporal {
  /** `host:port` of the frontend: set it as `TEMPORAL_ADDRESS`. The namespace is `default`, with our search attributes. */
  address: string;
  /** SIGKILL for the Temporal server; PostgreSQL goes on. */
  kill: () => Promise<void>;
  /** Starts the Temporal server (after {@link kill}, or ending a running one first) and waits until it answers. */
  restart: () => Promise<void>;
  /** Restarts PostgreSQL under the running server: `fast` closes connections in order, `crash` recovers from its log. */
  restartPostgres: (how?: 'fast' | 'crash') => Promise<void>;
  /** The server's log so far. */
  log: () => string;
  /** Ends everything and removes the scratch folder. */
  stop: () => Promise<void>;
}

const BOOT_LIMIT_MS = 90_000;
const USER = 'temporal';

/** Builds (first time only, some minutes), sets up both schemas, and starts the server. */
export async function startProductionTemporal(): Promise<ProductionTemporal> {
  const bin = await serverFolder();
  const scratch = mkdtempSync(path.join(tmpdir(), 'resurgo-postgres-'));
  let postgres: Postgres | undefined;
  let server: ChildProcess | undefined;
  const stop = async (): Promise<void> => {
    await end(server, 'SIGKILL');
    await postgres?.stop('SIGQUIT');
    rmSync(scratch, { recursive: true, force: true });
  };
  try {
    const [pgPort, ...ports] = await freePorts(10);
    postgres = await startPostgres(scratch, pgPort!);
    await setUpSchema(bin, pgPort!);
    const address = `127.0.0.1:${ports[0]!}`;
    const database = postgres;
    const start = async (): Promise<void> => {
      await end(server, 'SIGKILL');
      server = startServer({ bin, scratch, pgPort: pgPort!, ports });
      await waitFor('the Temporal server', () => isServing(address), server, path.join(scratch, 'temporal.log'));
    };
    await start();
    await setUpNamespace(address);
    return {
      address,
      stop,
      restart: start,
      kill: () => end(server, 'SIGKILL'),
      restartPostgres: async (how = 'fast') => {
        await database.stop(how === 'fast' ? 'SIGINT' : 'SIGQUIT');
        await database.start();
      },
      log: () => readFileSync(path.join(scratch, 'temporal.log'), 'utf8'),
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function serverFolder(): Promise<string> {
  const { stdout } = await run(path.join(__dirname, 'build-server.sh'), { timeout: 20 * 60_000, maxBuffer: 1 << 24 });
  return stdout.trim();
}

interface Postgres {
  start: () => Promise<void>;
  stop: (signal: NodeJS.Signals) => Promise<void>;
}

/** A cluster of its own, so that one that runs on this machine already is left alone. */
async function startPostgres(scratch: string, port: number): Promise<Postgres> {
  const bin = postgresFolder();
  const data = path.join(scratch, 'data');
  const log = path.join(scratch, 'postgres.log');
  const asUser = process.getuid?.() === 0 ? ['--reuid=postgres', '--regid=postgres', '--init-groups'] : [];
  if (asUser.length > 0) await run('chown', ['postgres:', scratch]);
  const options = ['--auth=trust', `--username=${USER}`, '--no-sync', '--encoding=UTF8', '--locale=C', '-D', data];
  await run('setpriv', [...asUser, path.join(bin, 'initdb'), ...options], { cwd: scratch, timeout: 60_000 });
  let child: ChildProcess | undefined;
  const settings = { port, listen_addresses: '127.0.0.1', unix_socket_directories: scratch, fsync: 'off' };
  const start = async (): Promise<void> => {
    const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    child = background(scratch, log, [...asUser, path.join(bin, 'postgres'), '-D', data, ...flags]);
    const ask = ['-q', '-h', '127.0.0.1', '-p', String(port)];
    await waitFor('PostgreSQL', () => succeeds(path.join(bin, 'pg_isready'), ask), child, log);
  };
  await start();
  return { start, stop: (signal) => end(child, signal) };
}

function postgresFolder(): string {
  const root = '/usr/lib/postgresql';
  const newest = readdirSync(root).sort((a, b) => Number(b) - Number(a))[0];
  if (newest === undefined) throw new Error(`no PostgreSQL in ${root}: apt-get install postgresql`);
  return path.join(root, newest, 'bin');
}

/** By the script that the compose file runs, twice: an upgrade runs it on databases in use. */
async function setUpSchema(bin: string, port: number): Promise<void> {
  const script = path.join(__dirname, '..', '..', 'deploy', 'setup-schema.sh');
  const sql = { SQL_HOST: '127.0.0.1', SQL_PORT: String(port), SQL_USER: USER, SQL_PASSWORD: USER };
  const env = { PATH: process.env.PATH, SQL_TOOL: path.join(bin, 'sql'), ...sql };
  for (const round of ['new', 'again']) {
    await run('sh', [script], { env, timeout: 120_000, maxBuffer: 1 << 24 }).catch((cause: unknown) => {
      throw new Error(`the schema could not be set up (${round})`, { cause });
    });
  }
}

function startServer(options: {
  bin: string;
  scratch: string;
  pgPort: number;
  ports: readonly number[];
}): ChildProcess {
  const { bin, scratch, pgPort, ports } = options;
  const config = path.join(scratch, 'dynamic.yaml');
  writeFileSync(config, '{}\n');
  const names = ['FRONTEND_GRPC', 'FRONTEND_HTTP', 'FRONTEND_MEMBERSHIP', 'MATCHING_GRPC', 'MATCHING_MEMBERSHIP'];
  const more = ['HISTORY_GRPC', 'HISTORY_MEMBERSHIP', 'WORKER_GRPC', 'WORKER_MEMBERSHIP'];
  const env = {
    PATH: process.env.PATH,
    HOME: scratch,
    DYNAMIC_CONFIG_FILE_PATH: config,
    LOG_LEVEL: 'warn',
    DB: 'postgres12',
    DB_PORT: String(pgPort),
    POSTGRES_SEEDS: '127.0.0.1',
    POSTGRES_USER: USER,
    POSTGRES_PWD: USER,
    BIND_ON_IP: '127.0.0.1',
    TEMPORAL_BROADCAST_ADDRESS: '127.0.0.1',
    ...Object.fromEntries([...names, ...more].map((name, index) => [`${name}_PORT`, String(ports[index])])),
  };
  const command = [path.join(bin, 'server'), '--allow-no-auth', 'start'];
  return background(scratch, path.join(scratch, 'temporal.log'), command, env);
}

/** The namespace and what a worker needs in it; the server answers a while before all of it works. */
async function setUpNamespace(address: string): Promise<void> {
  const { connection } = await connectClient({ settings: { address, namespace: 'default', external: true } });
  try {
    await connection.workflowService.registerNamespace({
      namespace: 'default',
      workflowExecutionRetentionPeriod: msToTs('90d'),
    });
    await registerSearchAttributes({ connection, namespace: 'default', waitMs: 60_000 });
  } finally {
    await connection.close();
  }
}

/** A child that dies with this process, however this process dies. */
function background(
  cwd: string,
  logFile: string,
  command: string[],
  env: NodeJS.ProcessEnv = process.env,
): ChildProcess {
  const log = openSync(logFile, 'a');
  try {
    mkdirSync(cwd, { recursive: true });
    return spawn('setpriv', ['--pdeathsig=KILL', ...command], { cwd, env, stdio: ['ignore', log, log] });
  } finally {
    closeSync(log);
  }
}

async function end(child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill(signal);
  const late = setTimeout(() => child.kill('SIGKILL'), 20_000);
  await ended;
  clearTimeout(late);
}

async function waitFor(what: string, ready: () => Promise<boolean>, child: ChildProcess, log: string): Promise<void> {
  const limit = Date.now() + BOOT_LIMIT_MS;
  while (!(await ready())) {
    if (child.exitCode !== null || child.signalCode !== null || Date.now() > limit) {
      throw new Error(`${what} did not come up; its log ends with:\n${readFileSync(log, 'utf8').slice(-2_000)}`);
    }
    await sleep(200);
  }
}

async function succeeds(command: string, args: readonly string[]): Promise<boolean> {
  return run(command, args, { timeout: 5_000 }).then(
    () => true,
    () => false,
  );
}

/** Ports that are free now, below the range that outgoing connections take theirs from. */
async function freePorts(count: number): Promise<number[]> {
  const found: number[] = [];
  for (let port = 21_000 + (process.pid % 200) * 40; found.length < count; port += 1) {
    const probe = createServer();
    const free = await new Promise<boolean>((resolve) => {
      probe.once('error', () => {
        resolve(false);
      });
      probe.listen(port, '127.0.0.1', () => {
        resolve(true);
      });
    });
    if (free) {
      await new Promise((resolve) => probe.close(resolve));
      found.push(port);
    }
  }
  return found;
}
