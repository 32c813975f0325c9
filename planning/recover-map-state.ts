/** A mapping of disks while it is made: what has its place, what is free, and what is said of the others. */
import type { Disk } from './layout-storage';
import { isKnownThisBoot } from './recover-identity';
import type { FoundDisk } from './recover-machine';
import { diskInWords, list, printable, size } from './recover-words';

/** How a disk was chosen. `interchangeable`: blank ones of the same make, in a stable order. */
export type Choice = 'pin' | 'identity' | 'size' | 'interchangeable';

export interface Chosen {
  disk: FoundDisk;
  how: Choice;
  why: string;
}

export interface Mapping {
  /** By the layout disk's id. */
  chosen: Map<string, Chosen>;
  /** For each found disk that was not chosen, why not. */
  passed: Map<FoundDisk, string>;
  blockers: string[];
}

export interface MapInput {
  /** Those that are made again. */
  disks: readonly Disk[];
  /** All of the layout's, those too that are not made again. */
  all: readonly Disk[];
  found: readonly FoundDisk[];
  /** Layout disk id to serial, WWN or name. */
  pins: ReadonlyMap<string, string>;
  /** The least bytes of a disk with sectors of this size, for what lies on the layout's disk. */
  least: (id: string, sectorBytes: number) => number;
  /** What that is made of. */
  figures: (id: string, sectorBytes: number) => string[];
}

/** How far the mapping is. */
export interface State extends Mapping {
  input: MapInput;
  rest: Disk[];
  free: FoundDisk[];
}

export function isBlank(disk: FoundDisk): boolean {
  return disk.contents.length === 0;
}

export function fits(state: State, disk: Disk, found: FoundDisk): boolean {
  return found.bytes >= state.input.least(disk.id, found.sectorBytes);
}

/** Whether it may take the place without being named: a USB disk takes that of one alone. */
export function suits(state: State, disk: Disk, found: FoundDisk): boolean {
  return fits(state, disk, found) && (found.transport !== 'usb' || disk.transport === 'usb');
}

export function take({
  state,
  disk,
  match,
  how,
  why,
}: {
  state: State;
  disk: Disk;
  match: FoundDisk;
  how: Choice;
  why: string;
}): void {
  state.chosen.set(disk.id, { disk: match, how, why });
  state.rest = state.rest.filter((each) => each !== disk);
  state.free = state.free.filter((each) => each !== match);
}

export function refuse(state: State, disk: FoundDisk, why: string): void {
  state.passed.set(disk, why);
  state.free = state.free.filter((each) => each !== disk);
}

export function block(state: State, disk: Disk, why: string): void {
  state.blockers.push(printable(`${disk.name} of the layout (${size(disk.bytes)}) ${why}`));
  state.rest = state.rest.filter((each) => each !== disk);
}

export function ambiguous({
  state,
  wanted,
  candidates,
}: {
  state: State;
  wanted: readonly Disk[];
  candidates: readonly FoundDisk[];
}): void {
  const names = list(
    candidates.map(
      (disk) => `${diskInWords(disk)}${isBlank(disk) ? ', blank' : `, holds ${disk.contents.join(', ')}`}`,
    ),
  );
  for (const disk of wanted) {
    const example = candidates[0];
    const pin = example === undefined ? 'SERIAL' : pinOf(example);
    block(
      state,
      disk,
      `could be any of ${names}. Pin it to the one that is meant, as in \`--pin ${disk.name}=${pin}\``,
    );
  }
}

/** What a person would pin it by: its name, where it has nothing that outlives the boot. */
function pinOf(disk: FoundDisk): string {
  return isKnownThisBoot(disk) ? disk.name : (disk.serial ?? disk.wwn ?? disk.name);
}

export function leastInWords(state: State, disk: Disk, found: FoundDisk): string {
  return `what lies on ${disk.name} needs ${size(state.input.least(disk.id, found.sectorBytes))} at least`;
}

export function noPlace(state: State, disk: Disk): string {
  const others = state.input.found
    .filter((each) => ![...state.chosen.values()].some((chosen) => chosen.disk === each))
    .map((each) => `${diskInWords(each)}: ${state.passed.get(each) ?? size(each.bytes)}`);
  const least = size(state.input.least(disk.id, disk.sectorBytes));
  const figures = state.input.figures(disk.id, disk.sectorBytes).join('; ');
  const found = others.length === 0 ? 'No other disk was found' : `Found: ${others.join('; ')}`;
  return `has no place. It needs ${least} at least (${figures}). ${found}. Attach a disk that is big enough, pin one, or leave it out if nothing on it is needed`;
}

export function spareReason(state: State, disk: FoundDisk): string {
  const wanting = state.input.disks.filter((each) => !state.chosen.has(each.id));
  if (wanting.length === 0) return 'not needed: every disk of the layout has its place';
  const fitting = wanting.filter((each) => fits(state, each, disk));
  return fitting.length === 0
    ? 'too small'
    : `could be ${list(fitting.map((each) => each.name))} of the layout: pin it, if it is meant`;
}
