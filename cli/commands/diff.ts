/** `resurgo diff`: what changed between two backups, from the listings in the store; no engine needed. */
import type { Command } from '@commander-js/extra-typings';
import type { StoreEntry } from '../../hosts/backups';
import type { Hosts } from '../../hosts/hosts';
import { listingLines } from '../../hosts/listings';
import { diffListings, displayPath, FIELD_WORDS } from '../../planning/listing';
import type { ListingDifference, ListingEntry } from '../../planning/listing';
import type { BackedUpSource, ManifestSource } from '../../planning/manifest';
import type { GroupSetup } from '../../planning/run-input';
import { run } from '../context';
import type { CliContext } from '../context';
import { CliError, EXIT } from '../exit';
import { bytes, printable } from '../output';
import { entriesOf } from './list';

export function registerDiff(program: Command): void {
  program
    .command('diff')
    .argument('<a>', 'the earlier backup: an id, or `latest`')
    .argument('<b>', 'the later one')
    .argument('[group]', 'the protection group')
    .description('what was added (+), removed (-) and changed (M) from one backup to another')
    .option('--host <name>', 'only this host')
    .option('--stat', 'only the totals')
    .addHelpText('after', '\nExample:\n  $ resurgo diff 20261120_013000 latest portal')
    .action((a, b, group, options, command) => run(command, (context) => diff(context, { a, b, group, ...options })));
}

interface Totals {
  added: number;
  removed: number;
  changed: number;
  addedBytes: number;
  removedBytes: number;
  /** Of changed files, their size now less their size before. */
  grownBytes: number;
}

async function diff(
  context: CliContext,
  asked: { a: string; b: string; group: string | undefined; host?: string; stat?: true },
): Promise<number> {
  const { out } = context;
  const { pick, setup, hosts } = await entriesOf(context, asked.group);
  const [before, after] = [asked.a, asked.b].map((id) => usable(pick(id)));
  if (before === undefined || after === undefined) throw new CliError('name two backups', EXIT.usage);
  const totals: Totals = { added: 0, removed: 0, changed: 0, addedBytes: 0, removedBytes: 0, grownBytes: 0 };
  let incomplete = false;
  for (const { tree, a, b } of pairs({ before, after, host: asked.host })) {
    if (a?.state !== 'ok' || b?.state !== 'ok') {
      // In one of the two the source does not exist, or is missing: its files are no additions or removals.
      const missing = a?.state === 'missing' || b?.state === 'missing';
      incomplete ||= missing;
      const id = a?.state === 'ok' ? after.id : before.id;
      const why = `${tree} is ${missing ? 'missing from' : 'not a source in'} backup ${id}: not compared`;
      out.event({ type: 'uncompared', tree, backup: id, missing });
      out.warn(printable(why));
      continue;
    }
    for await (const difference of differences({ hosts, setup, ids: [before.id, after.id], a, b })) {
      count(totals, difference);
      if (asked.stat !== true) show(context, { source: b, difference });
    }
  }
  out.result({ json: { type: 'totals', from: before.id, to: after.id, incomplete, ...totals }, text: inWords(totals) });
  return incomplete ? EXIT.incomplete : EXIT.ok;
}

/** @throws CliError for a backup that can't be read */
function usable(entry: StoreEntry): StoreEntry {
  if (entry.problem !== undefined) throw new CliError(`backup ${entry.id} can't be compared: ${entry.problem}`);
  return entry;
}

function pairs(options: {
  before: StoreEntry;
  after: StoreEntry;
  host: string | undefined;
}): { tree: string; a: ManifestSource | undefined; b: ManifestSource | undefined }[] {
  const { before, after, host } = options;
  const of = (entry: StoreEntry): ManifestSource[] =>
    (entry.manifest?.sources ?? []).filter((each) => host === undefined || [each.host, each.hostName].includes(host));
  const [a, b] = [of(before), of(after)];
  const trees = [...new Set([...a, ...b].map((each) => each.tree))].sort();
  if (trees.length === 0)
    throw new CliError(host === undefined ? 'neither backup has a source' : `neither backup has host ${host}`);
  return trees.map((tree) => ({
    tree,
    a: a.find((each) => each.tree === tree),
    b: b.find((each) => each.tree === tree),
  }));
}

