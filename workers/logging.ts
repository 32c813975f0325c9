/** Logs as JSON lines: one file for the process and one per run, each line with run id, host and step where they are known. */
import { mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import type { LogLevel, LogMetadata, Logger as TemporalLogger } from '@temporalio/common';
import pino, { type DestinationStream, type Level, type Logger } from 'pino';
import { redactLine } from './redact';

export type { Logger } from 'pino';

/** A log file above this many bytes becomes `<name>.1`. */
const LIMIT_BYTES = 20 * 1024 * 1024;
/** Open files of runs at once; the least recent is closed first. */
const OPEN_RUNS = 32;
const RUN_LOG_DAYS = 400;
/** The field as pino writes it: within a string value its quotes would be escaped. */
const RUN_FIELD = /"run":"([a-z0-9][a-z0-9-]{7,47})"/;

/** Where lines go. */
export interface LogOptions {
  /** The process's own log file. */
  file: string;
  /** Folder of the per-run files `<run>.log`; a line with a field `run` goes there as well. */
  runsFolder?: string;
  /** Write to standard output too (under systemd and in containers). @default false */
  stdout?: boolean;
  /** @default `RESURGO_LOG_LEVEL` or "info" */
  level?: string;
}

/**
 * A pino logger whose fields `run`, `host` and `step` say what a line is about: pass them with `logger.child({ run, host })`.
 * Secrets are blotted out of the finished line, whichever way they came into it. Files have mode 0600.
 */
export function createLogger({ file, runsFolder, stdout = false, level }: LogOptions): Logger {
  const main = rotating(file);
  const runs = runsFolder === undefined ? undefined : runFiles(runsFolder);
  const stream: DestinationStream = {
    write(raw) {
      const line = redactLine(raw);
      main.write(line);
      if (stdout) process.stdout.write(line);
      const run = RUN_FIELD.exec(line)?.[1];
      if (run !== undefined) runs?.(run).write(line);
    },
  };
  return pino(
    { level: level ?? process.env.RESURGO_LOG_LEVEL ?? 'info', timestamp: pino.stdTimeFunctions.isoTime },
    stream,
  );
}

const levels: Record<LogLevel, Level> = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' };

/** Temporal's logger (SDK, native core, `log` of workflows and activities) on top of ours. */
export function temporalLogger(logger: Logger): TemporalLogger {
  const log = (level: LogLevel, message: string, meta: LogMetadata = {}): void => {
    const { error, ...fields } = meta;
    logger[levels[level]](
      { ...runOf(fields), ...fields, ...(error === undefined ? {} : { err: error as unknown }) },
      message,
    );
  };
  return {
    log,
    trace: (message, meta) => {
      log('TRACE', message, meta);
    },
    debug: (message, meta) => {
      log('DEBUG', message, meta);
    },
    info: (message, meta) => {
      log('INFO', message, meta);
    },
    warn: (message, meta) => {
      log('WARN', message, meta);
    },
    error: (message, meta) => {
      log('ERROR', message, meta);
    },
  };
}

/** Removes per-run logs that nothing was written to for {@link RUN_LOG_DAYS} days. */
export function sweepRunLogs(folder: string, now = Date.now()): void {
  for (const name of readdirSync(folder)) {
    const file = path.join(folder, name);
    const age = now - (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? now);
    if (age > RUN_LOG_DAYS * 86_400_000) rmSync(file, { force: true });
  }
}

/**
 * Workflow ids read `<kind>/<group>/<run id>`: the last part is the run. What a line of a run doesn't say of its place was done on the
 * director, by the workflow itself or by the activity named.
 */
function runOf(fields: LogMetadata): { run?: string; host?: string; step?: string } {
  if (typeof fields.workflowId !== 'string') return {};
  const run = /^[a-z-]+\/[^/]+\/([a-z0-9][a-z0-9-]{7,47})(?:\/|$)/.exec(fields.workflowId)?.[1];
  const step = typeof fields.activityType === 'string' ? fields.activityType : 'workflow';
  return run === undefined ? {} : { run, host: 'director', step };
}

function rotating(file: string): DestinationStream {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  // Synchronous: the lines before a crash are the ones that matter.
  const sink = pino.destination({ dest: file, sync: true, mode: 0o600 });
  let written = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  return {
    write(line) {
      if (written > LIMIT_BYTES) {
        renameSync(file, `${file}.1`);
        sink.reopen();
        written = 0;
      }
      written += line.length;
      sink.write(line);
    },
  };
}

function runFiles(folder: string): (run: string) => DestinationStream {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const open = new Map<string, ReturnType<typeof pino.destination>>();
  return (run) => {
    const sink = open.get(run) ?? pino.destination({ dest: path.join(folder, `${run}.log`), sync: true, mode: 0o600 });
    open.delete(run);
    open.set(run, sink);
    const oldest = open.keys().next().value;
    if (open.size > OPEN_RUNS && oldest !== undefined) {
      open.get(oldest)?.end();
      open.delete(oldest);
    }
    return sink;
  };
}
