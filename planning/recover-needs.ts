/** How small a device may become, with all that lies on it, and whether more room would be of use to it. */
import type { MdArray } from './layout-storage';
import { leastFileSystem, wholeBytes } from './recover-fs';
import type { Graph, Use } from './recover-graph';
import { lvId } from './recover-graph';
import { extentsOf, leastExtents } from './recover-lvm';
import { arrayShape } from './recover-md';
import { leastTableBytes, roundUp } from './recover-table';
import { printable, size } from './recover-words';

export interface Need {
  least: number;
  grows: boolean;
}

export interface NeedsInput {
  graph: Graph;
  headroomPercent: number;
  /** Sector size of a device on the new disks. */
  sectorOf: (id: string) => number;
}

export interface Needs {
  of: (id: string) => Need;
  /** What the least size is made of, a line each. */
  figures: (id: string) => string[];
}

const MIB = 2 ** 20;
/** Below these lies what firmware and boot loader read: such a file system stays as large as it was. */
const BOOT_PATHS = ['/boot', '/boot/efi', '/efi'];

/** The needs of all devices, each worked out once. */
export function needsOf(input: NeedsInput): Needs {
  const known = new Map<string, Need>();
  const needs: Needs = {
    of: (id) => {
      const need = known.get(id) ?? needOf({ id, input, needs });
      known.set(id, need);
      return need;
    },
    figures: (id) => figuresOf({ id, input, needs }),
  };
  return needs;
}

interface Asked {
  id: string;
  input: NeedsInput;
  needs: Needs;
}

function needOf({ id, input, needs }: Asked): Need {
  const { graph, sectorOf } = input;
  const bytes = graph.bytesOf(id);
  const use = graph.useOf(id);
  if (use === undefined) return { least: bytes, grows: false };
  switch (use.kind) {
    case 'table': {
      const device = { oldBytes: bytes, oldSectorBytes: sectorBytesWere(graph, id), bytes, sectorBytes: sectorOf(id) };
      const least = leastTableBytes({ table: use.table, partitions: use.partitions, device, needs: needs.of });
      return { least, grows: use.partitions.some((each) => each.role !== 'extended' && needs.of(each.id).grows) };
    }
    case 'md':
      return leastMember({ array: use.array, bytes, content: needs.of(use.array.id), graph });
    case 'luks': {
      const { least, grows } = needs.of(use.luks.id);
      // A mapping that was not open told nothing of what is in it.
      return use.luks.bytes === null
        ? { least: bytes, grows }
        : { least: atMost(bytes, use.luks.dataOffsetBytes + least), grows };
    }
    case 'pv': {
      const { group, physical } = use;
      const volumes = graph.storage.volumes.filter((each) => each.group === group.name);
      const extents =
        leastExtents({ group, volumes, needs: (volume) => volumeNeed({ id: volume, input, needs }) }).get(id) ?? 1;
      return { least: atMost(bytes, physical.dataOffsetBytes + extents * group.extentBytes), grows: true };
    }
    case 'fs':
      return fileSystemNeed({ id, use, input });
    case 'swap':
      return { least: bytes, grows: false };
    case 'vdev': {
      const share = Math.min(
        1,
        (use.pool.usedBytes * (1 + input.headroomPercent / 100)) / Math.max(1, use.pool.bytes) + 0.05,
      );
      const isData = use.pool.data.some((vdev) => vdev.on === id || vdev.children.some((child) => child.on === id));
      return { least: isData ? atMost(bytes, Math.max(64 * MIB, Math.ceil(bytes * share))) : bytes, grows: true };
    }
  }
}

/** Of a logical volume, in extents of its group. */
export function volumeNeed({ id, input, needs }: Asked): { extents: number; grows: boolean } {
  const { storage, bytesOf } = input.graph;
  const volume = storage.volumes.find((each) => each.id === id);
  const group = storage.volumeGroups.find((each) => each.name === volume?.group);
  if (volume === undefined || group === undefined) return { extents: 0, grows: false };
  const inExtents = (bytes: number): number => Math.ceil(bytes / group.extentBytes);
  if (volume.segments.some((segment) => segment.kind === 'thin')) return { extents: extentsOf(volume), grows: false };
  if (!volume.segments.some((segment) => segment.kind === 'thin-pool')) {
    const { least, grows } = needs.of(id);
    return { extents: inExtents(least), grows };
  }
  const thin = storage.volumes.filter((each) =>
    each.segments.some(
      (segment) => segment.kind === 'thin' && lvId({ storage, group: each.group, name: segment.pool }) === id,
    ),
  );
  const extents = thin.reduce((sum, each) => sum + inExtents(Math.min(bytesOf(each.id), needs.of(each.id).least)), 0);
  return { extents: Math.max(1, Math.min(extentsOf(volume), extents)), grows: true };
}

