/** What a comparison on a host found, for a person: `-LINE` and `+LINE` of two listings, as `listing_compare` leaves them. */
import { PlanningError } from './errors';
import { changedFields, FIELD_WORDS } from './listing-diff';
import type { EntryField } from './listing-diff';
import { displayPath, parseListingLine, parseXattrLine } from './listing-format';
import type { ListingEntry, ListingXattr } from './listing-format';

/** One path (or one attribute of it) on both sides. */
interface Pair {
  wanted?: ListingEntry | ListingXattr;
  found?: ListingEntry | ListingXattr;
}

/**
 * The first few differences: `d/x: size 5, found 6; d/y is missing; z is too much`. A line that is none of a listing is shown as it is.
 * @param differences `-` what is wanted, `+` what was found
 */
export function differencesInWords({
  differences,
  most = 5,
}: {
  differences: readonly string[];
  most?: number;
}): string {
  const pairs = new Map<string, Pair>();
  const others: string[] = [];
  for (const line of differences) {
    const read = readLine(line.slice(1));
    if (read === undefined || !/^[-+]/.test(line)) {
      others.push(line);
      continue;
    }
    const key = 'name' in read ? `${read.path}\t${read.name}` : read.path;
    const pair = pairs.get(key) ?? {};
    pairs.set(key, line.startsWith('-') ? { ...pair, wanted: read } : { ...pair, found: read });
  }
  const words = [...[...pairs.values()].map(wordsOf), ...others];
  return words.slice(0, most).join('; ');
}

function readLine(line: string): ListingEntry | ListingXattr | undefined {
  try {
    return line.split('\t').length === 2 ? parseXattrLine(line) : parseListingLine(line);
  } catch (error) {
    if (!(error instanceof PlanningError)) throw error;
    return undefined;
  }
}

function wordsOf({ wanted, found }: Pair): string {
  const either = wanted ?? found;
  if (either === undefined) return '';
  const what = `${displayPath(either.path)}${'name' in either ? ` (attribute ${displayPath(either.name)})` : ''}`;
  if (wanted === undefined) return `${what} is too much`;
  if (found === undefined) return `${what} is missing`;
  if ('name' in wanted || 'name' in found) return `${what} has another value`;
  const fields = changedFields(wanted, found).map(
    (field) => `${FIELD_WORDS[field]} ${shown(wanted, field)}, found ${shown(found, field)}`,
  );
  return `${what}: ${fields.join('; ')}`;
}

function shown(entry: ListingEntry, field: EntryField): string {
  const value = entry[field];
  return value === null ? 'none' : displayPath(String(value));
}
