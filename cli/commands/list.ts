/** `resurgo list`: reads the store itself, with the engine down or gone. */
import type { Command } from '@commander-js/extra-typings';
import { genuineSigners } from '../../hosts/adopted-signers';
import { readBackups } from '../../hosts/backups';
import type { StoreEntry } from '../../hosts/backups';
import { run } from '../context';
import type { CliContext } from '../context';
import { CliError, EXIT } from '../exit';
import { bytes, table } from '../output';
import type { Json, JsonObject } from '../output';

export function registerList(program: Command): void {
  program
    .command('list')
    .argument('[group]', 'the protection group')
    .description('the backups of a group, as its store shows them')
    .addHelpText('after', '\nExample:\n  $ resurgo list portal')
    .action((group, _options, command) => run(command, (context) => list(context, group)));
}

async function list(context: CliContext, group?: string): Promise<number> {
  const { entries, incomplete, name } = await entriesOf(context, group);
  const genuine = await genuineSigners({ stateDir: context.stateDir });
  const rows = entries.map((each) => [
    each.id,
    each.problem === undefined ? (each.manifest?.state ?? '') : 'UNUSABLE',
    ...figures(each, genuine),
  ]);
  const text = [
    rows.length === 0
      ? `no backup of ${name} yet; make one with: resurgo backup ${name}`
      : table([['id', 'state', 'label', 'sources', 'size', ''], ...rows]),
    ...(incomplete === null ? [] : [`run ${incomplete} is writing, or died while it was; what it wrote is no backup`]),
  ].join('\n');
  context.out.result({ json: { group: name, incomplete, backups: entries.map(entryJson) }, text });
  return EXIT.ok;
}

/** The store's entries of one group. */
export async function entriesOf(context: CliContext, group?: string) {
  const { setup } = await context.group(group);
  const hosts = await context.hosts();
  const listing = await readBackups({
    hosts,
    storeHost: setup.storeHost,
    store: setup.store.name,
    group: setup.group.name,
  });
  return { entries: listing.backups, incomplete: listing.incomplete, name: setup.group.name, setup, hosts };
}

/** The backup that an id names; `latest` is the newest whole one, never a partial (S18). @throws CliError */
export function pick({
  entries,
  id,
  group,
}: {
  entries: readonly StoreEntry[];
  id: string;
  group: string;
}): StoreEntry {
  const found =
    id === 'latest'
      ? entries.findLast((each) => each.problem === undefined && each.manifest?.state === 'Completed')
      : entries.find((each) => each.id === id);
  if (found !== undefined) return found;
  const known = entries
    .map((each) => each.id)
    .slice(-5)
    .join(', ');
  const why = id === 'latest' ? `${group} has no whole backup` : `${group} has no backup ${id}`;
  throw new CliError(
    `${why}${known === '' ? '' : `; the newest are ${known}`}. See \`resurgo list ${group}\``,
    EXIT.failed,
  );
}

function figures({ manifest, problem, holds, signedBy }: StoreEntry, genuine: readonly string[]): string[] {
  if (manifest === undefined) return ['', '', '', problem ?? ''];
  const ok = manifest.sources.flatMap((each) => (each.state === 'ok' ? [each] : []));
  const size = bytes(ok.reduce((sum, each) => sum + each.bytes, 0));
  const notes = [
    problem,
    signedBy !== undefined && !genuine.includes(signedBy) ? `${unknownKey(signedBy)}, see resurgo adopt` : undefined,
    manifest.state === 'Partial' ? `${manifest.sources.length - ok.length} sources missing` : undefined,
    holds.length > 0 ? `held: ${holds.join(', ')}` : undefined,
  ];
  return [
    manifest.label,
    `${ok.length}/${manifest.sources.length}`,
    size,
    notes.filter((each) => each !== undefined).join('; '),
  ];
}

/** How a backup of another director is marked (S19). */
export function unknownKey(signedBy: string): string {
  return `signed by the unknown key ${signedBy.slice(0, 12)}`;
}

/** One backup of a store for `--json`. */
export function entryJson({ id, manifest, problem, signedBy, usedBytes, holds }: StoreEntry): JsonObject {
  return {
    id,
    problem,
    signedBy,
    usedBytes,
    holds,
    manifest: manifest === undefined ? undefined : (JSON.parse(JSON.stringify(manifest)) as Json),
  };
}
