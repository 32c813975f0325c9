/** The stores of the hosts of `[backup_targets]` and `[backup_remote]`. */
import { shortName } from '../names';
import { type InventoryHost, type NotCarried } from './inventory';
import { withRole, type Conversion } from './roles';
import { type Values } from './values';

export interface ImportedStore {
  host: string;
  kind: string;
  place: string;
  compression?: string;
}

/** A store for each target and remote, by its name: the first target's is `main`. */
export function storesOf({
  conversion,
  deployment,
}: {
  conversion: Conversion;
  deployment?: string;
}): Record<string, ImportedStore> {
  const { inventory, values, report } = conversion;
  const targets = withRole({ conversion, role: 'target' });
  const stores = new Map<string, ImportedStore>();
  for (const host of new Set([...targets, ...withRole({ conversion, role: 'remote' })])) {
    const value = values.get(host);
    const at = inventory.hosts.get(host);
    const short = shortName({ host, deployment: deployment ?? null });
    const name = host === targets[0] ? 'main' : freeName({ short, host, taken: stores });
    if (value && at) stores.set(name, storeOf({ at, value, report }));
  }
  return Object.fromEntries(stores);
}

/** The host's short name, or one near to it where another store is called so. */
function freeName({ short, host, taken }: { short: string; host: string; taken: Map<string, unknown> }): string {
  const free = [short, host].find((name) => !taken.has(name));
  if (free !== undefined) return free;
  for (let number = 2; ; number++) {
    const name = `${short.slice(0, 56)}-${number}`;
    if (!taken.has(name)) return name;
  }
}

function storeOf({
  at,
  value,
  report,
}: {
  at: InventoryHost;
  value: Values;
  report: (entry: NotCarried) => void;
}): ImportedStore {
  const stated = {
    kind: value.text('backup_store_kind'),
    place: value.text('backup_store_place'),
    compression: value.text('backup_store_compression'),
  };
  const kind = stated.kind ?? usualKind(stated);
  const place = stated.place ?? (kind === 'zfs' ? 'backup' : '/backup');
  const compression = stated.compression ?? (kind === 'zfs' ? 'gzip-7' : undefined);
  const assumed = [
    ...(stated.kind === undefined ? [`kind ${kind}`] : []),
    ...(stated.place === undefined ? [`place \`${place}\``] : []),
    ...(stated.compression === undefined && compression !== undefined ? [`compression ${compression}`] : []),
  ];
  if (assumed.length > 0) {
    const origin = value.origin('backup_store_place', 'backup_store_kind', 'backup_store_compression');
    const { file, line, text } = origin ?? { ...at, text: at.name };
    const reason = `assumed for the store of ${at.name}: ${assumed.join(', ')}; check it`;
    report({ file, line, text, reason });
  }
  return { host: at.name, kind, place, ...(compression !== undefined && { compression }) };
}

/** A folder can be no dataset of zfs; any file system takes hard links, which know no compression. */
function usualKind({ place, compression = 'off' }: { place?: string; compression?: string }): string {
  if (place?.startsWith('/') !== true) return 'zfs';
  return compression === 'off' ? 'hardlink' : 'btrfs';
}
