/** What every command starts from: the global options, the runbook, the fleet, the engine. */
import { hostname, userInfo } from 'node:os';
import type { Client } from '@temporalio/client';
import { z } from 'zod';
import { loadDirectorKeys } from '../hosts/director-keys';
import type { Hosts } from '../hosts/hosts';
import { SshHosts } from '../hosts/ssh-hosts';
import { groupSetup } from '../planning/run-input';
import type { GroupSetup } from '../planning/run-input';
import { parseRunbook, readText } from '../runbooks/load';
import type { Runbook } from '../runbooks/types';
import { connectEngine, engineStatus, hasEngine, type Engine } from '../workers/engine';
import { prepareState, stateDir } from '../workers/paths';
import { CliError, EXIT } from './exit';
import { Output } from './output';

type GlobalOptions = z.infer<typeof globals>;

/** The surroundings of one command; what it opens is closed by {@link CliContext.close}. */
export class CliContext {
  readonly out: Output;
  readonly stateDir = stateDir();
  private readonly closers: (() => Promise<void>)[] = [];

  constructor(private readonly options: GlobalOptions) {
    this.out = new Output({ json: options.json === true, quiet: options.quiet === true });
  }

  /** The runbook named by `--runbook`, with its text. @throws RunbookError, also when it can't be read */
  runbook(): { runbook: Runbook; text: string } {
    const { runbook: file } = this.options;
    const text = readText({ file });
    return { runbook: parseRunbook({ text, file }), text };
  }

  /** Where the runbook lies, as it was named. */
  runbookFile(): string {
    return this.options.runbook;
  }

  /** A group's setup; without a name, the only one of the runbook. @throws CliError for an unknown or ambiguous group */
  async group(name?: string): Promise<{ setup: GroupSetup; runbook: Runbook }> {
    const { runbook, text } = this.runbook();
    const names = Object.keys(runbook.groups);
    if (names.length === 0)
      throw new CliError(
        'the runbook has no group: nothing is backed up yet. `resurgo init` writes an example with one',
        EXIT.usage,
      );
    const group = name ?? (names.length === 1 ? names[0] : undefined);
    if (group === undefined) throw new CliError(`name a group: ${names.join(', ')}`, EXIT.usage);
    if (!Object.hasOwn(runbook.groups, group)) {
      throw new CliError(`the runbook has no group "${group}"; it knows ${names.join(', ')}`, EXIT.usage);
    }
    const directorId = await this.directorId();
    return { runbook, setup: groupSetup({ runbook, group, runbookText: text, directorId }) };
  }

  /** Which director this is: the beginning of its public signing key, so that two directors are told apart (S4). */
  async directorId(): Promise<string> {
    const keys = await loadDirectorKeys({ stateDir: this.stateDir });
    return `director-${keys.signing.publicHex.slice(0, 12)}`;
  }

  /** The fleet over ssh. @throws NoKeysError before the first enrolment */
  async hosts(): Promise<Hosts> {
    prepareState(this.stateDir);
    const hosts = await SshHosts.open({ stateDir: this.stateDir });
    this.closers.push(() => hosts.close());
    return hosts;
  }

  /** The engine, started if need be. @throws EngineError, EngineUnreachableError */
  async engine(): Promise<{ client: Client; engine: Engine }> {
    const { client, connection, engine } = await connectEngine({ stateDir: this.stateDir });
    this.closers.push(() => connection.close());
    return { client, engine };
  }

  /** The same, to ask of what was; undefined where no engine has ever run: none is started to say that it knows of nothing. */
  async pastEngine(): Promise<{ client: Client; engine: Engine } | undefined> {
    return hasEngine({ stateDir: this.stateDir }) ? this.engine() : undefined;
  }

  /** As {@link pastEngine}, but starts none that is stopped: who only looks must not set runs going again. */
  async standingEngine(): Promise<{ client: Client; engine: Engine } | 'stopped' | undefined> {
    if (!hasEngine({ stateDir: this.stateDir })) return undefined;
    const { external, serving } = await engineStatus({ stateDir: this.stateDir });
    return external || serving ? this.engine() : 'stopped';
  }

  /** Why {@link pastEngine} has none. */
  neverRan(): string {
    return `no engine has ever run here (${this.stateDir}). RESURGO_STATE names another state folder, TEMPORAL_ADDRESS an engine elsewhere`;
  }

  async close(): Promise<void> {
    for (const close of this.closers.splice(0).reverse()) await close();
  }
}

/** Who is asking, for the history: `anna@director`. */
export function operator(): string {
  return `${userInfo().username}@${hostname()}`;
}

const globals = z.object({ runbook: z.string(), json: z.boolean().optional(), quiet: z.boolean().optional() });

/** Runs a command's body with its context and closes what it opened; the body's value is the exit code. */
export async function run(
  command: { optsWithGlobals(): unknown },
  body: (context: CliContext) => Promise<number>,
): Promise<void> {
  const context = new CliContext(globals.parse(command.optsWithGlobals()));
  try {
    process.exitCode = await body(context);
  } finally {
    await context.close();
  }
}
