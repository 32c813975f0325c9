/** File systems with all that making them again needs, of each kind's own tool. */
import type { Device, Devices } from './layout-devices';
import { readBtrfs } from './layout-btrfs';
import { bytesOf, countOf, linesOf, orNull, titledOf, unescaped, type Reading } from './layout-facts';
import { WHY } from './layout-limits';
import type { Mounted } from './layout-mounts';
import type { FileSystem, FileSystemMake } from './layout-storage';

export interface FileSystemsOf {
  reading: Reading;
  devices: Devices;
  mounted: readonly Mounted[];
}

/** What is read of one: `bytes` null where only the device says how large it is. */
type Made = { make: FileSystemMake; bytes: number | null } | undefined;

export function readFileSystems({ reading, devices, mounted }: FileSystemsOf): FileSystem[] {
  const used = usedBytes({ reading });
  const systems: FileSystem[] = [];
  for (const device of devices.all) {
    const type = device.probed.get('ID_FS_TYPE') ?? '';
    if (device.probed.get('ID_FS_USAGE') !== 'filesystem' || device.kind === 'loop') continue;
    // libblkid counts a pool's member among the file systems.
    if (type === 'zfs_member') continue;
    // Of one over several devices the first stands for all.
    if (type === 'btrfs' && systems.some((each) => each.make.type === 'btrfs' && each.uuid === uuidOf(device)))
      continue;
    const note = (why: string) => {
      reading.limit({ what: device.dm?.name ?? device.row.kname, why, devices: [device.id] });
    };
    const at = mountOf({ device, mounted });
    const made = makeOf({ reading, devices, device, type, note, mounted: at });
    if (made === undefined) continue;
    systems.push({
      id: `fs:${uuidOf(device) === '' ? device.id : uuidOf(device)}`,
      on: made.make.type === 'btrfs' ? (made.make.members[0]?.on ?? device.id) : device.id,
      uuid: uuidOf(device),
      label: orNull(unescaped(device.probed.get('ID_FS_LABEL_ENC') ?? '')),
      bytes: made.bytes ?? device.row.size ?? 0,
      usedBytes: at === undefined ? null : (used.get(at.number) ?? null),
      make: made.make,
    });
  }
  return distinct(systems);
}

/** Copies of one file system share its UUID: each then goes by its device. */
function distinct(systems: FileSystem[]): FileSystem[] {
  return systems.map((each) => {
    const twin = systems.some((other) => other !== each && other.id === each.id);
    return twin ? { ...each, id: `fs:${each.on}`.slice(0, 258) } : each;
  });
}

/** Where it is mounted; a btrfs of several devices is by any of them. */
export function mountOf({ device, mounted }: { device: Device; mounted: readonly Mounted[] }): Mounted | undefined {
  const isBtrfs = device.probed.get('ID_FS_TYPE') === 'btrfs';
  return mounted.find(
    (each) =>
      each.device === device ||
      (isBtrfs && each.type === 'btrfs' && each.device !== undefined && uuidOf(each.device) === uuidOf(device)),
  );
}

export function uuidOf({ probed }: Device): string {
  return unescaped(probed.get('ID_FS_UUID_ENC') ?? probed.get('ID_FS_UUID') ?? '');
}

/** `MAJ:MIN BLOCKS FREE BLOCK_BYTES` → bytes in use. */
function usedBytes({ reading }: { reading: Reading }): Map<string, number> {
  return new Map(
    reading.lines('space').flatMap((line): [string, number][] => {
      const [number = '', ...figures] = line.split(' ');
      const [blocks, free, block] = figures.map(countOf);
      if (blocks === undefined || free === undefined || block === undefined) return [];
      return [[number, Math.max(0, blocks - free) * block]];
    }),
  );
}

interface One {
  reading: Reading;
  devices: Devices;
  device: Device;
  type: string;
  mounted: Mounted | undefined;
  note: (why: string) => void;
}

