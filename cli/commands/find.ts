/** `resurgo find`: which backups hold a path, with size and time, read from the listings in the store; no engine needed. */
import { posix } from 'node:path';
import type { Command } from '@commander-js/extra-typings';
import type { StoreEntry } from '../../hosts/backups';
import { listingLines } from '../../hosts/listings';
import type { Hosts } from '../../hosts/hosts';
import { counted } from '../../planning/counted';
import { displayPath, escapePath, findInListing, pathMatcher } from '../../planning/listing';
import type { ListingEntry } from '../../planning/listing';
import type { BackedUpSource } from '../../planning/manifest';
import type { GroupSetup } from '../../planning/run-input';
import { run } from '../context';
import type { CliContext } from '../context';
import { CliError, EXIT } from '../exit';
import { bytes, printable } from '../output';
import { entriesOf } from './list';

interface Options {
  host?: string;
  backup?: string;
  limit: string;
}

export function registerFind(program: Command): void {
  program
    .command('find')
    .argument(
      '<path>',
      'a path as it was on the host (or HOST:/path), or below a source; * ? [a-z] within a name, ** over folders',
    )
    .argument('[group]', 'the protection group')
    .description('which backups hold a path, with sizes and times; exit 1 when none does')
    .option('--host <name>', 'only this host')
    .option('--backup <id>', 'only this backup, or `latest`')
    .option('--limit <count>', 'most entries to show', '1000')
    .addHelpText(
      'after',
      "\nExample:\n  $ resurgo find /srv/data/reports/2026.ods portal\n  $ resurgo find '*.sql' portal --backup latest",
    )
    .action((path, group, options, command) => run(command, (context) => find(context, { path, group, options })));
}

/** One entry of one backup. */
interface Hit {
  id: string;
  state: string;
  source: BackedUpSource;
  entry: ListingEntry;
  /** For a folder that was named exactly: what lies below it. */
  below: { files: number; bytes: number } | undefined;
}

async function find(
  context: CliContext,
  asked: { path: string; group: string | undefined; options: Options },
): Promise<number> {
  const { path, host = asked.options.host } = placeOf(asked.path);
  if (asked.options.host !== undefined && host !== asked.options.host)
    throw new CliError(`${asked.path} names ${host}, and --host ${asked.options.host}: leave one out`, EXIT.usage);
  const options = { ...asked.options, host };
  const limit = Number(options.limit);
  if (!Number.isSafeInteger(limit) || limit < 1)
    throw new CliError(`--limit wants a whole number from 1, not "${options.limit}"`, EXIT.usage);
  const { entries, pick, setup, hosts, name } = await entriesOf(context, asked.group);
  const chosen = options.backup === undefined ? entries : [pick(options.backup)];
  const { out } = context;
  let shown = 0;
  let more = false;
  for (const entry of [...chosen].reverse()) {
    if (entry.problem !== undefined || entry.manifest === undefined) {
      out.warn(printable(`backup ${entry.id} is left out: ${entry.problem ?? 'it has no manifest'}`));
      continue;
    }
    for await (const hit of hitsIn({ hosts, setup, entry, path, host: options.host })) {
      if (shown === limit) {
        more = true;
        break;
      }
      shown += 1;
      show(context, hit);
    }
    if (more) break;
  }
  if (more) out.warn(`only the first ${limit} are shown: narrow the path, or raise --limit`);
  if (shown > 0) return EXIT.ok;
  const where = options.backup === undefined ? `no backup of ${name}` : `backup ${options.backup} of ${name}`;
  const verb = options.backup === undefined ? 'holds' : 'does not hold';
  throw new CliError(
    printable(`${where} ${verb} ${path}${options.host === undefined ? '' : ` of host ${options.host}`}`),
  );
}

