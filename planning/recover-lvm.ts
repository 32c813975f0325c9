/** A volume group on physical volumes of other sizes: which extents its logical volumes get. */
import type { LogicalVolume, Segment, VolumeGroup } from './layout-storage';
import { share } from './recover-table';

/** What a logical volume needs at least, in extents, and whether it can use more. */
export type VolumeNeed = (id: string) => { extents: number; grows: boolean };

export interface GroupInput {
  group: VolumeGroup;
  volumes: readonly LogicalVolume[];
  needs: VolumeNeed;
}

/** Sizes are tried in so many steps between a volume's least and its most. */
const STEPS = 1000;

/**
 * The group's volumes on physical volumes of so many extents. Where all fits they stay as they are; otherwise each shrinks by the
 * same share of what it can spare. Undefined where that is not enough.
 */
export function fitGroup(
  input: GroupInput & { extents: ReadonlyMap<string, number>; grow: 'last' | 'proportional' | 'none' },
): LogicalVolume[] | undefined {
  const { group, volumes, needs, extents, grow } = input;
  const fits = (candidate: readonly LogicalVolume[], limits: ReadonlyMap<string, number>): boolean => {
    const used = usedExtents(candidate);
    const within = group.physical.every(({ on }) => (used.get(on) ?? 0) <= (limits.get(on) ?? 0));
    const free = group.physical.reduce((sum, { on }) => sum + (limits.get(on) ?? 0) - (used.get(on) ?? 0), 0);
    return within && poolExtents(candidate, group) <= free;
  };
  const between = (k: number, bound: (volume: LogicalVolume) => number): LogicalVolume[] =>
    volumes.map((volume) => {
      const [low, high] = [Math.min(bound(volume), extentsOf(volume)), Math.max(bound(volume), extentsOf(volume))];
      return scaled({ volume, extents: low + Math.floor(((high - low) * k) / STEPS), extentBytes: group.extentBytes });
    });
  if (fits(volumes, extents)) {
    if (grow !== 'proportional') return packed({ group, volumes, extents });
    const limits = grownLimits({ group, volumes, extents });
    const growing = sum(volumes.filter((volume) => needs(volume.id).grows).map(extentsOf));
    const more = sum([...extents.values()]) - sum(group.physical.map((each) => each.extents));
    const ratio = 1 + Math.max(0, more) / Math.max(1, growing);
    const most = (volume: LogicalVolume): number =>
      needs(volume.id).grows ? Math.floor(extentsOf(volume) * ratio) : extentsOf(volume);
    const k = largest((step) => fits(between(step, most), limits));
    return packed({ group, volumes: k === undefined || k === 0 ? volumes : between(k, most), extents });
  }
  const least = (volume: LogicalVolume): number => Math.min(extentsOf(volume), needs(volume.id).extents);
  const k = largest((step) => fits(between(step, least), extents));
  return k === undefined ? undefined : packed({ group, volumes: between(k, least), extents });
}

/** The least extents that each physical volume must have, with every logical one as small as it may be. */
export function leastExtents({ group, volumes, needs }: GroupInput): Map<string, number> {
  const smallest = volumes.map((volume) => {
    const extents = Math.min(extentsOf(volume), needs(volume.id).extents);
    return scaled({ volume, extents, extentBytes: group.extentBytes });
  });
  const used = usedExtents(smallest);
  // Where a thin pool lies the layout does not say: it is taken to lie where there was room.
  const before = usedExtents(volumes);
  const free = group.physical.map(({ on, extents }) => Math.max(0, extents - (before.get(on) ?? 0)));
  const pools = poolExtents(smallest, group);
  const parts = share({ amount: pools, weights: free, most: free.map(() => pools) });
  return new Map(group.physical.map(({ on }, i) => [on, Math.max(1, (used.get(on) ?? 0) + (parts[i] ?? 0))]));
}

export function extentsOf({ segments }: LogicalVolume): number {
  return sum(segments.map((segment) => segment.extents));
}

