/**
 * Builds layouts for tests: disks, tables and what lies on them, in the order in which a person would make them. What comes out has
 * passed the schema. Ids are as the capture makes them: `disk:sda`, `part:sda1`, `md:md0`, `luks:cr`, `lv:vg0/root`.
 */
import { createHash } from 'node:crypto';
import type { Layout } from '../../planning/layout-schema';
import { layoutSchema } from '../../planning/layout-schema';
import type {
  FileSystem,
  Luks,
  MdArray,
  Partition,
  Pool,
  Segment,
  Subvolume,
  Vdev,
} from '../../planning/layout-storage';
import { diskFacts } from '../../planning/recover-machine';
import type { FoundDisk, FoundMachine, FoundTools } from '../../planning/recover-machine';
import { DEVICE_TOOLS, JOB_TOOLS } from '../../planning/recover-tools';

export const MIB = 2 ** 20;
export const GIB = 2 ** 30;

const GPT_TYPES: Record<string, string> = {
  bios: '21686148-6449-6E6F-744E-656564454649',
  esp: 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B',
  linux: '0FC63DAF-8483-4772-8E79-3D69D8477DE4',
  swap: '0657FD6D-A4AB-43C4-84E5-0933C84B4F4F',
  lvm: 'E6D6D379-F507-44C2-A23C-238F2A3DF928',
  raid: 'A19D880F-05FC-4D3B-A006-743F0F84911E',
  zfs: '6A898CC3-1DD2-11B2-99A6-080020736631',
};

/** The name of a partition of a device: `sda1`, `nvme0n1p1`, `md0p1`. */
export function partitionName(device: string, number: number): string {
  return `${device}${/\d$/.test(device) ? 'p' : ''}${number}`;
}

/** `512M`, `4G`, or `*` for all that is left. */
function sized(text: string, left: number): number {
  const match = /^(\d+)([KMG])$/.exec(text);
  if (match === null) return left;
  return Number(match[1]) * { K: 1024, M: MIB, G: GIB }[match[2] as 'K' | 'M' | 'G'];
}

/** A UUID that is the same in each run. */
function uuidOf(seed: string): string {
  const hex = createHash('sha256').update(seed).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-');
}

/** Where mdadm (3.3 and later) lets the data begin, with metadata 1.1 and 1.2: more, the larger the device is. */
export function mdadmOffset({ bytes, chunkBytes }: { bytes: number; chunkBytes: number | null }): number {
  let headroom = 128 * MIB;
  while (headroom * 1024 > bytes && (chunkBytes === null || headroom / 2 >= 2 * chunkBytes)) headroom /= 2;
  return Math.ceil((12 * 1024 + bitmapRoom(bytes) + headroom) / MIB) * MIB;
}

/** What mdadm finds free on a member: more is refused, "is smaller than given size". */
export function mdadmRoom({
  metadata,
  bytes,
  dataOffsetBytes,
}: Pick<MdArray, 'metadata' | 'bytes'> & { dataOffsetBytes: number }): number {
  if (metadata === '0.90') return Math.floor(bytes / 65536) * 65536 - 65536;
  if (metadata === '1.0') return Math.floor(bytes / 4096) * 4096 - 12 * 1024 - bitmapRoom(bytes);
  return bytes - dataOffsetBytes;
}

function bitmapRoom(bytes: number): number {
  return (bytes - 65536 >= 200 * GIB ? 128 : bytes - 4096 > 8 * GIB ? 64 : 4) * 1024;
}

type Ext = Extract<FileSystem['make'], { type: 'ext2' | 'ext3' | 'ext4' }>;

interface Labelled {
  usedGib?: number;
  label?: string | null;
}

interface PoolChoice {
  usedGib?: number;
  properties?: Record<string, string>;
  /** Sizes of its volumes in GiB. */
  volumes?: Readonly<Record<string, number>>;
}

export class LayoutKit {
  readonly layout: Layout;
  private readonly sizes = new Map<string, number>();
  private readonly nextExtent = new Map<string, number>();

  constructor({ host = 'web-1', firmware = 'uefi' }: { host?: string; firmware?: 'bios' | 'uefi' } = {}) {
    this.layout = emptyLayout(host, firmware);
  }

  disk(name: string, gib: number, change: Partial<Layout['disks'][number]> = {}): this {
    const disk = { ...DISK, id: `disk:${name}`, name, bytes: gib * GIB, serial: `S-${name.toUpperCase()}`, ...change };
    this.layout.disks.push(disk);
    this.sizes.set(disk.id, disk.bytes);
    return this;
  }

