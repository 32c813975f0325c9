/**
 * What an array takes of its members, and what it keeps for itself there. mdadm's own choice grows with the device (up to 129 MiB before the
 * data) and with its version, so the place of the data is always given: the one that it had. Metadata 0.90 and 1.0 lie behind the data, and
 * mdadm alone says how much room they need.
 */
import type { MdArray } from './layout-storage';
import type { Graph } from './recover-graph';
import { floorTo } from './recover-table';

const KIB = 1024;
const MIB = 2 ** 20;
const GIB = 2 ** 30;

/** Before this mdadm puts the bitmap and the list of bad blocks into one place. */
const LEAST_OFFSET = 16 * KIB;
/** Here every bitmap and the list of bad blocks have room, and partitions stay aligned. */
const GOOD_OFFSET = MIB;
/** More than this mdadm keeps of no device by itself: what lies between is slack, and none of md's. */
const MOST_OFFSET = 129 * MIB;
/** Metadata 0.90 counts in 32 bits: each member has less than this. */
const MOST_OF_090 = 4096 * GIB;

/** What each member gives to an array, and what the array keeps for itself on it. */
export function arrayShape(array: MdArray, graph: Pick<Graph, 'bytesOf'>): { overhead: number; component: number } {
  return shapeOf(array, membersOf(array).map(graph.bytesOf));
}

/** How many members' worth of data an array holds. */
export function dataMembers({ level, slots, layout }: MdArray): number {
  const count = slots.length;
  switch (level) {
    case 'linear':
    case 'raid0':
      return count;
    case 'raid1':
      return 1;
    case 'raid4':
    case 'raid5':
      return Math.max(1, count - 1);
    case 'raid6':
      return Math.max(1, count - 2);
    case 'raid10':
      return count / Number(/=(\d+)/.exec(layout ?? '')?.[1] ?? 2);
  }
}

/** These take all of each member, whatever its size. */
export function isSpread({ level }: Pick<MdArray, 'level'>): boolean {
  return level === 'linear' || level === 'raid0';
}

/** The array on members of these sizes, with the place of its data. */
export function sizedArray({
  array,
  was,
  now,
}: {
  array: MdArray;
  was: Graph['bytesOf'];
  now: Graph['bytesOf'];
}): MdArray {
  const members = membersOf(array).map((id) => ({ was: was(id), now: now(id) }));
  const step = array.chunkBytes ?? 64 * KIB;
  const shape = shapeOf(
    array,
    members.map((each) => each.was),
  );
  const smallest = {
    was: Math.min(...members.map((each) => each.was)),
    now: Math.min(...members.map((each) => each.now)),
  };
  const offset = dataOffset({ array, shape, smallest });
  const placed = { ...array, ...(offset === undefined ? {} : { dataOffsetBytes: offset }) };
  if (isSpread(array)) {
    const room = (bytes: number): number => floorTo(Math.min(bytes - shape.overhead, memberRoom(placed, bytes)), step);
    const grown = members.reduce((sum, each) => sum + room(each.now) - room(each.was), array.bytes);
    const most = members.reduce((sum, each) => sum + floorTo(memberRoom(placed, each.now), array.chunkBytes ?? 1), 0);
    return { ...placed, bytes: Math.min(grown, most) };
  }
  const room = memberRoom(placed, smallest.now);
  const whole = floorTo(Math.min(smallest.now - shape.overhead, room), step);
  // A bigger disk beside an old one: the array stays as large as its smallest member lets it.
  const isKept = (smallest.now === smallest.was || floorTo(shape.component, step) === whole) && shape.component <= room;
  return isKept ? placed : { ...placed, bytes: Math.floor(whole * dataMembers(array)) };
}

/** What mdadm finds free on a member of this size. */
function memberRoom({ metadata, dataOffsetBytes }: MdArray, bytes: number): number {
  if (metadata === '0.90') return Math.min(floorTo(bytes, 64 * KIB), MOST_OF_090) - 64 * KIB;
  // The superblock, the list of bad blocks, and a bitmap.
  if (metadata === '1.0') return floorTo(bytes, 4 * KIB) - 12 * KIB - bitmapSpace(bytes);
  return bytes - (dataOffsetBytes ?? 0);
}

function bitmapSpace(bytes: number): number {
  if (bytes >= 200 * GIB + 64 * KIB) return 128 * KIB;
  return bytes > 8 * GIB + 4 * KIB ? 64 * KIB : 4 * KIB;
}

/** Where the data begins; undefined where that is mdadm's alone to say. */
function dataOffset({
  array: { metadata, dataOffsetBytes },
  shape: { overhead, component },
  smallest,
}: {
  array: MdArray;
  shape: { overhead: number; component: number };
  smallest: { was: number; now: number };
}): number | undefined {
  if (metadata === '0.90' || metadata === '1.0') return undefined;
  // Layouts of before tell none: no more than what the array left over.
  const told = dataOffsetBytes ?? Math.min(floorTo(overhead, overhead < MIB ? 4 * KIB : MIB), MOST_OFFSET);
  if (told < LEAST_OFFSET) return GOOD_OFFSET;
  // Arrays of old have less, and may have no room for the bitmap of a bigger device.
  return told < GOOD_OFFSET && smallest.now - GOOD_OFFSET >= component ? GOOD_OFFSET : told;
}

function shapeOf(array: MdArray, sizes: readonly number[]): { overhead: number; component: number } {
  const smallest = Math.min(...sizes);
  if (isSpread(array)) {
    const kept = sizes.reduce((sum, each) => sum + each, 0) - array.bytes;
    const overhead = Math.min(smallest, Math.max(0, Math.floor(kept / sizes.length)));
    return { overhead, component: smallest - overhead };
  }
  const component = Math.min(smallest, Math.ceil(array.bytes / dataMembers(array)));
  return { overhead: smallest - component, component };
}

function membersOf({ slots }: MdArray): string[] {
  return slots.flatMap((slot) => (slot === null ? [] : [slot]));
}