async function* differences(options: {
  hosts: Hosts;
  setup: GroupSetup;
  ids: [string, string];
  a: BackedUpSource;
  b: BackedUpSource;
}): AsyncGenerator<ListingDifference> {
  const { hosts, setup, ids, a, b } = options;
  // The manifests say already that the two listings are the same bytes.
  if (a.listingSha256 === b.listingSha256) return;
  const lines = (id: string, { tree }: BackedUpSource) =>
    listingLines({
      hosts,
      ref: { storeHost: setup.storeHost, store: setup.store.name, group: setup.group.name, id, tree },
      step: 'diff',
    });
  yield* diffListings(lines(ids[0], a), lines(ids[1], b));
}

function count(totals: Totals, difference: ListingDifference): void {
  const size = (entry: ListingEntry): number => entry.size ?? 0;
  if (difference.kind === 'added') {
    totals.added += 1;
    totals.addedBytes += size(difference.after);
  } else if (difference.kind === 'removed') {
    totals.removed += 1;
    totals.removedBytes += size(difference.before);
  } else {
    totals.changed += 1;
    if (difference.kind === 'changed') totals.grownBytes += size(difference.after) - size(difference.before);
  }
}

const SIGNS: Record<ListingDifference['kind'], string> = { added: '+', removed: '-', changed: 'M', xattr: 'M' };

function show(
  { out }: CliContext,
  { source, difference }: { source: BackedUpSource; difference: ListingDifference },
): void {
  const inside = displayPath(difference.path);
  const path = inside === '.' ? source.path : `${source.path === '/' ? '' : source.path}/${inside}`;
  const [sign, host] = [SIGNS[difference.kind], source.hostName];
  if (out.json) {
    out.event({ type: difference.kind, host, source: source.name, path, ...detail(difference) });
    return;
  }
  out.say(printable(`${sign} ${host}:${path}${note(difference)}`));
}

function detail(difference: ListingDifference) {
  if (difference.kind === 'xattr') {
    const { name, before, after } = difference;
    return { name, before, after };
  }
  if (difference.kind === 'added') return { size: difference.after.size };
  if (difference.kind === 'removed') return { size: difference.before.size };
  const { before, after, fields } = difference;
  return {
    fields,
    before: Object.fromEntries(fields.map((field) => [field, before[field]])),
    after: Object.fromEntries(fields.map((field) => [field, after[field]])),
  };
}

function note(difference: ListingDifference): string {
  if (difference.kind === 'xattr') return `  (attribute ${displayPath(difference.name)})`;
  if (difference.kind !== 'changed') {
    const { size } = difference.kind === 'added' ? difference.after : difference.before;
    return size === null ? '' : `  (${bytes(size)})`;
  }
  const { before, after, fields } = difference;
  const words = fields.map((field) => {
    if (field === 'size') return `size ${bytes(before.size ?? 0)} to ${bytes(after.size ?? 0)}`;
    if (field === 'mode') return `mode ${before.mode} to ${after.mode}`;
    return FIELD_WORDS[field];
  });
  return `  (${words.join(', ')})`;
}

function inWords({ added, removed, changed, addedBytes, removedBytes, grownBytes }: Totals): string {
  if (added + removed + changed === 0) return 'no difference';
  const grown = grownBytes === 0 ? '' : ` (${grownBytes > 0 ? '+' : '-'}${bytes(Math.abs(grownBytes))})`;
  return `${added} added (${bytes(addedBytes)}), ${removed} removed (${bytes(removedBytes)}), ${changed} changed${grown}`;
}
