/** Background processes that outlive the command: known by pid, start time and boot, so that a reused pid is never taken for ours. */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';

/** What tells one process from all others that ever had its pid. */
export const processIdentitySchema = z.object({
  pid: z.int().min(2),
  /** Start time in clock ticks since boot, field 22 of `/proc/PID/stat`. */
  startTicks: z.string().regex(/^\d+$/),
  bootId: z.string().min(1),
});
export type ProcessIdentity = z.infer<typeof processIdentitySchema>;

/** A log file above this many bytes is moved to `<name>.1` before a process is started on it. */
const LOG_LIMIT_BYTES = 10 * 1024 * 1024;

/** The identity of a live process, or undefined when there is none with this pid (a zombie counts as none). */
export function identify(pid: number): ProcessIdentity | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command name, in brackets, may hold spaces and brackets itself: fields are counted after the last bracket.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const startTicks = fields[19];
    if (startTicks === undefined || fields[0] === 'Z' || fields[0] === 'X') return undefined;
    const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return { pid, startTicks, bootId };
  } catch {
    return undefined;
  }
}

/** Whether exactly this process still runs. */
export function isAlive(process: ProcessIdentity): boolean {
  const now = identify(process.pid);
  return now !== undefined && now.startTicks === process.startTicks && now.bootId === process.bootId;
}

/** Live processes of this user whose arguments hold `wanted` in a row. */
export function findProcesses(wanted: readonly string[]): { process: ProcessIdentity; args: string[] }[] {
  const found = [];
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    const args = argumentsOf(name);
    if (!args.some((_, at) => wanted.every((word, offset) => args[at + offset] === word))) continue;
    const identity = identify(Number(name));
    if (identity !== undefined) found.push({ process: identity, args });
  }
  return found;
}

function argumentsOf(pid: string): string[] {
  try {
    if (statSync(`/proc/${pid}`).uid !== process.getuid?.()) return [];
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

/**
 * Starts a process in a session of its own with its output appended to a file, and leaves it behind.
 * @throws when it can't be executed
 */
export async function startDetached({
  command,
  args,
  env,
  cwd,
  logFile,
}: {
  command: string;
  args: readonly string[];
  env: NodeJS.ProcessEnv;
  cwd: string;
  logFile: string;
}): Promise<ProcessIdentity> {
  rotate(logFile);
  const log = openSync(logFile, 'a', 0o600);
  try {
    const child = spawn(command, args, { cwd, env, detached: true, stdio: ['ignore', log, log] });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    child.unref();
    const identity = child.pid === undefined ? undefined : identify(child.pid);
    if (identity === undefined) throw new Error(`${command} ended at once: ${tail(logFile)}`);
    return identity;
  } finally {
    closeSync(log);
  }
}

/**
 * Ends exactly this process: SIGTERM, then SIGKILL after `graceMs`. Returns how it went; a process with a reused pid is
 * never signalled and counts as `gone`.
 */
export async function endProcess(
  process: ProcessIdentity,
  graceMs: number,
): Promise<'gone' | 'ended' | 'killed' | 'stuck'> {
  if (!signal(process, 'SIGTERM')) return 'gone';
  if (await waitGone(process, graceMs)) return 'ended';
  if (!signal(process, 'SIGKILL')) return 'ended';
  return (await waitGone(process, 5_000)) ? 'killed' : 'stuck';
}

/** The last bytes of a file, for error messages; empty when there is none. Go's stack traces, longer than what they are about, are left out. */
export function tail(file: string, bytes = 1_000): string {
  try {
    return withoutStacks(readFileSync(file, 'utf8')).slice(-bytes).trim();
  } catch {
    return '';
  }
}

function withoutStacks(text: string): string {
  return text.replace(/^(goroutine \d+ .*:|created by .*|[\w./@*()-]+\(.*\)\n\t.*|\t.*)\n?/gm, '');
}

/** Reads a JSON record; undefined when it is absent, torn, or not of this schema. */
export function readRecord<T>(file: string, schema: z.ZodType<T>): T | undefined {
  try {
    const parsed = schema.safeParse(JSON.parse(readFileSync(file, 'utf8')));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

/** Writes a JSON record whole or not at all, mode 0600. */
export function writeRecord(file: string, record: unknown): void {
  const draft = `${file}.${process.pid}.new`;
  writeFileSync(draft, `${JSON.stringify(record, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(draft, file);
}

/** Removes a record; absent is fine. */
export function removeRecord(file: string): void {
  rmSync(file, { force: true });
}

function signal(target: ProcessIdentity, name: 'SIGTERM' | 'SIGKILL'): boolean {
  if (!isAlive(target)) return false;
  try {
    process.kill(target.pid, name);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false;
    throw error;
  }
}

async function waitGone(process: ProcessIdentity, limitMs: number): Promise<boolean> {
  const end = Date.now() + limitMs;
  while (isAlive(process)) {
    if (Date.now() >= end) return false;
    await sleep(25);
  }
  return true;
}

function rotate(logFile: string): void {
  const size = statSync(logFile, { throwIfNoEntry: false })?.size ?? 0;
  if (size > LOG_LIMIT_BYTES) renameSync(logFile, `${logFile}.1`);
}
