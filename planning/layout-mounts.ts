/** What is mounted and what fstab names, of mountinfo and fstab; swap devices and files. */
import type { Device, Devices } from './layout-devices';
import { countOf, linesOf, orNull, pairsOf, unescaped, type Reading } from './layout-facts';
import { isSystemPath, WHY } from './layout-limits';
import type { FileSystem, Mount, Swap } from './layout-storage';

/** One line of mountinfo. */
export interface Mounted {
  /** `8:1`, or `0:39` of a file system that has no device of its own number (btrfs, ZFS, network). */
  number: string;
  path: string;
  /** The part of the file system that is mounted. */
  root: string;
  type: string;
  source: string;
  options: string[];
  device: Device | undefined;
}

export interface FstabRow {
  spec: string;
  path: string;
  type: string;
  options: string[];
}

const NETWORK =
  /^(?:nfs4?|cifs|smb3|ceph|glusterfs|fuse\.(?:sshfs|glusterfs|ceph.*)|9p|virtiofs|afs|lustre|beegfs|ocfs2|gfs2)$/;
/** What is put in and taken out. */
const MEDIUM = /^\/dev\/(?:sr\d|cdrom|dvd|fd\d)/;
const NO_DEVICE =
  /^(?:proc|sysfs|tmpfs|devpts|devtmpfs|cgroup2?|none|overlay|fuse.*|debugfs|tracefs|mqueue|hugetlbfs|efivarfs|securityfs|configfs|binfmt_misc|ramfs|autofs|bpf|pstore|squashfs)$/;

export function readMounted({ reading, devices }: { reading: Reading; devices: Devices }): Mounted[] {
  const mounted = reading.lines('mounts').flatMap((line): Mounted[] => {
    const [before = '', after = ''] = line.split(' - ');
    const [, , number = '', root = '', point = '', own = ''] = before.split(' ');
    const [type = '', from = '', superOptions = ''] = after.split(' ');
    if (point === '' || type === '') return [];
    const source = unescaped(from);
    const options = [...new Set([...own.split(','), ...superOptions.split(',')])]
      .filter((each) => each !== '')
      .map(unescaped);
    // `/dev/root` of a boot without an initramfs exists nowhere: the number counts first.
    const device = devices.numbered(number) ?? devices.find(source);
    // One of the two says `ro` where both say how: the mount's own counts.
    const writable = own.split(',').includes('ro')
      ? options.filter((each) => each !== 'rw')
      : options.filter((each) => each !== 'ro');
    return [{ number, path: unescaped(point), root: unescaped(root), type, source, options: writable, device }];
  });
  const root = mounted.findLast(({ path }) => path === '/');
  if (root !== undefined && root.device === undefined && root.type !== 'zfs')
    reading.limit({ what: '/', why: NETWORK.test(root.type) ? WHY.rootOnNetwork : WHY.rootElsewhere, weight: 'fatal' });
  return mounted;
}

export function readFstab(reading: Reading): FstabRow[] {
  return reading.lines('config:/etc/fstab').flatMap((line): FstabRow[] => {
    const [spec = '#', path = '', type = '', options = 'defaults'] = line.trim().split(/\s+/);
    if (spec.startsWith('#') || path === '') return [];
    return [{ spec: unescaped(spec), path: trimmed(unescaped(path)), type, options: options.split(',') }];
  });
}

interface MountsOf {
  reading: Reading;
  devices: Devices;
  mounted: readonly Mounted[];
  fstab: readonly FstabRow[];
  fileSystems: readonly FileSystem[];
  /** ZFS datasets that are of a pool of the layout. */
  datasets: ReadonlySet<string>;
}

