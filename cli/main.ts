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
import { registerList } from './commands/list';
import { registerPrune } from './commands/prune';
import { registerRestore } from './commands/restore';
import { registerRunbook } from './commands/runbook';
import { registerRuns } from './commands/runs';
import { registerSchedule } from './commands/schedule';
import { registerSnapshots } from './commands/snapshots';
import { registerStatus } from './commands/status';
import { EXIT, explain } from './exit';
import { packageVersion } from '../workers/bundle';

/** In the order of `--help`: what a new operator needs first comes first. */
const COMMANDS = [
  registerRunbook,
  registerEnroll,
  registerDoctor,
  registerBackup,
  registerRestore,
  registerStatus,
  registerList,
  registerFind,
  registerDiff,
  registerAdopt,
  registerPrune,
  registerSchedule,
  registerRuns,
  registerHand,
  registerSnapshots,
  registerEngine,
  registerCompletion,
];

/** The whole program, for the entry below and for tests. */
export function program(): Command {
  const root = new Command('resurgo')
    .description('Linux disaster recovery as durable runbooks')
    .version(packageVersion())
    .option('-r, --runbook <file>', 'the runbook', process.env.RESURGO_RUNBOOK ?? 'resurgo.yaml')
    .option('--json', 'one JSON object a line instead of text')
    .option('-q, --quiet', 'only results and trouble')
    .showHelpAfterError('(see --help)')
    .exitOverride();
  for (const register of COMMANDS) register(root);
  return root;
}

/** Runs the command line; sets the exit code, never throws. */
export async function main(argv: readonly string[]): Promise<void> {
  try {
    await program().parseAsync([...argv]);
  } catch (error) {
    const { message, exitCode } = explain(error);
    if (message !== '') process.stderr.write(`${message}\n`);
    process.exitCode = exitCode;
  }
  // An unfinished handle (a broken connection's timer, say) must not keep a finished command alive.
  process.exit(process.exitCode ?? EXIT.ok);
}

if (require.main === module || process.env.RESURGO_MAIN === '1') void main(process.argv);