  /** `parts`: `SIZE TYPE [NAME]`, as in `512M esp`, `* linux`. */
  gpt(on: string, parts: readonly string[]): this {
    const sector = this.sectorOf(on);
    const tail = sector + Math.ceil(16384 / sector) * sector;
    const bytes = this.bytes(on);
    this.layout.tables.push({
      kind: 'gpt',
      on,
      uuid: uuidOf(`table ${on}`),
      firstByte: sector + tail,
      lastByte: bytes - tail - 1,
      entries: 128,
    });
    let start = MIB;
    parts.forEach((part, i) => {
      const [text = '*', type = 'linux', name = null] = part.split(' ');
      const size = sized(text, Math.floor((bytes - tail - start) / MIB) * MIB);
      this.partition({
        on,
        number: i + 1,
        startByte: start,
        bytes: size,
        type: GPT_TYPES[type] ?? type,
        name,
        uuid: uuidOf(`part ${on} ${i}`),
      });
      start += size;
    });
    return this;
  }

  /** `parts` as `SIZE TYPE [active]`; an `ext` one holds the logical ones. */
  dos(on: string, parts: readonly string[], logical: readonly string[] = [], { gap = MIB } = {}): this {
    const diskId = `0x${createHash('sha256').update(on).digest('hex').slice(0, 8)}`;
    this.layout.tables.push({ kind: 'dos', on, diskId });
    const uuid = (number: number): string => `${diskId.slice(2)}-${number.toString(16).padStart(2, '0')}`;
    let start = MIB;
    parts.forEach((part, i) => {
      const [text = '*', type = '83', active] = part.split(' ');
      const size = sized(text, Math.floor((this.bytes(on) - start) / MIB) * MIB);
      const role = type === 'ext' ? 'extended' : 'primary';
      this.partition({
        on,
        number: i + 1,
        startByte: start,
        bytes: size,
        type: type === 'ext' ? '05' : type,
        uuid: uuid(i + 1),
        role,
        bootable: active === 'active',
      });
      if (role === 'extended') {
        let at = start + gap;
        logical.forEach((inner, j) => {
          const [innerText = '*', innerType = '83'] = inner.split(' ');
          const innerSize = sized(innerText, start + size - at);
          this.partition({
            on,
            number: 5 + j,
            startByte: at,
            bytes: innerSize,
            type: innerType,
            uuid: uuid(5 + j),
            role: 'logical',
          });
          at += innerSize + gap;
        });
      }
      start += size;
    });
    return this;
  }

  md(device: string, level: MdArray['level'], slots: readonly (string | null)[], change: Partial<MdArray> = {}): this {
    const members = slots.filter((slot) => slot !== null);
    const { metadata = '1.2' } = change;
    const smallest = Math.min(...members.map((id) => this.bytes(id)));
    const chunkBytes = level === 'raid1' ? null : 512 * 1024;
    const isBefore = metadata === '1.1' || metadata === '1.2';
    const dataOffsetBytes = change.dataOffsetBytes ?? mdadmOffset({ bytes: smallest, chunkBytes });
    const free = mdadmRoom({ metadata, bytes: smallest, dataOffsetBytes });
    const each = Math.floor(free / (512 * 1024)) * 512 * 1024;
    const count = {
      linear: slots.length,
      raid0: slots.length,
      raid1: 1,
      raid4: slots.length - 1,
      raid5: slots.length - 1,
    };
    const data = { ...count, raid6: slots.length - 2, raid10: slots.length / 2 }[level];
    const hex = createHash('sha256').update(`md ${device}`).digest('hex');
    const array: MdArray = {
      id: `md:${device}`,
      device,
      name: `web-1:${device}`,
      level,
      metadata,
      uuid: [hex.slice(0, 8), hex.slice(8, 16), hex.slice(16, 24), hex.slice(24, 32)].join(':'),
      bytes: each * data,
      ...(isBefore ? { dataOffsetBytes } : {}),
      chunkBytes,
      layout: level === 'raid5' || level === 'raid6' ? 'left-symmetric' : level === 'raid10' ? 'near=2' : null,
      slots: [...slots],
      spares: [],
      bitmap: level === 'raid0' || level === 'linear' ? 'none' : 'internal',
      ...change,
    };
    this.layout.arrays.push(array);
    this.sizes.set(array.id, array.bytes);
    return this;
  }