function makeOf(one: One): Made {
  const { reading, device, type, note } = one;
  const tool = {
    ext2: 'dumpe2fs',
    ext3: 'dumpe2fs',
    ext4: 'dumpe2fs',
    xfs: 'xfs-info',
    btrfs: 'btrfs-super',
    vfat: 'sector',
  }[type];
  if (tool === undefined) {
    note(type === 'jbd' ? WHY.journalOnly : `it holds a file system that Resurgo does not make (${type})`);
    return { make: { type: 'other', name: type }, bytes: null };
  }
  const name = `${tool}:/dev/${device.row.kname}`;
  const problem = reading.problem(name);
  const read = problem === undefined ? READERS[tool]?.({ ...one, text: reading.text(name) }) : undefined;
  if (read !== undefined) return read;
  note(`its ${type} is not understood: ${problem ?? `${tool} says what is not known`}`);
  return { make: { type: 'other', name: type }, bytes: null };
}

const READERS: Readonly<Record<string, (one: One & { text: string }) => Made>> = {
  dumpe2fs: readExt,
  'xfs-info': readXfs,
  'btrfs-super': readBtrfs,
  sector: readVfat,
};

/** States that come and go by themselves. */
const EXT_PASSING = new Set([
  'needs_recovery',
  'orphan_present',
  'recover',
  'shared_blocks',
  'snapshot_bitmap',
  '(none)',
]);

function readExt({ reading, device, type, text, note }: One & { text: string }): Made {
  const titled = titledOf(text);
  const number = (title: string) => countOf(/^\d+/.exec(titled.get(title) ?? '')?.[0]);
  const words = (title: string) => (titled.get(title) ?? '').split(/\s+/).filter((word) => word !== '');
  const blockBytes = number('Block size');
  const blocks = number('Block count');
  const inodes = number('Inode count');
  if (blockBytes === undefined || !blocks || !inodes || (type !== 'ext2' && type !== 'ext3' && type !== 'ext4'))
    return undefined;
  const features = words('Filesystem features').filter((word) => !EXT_PASSING.has(word));
  if (titled.has('Journal device') || /^(?!<none>)\S/.test(titled.get('Journal UUID') ?? '')) note(WHY.externalLog);
  if (features.includes('encrypt')) note(WHY.encryptedFolders);
  const clusterBytes = features.includes('bigalloc') ? number('Cluster size') : undefined;
  if (features.includes('bigalloc') && clusterBytes === undefined)
    // It comes back all the same, wherever it lies.
    reading.limit({ what: device.dm?.name ?? device.row.kname, why: WHY.clusterUnknown, weight: 'part' });
  const errors = { Continue: 'continue', 'Remount read-only': 'remount-ro', Panic: 'panic' } as const;
  const said = titled.get('Errors behavior');
  return {
    bytes: blocks * blockBytes,
    make: {
      type,
      blockBytes,
      inodeBytes: number('Inode size') ?? 128,
      inodes,
      blocks,
      reservedBlocks: number('Reserved block count') ?? 0,
      reservedUid: number('Reserved blocks uid') ?? 0,
      reservedGid: number('Reserved blocks gid') ?? 0,
      features: features.sort(),
      mountOptions: words('Default mount options').filter((word) => word !== '(none)'),
      hash: orNull(titled.get('Default directory hash')),
      raidStride: number('RAID stride') ?? 0,
      raidStripeWidth: number('RAID stripe width') ?? 0,
      maxMountCount: Number(/^-?\d+/.exec(titled.get('Maximum mount count') ?? '')?.[0] ?? -1),
      checkIntervalS: number('Check interval') ?? 0,
      errors: said === 'Remount read-only' || said === 'Panic' ? errors[said] : errors.Continue,
      journalBytes: sizeOf(titled.get('Total journal size') ?? titled.get('Journal size')),
      ...(clusterBytes === undefined ? {} : { clusterBytes }),
    },
  };
}

/** `4096k`, `64M`. */
function sizeOf(text: string | undefined): number | null {
  const [, number, unit = ''] = /^(\d+)([kKMG]?)$/.exec(text ?? '') ?? [];
  const factor = { k: 1024, K: 1024, M: 1024 ** 2, G: 1024 ** 3 }[unit] ?? 1;
  return number === undefined ? null : Number(number) * factor;
}

