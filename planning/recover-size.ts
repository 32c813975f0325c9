/** The layout's storage on the new machine's disks: every device with its new place and size, from the disks up. */
import type { FileSystem, Luks, MdArray, Partition, Pool, Swap, Table, VolumeGroup } from './layout-storage';
import { leastFileSystem, remake } from './recover-fs';
import type { Graph, Storage } from './recover-graph';
import { fileSystemDevices, vdevDevices, zvolId } from './recover-graph';
import { extentsOf, fitGroup } from './recover-lvm';
import type { FoundDisk, RecoveryPolicy } from './recover-machine';
import { arrayShape, dataMembers, needsOf, sectorBytesWere, volumeNeed } from './recover-needs';
import { checkPartitions, floorTo, placePartitions } from './recover-table';
import { diskInWords, list, printable, size } from './recover-words';

export interface SizeInput {
  graph: Graph;
  /** By the layout disk's id: all of them. */
  chosen: ReadonlyMap<string, FoundDisk>;
  policy: Pick<RecoveryPolicy, 'grow' | 'headroomPercent'>;
}

export interface Sized {
  /** As it will be on the new machine, with the ids of the layout. */
  storage: Storage;
  warnings: string[];
  blockers: string[];
}

interface Context extends SizeInput {
  warnings: string[];
  blockers: string[];
  needs: ReturnType<typeof needsOf>;
  sectorOf: (id: string) => number;
  /** New sizes, of what has been placed. */
  bytes: Map<string, number>;
  tables: Table[];
  partitions: Map<string, Partition>;
  arrays: Map<string, MdArray>;
  luks: Map<string, Luks>;
  groups: Map<string, VolumeGroup>;
  volumes: Map<string, Storage['volumes'][number]>;
}

/** Sizes everything. What does not fit is a blocker with its figures. */
export function sizedStorage(input: SizeInput): Sized {
  const { graph, chosen, policy } = input;
  const sectorOf = newSectors(graph, (id) => chosen.get(id)?.sectorBytes ?? 512);
  const context: Context = {
    ...input,
    warnings: [],
    blockers: [],
    needs: needsOf({ graph, headroomPercent: policy.headroomPercent, sectorOf }),
    sectorOf,
    bytes: new Map(),
    tables: [],
    partitions: new Map(),
    arrays: new Map(),
    luks: new Map(),
    groups: new Map(),
    volumes: new Map(),
  };
  const { storage } = graph;
  for (const disk of storage.disks) place(context, disk.id, chosen.get(disk.id)?.bytes ?? 0);
  // A volume that lies on more than one device is placed with the last of them; a pool's volumes keep their sizes.
  for (const dataset of storage.pools.flatMap((pool) => pool.datasets)) {
    if (dataset.kind === 'volume') place(context, zvolId(dataset.name), dataset.bytes ?? 0);
  }
  const fileSystems = storage.fileSystems.map((each) => sizedFileSystem(context, each));
  return {
    storage: {
      disks: storage.disks.map((disk) => newDisk(disk, chosen.get(disk.id))),
      tables: storage.tables.map((table) => context.tables.find((each) => each.on === table.on) ?? table),
      partitions: storage.partitions.map((each) => context.partitions.get(each.id) ?? each),
      arrays: storage.arrays.map((each) => context.arrays.get(each.id) ?? each),
      luks: storage.luks.map((each) => context.luks.get(each.id) ?? each),
      volumeGroups: storage.volumeGroups.map((each) => context.groups.get(each.name) ?? each),
      volumes: storage.volumes.map((each) => context.volumes.get(each.id) ?? each),
      pools: storage.pools.map((pool) => sizedPool(context, pool)),
      fileSystems,
      swaps: storage.swaps.map((swap) => sizedSwap(context, swap)),
      mounts: storage.mounts,
    },
    warnings: context.warnings,
    blockers: context.blockers,
  };
}

/** Sector sizes as they go up from the disks. */
export function newSectors(graph: Graph, ofDisk: (id: string) => number): (id: string) => number {
  return (id) => Math.max(512, ...graph.disksUnder(id).map(ofDisk));
}

/** Gives a device its size, and goes on to what lies on it. */
function place(context: Context, id: string, bytes: number): void {
  const { graph } = context;
  context.bytes.set(id, bytes);
  const use = graph.useOf(id);
  if (use?.kind === 'table') placeTable({ context, id, bytes, table: use.table, partitions: use.partitions });
  if (use?.kind === 'luks') placeLuks({ context, luks: use.luks, bytes });
  if (use?.kind === 'md' && areAllPlaced(context, graph.below(use.array.id))) placeArray({ context, array: use.array });
  if (
    use?.kind === 'pv' &&
    areAllPlaced(
      context,
      use.group.physical.map((each) => each.on),
    )
  ) {
    placeGroup({ context, group: use.group });
  }
}

