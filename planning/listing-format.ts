/**
 * The listing of a source: what S9 compares, and what `diff` and `find` read. Text, sorted by path in the C locale:
 *
 *     resurgo-listing 1
 *     TYPE MODE UID GID SIZE MTIME LINKGROUP DEVICE TARGET PATH      (separated by TAB)
 *     xattrs
 *     PATH NAME=0xHEXVALUE                                           (separated by TAB)
 *
 * TYPE is one of `f d l p s c b`; MODE is octal; SIZE is `-` for all but regular files; MTIME is seconds, a dot and nine digits;
 * LINKGROUP is `-` or the smallest path of the group of hard links; DEVICE is `MAJ:MIN` or `-`; TARGET is a symlink's target or
 * `-`. Paths and targets are percent-escaped: every byte outside `!`–`~`, and `%`, is `%XX`.
 */
import { PlanningError } from './errors';

export const LISTING_HEADER = 'resurgo-listing 1';
export const XATTR_HEADER = 'xattrs';

export const ENTRY_TYPES = ['f', 'd', 'l', 'p', 's', 'c', 'b'] as const;
export type EntryType = (typeof ENTRY_TYPES)[number];

/** One entry; paths and targets stay escaped, so that a name which is not UTF-8 is not changed by reading it. */
export interface ListingEntry {
  type: EntryType;
  /** Permission bits, octal, as written: `0644`. */
  mode: string;
  uid: number;
  gid: number;
  /** Bytes of a regular file; null for the others. */
  size: number | null;
  /** Seconds since 1970, a dot, nine digits. A text: a double can't hold it. */
  mtime: string;
  linkGroup: string | null;
  device: string | null;
  target: string | null;
  path: string;
}

/** One extended attribute or ACL. */
export interface ListingXattr {
  path: string;
  name: string;
  hex: string;
}

export type ListingLine = { kind: 'entry'; entry: ListingEntry } | { kind: 'xattr'; xattr: ListingXattr };

/** A source of lines, without their line ends: a file's, a stream's, an array. */
export type Lines = AsyncIterable<string> | Iterable<string>;

const ESCAPED = /^(?:[!-$&-~]|%[0-9A-F]{2})+$/;

/** Reads one line of the entries' part. @throws PlanningError naming what is wrong */
export function parseListingLine(line: string): ListingEntry {
  const fields = line.split('\t');
  const [
    type = '',
    mode = '',
    uid = '',
    gid = '',
    size = '',
    mtime = '',
    link = '',
    device = '',
    target = '',
    path = '',
  ] = fields;
  const known = ENTRY_TYPES.find((each) => each === type);
  if (fields.length !== 10) throw bad(line, `${fields.length} fields where 10 are expected`);
  if (known === undefined) throw bad(line, `unknown type "${type}"`);
  if (!/^[0-7]{1,5}$/.test(mode)) throw bad(line, `mode "${mode}" is not octal`);
  if (!/^-?\d{1,15}\.\d{9}$/.test(mtime)) throw bad(line, `time "${mtime}" is not SECONDS.NANOSECONDS`);
  if (device !== '-' && !/^\d+:\d+$/.test(device)) throw bad(line, `device "${device}" is not MAJ:MIN`);
  if ((size === '-') === (known === 'f')) throw bad(line, `size "${size}" does not fit type ${known}`);
  for (const text of [path, link, target]) if (!ESCAPED.test(text)) throw bad(line, `"${text}" is not escaped`);
  return {
    type: known,
    mode,
    uid: integer(line, uid),
    gid: integer(line, gid),
    size: size === '-' ? null : integer(line, size),
    mtime,
    linkGroup: link === '-' ? null : link,
    device: device === '-' ? null : device,
    // `-` stands for no target; only a symlink has one, and one that points to a file named `-` is told by its type.
    target: known === 'l' ? target : null,
    path,
  };
}