  luks(on: string, name: string, change: Partial<Luks> = {}): this {
    const luks: Luks = {
      id: `luks:${name}`,
      name,
      on,
      version: 2,
      uuid: uuidOf(`luks ${name}`),
      label: null,
      cipher: 'aes-xts-plain64',
      keyBytes: 64,
      sectorBytes: 512,
      dataOffsetBytes: 16 * MIB,
      bytes: this.bytes(on) - 16 * MIB,
      keySlots: [0],
      tokens: [],
      header: { file: `luks/${name}.header`, bytes: 16 * MIB, sha256: createHash('sha256').update(name).digest('hex') },
      ...change,
    };
    this.layout.luks.push(luks);
    this.sizes.set(luks.id, luks.bytes ?? 0);
    return this;
  }

  vg(name: string, on: readonly string[], { extentMib = 4 } = {}): this {
    this.layout.volumeGroups.push({
      name,
      uuid: uuidOf(`vg ${name}`),
      extentBytes: extentMib * MIB,
      tags: [],
      physical: on.map((id) => ({
        on: id,
        uuid: uuidOf(`pv ${id}`),
        extents: Math.floor((this.bytes(id) - MIB) / (extentMib * MIB)),
        dataOffsetBytes: MIB,
        tags: [],
        allocatable: true,
      })),
    });
    return this;
  }

  /** A logical volume of `SIZE`, linear over as many physical volumes as it takes; `*` is all that is left on them. */
  lv(
    group: string,
    name: string,
    text: string,
    { on, tags = [] }: { on?: readonly string[]; tags?: string[] } = {},
  ): this {
    const { extentBytes, physical } = this.group(group);
    const areas: { physical: string; startExtent: number; extents: number }[] = [];
    let left = text === '*' ? Infinity : sized(text, 0) / extentBytes;
    for (const each of physical.filter(({ on: id }) => on === undefined || on.includes(id))) {
      const area = this.takeExtents({ group, on: each.on, most: left });
      if (area.extents > 0) areas.push(area);
      left -= area.extents;
    }
    const segments = areas.map((area): Segment => ({ kind: 'linear', extents: area.extents, areas: [area] }));
    return this.volume({ group, name, segments, tags });
  }

  /** One area on each of `on`: striped, or images of a `raid` type. */
  stripedLv(group: string, name: string, text: string, { on, raid }: { on: readonly string[]; raid?: string }): this {
    const { extentBytes } = this.group(group);
    const extents = sized(text, 0) / extentBytes;
    const isMirror = raid === 'raid1' || raid === 'mirror';
    const each = isMirror ? extents : Math.ceil(extents / on.length);
    const areas = on.map((id) => {
      const area = this.takeExtents({ group, on: id, most: each });
      if (raid !== undefined) this.takeExtents({ group, on: id, most: 1 });
      return area;
    });
    const stripeBytes = 64 * 1024;
    const segment: Segment =
      raid === undefined
        ? { kind: 'striped', extents, stripes: on.length, stripeBytes, areas }
        : {
            kind: 'raid',
            type: raid,
            extents,
            stripes: 1,
            mirrors: on.length - 1,
            stripeBytes: 0,
            regionBytes: 2 * MIB,
            areas,
          };
    return this.volume({ group, name, segments: [segment] });
  }

  thinPool(group: string, name: string, text: string): this {
    const extents = sized(text, 0) / this.group(group).extentBytes;
    return this.volume({
      group,
      name,
      segments: [
        {
          kind: 'thin-pool',
          extents,
          chunkBytes: 64 * 1024,
          metadataBytes: 32 * MIB,
          discards: 'passdown',
          zero: true,
        },
      ],
    });
  }

  thin(group: string, name: string, text: string, pool: string): this {
    const extents = sized(text, 0) / this.group(group).extentBytes;
    return this.volume({ group, name, segments: [{ kind: 'thin', extents, pool }] });
  }

