/** `resurgo layout`: a host's disks up to its mount points, how it boots, its network; asked of the host itself or read from a backup, no engine needed. */
import type { Command } from '@commander-js/extra-typings';
import { layoutChanges } from '../../planning/layout-diff';
import { run } from '../context';
import type { CliContext } from '../context';
import { CliError, EXIT } from '../exit';
import { changeLines } from '../layout-changes';
import { comparable, presentLayout, storedLayout } from '../host-layouts';
import { layoutText } from '../layout-text';
import type { JsonObject } from '../output';
import { checkLayouts } from './layout-check';

const BACKUP = 'of this backup: an id, or `latest`';

export function registerLayout(program: Command): void {
  const layout = program
    .command('layout')
    .description("a host's disks up to its mount points, how it boots, its network")
    .addHelpText('after', '\nExample:\n  $ resurgo layout show web-1\n  $ resurgo layout check --all');
  layout
    .command('show')
    .argument('<host>', 'a host of the runbook')
    .description('what a recovery onto blank disks would make again, and what it could not; exit 3 when that is so')
    .option('--backup <id>', `the layout ${BACKUP}; without it the host is asked now`)
    .addHelpText(
      'after',
      '\nNothing is changed. With --json the layout as it lies in a backup (docs/layout.md).\n\nExample:\n  $ resurgo layout show web-1\n  $ resurgo layout show web-1 --backup latest',
    )
    .action((host, options, command) => run(command, (context) => show(context, host, options)));
  layout
    .command('diff')
    .argument('<host>', 'a host of the runbook')
    .description('what has changed since a backup')
    .option('--backup <id>', `from the layout ${BACKUP}`, 'latest')
    .option('--to <id>', `to the layout ${BACKUP}; without it the host is asked now`)
    .addHelpText(
      'after',
      '\n+ is new, - is gone, ~ is another.\n\nExample:\n  $ resurgo layout diff web-1\n  $ resurgo layout diff web-1 --backup 20261120_013000 --to latest',
    )
    .action((host, options, command) => run(command, (context) => diff(context, host, options)));
  layout
    .command('check')
    .argument('[hosts...]', 'hosts of the runbook')
    .description(
      'whether the layout or the boot set-up has changed since the last backup or rescue media: exit 1 when it has',
    )
    .option('--all', 'every host that is backed up')
    .addHelpText(
      'after',
      '\nExit 0: all as in the backup, and as when the newest usable rescue media were built, where there are any; 1: something has changed; 3: of a host it could not be told.\n\nExample:\n  $ resurgo layout check --all',
    )
    .action((hosts, options, command) => run(command, (context) => checkLayouts(context, { hosts, ...options })));
}

async function show(context: CliContext, host: string, options: { backup?: string }): Promise<number> {
  const stored = options.backup === undefined ? undefined : await storedLayout(context, { host, id: options.backup });
  const layout = stored?.layout ?? (await presentLayout(context, host));
  const from: JsonObject = stored === undefined ? {} : { backup: { id: stored.id, group: stored.group } };
  const head = stored === undefined ? '' : `as in backup ${stored.id} of ${stored.group}\n`;
  context.out.result({ json: { ...from, layout }, text: `${head}${layoutText(layout)}` });
  return layout.limits.some(({ weight }) => weight === 'fatal') ? EXIT.incomplete : EXIT.ok;
}

async function diff(context: CliContext, host: string, options: { backup: string; to?: string }): Promise<number> {
  const from = await storedLayout(context, { host, id: options.backup });
  const to = options.to === undefined ? undefined : await storedLayout(context, { host, id: options.to });
  if (to !== undefined && to.id < from.id)
    throw new CliError(`backup ${to.id} is older than ${from.id}: name the older one with --backup`, EXIT.usage);
  const after = to?.layout ?? comparable(await presentLayout(context, host));
  const changes = layoutChanges({ before: from.layout, after });
  const since = `backup ${from.id} of ${from.group}`;
  const until = to === undefined ? 'now' : `backup ${to.id}`;
  const head =
    changes.length === 0 ? `${host}: no change from ${since} to ${until}` : `${host}: from ${since} to ${until}`;
  context.out.result({
    json: {
      ...{ host, from: { id: from.id, group: from.group } },
      to: to === undefined ? 'now' : { id: to.id, group: to.group },
      changes: changes.map((each) => ({ ...each })),
    },
    text: [head, ...changeLines(changes)].join('\n'),
  });
  return EXIT.ok;
}
