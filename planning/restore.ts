/** The restore plan: all that a restore will stop, overwrite, delete and keep, as plain data with a hash that a person approves. */
import type { ConsistencyLabel } from './consistency';
import { counted } from './counted';
import { PlanningError } from './errors';
import { startWaves } from './order';
import type { BackupState, Manifest } from './manifest';
import type { Protection } from './restore-protect';
import { literalPattern, protections } from './restore-protect';
import type { SelectedSource, Selection, TargetGroup, TargetSource } from './restore-select';
import { planStops, wavesOf } from './restore-stops';
import type { RestoreStop } from './restore-stops';

export * from './restore-select';
export * from './restore-stops';
export type { Protection } from './restore-protect';

/** `in-place` over the group's own data; `folder` beside it (nothing is stopped); `into` another fleet's group. */
export type RestoreMode = 'in-place' | 'folder' | 'into';

/** What the destination's host says about it. */
export interface DestinationCheck {
  /** False where the host does not allow it: not a data source, a system path that was not armed (S23), no folder. */
  allowed: boolean;
  /** Why not, from the host. */
  reason?: string;
  mounted: boolean;
  fsType: string;
  fsUuid: string;
  freeBytes: number;
  /** The folder that the data goes into, as its host calls it, where something lies in it already; null where not. */
  holds: string | null;
  /** What is mounted in the destination: rsync patterns relative to it, each fitting one mount alone (`/db`). */
  nested: readonly string[];
  /** The mount that the destination lies on. */
  mountPoint?: string;
  /** How a safety snapshot can be taken; null where it can't. */
  safety: 'btrfs' | 'zfs' | null;
}

export interface DryRun {
  files: number;
  bytes: number;
  deletions: number;
  /** The first few paths that would be deleted (escaped). */
  deletionSamples?: readonly string[];
}

export interface RestoreItemInput extends SelectedSource {
  /** For `in-place` and `into`. */
  target?: TargetSource;
  /** For `folder`: the runbook's name of the host, and the folder that the source's tree is put into. */
  folder?: { host: string; path: string };
  check: DestinationCheck;
  dryRun: DryRun;
}

export interface RestorePlanInput {
  manifest: Manifest;
  mode: RestoreMode;
  /** The group that is restored into. */
  target: TargetGroup;
  selection: Pick<Selection, 'missing' | 'whole'>;
  items: readonly RestoreItemInput[];
  /** The group's hosts in the order of stopping, those of a wave together. */
  stopWaves: readonly (readonly string[])[];
  /** Whether what the backup does not hold is deleted. */
  deletes: boolean;
  /** Whether another file system than the one that was backed up is meant. */
  newDisk: boolean;
  /** Whether files are compared by content, not by size and time. */
  checksum?: boolean;
  /** Why what was chosen and has no place in the other fleet has none. */
  unplaced?: readonly string[];
}

export interface RestoreItem {
  source: { host: string; name: string; path: string; tree: string };
  subpath: string | null;
  destination: { host: string; path: string; source: string | null };
  files: number;
  bytes: number;
  deletions: number;
  deletionSamples: string[];
  protect: Protection[];
  safety: 'btrfs' | 'zfs' | null;
}

export interface RestorePlan {
  resurgoRestorePlan: 1;
  mode: RestoreMode;
  backup: {
    id: string;
    group: string;
    state: BackupState;
    label: ConsistencyLabel;
    frozenAt: string;
    directorId: string;
    directorKeyHex: string;
  };
  group: string;
  deletes: boolean;
  /** Files are compared by content; left out where by size and time. */
  checksum?: true;
  items: RestoreItem[];
  /** In the order of stopping. */
  stops: RestoreStop[];
  /** Hosts in the order of starting: the waves the other way round. */
  starts: string[][];
  totals: { files: number; bytes: number; deletions: number };
  warnings: string[];
  /** Each of these forbids the restore; a plan with any can't be approved. */
  blockers: string[];
}

/** The plan. Same input, same plan, same hash, whatever the order of the items. */
export function restorePlan(input: RestorePlanInput): RestorePlan {
  const { manifest, mode, target, deletes } = input;
  const blockers: string[] = [];
  const warnings: string[] = [];
  const items = input.items
    .map((item) => planItem({ item, input, blockers, warnings }))
    .sort((a, b) => (itemKey(a) < itemKey(b) ? -1 : 1));
  const touched = new Set(items.map((item) => item.destination.host));
  const { stopWaves, selection } = input;
  const stops = mode === 'folder' ? [] : planStops({ target, stopWaves, whole: selection.whole, touched, warnings });
  blockers.push(...clashes(items));
  if (items.length === 0) blockers.push('nothing is chosen');
  warnings.push(...backupWarnings(input));
  return {
    resurgoRestorePlan: 1,
    mode,
    backup: {
      id: manifest.id,
      group: manifest.group,
      state: manifest.state,
      label: manifest.label,
      frozenAt: manifest.frozenAt,
      directorId: manifest.director.id,
      directorKeyHex: manifest.director.publicKeyHex,
    },
    group: target.name,
    deletes,
    ...(input.checksum === true ? { checksum: true as const } : {}),
    items,
    stops,
    starts: startWaves({ stopped: wavesOf(stops) }),
    totals: {
      files: sum(items.map((item) => item.files)),
      bytes: sum(items.map((item) => item.bytes)),
      deletions: sum(items.map((item) => item.deletions)),
    },
    warnings: warnings.sort(),
    blockers: blockers.sort(),
  };
}

interface Gathering {
  input: RestorePlanInput;
  blockers: string[];
  warnings: string[];
}

