/** Entry of the worker process: `resurgo worker`, the systemd unit, the container, and the engine's background process. */
import { createActivities } from '../activities';
import { runWorkerProcess } from './worker-process';

/** Runs the worker with the real activities until a signal, and returns the exit code. */
export function runWorker(options: { argv?: readonly string[]; env?: NodeJS.ProcessEnv } = {}): Promise<number> {
  return runWorkerProcess({ createActivities, ...options });
}

if (require.main === module) {
  // An explicit exit: the native library's threads must not keep a finished worker alive.
  void runWorker().then((code) => process.exit(code));
}
