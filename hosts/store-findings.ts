/** What a store's answers mean for the next backup, as findings of `doctor` and lines of a dry run. */
import { z } from 'zod';
import { sourcesOf, spaceInWords, spaceVerdict } from '../planning/space';
import type { SpaceVerdict } from '../planning/space';
import type { Group, Store } from '../runbooks/types';
import { newestWhole, treesOf } from './backups';
import type { StoreListing } from './backups';
import type { Finding } from './doctor-findings';
import { enrolAgain, gib } from './host-findings';
import type { Check, Reply } from './replies';

interface Asked {
  store: Store;
  space: Reply<'store.space'>;
}

/** Whose backups go there, and the run that has `current` open, or null. */
interface Open {
  group: string;
  incomplete: string | null;
}

/**
 * From what the target says of the store's disk. Where a run has left what it received, its successor takes that away before it counts
 * (`hostkit/jobs/store-open.sh`): too little room is no failure then.
 */
export function storeFinding({ store, space, ...open }: Asked & Open): Finding {
  const at = { host: store.host, check: `store ${store.name}` };
  const { freeBytes, totalBytes = 0, warnings } = space;
  const reserve = reserveBytes({ store, space });
  const message = `${gib(freeBytes)} free of ${gib(totalBytes)}`;
  if (freeBytes <= reserve) {
    const mend = `${firstOf(open)}prune old backups (\`resurgo prune\`), or give it more space`;
    const level = open.incomplete === null ? 'fail' : 'warn';
    return { ...at, level, message: `${message}, below the reserve of ${gib(reserve)}`, mend };
  }
  if (warnings.length > 0)
    return { ...at, level: 'warn', message: `${message}; ${warnings.join('; ')}`, mend: 'see docs/stores.md' };
  return { ...at, level: 'ok', message, mend: '' };
}

/**
 * Where the target keeps the store elsewhere, or in another way, than the runbook says: backups would go on into the old place, and be called
 * something that they are not. A store that it does not know is refused by every verb.
 */
export function storeDrift({ store, told }: { store: Store; told: Reply<'probe'>['stores'] }): Finding[] {
  const known = told.map((each) => enrolledStore.safeParse(each).data).find((each) => each?.name === store.name);
  if (known === undefined || (known.kind === store.kind && known.place === store.place)) return [];
  const message = `its configuration has ${known.place} (${known.kind}) for this store, and the runbook ${store.place} (${store.kind})`;
  return [{ host: store.host, check: `store ${store.name}`, level: 'fail', message, mend: enrolAgain(store.host) }];
}

/** As `probe` tells of a store; older hostkits tell its name alone. */
const enrolledStore = z.looseObject({ name: z.string(), kind: z.string(), place: z.string() });

/** What stays free, by the target's own configuration: it is what refuses; the runbook may be newer than that. */
export function reserveBytes({ store, space }: Asked): number {
  return Math.round(((space.totalBytes ?? 0) * (space.reservePercent ?? store.reservePercent)) / 100);
}

/** Whether the next backup has room, as the backup itself will ask before it freezes anything. */
export function roomVerdict(
  options: Asked & {
    group: Group;
    shown: readonly { host: string; sources: Check['sources'] }[];
    listing: StoreListing;
  },
): SpaceVerdict {
  const { group, store, shown, space, listing } = options;
  const { backups, incomplete } = listing;
  const { kind, compression } = store;
  const { freeBytes, fsType } = space;
  const last = newestWhole(backups)?.manifest;
  return spaceVerdict({
    sources: sourcesOf({ sources: group.sources, shown, last, there: treesOf(backups.at(-1)) }),
    store: { kind, compression, fsType, freeBytes, reserveBytes: reserveBytes(options), isOpen: incomplete !== null },
  });
}

/** A verdict on the room as a finding. */
export function roomFinding({ store, verdict, ...open }: { store: Store; verdict: SpaceVerdict } & Open): Finding {
  const { message, mend } = spaceInWords(verdict);
  const at = { host: store.host, check: `room in ${store.name}`, level: verdict.level };
  return { ...at, message, mend: mend === '' ? '' : `${firstOf(open)}${mend}` };
}

/** What makes room before anything else does. `current` is no backup, so no prune removes it. */
function firstOf({ group, incomplete }: Open): string {
  if (incomplete === null) return '';
  return `once run ${incomplete} is over, \`resurgo backup ${group}\` takes away first what it has received there, which no prune does; if that is too little: `;
}
