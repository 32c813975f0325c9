/** Where the director keeps its state on this machine. */
import { chmodSync, lstatSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { EngineError } from './errors';

/** The folders and files below the state folder; all folders have mode 0700. */
export interface StatePaths {
  /** The state folder itself. */
  root: string;
  /** The embedded server's SQLite file. */
  db: string;
  /** Which version of the Temporal CLI made {@link db}. */
  dbVersion: string;
  /** Log folder: server, worker and command line. */
  logs: string;
  /** One log file per run, `<run id>.log`. */
  runLogs: string;
  serverLog: string;
  workerLog: string;
  /** What a worker process writes outside its logger (a crash of the runtime, say). */
  workerOutput: string;
  /** Folder of the records of background processes. */
  run: string;
  serverRecord: string;
  workerRecord: string;
  /** Written by the worker itself once it takes work. */
  workerReady: string;
  /** Ports of the embedded server, kept over restarts. */
  ports: string;
  /** Held while a command starts or stops the engine. */
  lock: string;
  /** The director's keys. */
  keys: string;
}

/**
 * The state folder's path: `RESURGO_STATE`, else for root `/var/lib/resurgo-director`, else `$XDG_STATE_HOME/resurgo`
 * (`~/.local/state/resurgo` without it).
 * @throws EngineError `state-folder` when `RESURGO_STATE` is not an absolute path
 */
export function stateDir(env: NodeJS.ProcessEnv = process.env): string {
  const set = env.RESURGO_STATE;
  if (set !== undefined && set !== '') {
    if (!path.isAbsolute(set)) {
      throw new EngineError({
        code: 'state-folder',
        step: 'finding the state folder',
        problem: `RESURGO_STATE is "${set}", which is not an absolute path`,
        next: 'Set RESURGO_STATE to an absolute path, or unset it.',
      });
    }
    return path.normalize(set);
  }
  if (process.getuid?.() === 0) return '/var/lib/resurgo-director';
  const xdg = env.XDG_STATE_HOME;
  const base = xdg !== undefined && path.isAbsolute(xdg) ? xdg : path.join(env.HOME ?? homedir(), '.local', 'state');
  return path.join(base, 'resurgo');
}

/** The paths below a state folder; touches nothing. */
export function statePaths(root: string): StatePaths {
  const logs = path.join(root, 'logs');
  const run = path.join(root, 'run');
  return {
    root,
    db: path.join(root, 'engine', 'temporal.db'),
    dbVersion: path.join(root, 'engine', 'temporal.version'),
    logs,
    runLogs: path.join(logs, 'runs'),
    serverLog: path.join(logs, 'temporal.log'),
    workerLog: path.join(logs, 'worker.log'),
    workerOutput: path.join(logs, 'worker.out'),
    run,
    serverRecord: path.join(run, 'server.json'),
    workerRecord: path.join(run, 'worker.json'),
    workerReady: path.join(run, 'worker-ready.json'),
    ports: path.join(root, 'engine', 'ports.json'),
    lock: path.join(run, 'engine.lock'),
    keys: path.join(root, 'keys'),
  };
}

/**
 * Makes the state folder and its folders, each with mode 0700, and returns their paths.
 * @throws EngineError `state-folder` when one can't be made, isn't a folder, or belongs to another user
 */
export function prepareState(root: string = stateDir()): StatePaths {
  const paths = statePaths(root);
  for (const folder of [paths.root, path.dirname(paths.db), paths.logs, paths.runLogs, paths.run, paths.keys]) {
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      // A symlink or another user's folder could hand keys and database to that user.
      const stat = lstatSync(folder);
      if (!stat.isDirectory()) throw new Error('it is not a folder of its own');
      if (stat.uid !== process.getuid?.()) throw new Error(`it belongs to user id ${stat.uid}`);
      if ((stat.mode & 0o777) !== 0o700) chmodSync(folder, 0o700);
    } catch (error) {
      throw new EngineError({
        code: 'state-folder',
        step: 'preparing the state folder',
        problem: `${folder}: ${error instanceof Error ? error.message : String(error)}`,
        next: 'Run resurgo as the user that owns the folder (sudo -u), mend the folder (space, read-only mount), or set RESURGO_STATE to another one.',
        cause: error,
      });
    }
  }
  return paths;
}
