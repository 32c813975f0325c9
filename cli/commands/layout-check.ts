/** `resurgo layout check`: whether hosts are still what their last backups say. For a timer: the exit code tells. */
import { layoutChanges, type LayoutChange } from '../../planning/layout-diff';
import type { CliContext } from '../context';
import { CliError, EXIT } from '../exit';
import { changeLines } from '../layout-changes';
import { comparable, presentLayout, storedLayout } from '../host-layouts';
import { printable } from '../output';

/** What is known of one host: the changes since a backup, or why nothing can be told. */
type Checked =
  { host: string; since: { id: string; group: string }; changes: LayoutChange[] } | { host: string; unknown: string };

/** Changed weighs more than unknown: a host that has changed is certain. */
export async function checkLayouts(context: CliContext, asked: { hosts: string[]; all?: true }): Promise<number> {
  const { runbook } = context.runbook();
  const backedUp = new Set(Object.values(runbook.groups).flatMap(({ hosts }) => hosts));
  if (asked.all === true && asked.hosts.length > 0) throw new CliError('name hosts, or give --all', EXIT.usage);
  const names = asked.all === true ? Object.keys(runbook.hosts).filter((name) => backedUp.has(name)) : asked.hosts;
  if (names.length === 0) throw new CliError('name the hosts to look at, or give --all', EXIT.usage);
  const strange = names.filter((name) => !Object.hasOwn(runbook.hosts, name));
  if (strange.length > 0)
    throw new CliError(`the runbook has no host ${strange.map((name) => `"${name}"`).join(', ')}`, EXIT.usage);
  const all = await Promise.all([...new Set(names)].map((host) => checkOne(context, host)));
  context.out.result({
    json: {
      hosts: all.map((each) =>
        'unknown' in each ? { ...each } : { ...each, changes: each.changes.map((change) => ({ ...change })) },
      ),
    },
    text: all.flatMap(lines).join('\n'),
  });
  if (all.some((each) => 'changes' in each && each.changes.length > 0)) return EXIT.failed;
  return all.some((each) => 'unknown' in each) ? EXIT.incomplete : EXIT.ok;
}

async function checkOne(context: CliContext, host: string): Promise<Checked> {
  try {
    const [stored, now] = await Promise.all([
      storedLayout(context, { host, id: 'latest' }),
      presentLayout(context, host),
    ]);
    const changes = layoutChanges({ before: stored.layout, after: comparable(now) });
    return { host, since: { id: stored.id, group: stored.group }, changes };
  } catch (error) {
    // Exit 1 says that something has changed: what could not be looked at must not say it.
    return { host, unknown: error instanceof Error ? error.message : String(error) };
  }
}

function lines(checked: Checked): string[] {
  if ('unknown' in checked) return [printable(`${checked.host}: NOT KNOWN: ${checked.unknown}`)];
  const { host, since, changes } = checked;
  const backup = `backup ${since.id} of ${since.group}`;
  if (changes.length === 0) return [`${host}: as in ${backup}`];
  return [`${host}: CHANGED since ${backup}`, ...changeLines(changes).map((line) => `  ${line}`)];
}
