/** `resurgo hold`, `release`: keeps one backup from every removal until it is released, over the target itself; no engine needed. */
import type { Command } from '@commander-js/extra-typings';
import { holdBackup, releaseBackup } from '../../hosts/verbs/store';
import { NAME } from '../../runbooks/schema-values';
import { run as inContext } from '../context';
import type { CliContext } from '../context';
import { CliError, EXIT } from '../exit';
import { printable } from '../output';
import { releaseHand, takeHand } from './hand-lease';
import { entriesOf } from './list';

const BY_HAND = 'by-hand';
/** How long the group is taken for one word to its target, s: a backup that begins meanwhile is refused, so no longer than that needs. */
const MOMENT_S = 120;

interface Asked {
  id: string;
  group?: string;
  as: string;
}

export function registerHold(program: Command): void {
  program
    .command('hold')
    .argument('<id>', 'a backup id, or `latest`')
    .argument('[group]', 'the protection group; may be left out when the runbook has one')
    .description('keep a backup from being pruned, whatever the policy says, until it is released')
    .option('--as <name>', 'the name of this hold: a backup may have several, and goes only when none is left', BY_HAND)
    .addHelpText(
      'after',
      '\nRefused while a run of the group is under way.\n\nExample:\n  $ resurgo hold 20261121_013000 portal --as audit-2026',
    )
    .action((id, group, { as }, command) => inContext(command, (context) => hold(context, { id, group, as })));
  program
    .command('release')
    .argument('<id>', 'a backup id')
    .argument('[group]', 'the protection group; may be left out when the runbook has one')
    .description('take a hold off a backup again')
    .option('--as <name>', 'the name of the hold', BY_HAND)
    .addHelpText(
      'after',
      '\nWhat holds a backup: `resurgo list`, or `resurgo show ID`.\n\nExample:\n  $ resurgo release 20261121_013000 portal --as audit-2026',
    )
    .action((id, group, { as }, command) => inContext(command, (context) => release(context, { id, group, as })));
}

async function hold(context: CliContext, asked: Asked): Promise<number> {
  const { id, group, holds } = await change(context, asked, holdBackup);
  context.out.result({
    json: { id, holds: [...new Set([...holds, asked.as])] },
    text: `${id} is held as ${asked.as}: nothing removes it until: resurgo release ${id} ${group}${asked.as === BY_HAND ? '' : ` --as ${asked.as}`}`,
  });
  return EXIT.ok;
}

async function release(context: CliContext, asked: Asked): Promise<number> {
  const { id, holds } = await change(context, asked, releaseBackup, (held) => {
    if (held.includes(asked.as)) return;
    const other = held.length === 0 ? 'nothing holds it' : `it is held as ${held.map(printable).join(', ')}`;
    throw new CliError(`${asked.id} is not held as ${asked.as}: ${other}`, EXIT.failed);
  });
  const left = holds.filter((each) => each !== asked.as);
  const still =
    left.length === 0 ? 'the policy decides on it again' : `still held as ${left.map(printable).join(', ')}`;
  context.out.result({ json: { id, holds: left }, text: `${id} is no longer held as ${asked.as}; ${still}` });
  return EXIT.ok;
}

/** Only the target takes part: a source that is down must keep no backup from being held. @returns what it was, with the holds before */
async function change(
  context: CliContext,
  { id, group, as }: Asked,
  verb: typeof holdBackup,
  check: (held: readonly string[]) => void = () => undefined,
): Promise<{ id: string; group: string; holds: string[] }> {
  if (!NAME.test(as))
    throw new CliError(`--as wants a name of letters, digits, dots, dashes and underscores, not "${as}"`, EXIT.usage);
  const { pick, name, setup, hosts } = await entriesOf(context, group);
  const entry = pick(id);
  check(entry.holds);
  const atStore = { ...setup, hosts: [] };
  const hand = await takeHand({
    hosts,
    setup: atStore,
    step: 'hold',
    ttlS: MOMENT_S,
    withoutStore: false,
    brief: true,
  });
  try {
    const host = setup.storeHost;
    await verb({
      hosts,
      host,
      step: 'hold',
      fence: hand.fenceAt(host),
      store: setup.store.name,
      id: entry.id,
      name: as,
    });
  } finally {
    const held = await releaseHand({ hosts, setup: atStore, hand });
    for (const why of held.values())
      context.out.warn(printable(`the group is not given back and stays held for up to ${MOMENT_S} s: ${why}`));
  }
  return { id: entry.id, group: name, holds: entry.holds };
}
