/** Exit codes, as restic has them, and the one place that turns an error into words and a code. */
import { WorkflowUpdateFailedError } from '@temporalio/client';
import { CommanderError } from 'commander';
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

/** The words and the exit code of anything that was thrown. */
export function explain(error: unknown): { message: string; exitCode: ExitCode } {
  if (error instanceof CliError) return { message: error.message, exitCode: error.exitCode };
  if (error instanceof RunbookError) return { message: error.message, exitCode: EXIT.usage };
  if (error instanceof CommanderError) {
    const fine =
      error.code === 'commander.helpDisplayed' || error.code === 'commander.version' || error.code === 'commander.help';
    return { message: '', exitCode: fine ? EXIT.ok : EXIT.usage };
  }
  // The engine wraps what the workflow said; only that is of use.
  if (error instanceof WorkflowUpdateFailedError && error.cause !== undefined)
    return { message: error.cause.message, exitCode: EXIT.failed };
  return { message: error instanceof Error ? error.message : String(error), exitCode: EXIT.failed };
}
