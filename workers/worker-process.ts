/** The worker process: settings, logs, connection, signals; ends with code 0 on SIGTERM and SIGINT, 1 when it fails. */
import { parseArgs } from 'node:util';
import { Runtime } from '@temporalio/worker';
import { CurrentHosts } from '../hosts/current-hosts';
import { connectAtBoot } from './boot-wait';
import { workflowBundlePath } from './bundle';
import { connectClient, DEFAULT_NAMESPACE, externalSettings, type ConnectionSettings } from './connection';
import { findServer, serverAddress } from './embedded-server';
import { EngineError } from './errors';
import { startKeeper } from './keeper';
import { createLogger, sweepRunLogs, temporalLogger, type Logger } from './logging';
import { prepareState, stateDir as defaultStateDir, type StatePaths } from './paths';
import { identify, writeRecord } from './processes';
import { registerSearchAttributes } from './search-attributes';
import { startSweeper, sweepOnce, sweepTimes } from './sweeper';
import { createWorkers, SHUTDOWN_FORCE_MS, type Activities } from './worker';

/** Makes the activities once their surroundings are known. */
export type ActivityFactory = (deps: { stateDir: string; logger: Logger }) => Activities;

/** Options of {@link runWorkerProcess}. */
export interface WorkerProcessOptions {
  createActivities: ActivityFactory;
  /** Without node and script. @default process.argv.slice(2) */
  argv?: readonly string[];
  /** @default process.env */
  env?: NodeJS.ProcessEnv;
}

/**
 * Runs the workers until a signal, and returns the exit code. Call it once per process: it installs Temporal's runtime.
 *
 * Arguments: `--state FOLDER` (default: as every command), `--embedded HOST:PORT` (the embedded server, instead of Temporal's
 * own configuration), `--background` (started by the engine: report readiness and watch over the server).
 */
