/**
 * Names of hosts and stores that point nowhere, in a runbook that has other faults as well: those may hide the part that names them
 * from the cross-checks, and nobody should have to mend one kind of fault to be told of the other.
 */
import { unknownName, type KnownNames } from './checks-shared';
import { type Finding } from './issues';

/** `*` stands for each entry of a map or list. */
const PLACES: readonly { at: string; what: 'host' | 'store' }[] = [
  { at: 'hosts.*.via', what: 'host' },
  { at: 'stores.*.host', what: 'host' },
  { at: 'groups.*.target', what: 'store' },
  { at: 'groups.*.sources.*.host', what: 'host' },
  { at: 'groups.*.quiesce.units.*.host', what: 'host' },
  { at: 'groups.*.quiesce.hooks.before.*.host', what: 'host' },
  { at: 'groups.*.quiesce.hooks.after.*.host', what: 'host' },
  { at: 'groups.*.restore.health.*.host', what: 'host' },
];

/** What names a host or store that the file has not; nothing of a kind whose own part (`hosts`, `stores`) can't be read. */
export function checkReferences({ value, known }: { value: unknown; known: KnownNames }): Finding[] {
  return PLACES.flatMap(({ at, what }) => {
    const names = what === 'host' ? known.hosts : known.stores;
    if (!isMap(entryOf(value, what === 'host' ? 'hosts' : 'stores'))) return [];
    return textsAt({ value, parts: at.split('.') }).flatMap(({ path, word }) =>
      unknownName({ path, word, what, known: names }),
    );
  });
}

function textsAt({
  value,
  parts,
  path = [],
}: {
  value: unknown;
  parts: readonly string[];
  path?: PropertyKey[];
}): { path: PropertyKey[]; word: string }[] {
  const [part, ...rest] = parts;
  if (part === undefined) return typeof value === 'string' ? [{ path, word: value }] : [];
  if (part !== '*') return textsAt({ value: entryOf(value, part), parts: rest, path: [...path, part] });
  const entries: [PropertyKey, unknown][] = Array.isArray(value)
    ? [...(value as unknown[]).entries()]
    : Object.entries(isMap(value) ? value : {});
  return entries.flatMap(([key, entry]) => textsAt({ value: entry, parts: rest, path: [...path, key] }));
}

function isMap(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function entryOf(value: unknown, name: string): unknown {
  return isMap(value) && Object.hasOwn(value, name) ? (Reflect.get(value, name) as unknown) : undefined;
}
