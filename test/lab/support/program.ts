/** Runs a program of the lab to its end, bounded. */
import { spawn } from 'node:child_process';

export interface Output {
  code: number;
  stdout: string;
  stderr: string;
}

export interface CommandOptions {
  /** Bytes for the command's standard input. */
  input?: string;
  /** After this long the command is killed and the call fails. Default 60 s. */
  timeoutMs?: number;
  /** Return a failed command's output instead of throwing. */
  mayFail?: boolean;
}

/** How long one command may take when the caller says nothing, in milliseconds. */
const DEFAULT_TIMEOUT_MS = 60_000;

/** A lab command that failed or ran out of time. */
export class LabError extends Error {
  constructor(
    message: string,
    readonly output: Output,
  ) {
    super(message);
    this.name = 'LabError';
  }
}

/**
 * Runs it with what it starts as one process group. The output is bounded by what a test asks for, so it is kept whole.
 * @throws LabError when it fails, unless `mayFail`, or when it is late
 */
export function runProgram(options: CommandOptions & { command: readonly [string, ...string[]] }): Promise<Output> {
  const { command, input = '', timeoutMs = DEFAULT_TIMEOUT_MS, mayFail = false } = options;
  const [program, ...words] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(program, words, { stdio: 'pipe', detached: true });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      // The group: what the program started must not outlive it.
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    }, timeoutMs);
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    // A command that ends without reading its input is no fault of the lab.
    child.stdin.on('error', () => undefined);
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      const output = {
        code: code ?? -1,
        stdout: Buffer.concat(stdout).toString(),
        stderr: Buffer.concat(stderr).toString(),
      };
      const what = `${program.slice(program.lastIndexOf('/') + 1)} ${words.join(' ').slice(0, 500)}`;
      if (late) reject(new LabError(`${what}: not within ${timeoutMs} ms: ${output.stderr.slice(-2000)}`, output));
      else if (output.code !== 0 && !mayFail)
        reject(new LabError(`${what}: exit ${output.code}: ${output.stderr.slice(-2000)}`, output));
      else resolve(output);
    });
    child.stdin.end(input);
  });
}
