/** The layout's storage on the new machine's disks: every device with its new place and size, from the disks up. */
import type { Luks, MdArray, Partition, Table } from './layout-storage';
import type { Graph, Storage } from './recover-graph';
import { zvolId } from './recover-graph';
import { placedLuks } from './recover-luks';
import { diskFacts } from './recover-machine';
import type { FoundDisk } from './recover-machine';
import { sizedArray } from './recover-md';
import { needsOf, sectorBytesWere } from './recover-needs';
import type { SizeContext, SizeInput } from './recover-size-context';
import { figures, where } from './recover-size-context';
import { sizedFileSystem, sizedPool, sizedSwap } from './recover-size-files';
import { sizedGroup } from './recover-size-lvm';
import { checkPartitions, placePartitions } from './recover-table';
import { size } from './recover-words';

export interface Sized {
  /** As it will be on the new machine, with the ids of the layout. */
  storage: Storage;
  warnings: string[];
  blockers: string[];
}

/** Less room than this may be left over without a word. */
const WORTH_SAYING = 2 ** 30;

/** Sizes everything. What does not fit is a blocker with its figures. */
export function sizedStorage(input: SizeInput): Sized {
  const { graph, chosen, policy } = input;
  const sectorOf = newSectors(graph, (id) => chosen.get(id)?.sectorBytes ?? 512);
  const context: SizeContext = {
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
function place(context: SizeContext, id: string, bytes: number): void {
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
    for (const volume of sizedGroup({ context, group: use.group })) {
      context.volumes.set(volume.id, volume);
      place(context, volume.id, volume.bytes);
    }
  }
}

function areAllPlaced({ bytes }: SizeContext, ids: readonly string[]): boolean {
  return ids.every((id) => bytes.has(id));
}

function placeTable({
  context,
  id,
  bytes,
  table,
  partitions,
}: {
  context: SizeContext;
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
  const reach = `an MBR reaches ${size((2 ** 32 - 1) * device.sectorBytes)} only`;
  if (!placement.fits) {
    const what = placement.isClipped ? `${reach}, which lacks` : 'it lacks';
    blockers.push(
      `${where(context, id)}: ${what} ${size(placement.lacksBytes)} (${figures(context, id)}). Use ${placement.isClipped ? 'a disk with the sectors that the old one had' : 'a bigger disk'}`,
    );
    for (const each of partitions) place(context, each.id, each.bytes);
    return;
  }
  if (placement.isClipped) {
    warnings.push(`${where(context, id)}: ${reach}; the rest of the disk stays unused`);
  } else if (placement.unusedBytes >= WORTH_SAYING) {
    warnings.push(`${where(context, id)}: ${size(placement.unusedBytes)} stay unallocated`);
  }
  context.tables.push(placement.table);
  for (const each of placement.partitions) {
    context.partitions.set(each.id, each);
    place(context, each.id, each.bytes);
  }
}

function placeLuks({ context, luks, bytes }: { context: SizeContext; luks: Luks; bytes: number }): void {
  const { graph } = context;
  const placed = placedLuks({
    luks,
    now: bytes,
    was: graph.bytesOf(luks.on),
    insideWas: graph.bytesOf(luks.id),
    sectorBytes: context.sectorOf(luks.on),
  });
  context.warnings.push(...placed.warnings);
  context.blockers.push(...placed.blockers);
  context.luks.set(luks.id, placed.luks);
  place(context, luks.id, placed.inside);
}

function placeArray({ context, array }: { context: SizeContext; array: MdArray }): void {
  const { graph, bytes } = context;
  const sized = sizedArray({ array, was: graph.bytesOf, now: (id) => bytes.get(id) ?? 0 });
  context.arrays.set(array.id, sized);
  place(context, array.id, sized.bytes);
}

function newDisk(disk: Storage['disks'][number], found: FoundDisk | undefined): Storage['disks'][number] {
  return found === undefined ? disk : { id: disk.id, ...diskFacts(found) };
}