function areAllPlaced({ bytes }: Context, ids: readonly string[]): boolean {
  return ids.every((id) => bytes.has(id));
}

function placeTable({
  context,
  id,
  bytes,
  table,
  partitions,
}: {
  context: Context;
  id: string;
  bytes: number;
  table: Table;
  partitions: readonly Partition[];
}): void {
  const { graph, needs, policy, sectorOf, warnings, blockers } = context;
  checkPartitions(partitions);
  const device = {
    oldBytes: graph.bytesOf(id),
    oldSectorBytes: sectorBytesWere(graph, id),
    bytes,
    sectorBytes: sectorOf(id),
  };
  const placement = placePartitions({ table, partitions, device, needs: needs.of, grow: policy.grow });
  if (!placement.fits) {
    blockers.push(
      `${where(context, id)} lacks ${size(placement.lacksBytes)}: ${figures(context, id)}. Use a bigger disk`,
    );
    for (const each of partitions) place(context, each.id, each.bytes);
    return;
  }
  if (placement.clipped) {
    warnings.push(
      `${where(context, id)}: an MBR reaches ${size((2 ** 32 - 1) * device.sectorBytes)} only; the rest of the disk stays unused`,
    );
  }
  context.tables.push(placement.table);
  for (const each of placement.partitions) {
    context.partitions.set(each.id, each);
    place(context, each.id, each.bytes);
  }
}

function placeLuks({ context, luks, bytes }: { context: Context; luks: Luks; bytes: number }): void {
  const { graph } = context;
  const was = graph.bytesOf(luks.on);
  const inside = bytes === was ? graph.bytesOf(luks.id) : floorTo(bytes - luks.dataOffsetBytes, luks.sectorBytes);
  context.luks.set(luks.id, { ...luks, bytes: luks.bytes === null ? null : inside });
  place(context, luks.id, inside);
}

function placeArray({ context, array }: { context: Context; array: MdArray }): void {
  const { graph } = context;
  const members = array.slots.flatMap((slot) => (slot === null ? [] : [slot]));
  const now = (id: string): number => context.bytes.get(id) ?? 0;
  const { overhead, component } = arrayShape(array, graph);
  const changed = members.some((id) => now(id) !== graph.bytesOf(id));
  const room = floorTo(Math.min(...members.map(now)) - overhead, array.chunkBytes ?? 64 * 1024);
  // A bigger disk beside an old one: the array stays as large as its smallest member lets it.
  const unchanged = !changed || floorTo(component, array.chunkBytes ?? 64 * 1024) === room;
  const spread = array.level === 'linear' || array.level === 'raid0';
  const grown = members.reduce((sum, id) => sum + now(id) - graph.bytesOf(id), 0);
  const bytes = spread
    ? array.bytes + floorTo(grown, array.chunkBytes ?? 64 * 1024)
    : Math.floor(room * dataMembers(array));
  const sized = { ...array, bytes: unchanged ? array.bytes : bytes };
  context.arrays.set(array.id, sized);
  place(context, array.id, sized.bytes);
}

function placeGroup({ context, group }: { context: Context; group: VolumeGroup }): void {
  const { graph, needs, policy, blockers, warnings } = context;
  const input = { graph, headroomPercent: policy.headroomPercent, sectorOf: context.sectorOf };
  const extents = new Map(group.physical.map((each) => [each.on, newExtents(context, group, each)]));
  checkSectors(context, group);
  const volumes = graph.storage.volumes.filter((each) => each.group === group.name);
  const fitted = fitGroup({
    group,
    volumes,
    extents,
    grow: policy.grow,
    needs: (id) => volumeNeed({ id, input, needs }),
  });
  if (fitted === undefined) {
    const has = size([...extents.values()].reduce((sum, each) => sum + each, 0) * group.extentBytes);
    const [first] = group.physical;
    blockers.push(
      printable(
        `volume group ${group.name} has ${has}, too little: ${first === undefined ? '' : figures(context, first.on)}. Use bigger disks`,
      ),
    );
  }
  const physical = group.physical.map((each) => ({ ...each, extents: extents.get(each.on) ?? each.extents }));
  context.groups.set(group.name, { ...group, physical });
  const sum = (each: readonly { extents: number }[]): number =>
    each.reduce((total, { extents: own }) => total + own, 0);
  const more = sum(physical) - sum(group.physical);
  const taken =
    (fitted ?? volumes).reduce((total, each) => total + extentsOf(each), 0) -
    volumes.reduce((total, each) => total + extentsOf(each), 0);
  if (more > 0 && more - taken > 0) {
    warnings.push(
      printable(
        `volume group ${group.name} gets ${size((more - taken) * group.extentBytes)} of free extents: give them out afterwards (lvextend)`,
      ),
    );
  }
  for (const volume of fitted ?? volumes) {
    context.volumes.set(volume.id, volume);
    place(context, volume.id, volume.bytes);
  }
}

