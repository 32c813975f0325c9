/** What differs between two listings, in one pass over both. */
import type { Lines, ListingEntry, ListingLine, ListingXattr } from './listing-format';
import { readListing, xattrKey } from './listing-format';

export type EntryField = Exclude<keyof ListingEntry, 'path'>;

/** What a person calls each field. */
export const FIELD_WORDS: Record<EntryField, string> = {
  type: 'type',
  mode: 'mode',
  uid: 'owner',
  gid: 'group',
  size: 'size',
  mtime: 'time',
  linkGroup: 'hard links',
  device: 'device',
  target: 'link target',
};

export type ListingDifference =
  | { kind: 'added'; path: string; after: ListingEntry }
  | { kind: 'removed'; path: string; before: ListingEntry }
  | { kind: 'changed'; path: string; fields: EntryField[]; before: ListingEntry; after: ListingEntry }
  | { kind: 'xattr'; path: string; name: string; before: string | null; after: string | null };

/**
 * Compares two listings in all that S9 names. Differences come in the order of paths, those of attributes after all others;
 * attributes of an added or removed path are part of that and not told again. Memory grows with the number of added and
 * removed paths, not with the listings.
 * @throws PlanningError for a listing that is damaged
 */
export async function* diffListings(before: Lines, after: Lines): AsyncGenerator<ListingDifference> {
  const [left, right] = [new Cursor(before), new Cursor(after)];
  const oneSided = new Set<string>();
  try {
    for (;;) {
      const [a, b] = [await left.entry(), await right.entry()];
      if (a === undefined && b === undefined) break;
      if (a !== undefined && (b === undefined || a.path < b.path)) {
        left.take();
        oneSided.add(a.path);
        yield { kind: 'removed', path: a.path, before: a };
      } else if (b !== undefined && (a === undefined || b.path < a.path)) {
        right.take();
        oneSided.add(b.path);
        yield { kind: 'added', path: b.path, after: b };
      } else if (a !== undefined && b !== undefined) {
        left.take();
        right.take();
        const fields = changedFields(a, b);
        if (fields.length > 0) yield { kind: 'changed', path: a.path, fields, before: a, after: b };
      }
    }
    for await (const difference of diffXattrs(left, right)) if (!oneSided.has(difference.path)) yield difference;
  } finally {
    await left.close();
    await right.close();
  }
}

const FIELDS = [
  'type',
  'mode',
  'uid',
  'gid',
  'size',
  'mtime',
  'linkGroup',
  'device',
  'target',
] as const satisfies readonly EntryField[];

/** In what two entries of one path differ. */
export function changedFields(a: ListingEntry, b: ListingEntry): EntryField[] {
  return FIELDS.filter((field) => a[field] !== b[field]);
}

async function* diffXattrs(left: Cursor, right: Cursor): AsyncGenerator<ListingDifference & { kind: 'xattr' }> {
  for (;;) {
    const [a, b] = [await left.xattr(), await right.xattr()];
    const [keyA, keyB] = [a && xattrKey(a), b && xattrKey(b)];
    if (a !== undefined && keyA !== undefined && (keyB === undefined || keyA < keyB)) {
      left.take();
      yield { kind: 'xattr', path: a.path, name: a.name, before: a.hex, after: null };
    } else if (b !== undefined && keyB !== undefined && (keyA === undefined || keyB < keyA)) {
      right.take();
      yield { kind: 'xattr', path: b.path, name: b.name, before: null, after: b.hex };
    } else if (a !== undefined && b !== undefined) {
      left.take();
      right.take();
      if (a.hex !== b.hex) yield { kind: 'xattr', path: a.path, name: a.name, before: a.hex, after: b.hex };
    } else {
      return;
    }
  }
}

/** Looks one line ahead in a listing. */
class Cursor {
  private readonly lines: AsyncGenerator<ListingLine>;
  private head: ListingLine | undefined;
  private ended = false;

  constructor(lines: Lines) {
    this.lines = readListing(lines);
  }

  async entry(): Promise<ListingEntry | undefined> {
    const line = await this.peek();
    return line?.kind === 'entry' ? line.entry : undefined;
  }

  async xattr(): Promise<ListingXattr | undefined> {
    const line = await this.peek();
    return line?.kind === 'xattr' ? line.xattr : undefined;
  }

  take(): void {
    this.head = undefined;
  }

  async close(): Promise<void> {
    await this.lines.return(undefined);
  }

  private async peek(): Promise<ListingLine | undefined> {
    if (this.head === undefined && !this.ended) {
      const next = await this.lines.next();
      if (next.done === true) this.ended = true;
      else this.head = next.value;
    }
    return this.head;
  }
}