/** The largest step that holds; undefined where not even the smallest does. */
function largest(holds: (step: number) => boolean): number | undefined {
  if (!holds(0)) return undefined;
  let [low, high] = [0, STEPS];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (holds(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** No fuller than it was: the group keeps its share of free extents, on each physical volume. */
function grownLimits({
  group,
  volumes,
  extents,
}: Pick<GroupInput, 'group' | 'volumes'> & { extents: ReadonlyMap<string, number> }): Map<string, number> {
  const used = usedExtents(volumes);
  const all = sum(group.physical.map((each) => each.extents));
  const free = Math.max(0, all - sum([...used.values()]) - poolExtents(volumes, group));
  return new Map(
    group.physical.map(({ on }) => {
      const now = extents.get(on) ?? 0;
      return [on, Math.max(used.get(on) ?? 0, now - Math.floor((now * free) / Math.max(1, all)))];
    }),
  );
}

/** Extents by physical volume, those of thin pools left out. */
function usedExtents(volumes: readonly LogicalVolume[]): Map<string, number> {
  const used = new Map<string, number>();
  for (const segment of volumes.flatMap((volume) => volume.segments)) {
    if (!('areas' in segment)) continue;
    // Each image of a RAID volume has one more extent for its own metadata.
    const own = segment.kind === 'raid' && segment.type !== 'mirror' ? 1 : 0;
    for (const area of segment.areas) used.set(area.physical, (used.get(area.physical) ?? 0) + area.extents + own);
  }
  return used;
}

/** What thin pools need, anywhere in the group: data, metadata, and the spare for its repair. */
function poolExtents(volumes: readonly LogicalVolume[], { extentBytes }: VolumeGroup): number {
  const pools = volumes.flatMap((volume) => volume.segments).filter((segment) => segment.kind === 'thin-pool');
  const metadata = pools.map((pool) => Math.ceil(pool.metadataBytes / extentBytes));
  return sum(pools.map((pool) => pool.extents)) + sum(metadata) + Math.max(0, ...metadata);
}

/** The volume with so many extents (or the next whole stripe), each of its segments in proportion. */
function scaled({
  volume,
  extents,
  extentBytes,
}: {
  volume: LogicalVolume;
  extents: number;
  extentBytes: number;
}): LogicalVolume {
  const was = extentsOf(volume);
  if (extents === was || volume.segments.some((segment) => segment.kind === 'thin')) return volume;
  const wanted = Math.max(1, extents);
  const parts = share({
    amount: wanted,
    weights: volume.segments.map((segment) => segment.extents),
    most: volume.segments.map(() => wanted),
  });
  const segments = volume.segments.flatMap((segment, i) => scaledSegment(segment, parts[i] ?? 0));
  return { ...volume, segments, bytes: sum(segments.map((segment) => segment.extents)) * extentBytes };
}

function scaledSegment(segment: Segment, extents: number): Segment[] {
  if (extents === 0) return [];
  if (segment.kind === 'thin-pool' || segment.kind === 'thin') return [{ ...segment, extents }];
  const stripes = segment.kind === 'linear' ? 1 : Math.max(1, segment.stripes);
  const whole = Math.ceil(extents / stripes) * stripes;
  const areas = segment.areas.map((area) => ({
    ...area,
    extents: Math.ceil((area.extents * whole) / segment.extents),
  }));
  return [{ ...segment, extents: whole, areas }];
}

/** Places on the physical volumes: as they were where all sizes are the same and fit, otherwise one behind the other in their order. */
function packed({
  group,
  volumes,
  extents,
}: {
  group: VolumeGroup;
  volumes: readonly LogicalVolume[];
  extents: ReadonlyMap<string, number>;
}): LogicalVolume[] {
  const areas = volumes.flatMap((volume) =>
    volume.segments.flatMap((segment) => ('areas' in segment ? segment.areas : [])),
  );
  const ends = areas.map((area) => ({ ...area, end: area.startExtent + area.extents }));
  const clash = ends.some(
    (area, i) =>
      area.end > (extents.get(area.physical) ?? 0) ||
      ends.some(
        (other, j) =>
          j < i && other.physical === area.physical && other.startExtent < area.end && area.startExtent < other.end,
      ),
  );
  if (!clash) return [...volumes];
  const starts = new Map<(typeof areas)[number], number>();
  for (const { on } of group.physical) {
    let next = 0;
    const own = areas.filter((area) => area.physical === on).sort((a, b) => a.startExtent - b.startExtent);
    for (const area of own) {
      starts.set(area, next);
      next += area.extents;
    }
  }
  return volumes.map((volume) => ({
    ...volume,
    segments: volume.segments.map((segment) =>
      'areas' in segment
        ? {
            ...segment,
            areas: segment.areas.map((area) => ({ ...area, startExtent: starts.get(area) ?? area.startExtent })),
          }
        : segment,
    ),
  }));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
