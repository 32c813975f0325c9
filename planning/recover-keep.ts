/** Which part of a layout is made again: all but disks that are left out, what lies on them alone, and what can't be made. */
import { counted } from './counted';
import type { Limit } from './layout-schema';
import { UNSAVED } from './layout-limits';
import type { FileSystem, LogicalVolume, MdArray, Mount } from './layout-storage';
import { PlanningError } from './errors';
import { withoutEncrypted } from './recover-encrypted';
import type { Graph, Storage } from './recover-graph';
import { fileSystemDevices, lvId, storageGraph, undescribed, unique, vdevDevices } from './recover-graph';
import type { Held, Loss } from './recover-held';
import { lossesOf, lostMounts } from './recover-held';
import { list, printable } from './recover-words';

export interface Kept {
  storage: Storage;
  /** Disks of the layout that need no counterpart, by id, with the reason. */
  unneeded: Map<string, string>;
  /** What is made again and is not in the backup. */
  losses: Loss[];
  warnings: string[];
  blockers: string[];
}

/**
 * The storage to make again.
 * @throws PlanningError for a disk to leave out that the layout doesn't have
 */
export function keptStorage({
  storage,
  limits,
  leaveOut,
  held,
}: {
  storage: Storage;
  limits: readonly Limit[];
  leaveOut: readonly string[];
  held: Held;
}): Kept {
  const warnings = limits
    .filter((each) => each.weight === 'part')
    // Among the losses, with its disk.
    .filter(({ why }) => why !== UNSAVED.unmounted || held === null || held === undefined)
    .map((each) => printable(`${each.what}: ${each.why}`));
  const blockers = limits.filter((each) => each.weight === 'fatal').map(limitInWords);
  const empty = lostMounts({ storage, held }).map(({ path }) => path);
  const plain = withoutEncrypted({ storage, empty, warnings, blockers });
  const known = keepOnly({ storage: plain, gone: undescribed(plain), why: UNKNOWN, empty, warnings, blockers });
  const graph = storageGraph(known);
  const unneeded = new Map<string, string>();
  for (const { id } of storage.disks) if (isEmpty(graph, id)) unneeded.set(id, 'nothing lies on it');
  for (const name of leaveOut) unneeded.set(layoutDisk({ storage, name }), 'left out');
  const kept = keepOnly({ storage: known, gone: [...unneeded.keys()], why: LEFT_OUT, empty, warnings, blockers });
  const made = { ...kept, fileSystems: kept.fileSystems.filter((each) => canBeMade(each, warnings)) };
  const ids = made.fileSystems.map((each) => each.id);
  return {
    storage: {
      ...made,
      arrays: made.arrays.map((array) => whole({ array, warnings })),
      mounts: made.mounts.filter((each) => ids.includes(each.fileSystem) || each.fileSystem.startsWith('zfs:')),
    },
    unneeded,
    losses: lossesOf({ storage: kept, held }),
    warnings,
    blockers,
  };
}

/** A fatal limit as what forbids the recovery. */
export function limitInWords({ what, why }: Pick<Limit, 'what' | 'why'>): string {
  return printable(`${what} can't be made again: ${why}. Recover this host by hand, from its files`);
}

/** Why something goes, and what an operator can do about it. */
interface Reason {
  because: string;
  next: string;
}
const LEFT_OUT: Reason = { because: 'its disk is left out', next: "Don't leave that disk out" };
const UNKNOWN: Reason = {
  because: 'the layout does not say what it lies on',
  next: 'Recover it by hand, from its files, or take the layout of another backup',
};

interface Leaving {
  storage: Storage;
  why: Reason;
  warnings: string[];
}

interface Keeping extends Leaving {
  gone: readonly string[];
  /** Mount points that come back empty in any case: nothing is lost where they don't. */
  empty: readonly string[];
  blockers: string[];
}

/** The storage without these devices and what lies on them alone. What is mounted there may not go, where the backup holds it. */
function keepOnly({ gone, empty, blockers, ...leaving }: Keeping): Storage {
  const lost = lostDevices(leaving.storage, new Set(gone));
  blockers.push(...neededThere({ storage: leaving.storage, lost, empty, why: leaving.why }));
  return without({ ...leaving, lost });
}

function canBeMade({ make, on }: FileSystem, warnings: string[]): boolean {
  if (make.type !== 'other') return true;
  warnings.push(printable(`${make.name} on ${on} can't be made again: its device comes back empty`));
  return false;
}

/** The id of a disk of the layout that an operator names, `sda` or `disk:sda`. */
export function layoutDisk({ storage, name }: { storage: Pick<Storage, 'disks'>; name: string }): string {
  const disk = storage.disks.find((each) => each.id === name || each.name === name);
  if (disk !== undefined) return disk.id;
  throw new PlanningError({
    code: 'not-found',
    message: printable(`the layout has no disk ${name}`),
    next: printable(`Name one of ${list(storage.disks.map((each) => each.name))}`),
  });
}

function isEmpty(graph: Graph, id: string): boolean {
  const use = graph.useOf(id);
  return use === undefined || (use.kind === 'table' && use.partitions.length === 0);
}

/** How many members an array can do without. */
function spareMembers({ level, slots, layout }: MdArray): number {
  if (level === 'raid1') return slots.length - 1;
  if (level === 'raid4' || level === 'raid5') return 1;
  if (level === 'raid6') return 2;
  if (level === 'raid10') return Number(/=(\d+)/.exec(layout ?? '')?.[1] ?? 2) - 1;
  return 0;
}

