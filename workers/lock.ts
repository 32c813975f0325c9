/** One command at a time may start or stop the engine of a state folder. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { EngineError } from './errors';

/**
 * Runs `work` while holding the lock file. The lock is the kernel's (`flock`), held by a small child that ends with its
 * standard input: it is free the moment this process ends, however it ends, so no stale lock can exist.
 * @param waitMs how long to wait for another holder
 * @throws EngineError `engine-busy` when another command holds it for longer
 */
export async function withLock<T>(
  { file, waitMs }: { file: string; waitMs: number },
  work: () => Promise<T>,
): Promise<T> {
  const seconds = Math.max(0.1, waitMs / 1_000).toFixed(1);
  const holder = spawn('flock', ['--timeout', seconds, file, 'sh', '-c', 'echo held; exec cat'], {
    stdio: ['pipe', 'pipe', 'ignore'],
    // A session of its own: Ctrl-C at the terminal must not take the lock from a command that is still at work.
    detached: true,
  });
  const ended = new Promise<string>((resolve) => {
    holder.once('error', (error) => {
      resolve(`flock can't be run (${error.message})`);
    });
    holder.once('exit', () => {
      resolve(`another command has held ${file} for ${seconds} s`);
    });
  });
  // The holder may be gone before we let go of it; that is no news.
  holder.stdin.on('error', () => undefined);
  const failure = await Promise.race([once(holder.stdout, 'data').then(() => undefined), ended]);
  if (failure !== undefined) {
    throw new EngineError({
      code: 'engine-busy',
      step: 'taking the engine lock',
      problem: failure,
      next: 'Wait for the other resurgo command to end and try again; flock comes with util-linux.',
    });
  }
  try {
    return await work();
  } finally {
    holder.stdin.end();
    await ended;
  }
}
