/** While the background worker lives it watches over the embedded server, so that a crash at night needs no command to mend it. */
import { readRecord } from './processes';
import { workerRecordSchema } from './background-worker';
import { findServer, serverAddress, startServer } from './embedded-server';
import { withLock } from './lock';
import type { Logger } from './logging';
import type { StatePaths } from './paths';

const LOOK_EVERY_MS = 3_000;
const SLOWEST_MS = 60_000;

/** Options of {@link startKeeper}. */
export interface KeeperOptions {
  paths: StatePaths;
  /** The server that this worker serves. */
  address: string;
  logger: Logger;
  env: NodeJS.ProcessEnv;
  /** Called once when this worker has no business any more: it was replaced, its state folder is gone, or its server moved. */
  onUseless: (reason: string) => void;
}

/** Starts watching; the function it returns ends that. */
export function startKeeper({ paths, address, logger, env, onUseless }: KeeperOptions): () => void {
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  const stop = (): void => {
    stopped = true;
    clearTimeout(timer);
  };
  const useless = (reason: string): void => {
    stop();
    onUseless(reason);
  };
  const look = async (): Promise<boolean> => {
    const own = (): boolean => readRecord(paths.workerRecord, workerRecordSchema)?.process.pid === process.pid;
    if (!own()) {
      useless('its record is gone or names another worker');
      return true;
    }
    if (findServer(paths) !== undefined) return true;
    logger.warn('the embedded server is gone; starting it again');
    await withLock({ file: paths.lock, waitMs: 60_000 }, async () => {
      // A stop may have had the lock before us.
      if (stopped || !own()) return;
      const { server } = await startServer({ paths, env, download: false });
      if (serverAddress(server) !== address)
        useless(`the server is at ${serverAddress(server)} now, not at ${address}`);
    });
    return true;
  };
  const again = (delayMs: number): void => {
    if (stopped) return;
    timer = setTimeout(() => {
      look().then(
        () => {
          again(LOOK_EVERY_MS);
        },
        (error: unknown) => {
          logger.error({ err: error }, 'the embedded server could not be started again');
          again(Math.min(delayMs * 2, SLOWEST_MS));
        },
      );
    }, delayMs);
  };
  again(LOOK_EVERY_MS);
  return stop;
}
