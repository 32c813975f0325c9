/** What the cross-checks of hosts, stores and groups have in common. */
import { quote, type Finding } from './issues';
import { cleanPath } from './resolve';
import { type WrittenStore } from './schema';
import { nearest } from './suggest';

/** Which names the file has, also of entries that did not pass the schema. */
export interface KnownNames {
  hosts: string[];
  stores: string[];
}

/** A finding for a word that should be one of the known names; none where it is. */
export function unknownName({
  path,
  word,
  what,
  known,
}: {
  path: PropertyKey[];
  word: string;
  what: string;
  known: readonly string[];
}): Finding[] {
  if (known.includes(word)) return [];
  const suggestion = nearest({ word, known });
  const list = known.length === 0 ? 'there is none' : known.slice(0, 12).join(', ');
  return [
    {
      path,
      message: `no ${what} is called ${quote(word)}${suggestion === undefined ? ` (${list})` : ''}`,
      expected: list,
      ...(suggestion !== undefined && { suggestion }),
    },
  ];
}

/** Whether two absolute paths (or dataset names) are one, or one lies inside the other. */
export function overlaps(one: string, other: string): boolean {
  const inside = (outer: string, inner: string) => outer === '/' || `${inner}/`.startsWith(`${outer}/`);
  return inside(one, other) || inside(other, one);
}

/** The folder where a store's data is seen on its host; for zfs where a dataset is mounted unless told otherwise. */
export function storeFolder({ kind, place }: Pick<WrittenStore, 'kind' | 'place'>): string {
  return kind === 'zfs' ? `/${place}` : cleanPath(place);
}
