/** How small a file system may be made, and how it is made where its device has another size or other sectors than it had. */
import { WHY } from './layout-limits';
import type { FileSystem, FileSystemMake } from './layout-storage';

const MIB = 2 ** 20;
const GIB = 2 ** 30;

/** The densest that inodes are laid when a file system shrinks: nothing tells how many of them are in use. */
const BYTES_PER_INODE = 8192;
/** What mkfs refuses to go below; a file system that was smaller keeps its size. */
const FLOOR = { ext: 16 * MIB, xfs: 300 * MIB, btrfs: 256 * MIB };
/** With fewer clusters than this a FAT is not taken for FAT32. */
const FAT32_CLUSTERS = 65_525;

/**
 * The least bytes that a file system needs on sectors of this size: what is in use and the headroom, with its own bookkeeping. What
 * was not mounted at the backup told nothing of its use, and keeps its size. Of a btrfs: over all its devices.
 */
export function leastFileSystem({
  fileSystem,
  headroomPercent,
  sectorBytes,
}: {
  fileSystem: FileSystem;
  headroomPercent: number;
  sectorBytes: number;
}): number {
  const { usedBytes, make } = fileSystem;
  const bytes = wholeBytes(fileSystem);
  if (make.type === 'vfat') return Math.max(bytes, leastFat(make, sectorBytes));
  if (usedBytes === null || make.type === 'other') return bytes;
  const wanted = usedBytes * (1 + headroomPercent / 100);
  switch (make.type) {
    case 'ext2':
    case 'ext3':
    case 'ext4': {
      const journal = make.journalBytes ?? 0;
      const inodeShare = Math.max(
        make.inodeBytes / BYTES_PER_INODE,
        (make.inodes * make.inodeBytes) / Math.max(1, bytes),
      );
      // Group descriptors and bitmaps: under one percent.
      const share = Math.min(0.9, inodeShare + 0.01);
      return Math.min(bytes, Math.max(FLOOR.ext, 3 * journal, Math.ceil(wanted / (1 - share)) + journal));
    }
    case 'xfs':
      // Allocation groups, free-space trees and what it keeps back for itself.
      return Math.min(
        bytes,
        Math.max(FLOOR.xfs, Math.ceil(wanted * 1.02) + make.logBlocks * make.blockBytes + 64 * MIB),
      );
    case 'btrfs': {
      const raw = Math.ceil(wanted * copies(make.profiles.data, make.members.length));
      const own = Math.min(GIB, bytes * 0.1) * copies(make.profiles.metadata, make.members.length);
      return Math.min(bytes, Math.max(FLOOR.btrfs * make.members.length, Math.ceil(raw + own)));
    }
  }
}

/** The size that its minimum is compared with: of all its devices together. */
export function wholeBytes({ bytes, make }: FileSystem): number {
  return make.type === 'btrfs' ? make.members.reduce((sum, member) => sum + member.bytes, 0) : bytes;
}

/** Raw bytes for one of data. */
function copies(profile: string, devices: number): number {
  const fixed: Record<string, number> = { dup: 2, raid1: 2, raid1c3: 3, raid1c4: 4, raid10: 2 };
  if (profile === 'raid5') return devices / Math.max(1, devices - 1);
  if (profile === 'raid6') return devices / Math.max(1, devices - 2);
  return fixed[profile] ?? 1;
}

/** On bigger sectors a FAT32 needs more room: a cluster is a sector at least, and there must be enough of them. */
function leastFat({ fatBits, clusterBytes }: Extract<FileSystemMake, { type: 'vfat' }>, sectorBytes: number): number {
  if (fatBits !== 32 || clusterBytes >= sectorBytes) return 0;
  return Math.ceil((sectorBytes * FAT32_CLUSTERS * 1.01) / MIB + 1) * MIB;
}

/**
 * How it is made on its new device, and what an operator should know of it.
 * @param bytes the file system's new size, equal to the old one where its device kept its size; for btrfs that of each member by id
 */
export function remake({
  fileSystem,
  bytes,
  members,
  sectorBytes,
}: {
  fileSystem: FileSystem;
  bytes: number;
  members: ReadonlyMap<string, number>;
  sectorBytes: number;
}): { make: FileSystemMake; notes: string[] } {
  const { make } = fileSystem;
  const notes: string[] = [];
  const raised = (what: string, was: number): number => {
    if (was >= sectorBytes) return was;
    notes.push(`its ${what} become ${sectorBytes} bytes (were ${was}), as the new disk's sectors are`);
    return sectorBytes;
  };
  switch (make.type) {
    case 'ext2':
    case 'ext3':
    case 'ext4': {
      const blockBytes = raised('blocks', make.blockBytes);
      const { clusterBytes } = make;
      const clusters = clusterBytes === undefined ? {} : { clusterBytes: Math.max(clusterBytes, blockBytes) };
      const features = clusterBytes === undefined ? make.features.filter((each) => each !== 'bigalloc') : make.features;
      // Made with clusters of another size it could have room for fewer files, or could not be made at all.
      if (features.length < make.features.length) notes.push(WHY.clusterUnknown);
      if (bytes === fileSystem.bytes && blockBytes === make.blockBytes)
        return { make: { ...make, ...clusters, features }, notes };
      const blocks = Math.floor(bytes / blockBytes);
      const ratio = bytes / Math.max(1, fileSystem.bytes);
      const scaled = Math.max(16, Math.floor(make.inodes * ratio));
      const inodes = ratio < 1 ? Math.max(scaled, Math.min(make.inodes, Math.floor(bytes / BYTES_PER_INODE))) : scaled;
      const reservedBlocks = Math.floor((make.reservedBlocks / make.blocks) * blocks);
      return { make: { ...make, ...clusters, features, blockBytes, blocks, inodes, reservedBlocks }, notes };
    }
    case 'xfs': {
      const sectors = raised('sectors', make.sectorBytes);
      const blockBytes = Math.max(make.blockBytes, sectors);
      // Zero: mkfs chooses; the old log may not fit into a smaller allocation group.
      const logBlocks = bytes < fileSystem.bytes || blockBytes !== make.blockBytes ? 0 : make.logBlocks;
      return { make: { ...make, sectorBytes: sectors, blockBytes, logBlocks }, notes };
    }
    case 'btrfs': {
      const own = raised('sectors', make.sectorBytes);
      const changed = make.members.map((member) => ({ ...member, bytes: members.get(member.on) ?? member.bytes }));
      return { make: { ...make, sectorBytes: own, nodeBytes: Math.max(make.nodeBytes, own), members: changed }, notes };
    }
    case 'vfat':
      return { make: { ...make, clusterBytes: raised('clusters', make.clusterBytes) }, notes };
    case 'other':
      return { make, notes };
  }
}
