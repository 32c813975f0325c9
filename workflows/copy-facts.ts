/** What a backup knows of its copies before they begin: how much comes, what of it lies at the target already, and whether it holds still. */
import type { ChecksResult } from '../activities/checks';
import type { FreezeResult } from '../activities/freeze';
import type { OpenedStore, StoreState } from '../activities/store';
import type { CopyInput } from '../activities/transfer';
import type { Source } from '../runbooks/types';

export interface CopyFacts {
  /** Of its files in the newest backup; before the first, what is in use on the file system that it lies on. */
  bytesOf: (source: Source) => number | undefined;
  /** What of the source lies at the target, where that is certain. */
  baseOf: (source: Source) => CopyInput['base'];
  /** Whether (a part of) the source is read while it is in use. */
  isLive: (source: Source) => boolean;
}

export function copyFacts(known: {
  checks: ChecksResult;
  store: StoreState;
  opened: OpenedStore;
  frozen: FreezeResult;
}): CopyFacts {
  const { checks, store, opened, frozen } = known;
  return {
    bytesOf: (source) =>
      store.newest?.bytes?.[source.tree] ?? usedBytes({ checks, host: source.host, name: source.name }),
    baseOf: ({ tree }) => baseOf({ store, opened, tree }),
    isLive: (source) => isLive({ source, frozen }),
  };
}

/** What of a tree lies in `current` after the store was opened; undefined where that is not certain. */
function baseOf(options: { store: StoreState; opened: OpenedStore; tree: string }): CopyInput['base'] {
  const { store, opened, tree } = options;
  if (opened.last === '') return 'nothing';
  if (opened.wholeSeconds || store.newest?.id !== opened.last || opened.changed?.includes(tree) !== false)
    return undefined;
  const listing = store.newest.listings[tree];
  // A tree that the backup lacks is in `current` only where the store has said that it changed it.
  if (listing === undefined) return 'nothing';
  return listing === null ? undefined : { listing };
}

/** A whole machine is, unless its host has shown a snapshot for every part that changes. */
function isLive({ source, frozen }: { source: Source; frozen: FreezeResult }): boolean {
  if (source.snapshot !== 'system') return source.snapshot === 'none';
  const taken = frozen.snapshots.find((each) => each.host === source.host && each.source === source.name);
  return taken?.machine?.live.length !== 0;
}

function usedBytes({ checks, host, name }: { checks: ChecksResult; host: string; name: string }): number | undefined {
  return checks.hosts.find((each) => each.host === host)?.sources.find((each) => each.name === name)?.usedBytes;
}
