/** What of a layout is not in its backup: its file systems come back empty, and what lies on their disks now is written over. */
import type { Disk, Mount } from './layout-storage';
import type { Storage } from './recover-graph';
import { fileSystemDevices, storageGraph, vdevDevices } from './recover-graph';
import { diskInWords, list, printable } from './recover-words';

/** The mount points that the backup holds; null or undefined where its manifest does not tell. */
export type Held = readonly string[] | null | undefined;

/** A mount, or a file system that was mounted nowhere, whose data is not in the backup. */
export interface Loss {
  what: string;
  /** Of the layout. */
  disks: Disk[];
  /** Nothing else that is in the backup lies on these disks. */
  isAlone: boolean;
}

/** The mounts whose data is in no part of the backup. */
export function lostMounts({ storage: { mounts }, held }: { storage: Storage; held: Held }): Mount[] {
  if (held === null || held === undefined) return [];
  const parts = mounts.filter(({ path }) => held.includes(path));
  return mounts.filter((mount) => !parts.includes(mount) && !parts.some((part) => isShown({ mount, part, mounts })));
}

/** Is it a second view of what that part holds, at a place where nothing else lies over it? */
function isShown({ mount, part, mounts }: { mount: Mount; part: Mount; mounts: readonly Mount[] }): boolean {
  if (mount.fileSystem !== part.fileSystem) return false;
  const rest = below(mount.subvolume ?? '', part.subvolume ?? '');
  if (rest === undefined) return false;
  const place = rest === '' ? part.path : `${part.path === '/' ? '' : part.path}/${rest}`;
  const over = mounts
    .filter(({ path }) => below(place, path) !== undefined)
    .reduce((deepest, each) => (each.path.length >= deepest.path.length ? each : deepest), part);
  return over === part || (over.fileSystem === mount.fileSystem && over.subvolume === mount.subvolume);
}

/** A path from a folder that it lies in; empty for the folder itself. */
function below(path: string, folder: string): string | undefined {
  if (path === folder) return '';
  const start = folder === '' || folder === '/' ? folder : `${folder}/`;
  return path.startsWith(start) ? path.slice(start.length) : undefined;
}

/** What is made again without its data. */
export function lossesOf({ storage, held }: { storage: Storage; held: Held }): Loss[] {
  if (held === null || held === undefined) return [];
  const graph = storageGraph(storage);
  const disksOf = (fileSystem: string): Disk[] => {
    const own = storage.fileSystems.filter(({ id }) => id === fileSystem).flatMap(fileSystemDevices);
    const pools = storage.pools.filter((pool) => pool.datasets.some(({ name }) => `zfs:${name}` === fileSystem));
    const ids = [...own, ...pools.flatMap(vdevDevices)].flatMap(graph.disksUnder);
    return storage.disks.filter(({ id }) => ids.includes(id));
  };
  const mounts = lostMounts({ storage, held });
  const kept = storage.mounts.filter((mount) => !mounts.includes(mount)).flatMap((mount) => disksOf(mount.fileSystem));
  const lossOf = ({ what, fileSystem }: { what: string; fileSystem: string }): Loss => {
    const disks = disksOf(fileSystem);
    return { what, disks, isAlone: !disks.some((disk) => kept.includes(disk)) };
  };
  const unmounted = storage.fileSystems.filter(({ id }) => storage.mounts.every((mount) => mount.fileSystem !== id));
  return [
    ...mounts.map(({ path, fileSystem }) => lossOf({ what: path, fileSystem })),
    ...unmounted.map(({ id, on, make, label }) => {
      const kind = make.type === 'other' ? make.name : make.type;
      const name = label === null ? '' : ` “${label}”`;
      return lossOf({ what: `${kind}${name} on ${on.slice(on.indexOf(':') + 1)}`, fileSystem: id });
    }),
  ];
}

export function lossInWords({ what, disks, isAlone }: Loss): string {
  const options = disks.map(({ name }) => `--leave-out ${name}`).join(' ');
  const keep = isAlone && disks.length > 0 ? `. To keep it recover with \`${options}\`` : '';
  return printable(
    `${what} is not in the backup: what is on it is lost. It lies on ${list(disks.map(diskInWords))}${keep}`,
  );
}