function newExtents(context: Context, group: VolumeGroup, physical: VolumeGroup['physical'][number]): number {
  const now = context.bytes.get(physical.on) ?? 0;
  if (now === context.graph.bytesOf(physical.on)) return physical.extents;
  return Math.max(0, Math.floor((now - physical.dataOffsetBytes) / group.extentBytes));
}

/** LVM makes no group of devices with different sectors. */
function checkSectors(context: Context, group: VolumeGroup): void {
  const before = new Set(group.physical.map(({ on }) => sectorBytesWere(context.graph, on)));
  const after = new Set(group.physical.map(({ on }) => context.sectorOf(on)));
  if (after.size <= 1 || before.size > 1) return;
  context.blockers.push(
    printable(
      `volume group ${group.name} would lie on disks with sectors of ${list([...after].map(String))} bytes, which LVM refuses. Use disks of one sector size`,
    ),
  );
}

function sizedFileSystem(context: Context, fileSystem: FileSystem): FileSystem {
  const { graph, sectorOf, policy, warnings, blockers } = context;
  const devices = fileSystemDevices(fileSystem);
  const change = (id: string): number => (context.bytes.get(id) ?? 0) - graph.bytesOf(id);
  const changed = devices.some((id) => change(id) !== 0);
  const sectorBytes = sectorOf(fileSystem.on);
  const blockBytes = 'blockBytes' in fileSystem.make ? fileSystem.make.blockBytes : 4096;
  const filled = devices.reduce((sum, id) => sum + (context.bytes.get(id) ?? 0), 0);
  const bytes = changed ? floorTo(filled, Math.max(blockBytes, sectorBytes)) : fileSystem.bytes;
  const members = new Map(devices.map((id) => [id, context.bytes.get(id) ?? 0]));
  const { make, notes } = remake({ fileSystem, bytes, members, sectorBytes });
  const name = fileSystem.on.slice(fileSystem.on.indexOf(':') + 1);
  warnings.push(...notes.map((note) => printable(`${make.type} of ${name} of the layout: ${note}`)));
  const least = leastFileSystem({ fileSystem, headroomPercent: policy.headroomPercent, sectorBytes });
  const room = make.type === 'vfat' && !changed ? graph.bytesOf(fileSystem.on) : bytes;
  if (room < least && (changed || sectorBytes > sectorBytesWere(graph, fileSystem.on))) {
    blockers.push(
      printable(
        `${make.type} of ${name} of the layout gets ${size(room)} and needs ${size(least)}. Use bigger disks, or such with smaller sectors`,
      ),
    );
  }
  return { ...fileSystem, bytes, make };
}

function sizedSwap({ bytes, graph }: Context, swap: Swap): Swap {
  if (swap.on === null) return swap;
  return { ...swap, bytes: swap.bytes + (bytes.get(swap.on) ?? 0) - graph.bytesOf(swap.on) };
}

/** A pool says how large it is by what it gets; its sectors can be bigger than they were, never smaller than the disk’s. */
function sizedPool({ bytes, graph, sectorOf, warnings }: Context, pool: Pool): Pool {
  const devices = vdevDevices(pool);
  const was = devices.reduce((sum, id) => sum + graph.bytesOf(id), 0);
  const now = devices.reduce((sum, id) => sum + (bytes.get(id) ?? 0), 0);
  const ashift = Math.log2(Math.max(512, ...devices.map(sectorOf)));
  const set = Number(pool.properties['ashift'] ?? 0);
  const raise = set > 0 && set < ashift;
  if (raise)
    warnings.push(printable(`pool ${pool.name}: ashift becomes ${ashift} (was ${set}), as the new disks’ sectors are`));
  return {
    ...pool,
    bytes: was === now ? pool.bytes : Math.floor((pool.bytes / Math.max(1, was)) * now),
    properties: raise ? { ...pool.properties, ashift: String(ashift) } : pool.properties,
  };
}

function newDisk(disk: Storage['disks'][number], found: FoundDisk | undefined): Storage['disks'][number] {
  if (found === undefined) return disk;
  const {
    name,
    bytes,
    sectorBytes,
    physicalSectorBytes,
    model,
    serial,
    wwn,
    byId,
    transport,
    rotational,
    removable,
    readOnly,
  } = found;
  return {
    id: disk.id,
    name,
    bytes,
    sectorBytes,
    physicalSectorBytes,
    model,
    serial,
    wwn,
    byId,
    transport,
    rotational,
    removable,
    readOnly,
  };
}

function figures({ needs }: Context, id: string): string {
  return needs.figures(id).join('; ');
}

function where({ chosen }: Context, id: string): string {
  const disk = chosen.get(id);
  return printable(disk === undefined ? id : diskInWords(disk));
}
