/** The storage of a layout as a graph: what lies on a device, and what a device lies on. */
import type { Layout } from './layout-schema';
import type { FileSystem, Luks, MdArray, Partition, Pool, Swap, Table, Vdev, VolumeGroup } from './layout-storage';
import { PlanningError } from './errors';

export type Storage = Pick<
  Layout,
  | 'disks'
  | 'tables'
  | 'partitions'
  | 'arrays'
  | 'luks'
  | 'volumeGroups'
  | 'volumes'
  | 'pools'
  | 'fileSystems'
  | 'swaps'
  | 'mounts'
>;

/** What a device holds. A btrfs of several devices is the use of each of them. */
export type Use =
  | { kind: 'table'; table: Table; partitions: Partition[] }
  | { kind: 'md'; array: MdArray }
  | { kind: 'luks'; luks: Luks }
  | { kind: 'pv'; group: VolumeGroup; physical: VolumeGroup['physical'][number] }
  | { kind: 'fs'; fileSystem: FileSystem }
  | { kind: 'swap'; swap: Swap }
  | { kind: 'vdev'; pool: Pool };

export interface Graph {
  storage: Storage;
  has: (id: string) => boolean;
  /** As captured. */
  bytesOf: (id: string) => number;
  /** What the device holds; undefined where that is nothing that the layout knows. */
  useOf: (id: string) => Use | undefined;
  /** Devices that this one lies on, directly. */
  below: (id: string) => string[];
  /** The disks that it lies on in the end. */
  disksUnder: (id: string) => string[];
}

/**
 * The graph of a layout's storage.
 * @throws PlanningError where the layout contradicts itself: a device that is missing, used twice, or lies on itself
 */
export function storageGraph(storage: Storage): Graph {
  const uses = gatherUses(storage);
  const below = gatherBelow(storage);
  for (const id of [...uses.keys(), ...[...below.values()].flat()]) {
    if (!below.has(id)) throw contradiction(`something lies on ${id}, which it does not describe`);
  }
  const disks = new Map<string, string[]>();
  const disksUnder = (id: string, path: readonly string[] = []): string[] => {
    const known = disks.get(id);
    if (known !== undefined) return known;
    if (path.includes(id)) throw contradiction(`${id} lies on itself`);
    const under = below.get(id) ?? [];
    const found = under.length === 0 ? [id] : unique(under.flatMap((each) => disksUnder(each, [...path, id])));
    disks.set(id, found);
    return found;
  };
  for (const id of below.keys()) disksUnder(id);
  // Only now: it goes down from device to device, which must come to an end.
  const sizes = gatherSizes(storage);
  return {
    storage,
    has: (id) => below.has(id),
    bytesOf: (id) => sizes.get(id) ?? 0,
    useOf: (id) => uses.get(id),
    below: (id) => below.get(id) ?? [],
    disksUnder: (id) => disksUnder(id),
  };
}

/** What the layout contradicts itself in; undefined where it doesn't. What it does not describe is left out of plans, and is none. */
export function graphProblem(storage: Storage): string | undefined {
  if (undescribed(storage).length > 0) return undefined;
  try {
    storageGraph(storage);
    return undefined;
  } catch (error) {
    if (error instanceof PlanningError) return error.message.replace(`. ${error.next}`, '');
    throw error;
  }
}

/** Devices that something lies on and that the layout says no more of: such as its capture could not understand. */
export function undescribed(storage: Storage): string[] {
  const known = new Set([
    ...[storage.disks, storage.partitions, storage.arrays, storage.luks, storage.volumes].flat().map((each) => each.id),
    ...storage.pools.flatMap((pool) => pool.datasets.map((dataset) => zvolId(dataset.name))),
  ]);
  const referred = [
    ...[storage.tables, storage.partitions, storage.luks].flat().map((each) => each.on),
    ...storage.swaps.flatMap(({ on }) => (on === null ? [] : [on])),
    ...storage.arrays.flatMap(members),
    ...storage.volumeGroups.flatMap((group) => group.physical.map((each) => each.on)),
    ...storage.fileSystems.flatMap(fileSystemDevices),
    ...storage.pools.flatMap(vdevDevices),
  ];
  return unique(referred.filter((id) => !known.has(id)));
}

/** The devices of a pool, those of its log, cache, spares and special ones too. */
export function vdevDevices(pool: Pool): string[] {
  const leaves = (vdev: Vdev): string[] => (vdev.on === null ? vdev.children.flatMap(leaves) : [vdev.on]);
  return [...pool.data, ...pool.log, ...pool.cache, ...pool.spare, ...pool.special].flatMap(leaves);
}