async function* hitsIn(options: {
  hosts: Hosts;
  setup: GroupSetup;
  entry: StoreEntry;
  path: string;
  host: string | undefined;
}): AsyncGenerator<Hit> {
  const { hosts, setup, entry, path, host } = options;
  for (const source of entry.manifest?.sources ?? []) {
    if (source.state !== 'ok' || (host !== undefined && ![source.host, source.hostName].includes(host))) continue;
    const pattern = patternWithin({ path, source: source.path });
    if (pattern === undefined) continue;
    const ref = {
      storeHost: setup.storeHost,
      store: setup.store.name,
      group: setup.group.name,
      id: entry.id,
      tree: source.tree,
    };
    const found = findInListing({ listing: listingLines({ hosts, ref, step: 'find' }), pattern });
    const head = { id: entry.id, state: entry.manifest?.state ?? '', source };
    if (/[*?[]/.test(pattern)) {
      // The source's own folder is `.`: no name that a pattern could mean.
      for await (const each of found) if (each.path !== '.') yield { ...head, entry: each, below: undefined };
    } else yield* summed({ head, found, exact: escapePath(clean(pattern)) });
  }
}

/** A path without wildcards: itself, and for a folder the sum of what lies below instead of all of it. */
async function* summed(options: {
  head: Pick<Hit, 'id' | 'state' | 'source'>;
  found: AsyncIterable<ListingEntry>;
  exact: string;
}): AsyncGenerator<Hit> {
  const { head, found, exact } = options;
  let itself: ListingEntry | undefined;
  const below = { files: 0, bytes: 0 };
  for await (const entry of found) {
    if (itself === undefined && (exact === '' ? entry.path === '.' : entry.path === exact)) itself = entry;
    else if (entry.type === 'f') {
      below.files += 1;
      below.bytes += entry.size ?? 0;
    }
  }
  if (itself !== undefined) yield { ...head, entry: itself, below: itself.type === 'd' ? below : undefined };
}

/** What a person typed: `HOST:/path`, as `find` itself shows places, and a path with `.` and `..` in it. @throws CliError for an empty one */
export function placeOf(typed: string): { host?: string; path: string } {
  const [, host, path = typed] = /^([A-Za-z0-9][A-Za-z0-9._-]*):(\/.*)$/s.exec(typed) ?? [];
  if (path === '') throw new CliError('a path is wanted, like /srv/data/x or *.sql', EXIT.usage);
  return { host, path: path.startsWith('/') ? posix.normalize(path) : path };
}

/**
 * The pattern within a source for a path that a person typed: `/srv/data/x` in source `/srv/data` is `x`; a relative path is looked
 * for in every source; a folder above the source holds all of it (an empty pattern). Undefined when the source can't hold it.
 */
export function patternWithin({ path, source }: { path: string; source: string }): string | undefined {
  if (!path.startsWith('/')) return path;
  const wanted = path.split('/').filter((part) => part !== '');
  const own = source.split('/').filter((part) => part !== '');
  for (const [index, part] of own.entries()) {
    const pattern = wanted[index];
    // The path ends above the source: it holds the source as a whole, if it fits so far.
    if (pattern === undefined) return '';
    if (pattern === '**') return wanted.slice(index).join('/');
    if (!pathMatcher(pattern)(escapePath(part))) return undefined;
  }
  return wanted.slice(own.length).join('/');
}

function clean(pattern: string): string {
  return pattern
    .replace(/^(?:\.?\/)+/, '')
    .replace(/\/+$/, '')
    .replace(/^\.$/, '');
}

const KINDS: Record<ListingEntry['type'], string> = {
  f: 'file',
  d: 'folder',
  l: 'link',
  p: 'pipe',
  s: 'socket',
  c: 'device',
  b: 'device',
};

function show({ out }: CliContext, { id, state, source, entry, below }: Hit): void {
  const inside = displayPath(entry.path);
  const path = inside === '.' ? source.path : `${source.path === '/' ? '' : source.path}/${inside}`;
  const size = entry.size ?? below?.bytes;
  const time = entry.mtime.startsWith('-') ? entry.mtime : isoTime(entry.mtime);
  const notes = [
    below === undefined ? '' : `${counted(below.files, 'file')} below`,
    entry.target === null ? '' : `-> ${displayPath(entry.target)}`,
    state === 'Partial' ? 'partial backup' : '',
  ].filter((each) => each !== '');
  out.result({
    json: {
      backup: id,
      state,
      host: source.hostName,
      source: source.name,
      path,
      type: KINDS[entry.type],
      size: entry.size,
      mtime: entry.mtime,
      mode: entry.mode,
      uid: entry.uid,
      gid: entry.gid,
      target: entry.target === null ? undefined : displayPath(entry.target),
      below,
    },
    text: printable(
      `${id}  ${(size === undefined ? KINDS[entry.type] : bytes(size)).padStart(10)}  ${time}  ${source.hostName}:${path}${notes.length === 0 ? '' : `  (${notes.join(', ')})`}`,
    ),
  });
}

/** Seconds with nanoseconds as a person reads them; years beyond what a date can hold stay a number. */
function isoTime(mtime: string): string {
  const date = new Date(Number(mtime.split('.')[0]) * 1000);
  return Number.isNaN(date.getTime()) ? mtime : date.toISOString().slice(0, 19).replace('T', ' ');
}
