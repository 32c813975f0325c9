/** Exit codes, as restic has them, and the one place that turns an error into words and a code. */
import { WorkflowUpdateFailedError } from '@temporalio/client';
import { NamespaceNotFoundError, WorkflowNotFoundError } from '@temporalio/common';
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
  const message = cause instanceof Error ? engineWords(cause) : String(cause);
  return { message, code: ownCode(cause) ?? CODES[EXIT.failed], exitCode: EXIT.failed, told: false };
}

const NAMESPACE = 'Check that TEMPORAL_NAMESPACE (or the profile in temporal.toml) names a namespace of this server';
/** By gRPC's code, what to do about a refusal of the Temporal server. */
const NEXT: Readonly<Record<number, string>> = {
  4: 'Look with `resurgo engine status` whether the server is well, and try again',
  5: NAMESPACE,
  7: 'Check the API key or the certificate in the TEMPORAL_* settings, and what it may do in this namespace',
  14: 'Look with `resurgo engine status` whether the server runs and TEMPORAL_ADDRESS is right',
  16: 'Check the API key or the certificate in the TEMPORAL_* settings',
};
const refusal = z.object({ code: z.number(), details: z.string() });
/** A server that is not there, or does not answer in time; the client has then tried again for long enough. */
const AWAY = [14, 4];

/**
 * Whether the engine could not be asked, whatever the question was. Of a namespace that has been served a moment ago, a server whose database
 * does not answer in time says that there is none.
 */
export function isEngineAway(error: unknown): boolean {
  if (error instanceof NamespaceNotFoundError) return true;
  const refused = error instanceof Error ? refusalIn(error) : undefined;
  return refused !== undefined && AWAY.includes(refused.code);
}

/** What the server answered: the cause of the client's own error, or, of a call past the client, the error itself. */
function refusalIn(error: Error): z.output<typeof refusal> | undefined {
  return refusal.safeParse(error.cause).data ?? refusal.safeParse(error).data;
}

/** The client says only which call failed; why is in what the server answered. */
function engineWords(error: Error): string {
  if (error instanceof WorkflowNotFoundError && /already completed/.test(error.message))
    return `run ${error.workflowId} has ended meanwhile: \`resurgo show ${error.workflowId}\` tells how`;
  if (error instanceof WorkflowNotFoundError)
    return `there is no run ${error.workflowId}: \`resurgo runs --all\` lists those that the server still knows`;
  if (error instanceof NamespaceNotFoundError) return `${error.message}. ${NAMESPACE}`;
  const refused = refusalIn(error);
  if (refused === undefined) return error.message;
  const said = error.message.includes(refused.details) ? error.message : `${error.message}: ${refused.details}`;
  const next = NEXT[refused.code];
  return next === undefined ? said : `${said.replace(/\.$/, '')}. ${next}`;
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