export function readMounts({ reading, devices, mounted, fstab, fileSystems, datasets }: MountsOf): Mount[] {
  const mounts = new Map<string, Mount>();
  const fsOn = (device: Device | undefined) =>
    fileSystems.find(
      ({ on, make }) =>
        on === device?.id || (make.type === 'btrfs' && make.members.some((one) => one.on === device?.id)),
    );
  for (const each of mounted) {
    const { path, type, source, options, device } = each;
    if (device?.kind === 'loop') {
      // Snaps mount themselves; what fstab mounts from a file is the operator's.
      if (fstab.some((row) => row.path === path)) reading.limit({ what: path, why: WHY.inFile });
      continue;
    }
    const inFstab = fstab.some((row) => row.path === path);
    if (type === 'zfs' && datasets.has(source)) {
      mounts.set(path, { path, fileSystem: `zfs:${source}`, subvolume: null, options, inFstab });
      if (isSystemPath(path)) reading.limit({ what: path, why: WHY.rootOnZfs, weight: 'fatal' });
      continue;
    }
    const fs = fsOn(device);
    const subvolume = subvolumeOf({ options, fs });
    // A part of a file system bound elsewhere is no mount of its own.
    if (fs === undefined || each.root !== (subvolume === null ? '/' : `/${subvolume}`)) continue;
    mounts.set(path, { path, fileSystem: fs.id, subvolume, options, inFstab });
  }
  for (const row of fstab) {
    if (
      mounts.has(row.path) ||
      !row.path.startsWith('/') ||
      row.options.includes('bind') ||
      row.options.includes('rbind')
    )
      continue;
    if (row.type === 'swap' || NETWORK.test(row.type) || NO_DEVICE.test(row.type)) continue;
    const fs = fsOn(devices.find(row.spec));
    if (fs !== undefined) {
      const subvolume = subvolumeOf({ options: row.options, fs });
      mounts.set(row.path, { path: row.path, fileSystem: fs.id, subvolume, options: row.options, inFstab: true });
    } else if (/^(?:\/dev\/|[A-Z]+=)/.test(row.spec) && !MEDIUM.test(row.spec))
      reading.limit({
        what: row.path,
        why: `fstab mounts ${row.spec} there, which is not here or not understood`,
        weight: 'part',
      });
  }
  return [...mounts.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** The path from the top level; null for the top level itself. fstab may name the subvolume by number, or leave it to the default. */
function subvolumeOf({ options, fs }: { options: readonly string[]; fs: FileSystem | undefined }): string | null {
  const named = valueOf(options, 'subvol');
  if (named !== undefined) return orNull(unescaped(named).replace(/^\/+/, ''));
  if (fs?.make.type !== 'btrfs') return null;
  const number = countOf(valueOf(options, 'subvolid')) ?? fs.make.defaultSubvolume;
  return fs.make.subvolumes.find((each) => each.number === number)?.path ?? null;
}

function valueOf(options: readonly string[], key: string): string | undefined {
  return options.find((option) => option.startsWith(`${key}=`))?.slice(key.length + 1);
}

export function readSwaps({
  reading,
  devices,
  fstab,
}: {
  reading: Reading;
  devices: Devices;
  fstab: readonly FstabRow[];
}): Swap[] {
  const swaps = new Map<string, Swap>();
  const active = new Map(
    linesOf(reading.text('swaps'))
      .slice(1)
      .map((line) => {
        const [path = '', , , , priority = ''] = line.trim().split(/\s+/);
        return [unescaped(path), countOf(priority) ?? null] as const;
      }),
  );
  // The kernel gives negative ones itself; those of fstab are the operator's.
  const priorityOf = (key: string, row: FstabRow | undefined) =>
    countOf(valueOf(row?.options ?? [], 'pri')) ?? active.get(key) ?? null;
  const rows = fstab.filter(({ type }) => type === 'swap');
  for (const device of devices.all) {
    const { probed } = device;
    if (probed.get('ID_FS_TYPE') !== 'swap' || device.kind === 'loop') continue;
    const row = rows.find(({ spec }) => devices.find(spec) === device);
    const used = [...active.keys()].find((path) => devices.find(path) === device) ?? '';
    swaps.set(device.id, {
      on: device.id,
      path: null,
      uuid: orNull(probed.get('ID_FS_UUID')),
      label: orNull(unescaped(probed.get('ID_FS_LABEL_ENC') ?? '')),
      bytes: device.row.size ?? 0,
      priority: priorityOf(used, row),
      mode: null,
    });
  }
  for (const path of reading.subjects('swap-file')) {
    const [mode = '', size = ''] = (reading.word(`swap-file:${path}`) ?? '').split(' ');
    const probed = pairsOf(reading.text(`blkid:${path}`));
    swaps.set(path, {
      on: null,
      path,
      uuid: orNull(probed.get('ID_FS_UUID')),
      label: orNull(unescaped(probed.get('ID_FS_LABEL_ENC') ?? '')),
      bytes: countOf(size) ?? 0,
      priority: priorityOf(
        path,
        rows.find(({ spec }) => spec === path),
      ),
      mode: /^[0-7]{3,4}$/.test(mode) ? mode : null,
    });
  }
  for (const { spec } of rows)
    if (devices.find(spec) === undefined && !swaps.has(spec) && !/^\/dev\/zram/.test(spec))
      reading.limit({ what: spec, why: 'fstab swaps to it, and it is not here', weight: 'part' });
  return [...swaps.values()];
}

function trimmed(path: string): string {
  return path.length > 1 ? path.replace(/\/+$/, '') : path;
}
