/** `resurgo layout`: a host's disks up to its mount points, how it boots, its network; asked of the host itself, no engine needed. */
import type { Command } from '@commander-js/extra-typings';
import { layoutFacts } from '../../hosts/verbs/reading';
import { readLayout } from '../../planning/layout-read';
import { fleetHost } from '../../planning/run-input';
import { run } from '../context';
import type { CliContext } from '../context';
import { EXIT } from '../exit';
import { layoutText } from '../layout-text';

export function registerLayout(program: Command): void {
  const layout = program
    .command('layout')
    .description("a host's disks up to its mount points, how it boots, its network");
  layout
    .command('show')
    .argument('<host>', 'a host of the runbook')
    .description('what a recovery onto blank disks would make again, and what it could not; exit 3 when that is so')
    .addHelpText(
      'after',
      '\nThe host is asked now, and nothing is changed. With --json the layout as it lies in a backup (docs/layout.md).\n\nExample:\n  $ resurgo layout show web-1',
    )
    .action((host, _options, command) => run(command, (context) => show(context, host)));
}

async function show(context: CliContext, asked: string): Promise<number> {
  const { runbook } = context.runbook();
  const host = fleetHost({ runbook, name: asked });
  const facts = await layoutFacts({ hosts: await context.hosts(), host, step: 'layout' });
  const layout = readLayout({ facts, host: host.short, capturedAt: new Date() });
  context.out.result({ json: { layout }, text: layoutText(layout) });
  return layout.limits.some(({ weight }) => weight === 'fatal') ? EXIT.incomplete : EXIT.ok;
}