/** Reads one line of the part after `xattrs`. @throws PlanningError naming what is wrong */
export function parseXattrLine(line: string): ListingXattr {
  const [path = '', attribute = '', ...more] = line.split('\t');
  const cut = attribute.lastIndexOf('=');
  const hex = attribute.slice(cut + 1).replace(/^0x/, '');
  if (more.length > 0 || cut < 1 || !ESCAPED.test(path) || !/^([0-9a-fA-F]{2})*$/.test(hex)) {
    throw bad(line, 'not PATH TAB NAME=0xHEX');
  }
  return { path, name: attribute.slice(0, cut), hex: hex.toLowerCase() };
}

/**
 * Reads a whole listing line by line, never more than one in memory.
 * @throws PlanningError for a missing header, a broken line, or paths out of order (a cut-off or edited file)
 */
export async function* readListing(lines: Lines): AsyncGenerator<ListingLine> {
  let part: 'start' | 'entries' | 'xattrs' = 'start';
  let last = '';
  for await (const line of lines) {
    if (part === 'start') {
      if (line !== LISTING_HEADER) throw bad(line, `the first line is not "${LISTING_HEADER}"`);
      part = 'entries';
    } else if (part === 'entries' && line === XATTR_HEADER) {
      part = 'xattrs';
      last = '';
    } else if (part === 'entries') {
      const entry = parseListingLine(line);
      if (entry.path <= last) throw bad(line, `"${entry.path}" comes after "${last}": not sorted`);
      last = entry.path;
      yield { kind: 'entry', entry };
    } else if (line !== '') {
      const xattr = parseXattrLine(line);
      const key = xattrKey(xattr);
      if (key <= last) throw bad(line, 'attributes are not sorted');
      last = key;
      yield { kind: 'xattr', xattr };
    }
  }
  if (part !== 'xattrs') throw bad('', `the listing ends without its "${XATTR_HEADER}" part: it was cut off`);
}

/** Cuts a stream of text into lines; a last line without its end counts. */
export async function* linesOf(chunks: AsyncIterable<string> | Iterable<string>): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of chunks) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  if (rest !== '') yield rest;
}

/** The order of attributes: that of their lines, bytewise. TAB sorts below every character of a path. */
export function xattrKey({ path, name }: Pick<ListingXattr, 'path' | 'name'>): string {
  return `${path}\t${name}=`;
}

/** A name as a listing writes it (of its UTF-8 bytes). */
export function escapePath(text: string): string {
  return [...new TextEncoder().encode(text)]
    .map((byte) =>
      byte > 0x20 && byte < 0x7f && byte !== 0x25
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
    )
    .join('');
}

/**
 * An escaped name for a person's eyes: readable characters as they are; control and direction characters, and bytes that are
 * not UTF-8, stay escaped, so that a hostile name can't write to the terminal (S29).
 */
export function displayPath(escaped: string): string {
  return escaped.replace(/(?:%[0-9A-F]{2})+/g, (run) => {
    const bytes = Uint8Array.from(run.slice(1).split('%'), (hex) => Number.parseInt(hex, 16));
    try {
      const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
      return Array.from(text, (char) => (UNSAFE.test(char) ? escapePath(char) : char)).join('');
    } catch {
      return run;
    }
  });
}

/** Control (Cc), format and direction (Cf), private, surrogates, line and paragraph ends; and `%`, which would be ambiguous. */
const UNSAFE = /[\p{C}\p{Zl}\p{Zp}%]/u;

function integer(line: string, text: string): number {
  const value = Number(text);
  if (!/^\d{1,16}$/.test(text) || !Number.isSafeInteger(value)) throw bad(line, `"${text}" is not a whole number`);
  return value;
}

function bad(line: string, what: string): PlanningError {
  const shown = line.length > 120 ? `${line.slice(0, 120)}…` : line;
  return new PlanningError({
    code: 'bad-listing',
    message: `listing: ${what}${line === '' ? '' : ` in ${JSON.stringify(shown)}`}`,
    next: 'The listing was damaged, or made by a newer version: update Resurgo, or take the data as plain files (docs/stores.md)',
  });
}