  ext4(
    on: string,
    path: string | null,
    { usedGib = 2, label = null, type = 'ext4', ...change }: Labelled & Partial<Ext> = {},
  ): this {
    const blocks = Math.floor(this.bytes(on) / 4096);
    return this.fileSystem(on, path, usedGib, label, {
      type,
      blockBytes: 4096,
      inodeBytes: 256,
      inodes: Math.max(16, Math.floor(blocks / 4)),
      blocks,
      reservedBlocks: Math.floor(blocks / 20),
      reservedUid: 0,
      reservedGid: 0,
      features: ['has_journal', 'ext_attr', 'dir_index', 'extent', '64bit', 'metadata_csum'],
      mountOptions: ['user_xattr', 'acl'],
      hash: 'half_md4',
      raidStride: 0,
      raidStripeWidth: 0,
      maxMountCount: -1,
      checkIntervalS: 0,
      errors: 'remount-ro',
      journalBytes: type === 'ext2' ? null : Math.min(64 * MIB, Math.floor(this.bytes(on) / 64)),
      ...change,
    });
  }

  xfs(
    on: string,
    path: string | null,
    { usedGib = 2, label = null, sectorBytes = 512 }: Labelled & { sectorBytes?: number } = {},
  ): this {
    return this.fileSystem(on, path, usedGib, label, {
      type: 'xfs',
      blockBytes: 4096,
      sectorBytes,
      inodeBytes: 512,
      directoryBlockBytes: 4096,
      logBlocks: 16384,
      stripeUnitBlocks: 0,
      stripeWidthBlocks: 0,
      features: ['crc', 'finobt', 'sparse', 'reflink', 'bigtime', 'ftype'],
      external: [],
    });
  }

  /** `subvolumes`: paths in the order of their making; `ro` and `nocow` name some of them. */
  btrfs(
    on: readonly string[],
    mounts: Readonly<Record<string, string | null>>,
    {
      subvolumes = [] as readonly string[],
      ro = [] as readonly string[],
      nocow = [] as readonly string[],
      usedGib = 2,
      data = 'single',
      metadata = 'dup',
      defaultPath = null as string | null,
    } = {},
  ): this {
    const made = subvolumes.map((path, i): Subvolume => ({
      number: 256 + i,
      path,
      uuid: uuidOf(`subvolume ${path}`),
      parentUuid: null,
      receivedUuid: null,
      readOnly: ro.includes(path),
      noDataCow: nocow.includes(path),
      snapshot: ro.includes(path),
    }));
    const [first = ''] = on;
    this.fileSystem(first, null, usedGib, null, {
      type: 'btrfs',
      nodeBytes: 16384,
      sectorBytes: 4096,
      features: ['extref', 'skinny-metadata', 'no-holes', 'free-space-tree'],
      checksum: 'crc32c',
      profiles: { data, metadata },
      members: on.map((id, i) => ({ on: id, bytes: this.bytes(id), number: i + 1 })),
      subvolumes: made,
      defaultSubvolume: made.find((each) => each.path === defaultPath)?.number ?? 5,
    });
    const last = this.layout.fileSystems.at(-1);
    if (last !== undefined) last.bytes = on.reduce((sum, id) => sum + this.bytes(id), 0);
    for (const [path, subvolume] of Object.entries(mounts)) this.mount(path, `fs:${first}`, subvolume);
    return this;
  }

  vfat(
    on: string,
    path: string | null,
    { fatBits = 32, clusterBytes = 4096 }: { fatBits?: 12 | 16 | 32; clusterBytes?: number } = {},
  ): this {
    if (path === '/boot/efi') this.layout.boot.espMounts.push(path);
    return this.fileSystem(on, path, 0.01, null, { type: 'vfat', fatBits, clusterBytes });
  }

  other(on: string, name: string): this {
    return this.fileSystem(on, null, 1, null, { type: 'other', name });
  }

  swap(on: string): this {
    this.layout.swaps.push({
      on,
      path: null,
      uuid: uuidOf(`swap ${on}`),
      label: null,
      bytes: this.bytes(on),
      priority: null,
      mode: null,
    });
    return this;
  }

  swapFile(path: string, mib: number): this {
    this.layout.swaps.push({ on: null, path, uuid: null, label: null, bytes: mib * MIB, priority: null, mode: '0600' });
    return this;
  }

