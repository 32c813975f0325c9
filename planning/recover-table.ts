/** Where partitions go on a device of another size or other sectors: unchanged where they fit, else grown or shrunk in their order. */
import type { Partition, Table } from './layout-storage';
import { PlanningError } from './errors';

const MIB = 2 ** 20;
/** An MBR counts sectors in 32 bits. */
const MBR_SECTORS = 2 ** 32 - 1;
const GPT_ENTRY_BYTES = 128;

/** The device that a table is on, as it was and as it will be. */
export interface TableDevice {
  oldBytes: number;
  oldSectorBytes: number;
  bytes: number;
  sectorBytes: number;
}

export interface PlacementInput {
  table: Table;
  /** In the order of their places, an extended one before its logical ones. */
  partitions: readonly Partition[];
  device: TableDevice;
  /** What a partition needs at least, and whether it can use more; extended ones are as large as what they hold. */
  needs: (id: string) => { least: number; grows: boolean };
  grow: 'last' | 'proportional' | 'none';
}

export type Placement =
  /** `unusedBytes`: beyond what was unused before. `isClipped`: the table reaches only part of the device. */
  | { fits: true; table: Table; partitions: Partition[]; unusedBytes: number; isClipped: boolean }
  | { fits: false; lacksBytes: number; isClipped: boolean };

/** The partitions' places and sizes. What needs no change keeps its place to the byte. */
export function placePartitions(input: PlacementInput): Placement {
  const { table, device, grow } = input;
  const limit = endOfRoom(table, device);
  const isClipped = table.kind === 'dos' && MBR_SECTORS * device.sectorBytes < device.bytes;
  const sizes = wantedSizes(input);
  const end = endOf(layOut({ ...input, sizes }));
  const isTight = end > limit;
  const oldTail = Math.max(0, endOfRoom(table, asItWas(device)) - endOf(input.partitions));
  if (isTight) {
    if (!shrink({ input, sizes, limit })) return { fits: false, lacksBytes: leastEnd(input) - limit, isClipped };
  } else if (grow !== 'none') {
    enlarge({ input, sizes, extra: floorTo(limit - end - oldTail, MIB) });
  }
  const partitions = layOut({ ...input, sizes, isTight });
  const unusedBytes = Math.max(0, limit - endOf(partitions) - oldTail);
  return { fits: true, table: newTable(table, device), partitions, unusedBytes, isClipped };
}

/** The least bytes of a device that holds these partitions. */
export function leastTableBytes(input: Omit<PlacementInput, 'grow'>): number {
  const { table, device } = input;
  return roundUp(leastEnd(input) + (table.kind === 'gpt' ? gptTail(table, device.sectorBytes) : 0), MIB);
}

/** Where the last partition ends with all of them as small as they may be. */
function leastEnd(input: Omit<PlacementInput, 'grow'>): number {
  const sizes = wantedSizes(input);
  for (const leaf of leaves(input.partitions))
    sizes.set(leaf.id, (sizes.get(leaf.id) ?? 0) - slackOf(input, sizes, leaf));
  return endOf(layOut({ ...input, sizes, isTight: true }));
}

/** Sizes as they were, where that is enough. */
function wantedSizes({
  partitions,
  device,
  needs,
}: Pick<PlacementInput, 'partitions' | 'device' | 'needs'>): Map<string, number> {
  return new Map(
    leaves(partitions).map(({ id, bytes }) => {
      const { least } = needs(id);
      return [id, least > bytes ? roundUp(least, MIB) : roundUp(bytes, device.sectorBytes)];
    }),
  );
}

