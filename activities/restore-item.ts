/** One tree of a backup on its way to a host, and the words in which the host's verbs name its place. */
import type { FleetHost } from '../planning/run-input';
import type { ReceiveScope } from './data-line';

/** One tree of a backup and the place it goes to. */
export interface RestoreItemRef {
  backup: { id: string; tree: string; subpath: string | null };
  /** Where the backup lies, and under which group's name. */
  store: { name: string; group: string; host: FleetHost };
  destination: {
    host: FleetHost;
    /** The configured source that is restored in place; null for a folder. */
    source: {
      name: string;
      tree: string;
      snapshot: string;
      /** As the runbook has it; left out by runs of former versions. */
      path?: string;
    } | null;
    /** The folder that the tree is put into; null in place. */
    folder: string | null;
  };
  /** Whether the subpath is a single file (or link): it goes into its folder, and nothing is deleted there. */
  single: boolean;
  /** Who connects: `out` the store's host, `in` the destination. */
  dial: 'out' | 'in';
  /** rsync patterns that stay as they are (S20). */
  protect: string[];
  deletes: boolean;
  /** Files are compared by content. A single one always is. */
  checksum?: true;
  /** Headers of encrypted volumes, which lie in the tree of a whole machine, stay in the backup. */
  withoutHeaders?: true;
  /** The destination was made for it, and nothing but this restore writes there: the data come as one stream first. */
  fresh?: true;
}

/** `app-1:data` or `app-1:/var/restore`, with the part that is restored. */
export function nameOf(item: RestoreItemRef): string {
  const { host, source, folder } = item.destination;
  return `${host.name}:${source?.name ?? folder ?? ''}${item.backup.subpath === null ? '' : `/${item.backup.subpath}`} from ${item.backup.tree}`;
}

/** The destination as the host's verbs name it. */
export function placeArgs(item: RestoreItemRef): Record<string, string | undefined> {
  const { source, folder } = item.destination;
  const subpath = destinationSubpath(item);
  return source === null
    ? { path: folder ?? undefined, tree: item.backup.tree, subpath }
    : { source: source.name, subpath };
}

/** What stays as it is there, as jobs are told it. */
export function protectArgs({ protect }: RestoreItemRef): { excludes?: string } {
  return protect.length === 0 ? {} : { excludes: Buffer.from(protect.join('\n')).toString('base64') };
}

/** A single file goes into its folder: that is what the destination names. */
function destinationSubpath({ backup, single }: RestoreItemRef): string | undefined {
  if (backup.subpath === null) return undefined;
  if (!single) return backup.subpath;
  const slash = backup.subpath.lastIndexOf('/');
  return slash < 0 ? undefined : backup.subpath.slice(0, slash);
}

/** What the grant opens at the destination. */
export function scopeOf(item: RestoreItemRef): ReceiveScope {
  const { source, folder } = item.destination;
  const subpath = destinationSubpath(item);
  if (source !== null) return { scope: 'restore', source: source.name, subpath };
  return { scope: 'folder', path: folder ?? '', tree: item.backup.tree, subpath };
}