  pool(
    name: string,
    data: readonly Vdev[],
    datasets: Readonly<Record<string, string | null>>,
    { usedGib = 2, properties = { ashift: '12' }, volumes = {} }: PoolChoice = {},
  ): this {
    const bytes = data
      .flatMap((vdev) => (vdev.on === null ? vdev.children : [vdev]))
      .reduce((sum, { on }) => sum + this.bytes(on ?? ''), 0);
    const made: Pool['datasets'] = Object.entries(datasets).map(([dataset, mountPoint]): Pool['datasets'][number] => ({
      name: dataset,
      kind: 'filesystem',
      mountPoint,
      bytes: null,
      properties: mountPoint === null ? {} : { mountpoint: mountPoint },
    }));
    for (const [dataset, gib] of Object.entries(volumes)) {
      made.push({
        name: dataset,
        kind: 'volume',
        mountPoint: null,
        bytes: gib * GIB,
        properties: { volblocksize: '16K' },
      });
      this.sizes.set(`zvol:${dataset}`, gib * GIB);
    }
    this.layout.pools.push({
      name,
      guid: '1234567890',
      bytes,
      usedBytes: Math.floor(usedGib * GIB),
      properties,
      data: [...data],
      log: [],
      cache: [],
      spare: [],
      special: [],
      datasets: made,
    });
    for (const each of made) if (each.mountPoint !== null) this.mount(each.mountPoint, `zfs:${each.name}`, null);
    return this;
  }

  mount(path: string, fileSystem: string, subvolume: string | null = null): this {
    this.layout.mounts.push({ path, fileSystem, subvolume, options: ['rw', 'relatime'], inFstab: true });
    return this;
  }

  limit(what: string, why: string, weight: 'fatal' | 'part'): this {
    this.layout.limits.push({ what, why, weight });
    return this;
  }

  build(): Layout {
    return layoutSchema.parse(this.layout);
  }

  private partition(
    part: Pick<Partition, 'on' | 'number' | 'startByte' | 'bytes' | 'type' | 'uuid'> & Partial<Partition>,
  ): void {
    const id = `part:${partitionName(part.on.slice(part.on.indexOf(':') + 1), part.number)}`;
    this.layout.partitions.push({ id, name: null, attributes: [], bootable: false, role: 'primary', ...part });
    this.sizes.set(id, part.bytes);
  }

  private volume({
    group,
    name,
    segments,
    tags = [],
  }: {
    group: string;
    name: string;
    segments: Segment[];
    tags?: string[];
  }): this {
    const id = `lv:${group}/${name}`;
    const bytes = segments.reduce((sum, segment) => sum + segment.extents, 0) * this.group(group).extentBytes;
    this.layout.volumes.push({
      id,
      group,
      name,
      uuid: uuidOf(id),
      bytes,
      tags,
      segments,
      readOnly: false,
      active: true,
    });
    this.sizes.set(id, bytes);
    return this;
  }

  private takeExtents({ group, on, most }: { group: string; on: string; most: number }): {
    physical: string;
    startExtent: number;
    extents: number;
  } {
    const all = this.group(group).physical.find((each) => each.on === on)?.extents ?? 0;
    const startExtent = this.nextExtent.get(on) ?? 0;
    const extents = Math.max(0, Math.min(most, all - startExtent));
    this.nextExtent.set(on, startExtent + extents);
    return { physical: on, startExtent, extents };
  }

  private fileSystem(
    on: string,
    path: string | null,
    usedGib: number,
    label: string | null,
    make: FileSystem['make'],
  ): this {
    const bytes = this.bytes(on);
    const uuid = make.type === 'vfat' ? uuidOf(`fs ${on}`).slice(0, 9).toUpperCase() : uuidOf(`fs ${on}`);
    this.layout.fileSystems.push({
      id: `fs:${on}`,
      on,
      uuid,
      label,
      bytes,
      usedBytes: Math.min(bytes, Math.floor(usedGib * GIB)),
      make,
    });
    if (path !== null) this.mount(path, `fs:${on}`);
    return this;
  }

  private group(name: string): Layout['volumeGroups'][number] {
    const group = this.layout.volumeGroups.find((each) => each.name === name);
    if (group === undefined) throw new Error(`no group ${name}`);
    return group;
  }

  private bytes(id: string): number {
    const bytes = this.sizes.get(id);
    if (bytes === undefined) throw new Error(`no device ${id}`);
    return bytes;
  }

  private sectorOf(id: string): number {
    return this.layout.disks.find((disk) => disk.id === id)?.sectorBytes ?? 512;
  }
}

const DISK: Layout['disks'][number] = {
  id: 'disk:sda',
  name: 'sda',
  bytes: 40 * GIB,
  sectorBytes: 512,
  physicalSectorBytes: 512,
  model: 'Tested Disk',
  serial: null,
  wwn: null,
  byId: [],
  transport: 'sata',
  rotational: false,
  removable: false,
  readOnly: false,
};