/** Takes what is too much from those that have slack, in proportion to it. False where there is not enough. */
function shrink({
  input,
  sizes,
  limit,
}: {
  input: PlacementInput;
  sizes: Map<string, number>;
  limit: number;
}): boolean {
  // A partition that moves is aligned anew, which may cost once more: bounded by their number.
  for (let round = 0; round <= input.partitions.length; round += 1) {
    const over = endOf(layOut({ ...input, sizes, isTight: true })) - limit;
    if (over <= 0) return true;
    const slacks = leaves(input.partitions).map((leaf) => ({ leaf, slack: slackOf(input, sizes, leaf) / MIB }));
    const total = slacks.reduce((sum, { slack }) => sum + slack, 0);
    const deficit = Math.ceil(over / MIB);
    if (total < deficit) return false;
    const cuts = share({
      amount: deficit,
      weights: slacks.map(({ slack }) => slack),
      most: slacks.map(({ slack }) => slack),
    });
    slacks.forEach(({ leaf }, i) => sizes.set(leaf.id, (sizes.get(leaf.id) ?? 0) - (cuts[i] ?? 0) * MIB));
  }
  return endOf(layOut({ ...input, sizes, isTight: true })) <= limit;
}

function slackOf({ needs }: Pick<PlacementInput, 'needs'>, sizes: Map<string, number>, leaf: Partition): number {
  return Math.max(0, floorTo((sizes.get(leaf.id) ?? 0) - needs(leaf.id).least, MIB));
}

function enlarge({ input, sizes, extra }: { input: PlacementInput; sizes: Map<string, number>; extra: number }): void {
  const growing = leaves(input.partitions).filter(({ id }) => input.needs(id).grows);
  if (extra <= 0 || growing.length === 0) return;
  const chosen = input.grow === 'last' ? growing.slice(-1) : growing;
  const amount = extra / MIB;
  const parts = share({
    amount,
    weights: chosen.map((leaf) => leaf.bytes / MIB),
    most: chosen.map(() => amount),
  });
  chosen.forEach((leaf, i) => sizes.set(leaf.id, (sizes.get(leaf.id) ?? 0) + (parts[i] ?? 0) * MIB));
}

/** A whole number of units shared out by weight; what rounding leaves goes to the last that can take it. */
export function share({
  amount,
  weights,
  most,
}: {
  amount: number;
  weights: readonly number[];
  most: readonly number[];
}): number[] {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const parts = weights.map((weight, i) =>
    Math.min(most[i] ?? 0, Math.floor(total > 0 ? (amount * weight) / total : 0)),
  );
  let left = amount - parts.reduce((sum, part) => sum + part, 0);
  for (let i = parts.length - 1; i >= 0 && left > 0; i -= 1) {
    const more = Math.min(left, Math.floor(most[i] ?? 0) - (parts[i] ?? 0));
    parts[i] = (parts[i] ?? 0) + more;
    left -= more;
  }
  return parts;
}

/**
 * Places for these sizes: each partition is shifted by as much as those before it have changed, so that order and gaps stay. What then
 * lies across a sector of the new device goes to the next MiB.
 * @param isTight room is short: gaps are closed before anything shrinks
 */
function layOut({
  table,
  partitions,
  device,
  sizes,
  isTight = false,
}: Pick<PlacementInput, 'table' | 'partitions' | 'device'> & {
  sizes: Map<string, number>;
  isTight?: boolean;
}): Partition[] {
  const { sectorBytes } = device;
  const placed: Partition[] = [];
  let shift = 0;
  let end = table.kind === 'gpt' ? gptHead(table, device) : sectorBytes;
  let extended: { was: Partition; at: number; wasEnd: number } | undefined;
  const close = (): void => {
    if (extended === undefined) return;
    const { was, at, wasEnd } = extended;
    const start = placed[at]?.startByte ?? 0;
    const tail = isTight && end > start ? 0 : was.startByte + was.bytes - wasEnd;
    const bytes = roundUp(end - start + tail, sectorBytes);
    placed[at] = { ...was, startByte: start, bytes };
    end = start + bytes;
    shift = end - (was.startByte + was.bytes);
    extended = undefined;
  };
  for (const partition of partitions) {
    if (partition.role !== 'logical') close();
    // A logical partition has its own small table in the gap before it.
    const earliest = partition.role === 'logical' ? end + sectorBytes : end;
    let startByte = partition.startByte + shift;
    if (isTight) startByte = Math.min(startByte, roundUp(earliest, MIB));
    if (startByte < earliest || startByte % sectorBytes !== 0) startByte = roundUp(Math.max(startByte, earliest), MIB);
    shift = startByte - partition.startByte;
    if (partition.role === 'extended') {
      extended = { was: partition, at: placed.length, wasEnd: lastLogicalEnd(partition, partitions) };
      placed.push({ ...partition, startByte });
      end = startByte;
      continue;
    }
    const bytes = sizes.get(partition.id) ?? partition.bytes;
    placed.push({ ...partition, startByte, bytes });
    end = startByte + bytes;
    shift += bytes - partition.bytes;
  }
  close();
  return placed;
}

