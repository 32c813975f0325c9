/** Whether a backup has room in its store, before anything is frozen: what surely has none, and what may have none. */
import { spaceEstimate } from './estimate';

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

export type SpaceVerdict =
  { level: 'ok' } | { level: 'warn' | 'fail'; neededBytes: number; roomBytes: number; first: number };

/** What is in use counts files that nobody sees any more, and the file system's own lists: this share is data for sure. */
const SURELY = 0.5;
/** btrfs packs 128 KiB into 4 KiB at the very best, and zfs does so with its usual records. */
const PACKED_AT_BEST = 32;

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
  if (leastBytes > roomBytes && !store.isOpen) return { level: 'fail', neededBytes: leastBytes, roomBytes, first };
  const { neededBytes, fits } = spaceEstimate({
    sources: [
      { usedBytes: perDevice(firsts, 'usedBytes') },
      // How much of the growth is this source's its file system does not say.
      ...sources.flatMap(({ lastBytes }) => (lastBytes === undefined ? [] : [{ usedBytes: lastBytes, lastBytes }])),
    ],
    store: { freeBytes: roomBytes, totalBytes: 0, reservePercent: 0 },
  });
  return fits ? { level: 'ok' } : { level: 'warn', neededBytes, roomBytes, first };
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

/** A verdict in words, and what to do about it. */
export function spaceInWords(verdict: SpaceVerdict & { level: 'warn' | 'fail' }): { message: string; mend: string } {
  const { level, neededBytes, roomBytes, first } = verdict;
  const copies = `${first} ${first === 1 ? 'source has' : 'sources have'} never been copied there`;
  const mend =
    'give the store more space, prune old backups (`resurgo prune`), or leave sources out or exclude parts of them';
  return level === 'fail'
    ? {
        message: `has ${gib(roomBytes)} above its reserve, and the first copies need ${gib(neededBytes)} at the very least: ${copies}`,
        mend,
      }
    : {
        message: `has ${gib(roomBytes)} above its reserve, and a backup may need up to ${gib(neededBytes)} before compression (${copies})`,
        mend,
      };
}

function gib(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}