/** A found disk: blank, unless `contents` says otherwise. */
export function foundDisk(name: string, gib: number, change: Partial<FoundDisk> = {}): FoundDisk {
  return {
    ...diskFacts(DISK),
    name,
    bytes: gib * GIB,
    serial: `N-${name.toUpperCase()}`,
    contents: [],
    inUse: [],
    ...change,
  };
}

/** The layout's own disks, found again as they were. */
export function sameDisks(layout: Layout, change: Partial<FoundDisk> = {}): FoundDisk[] {
  return layout.disks.map((disk) => ({
    ...diskFacts(disk),
    contents: ['GPT with old partitions'],
    inUse: [],
    ...change,
  }));
}

/** All that a plan can need of a rescue system. */
export const ALL_TOOLS: FoundTools = {
  programs: new Set(
    [
      ...Object.values(JOB_TOOLS),
      ...Object.values(DEVICE_TOOLS),
      ['thin_check', 'vgchange', 'pvchange', 'chattr', 'dmsetup', 'zvol_id'],
    ].flat(),
  ),
  modules: new Set([
    ...['ext4', 'xfs', 'btrfs', 'vfat', 'zfs', 'linear', 'raid0', 'raid1', 'raid10', 'raid456'],
    ...['dm_mod', 'dm_crypt', 'dm_thin_pool', 'dm_raid', 'dm_mirror'],
  ]),
  xfs: new Set(['crc', 'finobt', 'sparse', 'rmapbt', 'reflink', 'bigtime', 'inobtcount', 'ftype', 'lazy-count']),
};

export function foundMachine(
  layout: Layout,
  disks: readonly FoundDisk[],
  change: Partial<FoundMachine> = {},
): FoundMachine {
  return {
    firmware: layout.boot.firmware,
    memoryBytes: layout.system.memoryBytes,
    disks: [...disks],
    interfaces: layout.network.interfaces.map(({ name, mac }) => ({ name, mac })),
    tools: ALL_TOOLS,
    builtFor: null,
    ...change,
  };
}

function emptyLayout(host: string, firmware: 'bios' | 'uefi'): Layout {
  return {
    resurgoLayout: 1,
    host,
    capturedAt: '2026-11-21T01:30:00.000Z',
    system: {
      os: { id: 'debian', like: [], version: '12', name: 'Debian GNU/Linux 12 (bookworm)' },
      family: 'debian',
      architecture: 'x86_64',
      kernel: '6.1.0-9-amd64',
      machineId: null,
      memoryBytes: 4 * GIB,
      virtual: 'kvm',
      modules: [],
      selinux: null,
    },
    boot: {
      firmware,
      secureBoot: firmware === 'uefi' ? false : null,
      loader: 'grub2',
      biosDisks: [],
      espMounts: [],
      shim: false,
      efiEntries: [],
      efiOrder: [],
      kernels: [
        {
          release: '6.1.0-9-amd64',
          image: '/boot/vmlinuz-6.1.0-9-amd64',
          initramfs: '/boot/initrd.img-6.1.0-9-amd64',
        },
      ],
      commandLine: '',
      initramfs: 'initramfs-tools',
      blsEntries: [],
      remake: {
        tools: ['grub-install', 'grub-mkconfig', 'lsinitramfs', 'update-grub', 'update-initramfs'],
        grubPlatforms: ['i386-pc', 'x86_64-efi'],
        loaderFiles: firmware === 'uefi' ? ['EFI/debian/grubx64.efi', 'EFI/debian/shimx64.efi'] : [],
        moduleVersions: ['6.1.0-9-amd64'],
      },
    },
    disks: [],
    tables: [],
    partitions: [],
    arrays: [],
    luks: [],
    volumeGroups: [],
    volumes: [],
    pools: [],
    fileSystems: [],
    swaps: [],
    mounts: [],
    network: {
      hostname: host,
      interfaces: [
        {
          name: 'ens3',
          kind: 'ethernet',
          mac: '52:54:00:12:34:56',
          permanentMac: null,
          up: true,
          mtu: 1500,
          addresses: ['192.0.2.10/24'],
          dynamic: false,
          driver: 'virtio_net',
          vlan: null,
          bond: null,
          bridge: null,
        },
      ],
      routes: [],
      dns: { servers: [], search: [] },
      tool: 'ifupdown',
    },
    configs: [],
    limits: [],
  };
}
