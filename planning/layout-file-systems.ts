/**
 * What lies in the devices of a layout: file systems with all that making them again needs, swap, and where they are mounted. Not for
 * workflow code (zod): its types are.
 */
import { z } from 'zod';
import { bytes, deviceId, word } from './layout-words';

const on = deviceId;

const ext = z.strictObject({
  type: z.enum(['ext2', 'ext3', 'ext4']),
  blockBytes: bytes,
  inodeBytes: bytes,
  inodes: z.number().int().positive(),
  blocks: z.number().int().positive(),
  reservedBlocks: z.number().int().nonnegative(),
  reservedUid: z.number().int().nonnegative(),
  reservedGid: z.number().int().nonnegative(),
  features: z.array(word).describe('As dumpe2fs names them; `needs_recovery` and the like are left out.'),
  mountOptions: z.array(word).describe('Default mount options in the superblock.'),
  hash: word.nullable().describe('Directory hash, `half_md4`.'),
  raidStride: bytes,
  raidStripeWidth: bytes,
  maxMountCount: z.number().int(),
  checkIntervalS: z.number().int().nonnegative(),
  errors: z.enum(['continue', 'remount-ro', 'panic']),
  journalBytes: bytes.nullable(),
  clusterBytes: bytes.optional().describe('With the feature `bigalloc` alone: what space is given out in.'),
});

const xfs = z.strictObject({
  type: z.literal('xfs'),
  blockBytes: bytes,
  sectorBytes: bytes,
  inodeBytes: bytes,
  directoryBlockBytes: bytes,
  logBlocks: z.number().int().nonnegative(),
  stripeUnitBlocks: z.number().int().nonnegative(),
  stripeWidthBlocks: z.number().int().nonnegative(),
  features: z
    .array(word)
    .describe(
      'Those that are on: `crc`, `finobt`, `sparse`, `rmapbt`, `reflink`, `bigtime`, `inobtcount`, `ftype`, `lazy-count`, `projid32bit`, `attr2`.',
    ),
  external: z.array(z.enum(['log', 'realtime'])).describe('Parts on devices of their own.'),
});

const subvolume = z.strictObject({
  number: z.number().int().positive(),
  path: word.describe('From the top level, without a slash before it.'),
  uuid: word,
  parentUuid: word.nullable(),
  receivedUuid: word.nullable(),
  readOnly: z.boolean(),
  noDataCow: z
    .boolean()
    .describe(
      'Of the subvolume’s own top folder. Folders and files within it that `chattr +C` has marked are not known.',
    ),
  snapshot: z.boolean().describe('It was made as a snapshot of another.'),
});

const btrfs = z.strictObject({
  type: z.literal('btrfs'),
  nodeBytes: bytes,
  sectorBytes: bytes,
  features: z.array(word).describe('As `mkfs.btrfs -O` and `-R` know them.'),
  checksum: word,
  profiles: z.strictObject({ data: word, metadata: word }).describe('`single`, `dup`, `raid1` …'),
  members: z.array(z.strictObject({ on, bytes, number: z.number().int().positive() })).min(1),
  subvolumes: z.array(subvolume),
  defaultSubvolume: z.number().int().positive(),
});

const vfat = z.strictObject({
  type: z.literal('vfat'),
  fatBits: z.union([z.literal(12), z.literal(16), z.literal(32)]),
  clusterBytes: bytes,
});
const other = z.strictObject({ type: z.literal('other'), name: word });

export const fileSystem = z
  .strictObject({
    id: z.string().regex(/^fs:[^\x00-\x1f\x7f]{1,255}$/),
    on,
    uuid: word,
    label: word.nullable(),
    bytes,
    usedBytes: bytes.nullable().describe('Null where it was not mounted, so that nothing tells it.'),
    make: z.discriminatedUnion('type', [ext, xfs, btrfs, vfat, other]).describe('All that making it again needs.'),
  })
  .describe('A file system. One of several devices (btrfs) lies `on` the first of them.');

export const swap = z
  .strictObject({
    on: deviceId.nullable().describe('The device, or null for a file.'),
    path: word.nullable().describe('The file, or null for a device.'),
    uuid: word.nullable(),
    label: word.nullable(),
    bytes,
    priority: z.number().int().nullable(),
    mode: z
      .string()
      .regex(/^[0-7]{3,4}$/)
      .nullable()
      .describe('Of a file.'),
  })
  .describe('A swap device or file.');

export const mount = z
  .strictObject({
    path: word,
    fileSystem: word.describe('The id of a file system, or `zfs:DATASET`.'),
    subvolume: word
      .nullable()
      .describe('btrfs: path of the mounted subvolume from the top level; null for the top level itself.'),
    options: z.array(word).describe('As it is mounted.'),
    inFstab: z.boolean(),
  })
  .describe('A mounted file system, or one of fstab that is not mounted now.');

export type FileSystem = z.output<typeof fileSystem>;
export type FileSystemMake = FileSystem['make'];
export type Subvolume = z.output<typeof subvolume>;
export type Swap = z.output<typeof swap>;
export type Mount = z.output<typeof mount>;