function fileSystemNeed({
  id,
  use,
  input,
}: {
  id: string;
  use: Extract<Use, { kind: 'fs' }>;
  input: NeedsInput;
}): Need {
  const { graph, sectorOf, headroomPercent } = input;
  const bytes = graph.bytesOf(id);
  const { fileSystem } = use;
  const least = leastFileSystem({ fileSystem, headroomPercent, sectorBytes: sectorOf(id) });
  const isBoot = graph.storage.mounts.some(
    (each) => each.fileSystem === fileSystem.id && BOOT_PATHS.includes(each.path),
  );
  const { type } = fileSystem.make;
  if (isBoot || type === 'vfat' || type === 'other')
    return { least: Math.max(bytes, type === 'vfat' ? least : 0), grows: false };
  // Of a btrfs each device has its share; elsewhere the device is at least as large as what is on it.
  const part =
    fileSystem.make.type === 'btrfs' ? Math.ceil(bytes * (least / Math.max(1, wholeBytes(fileSystem)))) : least;
  return { least: least >= wholeBytes(fileSystem) ? bytes : atMost(bytes, roundUp(part, MIB)), grows: true };
}

function leastMember({
  array,
  bytes,
  content,
  graph,
}: {
  array: MdArray;
  bytes: number;
  content: Need;
  graph: Graph;
}): Need {
  const { overhead, component } = arrayShape(array, graph);
  const share = Math.min(1, content.least / Math.max(1, array.bytes));
  const least = overhead + roundUp(component * share, array.chunkBytes ?? 64 * 1024);
  return { least: content.least >= array.bytes ? bytes : atMost(bytes, roundUp(least, MIB)), grows: content.grows };
}

/** Sector size of a device on the old disks. */
export function sectorBytesWere(graph: Graph, id: string): number {
  const disks = graph.disksUnder(id);
  return Math.max(
    512,
    ...graph.storage.disks.filter((disk) => disks.includes(disk.id)).map((disk) => disk.sectorBytes),
  );
}

function atMost(bytes: number, least: number): number {
  return Math.min(bytes, least);
}

function figuresOf({ id, input, needs }: Asked): string[] {
  const { graph } = input;
  const use = graph.useOf(id);
  const name = id.slice(id.indexOf(':') + 1);
  const line = (what: string): string => printable(`${name}: ${what}`);
  const { least } = needs.of(id);
  if (use === undefined) return [line(`${size(least)}, as nothing tells what it holds`)];
  switch (use.kind) {
    case 'table':
      return use.partitions.flatMap((each) => (each.role === 'extended' ? [] : needs.figures(each.id)));
    case 'md':
      return needs.figures(use.array.id);
    case 'luks':
      return needs.figures(use.luks.id);
    case 'pv':
      return graph.storage.volumes
        .filter(
          (each) => each.group === use.group.name && !each.segments.some((segment) => segment.kind === 'thin-pool'),
        )
        .flatMap((each) => needs.figures(each.id));
    case 'fs': {
      const { make, usedBytes } = use.fileSystem;
      const type = make.type === 'other' ? make.name : make.type;
      const used = usedBytes === null ? 'use unknown' : `${size(usedBytes)} used`;
      const keeps = least >= graph.bytesOf(id) ? 'keeps' : `needs, with ${input.headroomPercent} % headroom,`;
      return [line(`${type}, ${used}, ${keeps} ${size(least)}`)];
    }
    case 'swap':
      return [line(`swap, keeps ${size(least)}`)];
    case 'vdev':
      return [line(`pool ${use.pool.name}, ${size(use.pool.usedBytes)} used in all, needs ${size(least)} here`)];
  }
}
