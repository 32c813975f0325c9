/** The engine: Temporal's server and our worker, as background processes that outlive the command, or somebody's server elsewhere. */
import { existsSync } from 'node:fs';
import {
  defaultWorkerCommand,
  findWorker,
  isReady,
  startWorker,
  stopWorker,
  type WorkerCommand,
} from './background-worker';
import {
  connectClient,
  DEFAULT_NAMESPACE,
  externalSettings,
  isServing,
  type ConnectedClient,
  type ConnectionSettings,
} from './connection';
import { findServer, serverAddress, startServer, stopServer } from './embedded-server';
import { EngineError } from './errors';
import { withLock } from './lock';
import { prepareState, stateDir as defaultStateDir, statePaths } from './paths';

/** Where the engine is. */
export interface Engine {
  /** `host:port` of the frontend. */
  address: string;
  namespace: string;
  /** The web interface; of an external server only when `RESURGO_UI_URL` names it. */
  uiUrl: string | undefined;
  /** True when Temporal's own configuration names the server; then nothing is started or stopped by us. */
  external: boolean;
}

/** Options of every engine function. */
export interface EngineOptions {
  /** @default {@link defaultStateDir} */
  stateDir?: string;
  /** @default process.env */
  env?: NodeJS.ProcessEnv;
  /** The worker to run beside the embedded server; `false` runs the server alone. @default the compiled worker */
  worker?: WorkerCommand | false;
  /** How long to wait for another command that starts or stops the engine, or for an external server, ms. */
  waitMs?: number;
}

/** What {@link startEngine} did. */
export interface StartedEngine {
  engine: Engine;
  startedServer: boolean;
  startedWorker: boolean;
}

/** What is running now. */
export interface EngineStatus {
  external: boolean;
  address: string | undefined;
  namespace: string;
  uiUrl: string | undefined;
  /** Whether the server answers. */
  serving: boolean;
  /** The embedded server's process. */
  serverPid: number | undefined;
  /** The background worker; undefined when there is none, or with an external server. */
  worker: { pid: number; build: string; ready: boolean; current: boolean } | undefined;
}

/** How the processes went. */
export interface StoppedEngine {
  server: 'gone' | 'ended' | 'killed';
  worker: 'gone' | 'ended' | 'killed';
}

const LOCK_WAIT_MS = 120_000;
const EXTERNAL_WAIT_MS = 10_000;

/**
 * The engine to use now, started if need be. With a server and a worker of this build running it takes some milliseconds; a
 * first start some seconds. Two commands at once start one engine.
 * @throws EngineUnreachableError when an external server doesn't answer
 * @throws EngineError when the embedded one can't be started
 */
export async function ensureEngine(options: EngineOptions = {}): Promise<Engine> {
  return (await startEngine(options)).engine;
}

/** As {@link ensureEngine}, and says what it started. */
export async function startEngine(options: EngineOptions = {}): Promise<StartedEngine> {
  const { env = process.env, stateDir = defaultStateDir(env), waitMs } = options;
  const external = externalSettings(env);
  if (external !== undefined) {
    const { connection } = await connectClient({ settings: external, waitMs: waitMs ?? EXTERNAL_WAIT_MS });
    await connection.close();
    return { engine: externalEngine(external, env), startedServer: false, startedWorker: false };
  }
  const command = options.worker ?? defaultWorkerCommand(env);
  const paths = prepareState(stateDir);
  const running = await runningEngine(stateDir, command);
  if (running !== undefined) return { engine: running, startedServer: false, startedWorker: false };
  return withLock({ file: paths.lock, waitMs: waitMs ?? LOCK_WAIT_MS }, async () => {
    const { server, started: startedServer } = await startServer({ paths, env });
    const address = serverAddress(server);
    const startedWorker =
      command === false
        ? false
        : (await startWorker({ paths, address, command, env: workerEnv(env, stateDir) })).started;
    return { engine: embeddedEngine(server), startedServer, startedWorker };
  });
}

/**
 * Ends the background worker and the embedded server, exactly these processes; runs stay in the database and go on at the next
 * start. An external server is never touched.
 * @throws EngineError `engine-busy` when a process survives SIGKILL
 */
