/** Datasets that ZFS encrypts are not made again: nothing here has their keys, and their data shall not come back in clear text. Pure. */
import type { Pool } from './layout-storage';
import type { Storage } from './recover-graph';
import { zvolId } from './recover-graph';
import { list, printable } from './recover-words';
import { isEncrypted } from './zfs-properties';

/** The storage without them, and without what lies below them. What the backup holds of them forbids the recovery. */
export function withoutEncrypted({
  storage,
  empty,
  warnings,
  blockers,
}: {
  storage: Storage;
  /** Mount points that come back empty in any case. */
  empty: readonly string[];
  warnings: string[];
  blockers: string[];
}): Storage {
  const gone = storage.pools.flatMap(goneOf);
  if (gone.length === 0) return storage;
  const ids = new Set(gone.map((name) => `zfs:${name}`));
  const volumes = new Set(gone.map(zvolId));
  const isGone = (mount: Storage['mounts'][number]) => ids.has(mount.fileSystem);
  const onVolume = storage.fileSystems.filter(({ on }) => volumes.has(on)).map(({ id }) => id);
  const paths = storage.mounts
    .filter((mount) => isGone(mount) || onVolume.includes(mount.fileSystem))
    .map(({ path }) => path)
    .filter((path) => !empty.includes(path));
  warnings.push(
    printable(
      `${list(gone)} ${gone.length === 1 ? 'is' : 'are'} not made again: encrypted by ZFS, or below such a dataset`,
    ),
  );
  if (paths.length > 0)
    blockers.push(
      printable(
        `${list(paths)} would come back unencrypted, somewhere else: ZFS encrypted it, and Resurgo makes no encrypted datasets. Make the pool by hand, and restore from the backup's files`,
      ),
    );
  return {
    ...storage,
    pools: storage.pools.map((pool) => ({
      ...pool,
      datasets: pool.datasets.filter(({ name }) => !gone.includes(name)),
    })),
    mounts: storage.mounts.filter((mount) => !isGone(mount)),
  };
}

function goneOf({ datasets }: Pool): string[] {
  const encrypted = datasets.filter(isEncrypted).map(({ name }) => name);
  return datasets
    .map(({ name }) => name)
    .filter((name) => encrypted.some((each) => name === each || name.startsWith(`${each}/`)));
}
