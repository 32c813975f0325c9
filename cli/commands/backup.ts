/** `resurgo backup`: starts the workflow, shows it, and says with the exit code what came of it. */
import type { Command } from '@commander-js/extra-typings';
import { counted } from '../../planning/counted';
import { notRecoverableText } from '../../planning/recoverable';
import type { BackupInput } from '../../planning/run-input';
import type { BackupReport } from '../../workflows/backup';
import { operator, run as inContext } from '../context';
import { dryRun } from './backup-dry-run';
import type { CliContext } from '../context';
import { EXIT } from '../exit';
import { followToEnd } from '../follow';
import { bytes, duration, printable, table } from '../output';
import { startRun } from '../start-run';
import { packageVersion } from '../../workers/bundle';

export function registerBackup(program: Command): void {
  program
    .command('backup')
    .argument('[group]', 'the protection group; may be left out when the runbook has one')
    .description('freeze a group at one instant and copy it into its store')
    .option('--dry-run', 'only say what would be sent, the space it needs and the pause to expect')
    .option('--detach', 'start the run and leave')
    .option('--checksum', 'compare every file by content, not by size and time')
    .addHelpText('after', '\nExample:\n  $ resurgo backup portal')
    .action((group, options, command) => inContext(command, (context) => backup(context, group, options)));
}

async function backup(
  context: CliContext,
  group: string | undefined,
  options: { dryRun?: true; detach?: true; checksum?: true },
): Promise<number> {
  const { out } = context;
  const { setup } = await context.group(group);
  if (options.dryRun === true) return dryRun(context, setup);
  const { name, sources } = setup.group;
  const { handle, comeBack } = await startRun<BackupInput>(context, {
    kind: 'backup',
    group: name,
    what: `backup of ${name}`,
    summary: `backup of ${name}: ${counted(sources.length, 'source')} on ${counted(setup.hosts.length, 'host')} into ${setup.store.name}`,
    input: (run) => ({
      ...setup,
      ...{ run, requestedBy: operator(), checksum: options.checksum === true, version: packageVersion() },
    }),
  });
  if (options.detach === true) {
    out.say(`come back with: ${comeBack}`);
    return EXIT.ok;
  }
  return followToEnd({
    handle,
    out,
    comeBack,
    leaveWaiting: true,
    show: (report) => showBackupReport(context, report as BackupReport),
  });
}

/** A report in words; a partial backup is never exit 0, nor one of a machine that could not be made again from it. */
export function showBackupReport({ out }: CliContext, report: BackupReport): number {
  const { state, id, pauseMs, label, sources, notRecoverable = [], warnings } = report;
  const rows = sources.map((each) =>
    each.state === 'ok'
      ? [each.tree, counted(each.files, 'file'), bytes(each.bytes), `${bytes(each.sentBytes)} sent`]
      : [each.tree, 'MISSING', '', each.reason ?? ''],
  );
  out.result({
    json: {
      ...{ type: 'ended', state, id, pauseMs, label, sources },
      notRecoverable: notRecoverable.map((each) => ({ ...each })),
      warnings,
    },
    text: [
      `${state}: backup ${id} (${label} consistent; everything stood still for ${duration(pauseMs)})`,
      table(rows),
      ...notRecoverable.map((each) => printable(`${notRecoverableText(each)}; its data are saved all the same`)),
      ...warnings.map((each) => `warning: ${each}`),
    ].join('\n'),
  });
  return state === 'Completed' && notRecoverable.length === 0 ? EXIT.ok : EXIT.incomplete;
}
