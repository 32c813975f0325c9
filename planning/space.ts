/** Whether a backup has room in its store, before anything is frozen: what surely has none, and what may have none. */
import { counted } from './counted';
import type { Manifest } from './manifest';

/** A source as its host shows it, and what the store knows of it. */
export interface SourceSpace {
  host: string;
  /** Of the file system that it lies on: sources that share one share its bytes. */
  device: string;
  /** What the file system has in use: the source itself has that at most. */
  usedBytes: number;
  /** What a copy of the whole source holds surely, before compression; 0 where the host can't say. */
  leastBytes: number;
  /** Whether part of the source is left out. */
  isPartly: boolean;
  /** Bytes in the last backup that has it; undefined for a first copy. */
  lastBytes: number | undefined;
}

export interface StoreRoom {
  kind: 'btrfs' | 'zfs' | 'hardlink';
  compression: string;
  /** Of the store's file system, as `stat` names it; empty where its host does not say. */
  fsType: string;
  freeBytes: number;
  reserveBytes: number;
  /** Whether a run has left, or writes, what its successor takes away first: then there is more room than is seen. */
  isOpen: boolean;
}

export interface SpaceVerdict {
  level: 'ok' | 'warn' | 'fail';
  /** What the first copies need surely. */
  leastBytes: number;
  /** What the backup may need at most, before compression, which is also what it may send. */
  mostBytes: number;
  /** What the store has left above its reserve. */
  roomBytes: number;
  /** How many sources have never been copied there. */
  first: number;
}

/** What is in use counts files that nobody sees any more, and the file system's own lists: this share is data for sure. */
const SURELY = 0.5;
/** Of a source that was backed up before, this share is taken to have changed. */
const ASSUMED_CHANGE = 0.1;
/** btrfs packs 128 KiB into 4 KiB at the very best, and zfs does so with its usual records. */
const PACKED_AT_BEST = 32;

/** A group's sources as their hosts show them, beside what the store has of each. Those that no host shows are left out. */
export function sourcesOf(options: {
  sources: readonly { host: string; name: string; tree: string; exclude: readonly unknown[] }[];
  shown: readonly {
    host: string;
    sources: readonly { name: string; device: string; usedBytes: number; leastBytes: number }[];
  }[];
  /** Of the newest whole backup. */
  last: Pick<Manifest, 'sources'> | undefined;
  /** Trees in the newest backup of any state: of those only the changes are copied. */
  there: ReadonlySet<string>;
}): SourceSpace[] {
  const { sources, shown, last, there } = options;
  return sources.flatMap(({ host, name, tree, exclude }) => {
    const seen = shown.find((each) => each.host === host)?.sources.find((each) => each.name === name);
    if (seen === undefined) return [];
    const before = last?.sources.find((each) => each.tree === tree);
    const lastBytes = before?.state === 'ok' ? before.bytes : there.has(tree) ? 0 : undefined;
    const { device, usedBytes, leastBytes } = seen;
    return [{ host, device, usedBytes, leastBytes, isPartly: exclude.length > 0, lastBytes }];
  });
}

/**
 * `fail` only for what no compression makes fit: the least that the first copies hold is more than the store has left above its reserve.
 * `warn` for first copies that may be too large, and for sources whose usual change may be.
 */
export function spaceVerdict({ sources, store }: { sources: readonly SourceSpace[]; store: StoreRoom }): SpaceVerdict {
  const firsts = sources.filter((each) => each.lastBytes === undefined);
  const roomBytes = Math.max(0, store.freeBytes - store.reserveBytes);
  const first = firsts.length;
  const leastBytes = Math.floor(
    (SURELY *
      perDevice(
        firsts.filter((each) => !each.isPartly),
        'leastBytes',
      )) /
      packing(store),
  );
  // How much of a file system's growth is one source's it does not say.
  const changes = sources.map(({ lastBytes = 0 }) => Math.ceil(lastBytes * ASSUMED_CHANGE));
  const mostBytes = perDevice(firsts, 'usedBytes') + changes.reduce((sum, each) => sum + each, 0);
  const fails = leastBytes > roomBytes && !store.isOpen;
  return { level: fails ? 'fail' : mostBytes > roomBytes ? 'warn' : 'ok', leastBytes, mostBytes, roomBytes, first };
}

/** The sum over file systems, each counted once however many sources it has. */
function perDevice(sources: readonly SourceSpace[], field: 'usedBytes' | 'leastBytes'): number {
  const most = new Map<string, number>();
  for (const [index, source] of sources.entries()) {
    const key = source.device === '' ? String(index) : JSON.stringify([source.host, source.device]);
    most.set(key, Math.max(most.get(key) ?? 0, source[field]));
  }
  return [...most.values()].reduce((sum, each) => sum + each, 0);
}

/** By how much the store may shrink what it is given, at the very most. */
function packing({ kind, compression, fsType }: StoreRoom): number {
  if (kind === 'zfs' && compression === 'off') return 1;
  // A btrfs may be mounted to compress, whatever the runbook says.
  return kind === 'hardlink' && /^(ext|xfs)/.test(fsType) ? 1 : PACKED_AT_BEST;
}

/** A verdict in words, and what to do about it: nothing where all is well. */
export function spaceInWords(verdict: SpaceVerdict): { message: string; mend: string } {
  const { level, leastBytes, mostBytes, roomBytes, first } = verdict;
  if (level === 'ok') return { message: 'has room for the next backup', mend: '' };
  const copies = `${counted(first, 'source has', 'sources have')} never been copied there`;
  const needs =
    level === 'fail'
      ? `the first copies need ${gib(leastBytes)} at the very least: ${copies}`
      : `a backup may need up to ${gib(mostBytes)} before compression (${copies})`;
  return {
    message: `has ${gib(roomBytes)} above its reserve, and ${needs}`,
    mend: 'give the store more space, prune old backups (`resurgo prune`), or leave sources out or exclude parts of them',
  };
}

function gib(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}
