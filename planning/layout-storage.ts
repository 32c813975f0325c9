/**
 * The storage part of a layout: from disks to file systems, as a graph. Every block device has an id (`disk:sda`, `part:sda2`,
 * `md:root`, `luks:cr_home`, `lv:vg0/root`, `zvol:tank/vm`), by which the others say what they lie on. An id means a device within
 * one layout only; across machines devices are known by serial, WWN and UUID.
 * Sizes and places are bytes, so that a layout fits disks of another sector size. Not for workflow code (zod): its types are.
 */
import { z } from 'zod';
import { bytes, deviceId, word } from './layout-words';

export * from './layout-file-systems';
export { deviceId } from './layout-words';

const on = deviceId;

export const disk = z
  .strictObject({
    id: deviceId,
    name: word.describe('The kernel’s name, `sda`, `nvme0n1`; it may be another after the next boot.'),
    bytes,
    sectorBytes: bytes.describe('Logical sector size: what a partition table counts in.'),
    physicalSectorBytes: bytes,
    model: word.nullable(),
    serial: word.nullable().describe('What the disk says of itself; the first thing that a recovery knows it by.'),
    wwn: word.nullable(),
    byId: z.array(word).describe('Its names below `/dev/disk/by-id`, without the folder, sorted.'),
    transport: word.nullable().describe('`sata`, `sas`, `nvme`, `usb`, `virtio` …'),
    rotational: z.boolean(),
    removable: z.boolean(),
    readOnly: z.boolean(),
  })
  .describe('A disk.');

export const table = z
  .discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('gpt'),
      on,
      uuid: word,
      firstByte: bytes.describe('Where the first partition may begin.'),
      lastByte: bytes.describe('The last byte that a partition may hold.'),
      entries: z.number().int().positive().describe('How many partitions it has room for.'),
    }),
    z.strictObject({ kind: z.literal('dos'), on, diskId: z.string().regex(/^0x[0-9a-f]{8}$/) }),
  ])
  .describe('A partition table, on a disk or an array.');

export const partition = z
  .strictObject({
    id: deviceId,
    on,
    number: z.number().int().positive(),
    startByte: bytes,
    bytes,
    type: word.describe('GPT: the type’s GUID in capitals. MBR: two small hex digits.'),
    name: word.nullable().describe('GPT only.'),
    uuid: word.nullable().describe('GPT: its unique GUID, small. MBR: `DISKID-NN`.'),
    attributes: z
      .array(word)
      .describe('GPT: as sfdisk writes them, `RequiredPartition`, `LegacyBIOSBootable`, `GUID:63`.'),
    bootable: z.boolean().describe('MBR: the active flag.'),
    role: z.enum(['primary', 'extended', 'logical']).describe('GPT: always `primary`.'),
  })
  .describe('A partition.');

export const array = z
  .strictObject({
    id: deviceId,
    device: word.describe('The kernel’s name, `md127`.'),
    name: word
      .nullable()
      .describe('The name in its metadata, with the host before a colon where it has one: `web-1:root`.'),
    level: z.enum(['linear', 'raid0', 'raid1', 'raid4', 'raid5', 'raid6', 'raid10']),
    metadata: z.enum(['0.90', '1.0', '1.1', '1.2']),
    uuid: z.string().regex(/^[0-9a-f]{8}(?::[0-9a-f]{8}){3}$/),
    bytes,
    dataOffsetBytes: bytes
      .optional()
      .describe('Where the data begins on each member. Not with metadata 0.90 and 1.0, which lie behind it.'),
    chunkBytes: bytes.nullable(),
    layout: word.nullable().describe('`left-symmetric`, `near=2` …'),
    slots: z.array(deviceId.nullable()).describe('The active members in their order; null where one is missing.'),
    spares: z.array(deviceId),
    bitmap: z.enum(['internal', 'none']),
  })
  .describe('A Linux software RAID (md).');

export const luks = z
  .strictObject({
    id: deviceId,
    name: word.nullable().describe('The mapping’s name, of crypttab or as it is open; null where neither says.'),
    on,
    version: z.union([z.literal(1), z.literal(2)]),
    uuid: word,
    label: word.nullable(),
    cipher: word,
    keyBytes: bytes,
    sectorBytes: bytes,
    dataOffsetBytes: bytes,
    bytes: bytes.nullable().describe('Of the mapping; null where it was not open.'),
    keySlots: z.array(z.number().int().nonnegative()).describe('Those in use.'),
    tokens: z.array(word).describe('Kinds of LUKS2 tokens: `clevis`, `systemd-tpm2` … They come back with the header.'),
    header: z
      .strictObject({
        file: word.describe('In the tree of the whole machine.'),
        bytes,
        sha256: z.string().regex(/^[0-9a-f]{64}$/),
      })
      .nullable()
      .describe(
        'The header’s copy in the backup, with which it comes back as it was. In a layout that was read by itself, and in the file of a backup, it is null: what headers the data holds is known when they were sent, and stands in the signed manifest as `luksHeaders`; a recovery puts it in here.',
      ),
  })
  .describe('An encrypted volume.');

