/** Reads a secret from where the runbook says that it lies, on the machine that this process runs on. */
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import type { Secret } from '../runbooks/types';

/** Between asking a program that is late to end and ending it, in ms. */
const GRACE_MS = 2_000;
/** No secret is longer. */
const MOST_BYTES = 1024 * 1024;

/**
 * The text as it lies there.
 * @throws Error that says why it can't be had; never with anything of the secret in it
 */
export async function readSecret({ secret, timeoutMs }: { secret: Secret; timeoutMs: number }): Promise<string> {
  const { from, value } = secret;
  if (from === 'env') {
    const found = process.env[value];
    if (found === undefined) throw new Error(`the environment variable ${value} is not set`);
    return found;
  }
  if (from === 'file') return readFile(value, 'utf8');
  return outputOf({ program: value, timeoutMs });
}

/** What it prints. The wait ends in time, also where the program ignores being asked to end, or has left a child that holds its output. */
function outputOf({ program, timeoutMs }: { program: string; timeoutMs: number }): Promise<string> {
  // At a terminal it stays in the terminal's own group, or it could not ask there; elsewhere all that it starts can be ended with it.
  const isApart = !process.stdin.isTTY;
  return new Promise((resolve, reject) => {
    const child = spawn(program, [], { stdio: ['pipe', 'pipe', 'ignore'], detached: isApart });
    const output: Buffer[] = [];
    let bytes = 0;
    let late: string | undefined;
    let grace: NodeJS.Timeout | undefined;
    const signal = (name: 'SIGTERM' | 'SIGKILL') => {
      const { pid } = child;
      if (pid === undefined) return;
      try {
        process.kill(isApart ? -pid : pid, name);
      } catch {
        // It has ended.
      }
    };
    const failed = (how: string) => {
      clearTimeout(timer);
      clearTimeout(grace);
      child.stdout.destroy();
      reject(new Error(`${program} ${how}`));
    };
    const giveUp = (how: string) => {
      if (late !== undefined) return;
      late = how;
      signal('SIGTERM');
      grace = setTimeout(() => {
        signal('SIGKILL');
        failed(how);
      }, GRACE_MS);
    };
    const timer = setTimeout(() => {
      giveUp('did not end in time');
    }, timeoutMs);
    child.stdout.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= MOST_BYTES) output.push(chunk);
      else giveUp('printed more than any secret is long');
    });
    child.stdin.on('error', () => undefined);
    child.on('error', (error: NodeJS.ErrnoException) => {
      failed(`can't be run (${error.code ?? 'failed'})`);
    });
    child.on('close', (code) => {
      if (late !== undefined) {
        // Something of its group may still be there: it is ended when the grace is over.
        return;
      }
      if (code !== 0) {
        failed(code === null ? 'failed' : `ended with exit ${code}`);
        return;
      }
      clearTimeout(timer);
      resolve(Buffer.concat(output).toString('utf8'));
    });
  });
}