const XFS_FEATURES = [
  'crc',
  'finobt',
  'sparse',
  'rmapbt',
  'reflink',
  'bigtime',
  'inobtcount',
  'nrext64',
  'exchange',
  'parent',
  'metadir',
  'ftype',
  'lazy-count',
  'projid32bit',
  'ascii-ci',
];

function readXfs({ text, note }: One & { text: string }): Made {
  const sections = new Map<string, Map<string, string>>();
  let current = '';
  for (const line of linesOf(text)) {
    current = /^([a-z-]+)\s*=/.exec(line)?.[1] ?? current;
    const section = sections.get(current) ?? new Map<string, string>();
    // What stands behind a section's name (`internal log`, a device) is its head; `projid32bit=1` and the like are its figures.
    if (/^[a-z-]+\s*=/.test(line)) section.set('', /^[a-z-]+\s*=\s*(.*?)\s{2,}|$/.exec(line)?.[1] ?? '');
    for (const [, key = '', value = ''] of line.matchAll(/([a-z0-9-]+)=([0-9]+)/g))
      if (!section.has(key)) section.set(key, value);
    sections.set(current, section);
  }
  const figure = (section: string, key: string) => countOf(sections.get(section)?.get(key));
  const blockBytes = figure('data', 'bsize');
  const blocks = figure('data', 'blocks');
  const logBlocks = figure('log', 'blocks');
  if (blockBytes === undefined || blocks === undefined || logBlocks === undefined) return undefined;
  const log = sections.get('log')?.get('') ?? '';
  const realtime = sections.get('realtime')?.get('') ?? '';
  const external = [
    ...(log.startsWith('internal') ? [] : (['log'] as const)),
    ...(realtime.startsWith('none') ? [] : (['realtime'] as const)),
  ];
  if (external.includes('log')) note(WHY.externalLog);
  if (external.includes('realtime')) note(WHY.realtime);
  const on = (key: string) => [...sections.values()].some((section) => section.get(key) === '1');
  return {
    bytes: blocks * blockBytes,
    make: {
      type: 'xfs',
      blockBytes,
      sectorBytes: figure('meta-data', 'sectsz') ?? 512,
      inodeBytes: figure('meta-data', 'isize') ?? 512,
      directoryBlockBytes: figure('naming', 'bsize') ?? blockBytes,
      logBlocks,
      stripeUnitBlocks: figure('data', 'sunit') ?? 0,
      stripeWidthBlocks: figure('data', 'swidth') ?? 0,
      features: [...XFS_FEATURES.filter(on), ...(figure('meta-data', 'attr') === 2 ? ['attr2'] : [])].sort(),
      external,
    },
  };
}

/** The BIOS parameter block says what kind it is: by the count of clusters, as every driver reckons. */
function readVfat({ text }: One & { text: string }): Made {
  const sector = bytesOf(text);
  const at = (offset: number, count: number) =>
    Array.from({ length: count }, (_, i) => (sector[offset + i] ?? 0) * 256 ** i).reduce((sum, each) => sum + each, 0);
  const bytesPerSector = at(11, 2);
  const perCluster = at(13, 1);
  if (sector.length < 512 || bytesPerSector === 0 || perCluster === 0) return undefined;
  const sectors = at(19, 2) === 0 ? at(32, 4) : at(19, 2);
  const fat = at(22, 2) === 0 ? at(36, 4) : at(22, 2);
  const rootSectors = Math.ceil((at(17, 2) * 32) / bytesPerSector);
  const clusters = Math.floor((sectors - at(14, 2) - at(16, 1) * fat - rootSectors) / perCluster);
  const fatBits = at(22, 2) === 0 ? 32 : clusters < 4085 ? 12 : 16;
  return {
    bytes: sectors * bytesPerSector,
    make: { type: 'vfat', fatBits, clusterBytes: perCluster * bytesPerSector },
  };
}
