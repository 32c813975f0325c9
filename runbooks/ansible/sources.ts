/** The sources of one host of `[backup_sources]`. */
import { type InventoryHost, type NotCarried } from './inventory';
import { type Values } from './values';

export interface ImportedSource {
  host: string;
  path: string;
  snapshot: string;
  exclude?: string[];
  snapshot_room?: string;
}

/** Kinds that an inventory switches on by `KIND_backup_source`, with the folder that SBDI keeps such data in. */
const KINDS = [
  { kind: 'gluster', usual: '/docker' },
  { kind: 'lvm', usual: '/docker_local' },
  { kind: 'btrfs', usual: '/srv' },
  { kind: 'zfs', usual: '/srv' },
];

/** The sources that the host's variables switch on; what is assumed or can't be used is reported. */
export function sourcesOf({
  host,
  value,
  isSource,
  report,
}: {
  host: InventoryHost;
  value: Values;
  isSource: boolean;
  report: (entry: NotCarried) => void;
}): ImportedSource[] {
  const at = { file: host.file, line: host.line, text: host.name };
  const switched = KINDS.filter(({ kind }) => value.truth(`${kind}_backup_source`));
  if (!isSource) {
    for (const { kind } of switched) {
      const { file, line, text } = value.origin(`${kind}_backup_source`) ?? at;
      report({ file, line, text, reason: `${host.name} is in no group [backup_sources]: it gives no source` });
    }
    return [];
  }
  const paths = value.list('backup_source_path', 'backup_source_paths');
  if (switched.length === 0 && paths.length === 0) {
    report({
      ...at,
      reason: 'is a backup source, but no kind is switched on and no path is given: add its sources by hand',
    });
    return [];
  }
  const exclude = value.list('backup_source_exclude');
  const more = exclude.length > 0 ? { exclude } : {};
  const ofKinds = switched.flatMap(({ kind, usual }) => {
    const name = `${kind}_backup_source_path`;
    const path = value.text(name);
    const stated = value.origin(name)?.value ?? '';
    const { file, line, text } = value.origin(`${kind}_backup_source`) ?? at;
    if (path === undefined && stated !== '') {
      report({ file, line, text, reason: `the ${kind} source of ${host.name} is not carried, as its path is not` });
      return [];
    }
    if (path === undefined) {
      const reason = `the inventory does not say where the data of ${host.name} lies: ${usual} is assumed, check it`;
      report({ file, line, text, reason });
    }
    const room = kind === 'lvm' ? roomOf({ host, value, isUsual: (path ?? usual) === usual, report }) : undefined;
    return {
      ...{ host: host.name, path: path ?? usual, snapshot: kind, ...more },
      ...(room !== undefined && { snapshot_room: room }),
    };
  });
  return [...ofKinds, ...ofPaths({ host, value, paths, report }).map((source) => ({ ...source, ...more }))];
}

/**
 * The `snapshot_room` of an lvm source. SBDI says it in GB beside the size of its volume, `lv_docker_local`, which lies at the usual place:
 * so much was added to the disk for snapshots, whatever they took. Of any other volume the size is not known.
 */
function roomOf({
  host,
  value,
  isUsual,
  report,
}: {
  host: InventoryHost;
  value: Values;
  isUsual: boolean;
  report: (entry: NotCarried) => void;
}): string | undefined {
  const origin = value.origin('backup_snapshot_storage');
  if (!origin) return undefined;
  const { file, line, text } = origin;
  const room = value.int('backup_snapshot_storage');
  if (room === undefined) return undefined;
  const size = isUsual ? value.int('local_docker_storage') : undefined;
  const percent = size === undefined || size === 0 ? 0 : Math.min(100, Math.floor((room / size) * 100));
  const reason =
    percent === 0
      ? `\`backup_snapshot_storage\` of ${host.name} (${room} GB) is not carried: \`snapshot_room\` is a share of the volume, and ${size === undefined ? 'its size is not known here' : 'this is less than 1% of it'}; write it by hand`
      : `\`snapshot_room: ${percent}%\` is assumed for ${host.name}: ${room} GB (\`backup_snapshot_storage\`) of ${size ?? 0} GB (\`local_docker_storage\`), check it`;
  report({ file, line, text, reason });
  return percent === 0 ? undefined : `${percent}%`;
}

/** Sources of paths that no kind goes with. */
function ofPaths({
  host,
  value,
  paths,
  report,
}: {
  host: InventoryHost;
  value: Values;
  paths: string[];
  report: (entry: NotCarried) => void;
}): ImportedSource[] {
  if (paths.length === 0) return [];
  const snapshot = value.text('backup_source_snapshot');
  if (snapshot === undefined) {
    const { file, line, text } = value.origin('backup_source_path', 'backup_source_paths') ?? { ...host, text: '' };
    const reason = `snapshot none is assumed for the paths of ${host.name}, a live copy that is not of one instant: no \`backup_source_snapshot\` is known`;
    report({ file, line, text, reason });
  }
  return paths.map((path) => ({ host: host.name, path, snapshot: snapshot ?? 'none' }));
}