/** Where the extended partition's last logical one ended; its own start where it holds none. */
function lastLogicalEnd(extended: Partition, partitions: readonly Partition[]): number {
  return endOf(
    partitions.filter((each) => each.role === 'logical'),
    extended.startByte,
  );
}

function leaves(partitions: readonly Partition[]): Partition[] {
  return partitions.filter((each) => each.role !== 'extended');
}

function endOf(partitions: readonly Partition[], otherwise = 0): number {
  return Math.max(otherwise, ...partitions.map((each) => each.startByte + each.bytes));
}

function newTable(table: Table, device: TableDevice): Table {
  if (table.kind === 'dos') return table;
  return { ...table, firstByte: gptHead(table, device), lastByte: endOfRoom(table, device) - 1 };
}

function asItWas({ oldBytes, oldSectorBytes }: TableDevice): TableDevice {
  return { oldBytes, oldSectorBytes, bytes: oldBytes, sectorBytes: oldSectorBytes };
}

/** The first byte behind what partitions may hold. The backup of a GPT lies at the very end of the device. */
function endOfRoom(table: Table, device: TableDevice): number {
  const { bytes, sectorBytes, oldBytes, oldSectorBytes } = device;
  if (table.kind === 'dos') return Math.min(floorTo(bytes, sectorBytes), MBR_SECTORS * sectorBytes);
  if (bytes === oldBytes && sectorBytes === oldSectorBytes) return table.lastByte + 1;
  return floorTo(bytes, sectorBytes) - gptTail(table, sectorBytes);
}

function gptTail({ entries }: Extract<Table, { kind: 'gpt' }>, sectorBytes: number): number {
  return sectorBytes + roundUp(entries * GPT_ENTRY_BYTES, sectorBytes);
}

function gptHead(table: Extract<Table, { kind: 'gpt' }>, { sectorBytes, oldSectorBytes }: TableDevice): number {
  return sectorBytes === oldSectorBytes ? table.firstByte : sectorBytes + gptTail(table, sectorBytes);
}

export function roundUp(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}

export function floorTo(value: number, to: number): number {
  return Math.floor(value / to) * to;
}

/** @throws PlanningError for partitions that overlap, which no table can hold. */
export function checkPartitions(partitions: readonly Partition[]): void {
  for (const [i, partition] of partitions.entries()) {
    const before = partitions.slice(0, i).findLast((each) => each.role !== 'extended');
    const extended = partitions.find((each) => each.role === 'extended');
    const overlaps = before !== undefined && before.startByte + before.bytes > partition.startByte;
    const outside =
      partition.role === 'logical' &&
      (extended === undefined ||
        partition.startByte < extended.startByte ||
        partition.startByte + partition.bytes > extended.startByte + extended.bytes);
    if (!overlaps && !outside) continue;
    throw new PlanningError({
      code: 'bad-plan',
      message: `the layout contradicts itself: ${partition.id} ${outside ? 'lies outside of the extended partition' : `overlaps ${before?.id ?? ''}`}`,
      next: 'Take the layout of another backup, or look at it with `resurgo layout show`',
    });
  }
}
