/** What lies on a host's own disks and is mounted nowhere: its data is in no backup, whatever the runbook names. */
import { ESP_TYPES } from './boot-families';
import type { Device, Devices } from './layout-devices';
import { unescaped, type Reading } from './layout-facts';
import { mountOf, uuidOf } from './layout-filesystems';
import { isSystemPath, UNSAVED } from './layout-limits';
import type { FstabRow, Mounted } from './layout-mounts';
import type { Layout, Limit } from './layout-schema';

export interface UnsavedOf {
  reading: Reading;
  devices: Devices;
  mounted: readonly Mounted[];
  fstab: readonly FstabRow[];
  layout: Pick<Layout, 'partitions' | 'luks' | 'volumeGroups' | 'volumes' | 'pools'>;
}

/** Boot partitions: what lies there a recovery writes anew or misses by name. The second one is systemd's `/boot`, mounted when it is looked at. */
const BOOT_TYPES = new Set([...ESP_TYPES, 'BC13C2FF-59E6-4262-A352-B275FD6F7172']);
/** A backup of a whole system looks there first, so what is mounted by a look is (hostkit/lib/mount-parts.sh). */
const LOOKED_AT = ['/boot', '/boot/efi', '/efi', '/boot/firmware'];

/** Notes file systems, encrypted volumes, logical volumes, disks of guests and datasets that nothing shows. */
export function noteUnsaved(of: UnsavedOf): void {
  // Where the mounts are not known, none is missing.
  if (of.reading.problem('mounts') !== undefined || of.mounted.length === 0) return;
  const { reading, devices, layout } = of;
  const root = of.mounted.findLast(({ path }) => path === '/')?.device;
  const own = new Set(root === undefined ? [] : devices.downFrom(root).map(({ id }) => id));
  const isFixed = (device: Device) => {
    const below = devices.downFrom(device);
    if (below.some(({ id, kind }) => kind === 'disk' && own.has(id))) return true;
    return !below.some(({ kind, row }) => kind === 'loop' || (kind === 'disk' && (row.rm || row.tran === 'usb')));
  };
  const volumes = new Set(layout.volumes.map(({ id }) => id));
  const seen = new Set<string>();
  for (const device of devices.all) {
    // What another device shows (a path of several, a part of a volume) is looked at there; snapshots and hidden volumes are none of the list.
    const shown = devices.all.some(({ kind, below }) => kind !== 'part' && below.includes(device.row.kname));
    if (shown || !isFixed(device) || (device.kind === 'lv' && !volumes.has(device.id))) continue;
    const found = ofDevice({ ...of, device });
    if (found === undefined || seen.has(found.key)) continue;
    seen.add(found.key);
    reading.limit({ what: found.what, why: found.why, weight: weightOf({ ...of, device }) });
  }
  noteClosed(of, isFixed);
  noteInactive(of, isFixed);
  noteDatasets(of);
}

/** Those that say that something is in no backup. */
export function unsavedLimits({ limits }: Pick<Layout, 'limits'>): Limit[] {
  const words = new Set<string>(Object.values(UNSAVED));
  return limits.filter(({ why }) => words.has(why));
}

type OfDevice = UnsavedOf & { device: Device };

function ofDevice(of: OfDevice): { key: string; what: string; why: string } | undefined {
  const { devices, device, mounted } = of;
  const type = device.probed.get('ID_FS_TYPE') ?? '';
  const usage = device.probed.get('ID_FS_USAGE');
  if (usage === 'filesystem' && device.kind !== 'loop' && type !== 'jbd' && type !== 'zfs_member') {
    if (mountOf({ device, mounted }) !== undefined || isBootPart(of) || isLookedAt(of)) return undefined;
    // Of one over several devices one stands for all.
    return { key: type === 'btrfs' ? uuidOf(device) : device.id, what: nameOf(device), why: UNSAVED.unmounted };
  }
  // Its partitions are no devices here, so nothing of it can be mounted.
  const isGuest = (device.kind === 'lv' || device.kind === 'zvol') && device.probed.has('ID_PART_TABLE_TYPE');
  const hasParts = devices.all.some(({ below }) => below.includes(device.row.kname));
  return isGuest && !hasParts ? { key: device.id, what: nameOf(device), why: UNSAVED.guestDisk } : undefined;
}