/** What is gone with these devices. */
function lostDevices(storage: Storage, gone: ReadonlySet<string>): ReadonlySet<string> {
  const lost = new Set(gone);
  const volumeLost = (volume: LogicalVolume): boolean =>
    volume.segments.some((segment) => {
      if (segment.kind === 'thin') return lost.has(lvId({ storage, group: volume.group, name: segment.pool }) ?? '');
      if (segment.kind !== 'thin-pool') return segment.areas.some((area) => lost.has(area.physical));
      return storage.volumeGroups.some(
        (group) => group.name === volume.group && group.physical.some(({ on }) => lost.has(on)),
      );
    });
  const arrayLost = (array: MdArray): boolean => {
    const missing = array.slots.filter((slot) => slot === null || lost.has(slot)).length;
    return array.slots.some((slot) => slot !== null && lost.has(slot)) && missing > spareMembers(array);
  };
  for (let before = -1; before < lost.size;) {
    before = lost.size;
    for (const each of storage.partitions) if (lost.has(each.on)) lost.add(each.id);
    for (const each of storage.arrays) if (arrayLost(each)) lost.add(each.id);
    for (const each of storage.luks) if (lost.has(each.on)) lost.add(each.id);
    for (const each of storage.volumes) if (volumeLost(each)) lost.add(each.id);
    for (const each of storage.pools) {
      if (!vdevDevices(each).some((id) => lost.has(id))) continue;
      for (const dataset of each.datasets) lost.add(`zvol:${dataset.name}`);
    }
  }
  return lost;
}

/** What is mounted or swapped to and would not come back. */
function neededThere({
  storage,
  lost,
  empty,
  why,
}: Pick<Keeping, 'storage' | 'empty' | 'why'> & { lost: ReadonlySet<string> }): string[] {
  const gone = storage.fileSystems
    .filter((each) => fileSystemDevices(each).some((id) => lost.has(id)))
    .map(({ id }) => id);
  const datasets = storage.pools
    .filter((pool) => vdevDevices(pool).some((id) => lost.has(id)))
    .flatMap((pool) => pool.datasets.map((dataset) => `zfs:${dataset.name}`));
  const paths = storage.mounts
    .filter((each) => [...gone, ...datasets].includes(each.fileSystem) && !empty.includes(each.path))
    .map((each) => each.path);
  if (paths.length === 0) return [];
  return [printable(`${list(unique(paths))} would be lost: ${why.because}. ${why.next}`)];
}

function without({ storage, lost, why, warnings }: Leaving & { lost: ReadonlySet<string> }): Storage {
  const there = (each: { id: string }): boolean => !lost.has(each.id);
  const leaves = (what: string): void => {
    warnings.push(printable(`${what} is not made again: ${why.because}`));
  };
  const fileSystems = storage.fileSystems.filter((each) => {
    const stays = !fileSystemDevices(each).some((id) => lost.has(id));
    if (!stays) leaves(`${each.make.type} on ${each.on}`);
    return stays;
  });
  const pools = storage.pools.filter((pool) => !vdevDevices(pool).some((id) => lost.has(id)));
  const mountable = new Set([
    ...fileSystems.map((each) => each.id),
    ...pools.flatMap((pool) => pool.datasets.map((dataset) => `zfs:${dataset.name}`)),
  ]);
  for (const pool of storage.pools.filter((each) => !pools.includes(each))) {
    leaves(`pool ${pool.name}`);
  }
  for (const { on } of storage.swaps) {
    if (on !== null && lost.has(on)) leaves(`swap on ${on}`);
  }
  return {
    disks: storage.disks.filter(there),
    tables: storage.tables.filter((each) => !lost.has(each.on)),
    partitions: storage.partitions.filter(there),
    arrays: storage.arrays.filter(there).map((array) => ({
      ...array,
      slots: array.slots.map((slot) => (slot !== null && lost.has(slot) ? null : slot)),
      spares: array.spares.filter((id) => !lost.has(id)),
    })),
    luks: storage.luks.filter(there),
    volumeGroups: storage.volumeGroups
      .map((group) => ({ ...group, physical: group.physical.filter(({ on }) => !lost.has(on)) }))
      .filter((group) => group.physical.length > 0),
    volumes: storage.volumes.filter(there),
    pools,
    fileSystems,
    swaps: storage.swaps.filter(({ on }) => on === null || !lost.has(on)),
    mounts: visible(storage.mounts).filter((each) => mountable.has(each.fileSystem)),
  };
}

/** Of mounts one over the other only the last is seen. */
function visible(mounts: readonly Mount[]): Mount[] {
  return mounts.filter((each, i) => !mounts.slice(i + 1).some((later) => later.path === each.path));
}

/** A spare takes the place of a member that was missing already; without one the slot stays open. */
function whole({ array, warnings }: { array: MdArray; warnings: string[] }): MdArray {
  const spares = [...array.spares];
  const slots = array.slots.map((slot) => slot ?? spares.shift() ?? null);
  const missing = slots.filter((slot) => slot === null).length;
  if (missing > 0) {
    warnings.push(
      printable(
        `array ${array.name ?? array.device} is made with ${missing} of its ${counted(slots.length, 'member')} missing: add them afterwards (mdadm --add)`,
      ),
    );
  } else if (spares.length < array.spares.length) {
    warnings.push(printable(`array ${array.name ?? array.device} was degraded: its spare becomes a member`));
  }
  return { ...array, slots, spares };
}