function planItem({ item, input, blockers, warnings }: Gathering & { item: RestoreItemInput }): RestoreItem {
  const { source, subpath, check, dryRun } = item;
  const destination = destinationOf({ item, mode: input.mode });
  const where = `${destination.host}:${destination.path}`;
  const inPlace = input.mode !== 'folder';
  const { protect, unclear } = protections({
    excluded: source.excluded,
    excludedNow: inPlace ? (item.target?.exclude ?? []) : [],
    // A whole machine's mount points are empty folders in the backup, and go where its tree goes.
    skipped: source.kind === 'system' ? [] : source.skipped,
    nestedNow: inPlace ? foreignMounts({ item }) : [],
    subpath,
  });
  if (!check.allowed) blockers.push(`${where}: ${check.reason ?? 'its host does not allow a restore there'}`);
  if (!check.mounted) blockers.push(`${where}: ${check.reason ?? 'its file system is not mounted'}`);
  if (unclear.length > 0 && inPlace && input.deletes) {
    blockers.push(
      `${where}: can't tell what ${unclear.join(', ')} protects in a part of the source; restore it whole or with --to`,
    );
  }
  if (dryRun.bytes > check.freeBytes) {
    const message = `${where}: ${counted(dryRun.bytes, 'byte')} ${dryRun.bytes === 1 ? 'comes' : 'come'}, ${check.freeBytes} are free`;
    // In place without a safety snapshot each file makes room for its successor.
    (inPlace && check.safety === null ? warnings : blockers).push(message);
  }
  // Of a single file it is the folder around it.
  if (!inPlace && check.holds !== null)
    warnings.push(
      `${destination.host}:${check.holds}: exists and is not empty; files of the same names are overwritten, others stay`,
    );
  if (inPlace && check.safety === null)
    warnings.push(`${where}: no safety snapshot is possible; what is overwritten is gone`);
  if (input.mode === 'in-place' && check.allowed && check.mounted && source.identity.fsUuid !== check.fsUuid) {
    const message = `${where}: another file system (${check.fsUuid || 'unknown'}) than was backed up (${source.identity.fsUuid})`;
    if (input.newDisk) warnings.push(message);
    else blockers.push(`${message}. Is its disk mounted? If the disk was replaced, say so with --new-disk`);
  }
  if (inPlace && item.target !== undefined && item.target.path !== source.path) {
    warnings.push(`${where}: was ${source.path} when it was backed up`);
  }
  if (input.deletes && dryRun.deletions > 0) {
    const entries = counted(dryRun.deletions, 'entry', 'entries');
    warnings.push(
      `${where}: ${entries} that the backup does not hold ${dryRun.deletions === 1 ? 'is' : 'are'} deleted`,
    );
  }
  return {
    source: { host: source.host, name: source.name, path: source.path, tree: source.tree },
    subpath,
    destination,
    files: dryRun.files,
    bytes: dryRun.bytes,
    deletions: input.deletes ? dryRun.deletions : 0,
    deletionSamples: input.deletes ? [...(dryRun.deletionSamples ?? [])].slice(0, 20) : [],
    protect,
    safety: inPlace ? check.safety : null,
  };
}

/** What is nested in the destination and not part of the backup: nested subvolumes that were backed up are restored into. */
function foreignMounts({ item: { source, subpath, check } }: { item: RestoreItemInput }): string[] {
  const backedUp = new Set(source.nested.flatMap((path) => partOf({ path, subpath })).map(literalPattern));
  return check.nested.filter((pattern) => !backedUp.has(pattern));
}

/** A path of a source as it is called in the part that is restored; none where it lies outside. */
function partOf({ path, subpath }: { path: string; subpath: string | null }): string[] {
  if (subpath === null) return [path];
  return path.startsWith(`${subpath}/`) ? [path.slice(subpath.length + 1)] : [];
}

function destinationOf({ item, mode }: { item: RestoreItemInput; mode: RestoreMode }): RestoreItem['destination'] {
  const { source, subpath, target, folder } = item;
  const base =
    mode === 'folder'
      ? folder && { host: folder.host, path: join(folder.path, source.tree), source: null }
      : target && { host: target.host, path: target.path, source: target.name };
  if (base === undefined) {
    throw new PlanningError({
      code: 'bad-plan',
      message: `${source.host}:${source.name} has no destination for a restore of kind "${mode}"`,
      next: mode === 'folder' ? 'Give a folder' : 'Find its place with mapInto first',
    });
  }
  return subpath === null ? base : { ...base, path: join(base.path, subpath) };
}

function backupWarnings({ manifest, selection, mode, target, unplaced = [] }: RestorePlanInput): string[] {
  const warnings = selection.missing.map(
    (each) => `${each.host}:${each.name} is not in this backup (${each.reason}) and stays as it is`,
  );
  warnings.push(...unplaced.map((reason) => `${reason}: that part of the backup is not restored`));
  if (manifest.state === 'Partial') warnings.push(`backup ${manifest.id} is partial`);
  if (manifest.label === 'none')
    warnings.push(`backup ${manifest.id} is a live copy: its files are from different moments`);
  if (mode === 'in-place' && manifest.group !== target.name) {
    warnings.push(`the backup is of group ${manifest.group}, and goes over the data of group ${target.name}`);
  }
  return warnings;
}

/** Two items that would write into each other. */
function clashes(items: readonly RestoreItem[]): string[] {
  return items.flatMap((a, i) =>
    items.slice(i + 1).flatMap((b) => {
      const [left, right] = [a.destination, b.destination];
      const same = left.host === right.host && left.path === right.path;
      return same ? [`${left.host}:${left.path}: two sources would go there`] : [];
    }),
  );
}

function itemKey({ source, subpath }: RestoreItem): string {
  return `${source.tree}\t${subpath ?? ''}`;
}

function join(base: string, below: string): string {
  return base === '/' ? `/${below}` : `${base}/${below}`;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
