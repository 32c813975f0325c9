/** Exit codes, as restic has them, and the one place that turns an error into words and a code. */
import { WorkflowUpdateFailedError } from '@temporalio/client';
import { CommanderError } from 'commander';
import { z } from 'zod';
import { RunbookError } from '../runbooks/issues';

export const EXIT = {
  ok: 0,
  failed: 1,
  /** The command line, or the runbook, is wrong: nothing was started. */
  usage: 2,
  /** Something was saved or brought back, but not all of it. */
  incomplete: 3,
  /** Interrupted by the user; a run that was started goes on. */
  cancelled: 130,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** An error that already says what to do; shown without a stack. */
export class CliError extends Error {
  constructor(
    message: string,
    readonly exitCode: ExitCode = EXIT.failed,
  ) {
    super(message);
    this.name = 'CliError';
  }
}

/** What is to be told of an error. */
export interface Explained {
  message: string;
  /** For scripts: the error's own code where it has one (`unreachable`), else `usage`, `cancelled` or `failed`. */
  code: string;
  exitCode: ExitCode;
  /** It is on stderr already. */
  told: boolean;
}

/** The words, the code and the exit code of anything that was thrown. */
export function explain(error: unknown): Explained {
  if (error instanceof CliError)
    return { message: error.message, code: CODES[error.exitCode], exitCode: error.exitCode, told: false };
  if (error instanceof RunbookError)
    return { message: error.message, code: 'bad-runbook', exitCode: EXIT.usage, told: false };
  if (error instanceof CommanderError) {
    const exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    return { message: error.message.replace(/^error: /, ''), code: CODES[exitCode], exitCode, told: true };
  }
  // The engine wraps what the workflow said; only that is of use.
  const cause = error instanceof WorkflowUpdateFailedError ? (error.cause ?? error) : error;
  const message = cause instanceof Error ? cause.message : String(cause);
  return { message, code: ownCode(cause) ?? CODES[EXIT.failed], exitCode: EXIT.failed, told: false };
}

const CODES: Record<ExitCode, string> = {
  [EXIT.ok]: 'ok',
  [EXIT.failed]: 'failed',
  [EXIT.usage]: 'usage',
  [EXIT.incomplete]: 'incomplete',
  [EXIT.cancelled]: 'cancelled',
};

/** The code that our own errors carry. */
function ownCode(error: unknown): string | undefined {
  const { data } = z.object({ code: z.string() }).safeParse(error);
  return data?.code;
}
