/** The command line: parse, hand over to one command, exit with its code. */
import { Command } from '@commander-js/extra-typings';
import { registerAdopt } from './commands/adopt';
import { registerBackup } from './commands/backup';
import { registerCompletion } from './commands/completion';
import { registerDoctor } from './commands/doctor';
import { registerDiff } from './commands/diff';
import { registerEngine } from './commands/engine';
import { registerEnroll } from './commands/enroll';
import { registerFind } from './commands/find';
import { registerHand } from './commands/hand';
import { registerHold } from './commands/hold';
import { registerHelp } from './commands/help';
import { registerLayout } from './commands/layout';
import { registerList } from './commands/list';
import { registerNetboot } from './commands/netboot';
import { registerPrune } from './commands/prune';
import { registerRecover } from './commands/recover';
import { registerRescue } from './commands/rescue';
import { registerRestore } from './commands/restore';
import { registerRunbook } from './commands/runbook';
import { registerRuns } from './commands/runs';
import { registerSchedule } from './commands/schedule';
import { registerShow } from './commands/show';
import { registerSnapshots } from './commands/snapshots';
import { registerStatus } from './commands/status';
import { EXIT, explain } from './exit';
import { watchOutput } from './output';
import { packageVersion } from '../workers/bundle';

/** In the order of `--help`: what a new operator needs first comes first. */
const COMMANDS = [
  registerRunbook,
  registerEnroll,
  registerDoctor,
  registerBackup,
  registerRestore,
  registerRecover,
  registerStatus,
  registerList,
  registerShow,
  registerFind,
  registerDiff,
  registerAdopt,
  registerPrune,
  registerHold,
  registerSchedule,
  registerRuns,
  registerHand,
  registerSnapshots,
  registerLayout,
  registerRescue,
  registerNetboot,
  registerEngine,
  registerCompletion,
  registerHelp,
];

/** The whole program, for the entry below and for tests. */
export function program(): Command {
  const root = new Command('resurgo')
    .description('Linux disaster recovery as durable runbooks')
    .version(packageVersion())
    .option('-r, --runbook <file>', 'the runbook', process.env.RESURGO_RUNBOOK ?? 'resurgo.yaml')
    .option('--json', 'one JSON object a line instead of text')
    .option('-q, --quiet', 'only results and trouble')
    .addHelpText('after', '\nExample:\n  $ resurgo init\n  $ resurgo backup portal\n  $ resurgo help restore')
    .helpCommand(false)
    .showHelpAfterError('(see --help)')
    .exitOverride();
  for (const register of COMMANDS) register(root);
  return root;
}

/** Parses and carries out one command line; what goes wrong is told, and the exit code says it. Never throws. */
export async function carryOut(argv: readonly string[]): Promise<number> {
  const root = program();
  try {
    await root.parseAsync([...argv]);
    return Number(process.exitCode ?? EXIT.ok);
  } catch (error) {
    const { message, told, code, exitCode } = explain(error);
    if (!told) process.stderr.write(`${message}\n`);
    // Known once the line was parsed, wherever on it the option stands.
    if (exitCode !== EXIT.ok && root.getOptionValue('json') === true)
      process.stdout.write(`${JSON.stringify({ type: 'error', code, message: message.trim() })}\n`);
    return exitCode;
  }
}

/** Runs the command line and ends the process. */
export async function main(argv: readonly string[]): Promise<void> {
  watchOutput();
  process.exitCode = await carryOut(argv);
  // An error of the last write is told in a later turn.
  await new Promise((resolve) => setImmediate(resolve));
  // An unfinished handle (a broken connection's timer, say) must not keep a finished command alive.
  process.exit();
}

if (require.main === module || process.env.RESURGO_MAIN === '1') void main(process.argv);
