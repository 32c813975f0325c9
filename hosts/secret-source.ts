/** Reads a secret from where the runbook says that it lies, on the machine that this process runs on. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { z } from 'zod';
import type { Secret } from '../runbooks/types';

const runFile = promisify(execFile);

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
  try {
    return (await runFile(value, [], { timeout: timeoutMs })).stdout;
  } catch (error) {
    // Node's own message holds what the program has printed.
    throw new Error(`${value} ${howItFailed(error)}`);
  }
}

const failure = z.object({ killed: z.boolean().optional(), code: z.union([z.number(), z.string()]).nullish() });

function howItFailed(error: unknown): string {
  const { killed = false, code } = failure.safeParse(error).data ?? {};
  if (killed) return 'did not end in time';
  if (typeof code === 'number') return `ended with exit ${code}`;
  return typeof code === 'string' ? `can't be run (${code})` : 'failed';
}