export const volumeGroup = z
  .strictObject({
    name: word,
    uuid: word,
    extentBytes: bytes,
    tags: z.array(word),
    physical: z.array(
      z.strictObject({
        on,
        uuid: word,
        extents: z.number().int().nonnegative(),
        dataOffsetBytes: bytes,
        tags: z.array(word),
        allocatable: z.boolean(),
      }),
    ),
  })
  .describe('An LVM volume group.');

const areas = z
  .array(
    z.strictObject({
      physical: deviceId,
      startExtent: z.number().int().nonnegative(),
      extents: z.number().int().positive(),
    }),
  )
  .describe('Where its data lies, stripe by stripe.');

const segment = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('linear'), extents: bytes, areas }),
  z.strictObject({ kind: z.literal('striped'), extents: bytes, stripes: bytes, stripeBytes: bytes, areas }),
  z.strictObject({
    kind: z.literal('raid'),
    type: z.string().regex(/^(?:mirror|raid0|raid1|raid10|raid4|raid5|raid6)(?:_[a-z0-9_]+)?$/),
    extents: bytes,
    stripes: bytes,
    mirrors: bytes.describe('Copies beyond the first.'),
    stripeBytes: bytes,
    regionBytes: bytes,
    areas,
  }),
  z.strictObject({
    kind: z.literal('thin-pool'),
    extents: bytes,
    chunkBytes: bytes,
    metadataBytes: bytes,
    discards: word,
    zero: z.boolean(),
  }),
  z.strictObject({
    kind: z.literal('thin'),
    extents: bytes,
    pool: word.describe('The pool’s name in the same group.'),
  }),
]);

export const logicalVolume = z
  .strictObject({
    id: deviceId,
    group: word,
    name: word,
    uuid: word,
    bytes,
    tags: z.array(word),
    segments: z.array(segment).min(1),
    readOnly: z.boolean(),
    active: z.boolean(),
  })
  .describe('An LVM logical volume. Hidden ones are not listed, nor are snapshots, which `limits` names.');

const properties = z.record(word, word);
const vdev: z.ZodType<Vdev> = z.lazy(() =>
  z.strictObject({
    kind: z.enum(['disk', 'mirror', 'raidz1', 'raidz2', 'raidz3']),
    on: deviceId.nullable(),
    children: z.array(vdev),
  }),
);
/** A part of a pool: a disk (`on`), or a mirror or raidz of `children`. */
// A type, not an interface: it must be plain JSON to the compiler too.
export type Vdev = {
  kind: 'disk' | 'mirror' | 'raidz1' | 'raidz2' | 'raidz3';
  on: string | null;
  children: Vdev[];
};

export const pool = z
  .strictObject({
    name: word,
    guid: word,
    bytes,
    usedBytes: bytes,
    properties: properties.describe('Those set for it: `ashift`, `feature@…`, `autotrim` …'),
    data: z.array(vdev).min(1),
    log: z.array(vdev),
    cache: z.array(vdev),
    spare: z.array(vdev),
    special: z.array(vdev),
    datasets: z.array(
      z.strictObject({
        name: word,
        kind: z.enum(['filesystem', 'volume']),
        mountPoint: word.nullable(),
        bytes: bytes.nullable().describe('Of a volume.'),
        properties: properties.describe(
          'Those set here, not inherited; and what was chosen at its making (`volblocksize`, `casesensitivity` …).',
        ),
      }),
    ),
  })
  .describe('A ZFS pool with its datasets.');

export type Disk = z.output<typeof disk>;
export type Table = z.output<typeof table>;
export type Partition = z.output<typeof partition>;
export type MdArray = z.output<typeof array>;
export type Luks = z.output<typeof luks>;
export type VolumeGroup = z.output<typeof volumeGroup>;
export type LogicalVolume = z.output<typeof logicalVolume>;
export type Segment = LogicalVolume['segments'][number];
export type Pool = z.output<typeof pool>;