/** On a partition for the boot loader, or an array of such. */
function isBootPart({ devices, device, layout }: OfDevice): boolean {
  const below = new Set(devices.downFrom(device).map(({ id }) => id));
  return layout.partitions.some(({ id, type }) => below.has(id) && BOOT_TYPES.has(type));
}

function rowsOf({ devices, device, fstab }: OfDevice): FstabRow[] {
  return fstab.filter(({ spec }) => devices.find(spec) === device);
}

function isLookedAt(of: OfDevice): boolean {
  const automatic = of.mounted.filter(({ type }) => type === 'autofs').map(({ path }) => path);
  return rowsOf(of).some(({ path }) => LOOKED_AT.includes(path) && automatic.includes(path));
}

/** Without what fstab has at such a place the system would not be whole. */
function weightOf(of: OfDevice): 'fatal' | 'part' {
  return rowsOf(of).some(({ path }) => isSystemPath(path)) ? 'fatal' : 'part';
}

/** `sdb1 (ntfs “Data”)`. */
function nameOf({ row, dm, id, kind, probed }: Device): string {
  const label = unescaped(probed.get('ID_FS_LABEL_ENC') ?? '').trim();
  const inside = [probed.get('ID_FS_TYPE') ?? '', label === '' ? '' : `“${label}”`].filter((word) => word !== '');
  const named = kind === 'lv' || kind === 'zvol' ? id.slice(id.indexOf(':') + 1) : (dm?.name ?? row.kname);
  return `${named}${inside.length === 0 ? '' : ` (${inside.join(' ')})`}`;
}

function noteClosed({ reading, devices, layout }: UnsavedOf, isFixed: (device: Device) => boolean): void {
  const swaps = reading.lines('config:/etc/crypttab').flatMap((line) => {
    const [, spec = '', , options = ''] = line.trim().split(/\s+/);
    return options.split(',').includes('swap') ? [devices.find(spec)?.id] : [];
  });
  for (const { on, name } of layout.luks) {
    const device = devices.all.find(({ id }) => id === on);
    if (device === undefined || !isFixed(device) || swaps.includes(on)) continue;
    if (devices.all.some(({ kind, below }) => kind !== 'part' && below.includes(device.row.kname))) continue;
    const called = name === null ? '' : `${name} on `;
    reading.limit({ what: `${called}${nameOf(device)}`, why: UNSAVED.closed, weight: 'part' });
  }
}

function noteInactive({ reading, devices, layout }: UnsavedOf, isFixed: (device: Device) => boolean): void {
  for (const { group, name, active, segments } of layout.volumes) {
    if (active || segments.some(({ kind }) => kind === 'thin-pool')) continue;
    const physical = layout.volumeGroups.find((each) => each.name === group)?.physical.map(({ on }) => on) ?? [];
    if (devices.all.some((device) => physical.includes(device.id) && !isFixed(device))) continue;
    reading.limit({ what: `${group}/${name}`, why: UNSAVED.inactive, weight: 'part' });
  }
}

/** `NAME KIND MOUNTPOINT SIZE USED MOUNTED`. One without a mount point, or that is not to be mounted, is there for those below it; layers of containers have `legacy`. */
function noteDatasets({ reading, fstab, layout }: UnsavedOf): void {
  const rows = reading.lines('zfs-list').map((line) => line.split('\t'));
  for (const { name, kind, mountPoint, properties } of layout.pools.flatMap(({ datasets }) => datasets)) {
    const mounted = rows.find(([each]) => each === name)?.[5]?.trim();
    const isWanted = mountPoint !== null || fstab.some(({ spec, type }) => type === 'zfs' && spec === name);
    if (kind !== 'filesystem' || mounted !== 'no' || properties['canmount'] === 'off' || !isWanted) continue;
    reading.limit({ what: name, why: UNSAVED.dataset, weight: 'part' });
  }
}