/** The id of a pool's volume as a device. */
export function zvolId(dataset: string): string {
  return `zvol:${dataset}`;
}

/** The devices of a file system: all members of a btrfs, one for the others. */
export function fileSystemDevices({ on, make }: FileSystem): string[] {
  return make.type === 'btrfs' ? make.members.map((member) => member.on) : [on];
}

/** The id of a thin pool of a volume group. */
export function lvId({ storage, group, name }: { storage: Storage; group: string; name: string }): string | undefined {
  return storage.volumes.find((volume) => volume.group === group && volume.name === name)?.id;
}

export function unique<T>(items: readonly T[]): T[] {
  return [...new Set(items)];
}

function gatherUses(storage: Storage): Map<string, Use> {
  const uses = new Map<string, Use>();
  const add = (id: string, use: Use): void => {
    if (uses.has(id)) throw contradiction(`${id} is said to be used twice`);
    uses.set(id, use);
  };
  for (const table of storage.tables) {
    const partitions = storage.partitions
      .filter((each) => each.on === table.on)
      .sort((a, b) => a.startByte - b.startByte || (a.role === 'extended' ? -1 : 1));
    add(table.on, { kind: 'table', table, partitions });
  }
  for (const array of storage.arrays) for (const id of members(array)) add(id, { kind: 'md', array });
  for (const luks of storage.luks) add(luks.on, { kind: 'luks', luks });
  for (const group of storage.volumeGroups) {
    for (const physical of group.physical) add(physical.on, { kind: 'pv', group, physical });
  }
  for (const fileSystem of storage.fileSystems) {
    for (const id of fileSystemDevices(fileSystem)) add(id, { kind: 'fs', fileSystem });
  }
  for (const swap of storage.swaps) if (swap.on !== null) add(swap.on, { kind: 'swap', swap });
  for (const pool of storage.pools) for (const id of vdevDevices(pool)) add(id, { kind: 'vdev', pool });
  return uses;
}

function members(array: MdArray): string[] {
  return [...array.slots.filter((slot) => slot !== null), ...array.spares];
}

function gatherBelow(storage: Storage): Map<string, string[]> {
  const below = new Map<string, string[]>();
  const add = (id: string, under: string[]): void => {
    if (below.has(id)) throw contradiction(`${id} is described twice`);
    below.set(id, unique(under));
  };
  for (const disk of storage.disks) add(disk.id, []);
  for (const partition of storage.partitions) add(partition.id, [partition.on]);
  for (const array of storage.arrays) add(array.id, members(array));
  for (const luks of storage.luks) add(luks.id, [luks.on]);
  for (const volume of storage.volumes) {
    const all =
      storage.volumeGroups.find((group) => group.name === volume.group)?.physical.map((each) => each.on) ?? [];
    const under = volume.segments.flatMap((segment): string[] => {
      if (segment.kind === 'thin-pool') return all;
      if (segment.kind !== 'thin') return segment.areas.map((area) => area.physical);
      const pool = lvId({ storage, group: volume.group, name: segment.pool });
      if (pool === undefined)
        throw contradiction(`${volume.id} lies in the thin pool ${segment.pool}, which it does not describe`);
      return [pool];
    });
    if (under.length === 0) throw contradiction(`it does not say what ${volume.id} lies on`);
    add(volume.id, under);
  }
  for (const pool of storage.pools) {
    for (const dataset of pool.datasets) {
      if (dataset.kind === 'volume') add(zvolId(dataset.name), vdevDevices(pool));
    }
  }
  return below;
}

function gatherSizes(storage: Storage): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const each of [...storage.disks, ...storage.partitions, ...storage.arrays, ...storage.volumes]) {
    sizes.set(each.id, each.bytes);
  }
  for (const dataset of storage.pools.flatMap((pool) => pool.datasets)) {
    if (dataset.kind === 'volume') sizes.set(zvolId(dataset.name), dataset.bytes ?? 0);
  }
  const mapping = (luks: Luks): number => {
    const under = storage.luks.find((each) => each.id === luks.on);
    const room = sizes.get(luks.on) ?? (under === undefined ? 0 : mapping(under));
    return luks.bytes ?? Math.max(0, room - luks.dataOffsetBytes);
  };
  for (const luks of storage.luks) sizes.set(luks.id, mapping(luks));
  return sizes;
}

function contradiction(what: string): PlanningError {
  return new PlanningError({
    code: 'bad-plan',
    message: `the layout contradicts itself: ${what}`,
    next: 'Take the layout of another backup, or look at it with `resurgo layout show`',
  });
}
