/**
 * Which disk of the new machine takes the place of which disk of the layout. By the operator's pin, then by serial or WWN, then by
 * size and kind; never by name. What can't be told is refused with the candidates, not guessed.
 */
import type { Disk } from './layout-storage';
import type { FoundDisk } from './recover-machine';
import { areTwins, isPortable, isSameDisk, kindOf, pinned } from './recover-identity';
import type { Mapping, MapInput, State } from './recover-map-state';
import {
  ambiguous,
  block,
  fits,
  isBlank,
  leastInWords,
  noPlace,
  refuse,
  spareReason,
  suits,
  take,
} from './recover-map-state';
import { diskInWords, list, printable, size } from './recover-words';

export type { Choice, Mapping } from './recover-map-state';

/** Finds each disk of the layout its place. */
export function mapDisks(input: MapInput): Mapping {
  const passed = new Map<FoundDisk, string>();
  for (const disk of input.found) {
    const never = whyNever(disk, input.found);
    if (never !== null) passed.set(disk, never);
  }
  const free = input.found.filter((disk) => !passed.has(disk));
  const state: State = { chosen: new Map(), passed, blockers: [], input, rest: [...input.disks], free };
  byPin(state);
  byIdentity(state);
  // What it holds may be all that is left of the host: it is never taken for another one's place by its size.
  for (const disk of state.free) {
    const own = input.all.find((each) => isSameDisk(each, disk));
    if (own !== undefined) refuse(state, disk, `this host's own ${own.name}, taken for another only when it is pinned`);
  }
  // A host that lived on a USB disk may get another one.
  const isUsb = state.rest.some(({ transport }) => transport === 'usb');
  for (const disk of state.free.filter((each) => each.removable || (isPortable(each) && !isUsb))) {
    refuse(
      state,
      disk,
      `${disk.removable ? 'removable' : 'a USB disk'}, and such disks are taken only when they are pinned`,
    );
  }
  for (const bytes of new Set(state.rest.map((disk) => disk.bytes))) bySameSize(state, bytes);
  byFit(state);
  for (const disk of state.free) passed.set(disk, spareReason(state, disk));
  const { chosen, blockers } = state;
  return { chosen, passed, blockers };
}

/** Why a disk is out of the question, whoever pins it. */
function whyNever(disk: FoundDisk, found: readonly FoundDisk[]): string | null {
  if (disk.inUse.length > 0) return printable(`in use: ${disk.inUse.join(', ')}`);
  if (disk.readOnly) return 'read-only';
  if (disk.bytes === 0) return 'no medium';
  // Each step looks its disk up again by these before it writes (S24).
  if (disk.serial === null && disk.wwn === null)
    return 'it tells neither a serial number nor a WWN, and the rescue system’s kernel numbers no disks (Linux 5.15 does), so nothing could make sure that it is still this one when it is written to. Give it one (of a virtual machine: `serial=` of the disk)';
  const twin = found.find((other) => other !== disk && areTwins(other, disk));
  return twin === undefined
    ? null
    : printable(`says the same serial or WWN as ${twin.name}: one disk over two paths, or it can't be told apart`);
}

function byPin(state: State): void {
  const { input, passed } = state;
  const taken = new Map<FoundDisk, Disk>();
  for (const disk of input.disks) {
    const pin = input.pins.get(disk.id);
    if (pin === undefined) continue;
    const named = input.found.filter((each) => pinned(each, pin));
    // Of parts of one device with one serial just one may be able to take it.
    const able = named.filter((each) => !passed.has(each) && fits(state, disk, each));
    const matches = able.length > 0 ? able : named;
    const [match] = matches;
    const fail = (why: string): void => {
      block(state, disk, `is pinned to ${pin}, ${why}`);
    };
    if (match === undefined) {
      fail(
        `which is no disk of this machine. Pin it to one of ${list(input.found.map(diskInWords)) || 'its disks, once it has any'}`,
      );
    } else if (matches.length > 1) {
      fail(`which fits ${list(matches.map(diskInWords))}. Pin it by WWN or name`);
    } else if (passed.has(match)) {
      fail(`which is never written to: ${passed.get(match) ?? ''}. Free it, or pin another`);
    } else if (taken.has(match)) {
      fail(`which ${taken.get(match)?.name ?? ''} is pinned to as well. Pin each to a disk of its own`);
    } else if (!fits(state, disk, match)) {
      fail(`which has ${size(match.bytes)}; ${leastInWords(state, disk, match)}. Pin it to a bigger one`);
    } else {
      taken.set(match, disk);
      take({ state, disk, match, how: 'pin', why: 'pinned by the operator' });
    }
  }
}