export async function stopEngine(
  options: Pick<EngineOptions, 'stateDir' | 'env' | 'waitMs'> = {},
): Promise<StoppedEngine> {
  const { env = process.env, stateDir = defaultStateDir(env), waitMs = LOCK_WAIT_MS } = options;
  const paths = prepareState(stateDir);
  return withLock({ file: paths.lock, waitMs }, async () => {
    // The worker first: it would start the server again.
    const worker = await stopWorker(paths);
    const server = await stopServer(paths);
    if (worker === 'stuck' || server === 'stuck') {
      throw new EngineError({
        code: 'engine-busy',
        step: 'stopping the engine',
        problem: `the ${worker === 'stuck' ? 'worker' : 'server'} did not end even on SIGKILL`,
        next: 'It hangs in the kernel (see `ps` for state D): look at the disk that holds the state folder.',
      });
    }
    return { server, worker };
  });
}

/** Who asks for the status is not told of a server that is only busy that it does not run. */
const SAID_DEAD_MS = 10_000;

/** What runs now; starts nothing, and needs no engine. */
export async function engineStatus(options: EngineOptions = {}): Promise<EngineStatus> {
  const { env = process.env, stateDir = defaultStateDir(env) } = options;
  const external = externalSettings(env);
  if (external !== undefined) {
    const serving = await reachable(external);
    return { ...externalEngine(external, env), serving, serverPid: undefined, worker: undefined };
  }
  const paths = statePaths(stateDir);
  const server = findServer(paths);
  const worker = findWorker(paths);
  return {
    external: false,
    address: server && serverAddress(server),
    namespace: DEFAULT_NAMESPACE,
    uiUrl: server && embeddedEngine(server).uiUrl,
    serving: server !== undefined && (await isServing(serverAddress(server), SAID_DEAD_MS)),
    serverPid: server?.process.pid,
    worker: worker && {
      pid: worker.process.pid,
      build: worker.build,
      ready: isReady(paths, worker),
      current: worker.build === currentBuild(options, env),
    },
  };
}

/** Whether there is an engine, running or not, that may know of runs: an external one, or the database of an embedded one. */
export function hasEngine({ env = process.env, stateDir = defaultStateDir(env) }: EngineOptions = {}): boolean {
  return externalSettings(env) !== undefined || existsSync(statePaths(stateDir).db);
}

/** Settings to connect to an engine that {@link ensureEngine} returned. */
export function engineSettings(engine: Engine, env: NodeJS.ProcessEnv = process.env): ConnectionSettings {
  const external = engine.external ? externalSettings(env) : undefined;
  return external ?? { address: engine.address, namespace: engine.namespace, external: false };
}

/** The engine, started if need be, and a client connected to it. */
export async function connectEngine(options: EngineOptions = {}): Promise<ConnectedClient & { engine: Engine }> {
  const engine = await ensureEngine(options);
  return { engine, ...(await connectClient({ settings: engineSettings(engine, options.env) })) };
}

/** The engine when server and worker are as they should be, seen without the lock. */
async function runningEngine(stateDir: string, command: WorkerCommand | false): Promise<Engine | undefined> {
  const paths = statePaths(stateDir);
  const server = findServer(paths);
  if (server === undefined) return undefined;
  if (command !== false) {
    const worker = findWorker(paths);
    if (worker?.build !== command.build || worker.address !== serverAddress(server) || !isReady(paths, worker)) {
      return undefined;
    }
  }
  return (await isServing(serverAddress(server))) ? embeddedEngine(server) : undefined;
}

function embeddedEngine(server: { port: number; uiPort: number }): Engine {
  return {
    address: serverAddress(server),
    namespace: DEFAULT_NAMESPACE,
    uiUrl: `http://127.0.0.1:${server.uiPort}`,
    external: false,
  };
}

function externalEngine({ address, namespace }: ConnectionSettings, env: NodeJS.ProcessEnv): Engine {
  return { address, namespace, uiUrl: env.RESURGO_UI_URL, external: true };
}

/** The caller's environment without Temporal's settings: the worker is told its server on its command line. */
function workerEnv(env: NodeJS.ProcessEnv, stateDir: string): NodeJS.ProcessEnv {
  const own = Object.entries(env).filter(([name]) => !name.startsWith('TEMPORAL_'));
  return { ...Object.fromEntries(own), RESURGO_STATE: stateDir };
}

function currentBuild(options: EngineOptions, env: NodeJS.ProcessEnv): string | undefined {
  if (options.worker === false) return undefined;
  try {
    return (options.worker ?? defaultWorkerCommand(env)).build;
  } catch {
    return undefined;
  }
}

async function reachable(settings: ConnectionSettings): Promise<boolean> {
  try {
    const { connection } = await connectClient({ settings, waitMs: 2_000 });
    await connection.close();
    return true;
  } catch {
    return false;
  }
}