export async function runWorkerProcess(options: WorkerProcessOptions): Promise<number> {
  const { argv = process.argv.slice(2), env = process.env } = options;
  const { values } = parseArgs({
    args: [...argv],
    options: {
      state: { type: 'string' },
      embedded: { type: 'string' },
      background: { type: 'boolean', default: false },
    },
  });
  const paths = prepareState(values.state ?? defaultStateDir(env));
  const logger = createLogger({ file: paths.workerLog, runsFolder: paths.runLogs, stdout: !values.background });
  const stop = stopSignal(logger);
  try {
    const settings = workerSettings({ embedded: values.embedded, paths, env });
    await serve({ options, settings, paths, env, logger, stop, background: values.background });
    logger.info('the worker has ended; remote jobs go on');
    return 0;
  } catch (error) {
    if (stop.aborted) {
      logger.warn({ err: error }, 'the worker was told to end and could not do so in order; remote jobs go on');
      return 0;
    }
    const known = error instanceof EngineError;
    // A known error says what to do; where in the code it arose helps nobody.
    if (known) logger.fatal({ code: error.code, address: error.host }, `the worker has not started: ${error.message}`);
    else logger.fatal({ err: error }, 'the worker failed');
    if (known || values.background) process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
}

interface Service {
  options: WorkerProcessOptions;
  settings: ConnectionSettings;
  paths: StatePaths;
  env: NodeJS.ProcessEnv;
  logger: Logger;
  stop: AbortSignal;
  background: boolean;
}

async function serve(service: Service): Promise<void> {
  const { options, settings, paths, env, logger, stop, background } = service;
  sweepRunLogs(paths.runLogs);
  Runtime.install({
    logger: temporalLogger(logger),
    telemetryOptions: { logging: { filter: { core: 'WARN', other: 'ERROR' }, forward: {} } },
    // Ours are handled above: they also end a worker that is still looking for its server.
    shutdownSignals: [],
  });
  const bundlePath = workflowBundlePath(env);
  const connection = await orStopped(stop, connectAtBoot({ settings, logger }));
  if (settings.external) await registerWithExternal(settings, logger);
  const activities = options.createActivities({ stateDir: paths.root, logger });
  const workers = await createWorkers({ connection, namespace: settings.namespace, bundlePath, activities });
  let useless: string | undefined;
  const stopKeeper = background
    ? startKeeper({
        ...{ paths, env, logger, address: settings.address },
        onUseless: (reason) => {
          useless = reason;
          workers.shutdown();
        },
      })
    : undefined;
  stop.addEventListener('abort', workers.shutdown);
  stop.throwIfAborted();
  const running = workers.run();
  logger.info({ address: settings.address, namespace: settings.namespace, pid: process.pid }, 'the worker takes work');
  if (background) writeRecord(paths.workerReady, { process: identify(process.pid) });
  const stopSweeper = sweeping(service);
  try {
    await running;
  } finally {
    stopKeeper?.();
    await stopSweeper();
  }
  if (useless !== undefined) logger.warn(`the worker ended by itself: ${useless}`);
  await connection.close();
}

/** The periodic sweep (S8) beside the workers, each on a connection of its own; the function it returns ends it. */
function sweeping({ settings, paths, env, logger }: Service): () => Promise<void> {
  const { everyMs, afterMs } = sweepTimes(env);
  const hosts = new CurrentHosts({ stateDir: paths.root });
  const stop = startSweeper({
    everyMs,
    logger,
    sweep: async (signal) => {
      const { client, connection } = await connectClient({ settings });
      try {
        await sweepOnce({ client, hosts, logger, afterMs, signal });
      } finally {
        await connection.close();
      }
    },
  });
  return async () => {
    await stop();
    await hosts.close();
  };
}

/** Aborts at SIGTERM or SIGINT. Whatever hangs then, the process ends soon after the workers' own limit. */
function stopSignal(logger: Logger): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.on(name, () => {
      logger.info({ signal: name }, 'ending: detaching from running jobs');
      controller.abort(new Error(name));
      setTimeout(() => {
        logger.warn('ending without waiting any longer; remote jobs go on');
        process.exit(0);
      }, SHUTDOWN_FORCE_MS + 1_000).unref();
    });
  }
  return controller.signal;
}

function workerSettings({
  embedded,
  paths,
  env,
}: {
  embedded: string | undefined;
  paths: StatePaths;
  env: NodeJS.ProcessEnv;
}): ConnectionSettings {
  if (embedded !== undefined) return { address: embedded, namespace: DEFAULT_NAMESPACE, external: false };
  const external = externalSettings(env);
  if (external !== undefined) return external;
  const server = findServer(paths);
  if (server !== undefined) return { address: serverAddress(server), namespace: DEFAULT_NAMESPACE, external: false };
  throw new EngineError({
    code: 'config',
    step: 'finding the Temporal server',
    problem: 'no address is configured and no embedded server runs',
    next: 'Set TEMPORAL_ADDRESS (or a profile in temporal.toml), or run `resurgo engine start`, which brings its own worker.',
  });
}

/** On a server of somebody else's a missing right is his to mend: said in the log, and no reason not to work. */
async function registerWithExternal(settings: ConnectionSettings, logger: Logger): Promise<void> {
  const { connection } = await connectClient({ settings });
  try {
    const added = await registerSearchAttributes({ connection, namespace: settings.namespace });
    if (added.length > 0) logger.info({ added }, 'search attributes registered');
  } catch (error) {
    logger.error({ err: error }, 'search attributes are missing: runs that set them will wait until they are there');
  } finally {
    await connection.close();
  }
}

async function orStopped<T>(stop: AbortSignal, work: Promise<T>): Promise<T> {
  stop.throwIfAborted();
  return new Promise((resolve, reject) => {
    stop.addEventListener('abort', () => {
      reject(stop.reason as Error);
    });
    work.then(resolve, reject);
  });
}