function byIdentity(state: State): void {
  for (const disk of [...state.rest]) {
    const twins = state.input.disks.filter((each) => each !== disk && areTwins(each, disk));
    const same = state.input.found.filter((each) => isSameDisk(disk, each));
    const sized = same.filter((each) => each.bytes === disk.bytes);
    const matches = sized.length > 0 ? sized : same;
    const [match] = matches;
    if (match === undefined || twins.length > 0) continue;
    const fail = (why: string): void => {
      block(state, disk, `is ${diskInWords(match)} here, ${why}`);
    };
    if (matches.length > 1)
      fail(`and ${list(matches.slice(1).map(diskInWords))} too. Take one of them out, or pin another`);
    else if ([...state.chosen.values()].some((each) => each.disk === match))
      fail('which another disk is pinned to. Pin this one as well');
    else if (state.passed.has(match))
      fail(`which is never written to: ${state.passed.get(match) ?? ''}. Free it, or pin another`);
    else if (match.removable) fail('which is removable. Pin it, if it is meant');
    else if (isPortable(match) && disk.transport !== 'usb') fail('on USB now. Pin it, if it is meant');
    else if (!fits(state, disk, match))
      fail(`and says that it has ${size(match.bytes)} only; ${leastInWords(state, disk, match)}. Pin another`);
    else {
      const what = disk.serial !== null && disk.serial === match.serial ? 'serial' : 'serial or WWN';
      take({ state, disk, match, how: 'identity', why: `the same ${what} as ${disk.name} of the layout` });
    }
  }
}

/** Disks of exactly the same size tell more than others that are big enough too. */
function bySameSize(state: State, bytes: number): void {
  const wanted = state.rest.filter((disk) => disk.bytes === bytes);
  const same = state.free.filter((disk) => disk.bytes === bytes && wanted.every((each) => suits(state, each, disk)));
  if (wanted.length === 0 || same.length < wanted.length) return;
  assign({ state, wanted, candidates: same, what: 'the same size' });
}

/** What is left goes where there is only one place that it fits, or where all places are alike. */
function byFit(state: State): void {
  while (state.rest.length > 0) {
    const options = state.rest.map((disk) => ({
      disk,
      fitting: state.free.filter((each) => suits(state, disk, each)),
    }));
    const none = options.find(({ fitting }) => fitting.length === 0);
    const only = options.find(({ fitting }) => fitting.length === 1);
    const [first] = options;
    if (none !== undefined) {
      block(state, none.disk, noPlace(state, none.disk));
    } else if (only?.fitting[0] !== undefined) {
      take({
        state,
        disk: only.disk,
        match: only.fitting[0],
        how: 'size',
        why: 'the only free disk that is big enough',
      });
    } else if (first !== undefined) {
      const alike = state.rest.filter((disk) => disk.bytes === first.disk.bytes);
      assign({ state, wanted: alike, candidates: first.fitting, what: 'big enough' });
    }
  }
}

/**
 * Gives these disks of one size their places among candidates, where that can be told: one for one, by kind, or any of blank ones that
 * are alike. A disk that holds something is not taken while a blank one would do: whoever holds data may be meant to keep it.
 */
function assign({
  state,
  wanted,
  candidates,
  what,
}: {
  state: State;
  wanted: readonly Disk[];
  candidates: readonly FoundDisk[];
  what: string;
}): void {
  const kinds = new Set(wanted.map(kindOf));
  const ofKind = candidates.filter((disk) => kinds.has(kindOf(disk)));
  const narrowed = candidates.length > wanted.length && ofKind.length === wanted.length ? ofKind : candidates;
  const others = state.free.filter(
    (disk) => !narrowed.includes(disk) && wanted.some((each) => suits(state, each, disk)),
  );
  const spares = state.free.length > state.rest.length && others.some(isBlank) && !narrowed.every(isBlank);
  const how = narrowed === candidates ? what : `${what} and the same kind`;
  const [disk, match] = [wanted[0], narrowed[0]];
  if (narrowed.length !== wanted.length || spares || disk === undefined || match === undefined) {
    ambiguous({ state, wanted, candidates: spares ? [...narrowed, ...others.filter(isBlank)] : candidates });
  } else if (wanted.length === 1) {
    take({ state, disk, match, how: 'size', why: `${how}, and no other is` });
  } else if (
    kinds.size === wanted.length &&
    new Set(narrowed.map(kindOf)).size === wanted.length &&
    ofKind.length === narrowed.length
  ) {
    for (const each of wanted) {
      const own = narrowed.find((found) => kindOf(found) === kindOf(each));
      if (own !== undefined) take({ state, disk: each, match: own, how: 'size', why: `${what} and the same kind` });
    }
  } else if (kinds.size === 1 && areAlike(narrowed)) {
    const ordered = [...narrowed].sort((a, b) => (stableKey(a) < stableKey(b) ? -1 : 1));
    wanted.forEach((each, i) => {
      const own = ordered[i];
      const why = `one of ${ordered.length} blank disks that are alike, given out in the order of their serials`;
      if (own !== undefined) take({ state, disk: each, match: own, how: 'interchangeable', why });
    });
  } else {
    ambiguous({ state, wanted, candidates: narrowed });
  }
}

/** Blank, and alike in all that matters: then it can't be wrong which takes whose place. */
function areAlike(disks: readonly FoundDisk[]): boolean {
  const traits = disks.map((disk) => `${disk.bytes} ${disk.sectorBytes} ${kindOf(disk)}`);
  return disks.every(isBlank) && new Set(traits).size === 1;
}

function stableKey({ serial, wwn, name }: FoundDisk): string {
  return `${serial ?? ''}\t${wwn ?? ''}\t${name}`;
}
