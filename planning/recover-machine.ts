/** The machine that a recovery goes to, as the rescue system finds it, and what its operator wants of the plan. */
import type { Disk } from './layout-storage';

/** A disk of the new machine. */
export interface FoundDisk extends Omit<Disk, 'id'> {
  /**
   * What lies on it, in words: `GPT with 3 partitions`, `ext4 "root"`. Empty only where all of it was looked at and
   * nothing was found, a blank disk; what could not be read says so here. */
  contents: string[];
  /** Of all file systems, arrays and volumes on it, as blkid writes them. */
  uuids?: string[];
  /** Of some of `contents` nobody could tell what is in it: it may be a store of backups, also on the host's own disk. */
  isUnknown?: boolean;
  /** Why it can't be written to now: mounted, swap, held by md or LVM, holds the rescue system, holds a backup. Never chosen then. */
  inUse: string[];
}

export interface FoundInterface {
  name: string;
  mac: string | null;
}

/** What a rescue system brings along for the plan's steps. */
export interface FoundTools {
  /** Tools that its jobs know of and that are there. */
  programs: ReadonlySet<string>;
  /** Kernel modules that can be loaded or are built in, with `_` in their names. */
  modules: ReadonlySet<string>;
  /** Features that its mkfs.xfs takes by name; null where it does not tell. */
  xfs: ReadonlySet<string> | null;
}

export interface FoundMachine {
  /** What the rescue system was booted by. */
  firmware: 'bios' | 'uefi';
  memoryBytes: number;
  disks: FoundDisk[];
  interfaces: FoundInterface[];
  /** Null where it does not tell: its media are of an older Resurgo. */
  tools: FoundTools | null;
  /** The sum (`layoutSum`) of the layout that its media were built for; null where it does not tell. */
  builtFor: string | null;
}

export interface RecoveryPolicy {
  /**
   * Who gets the room of a bigger disk. `last`: the last partition of each disk that can use it (a volume group gets free extents).
   * `proportional`: all that hold data, logical volumes too. `none`: it stays unallocated.
   */
  grow: 'last' | 'proportional' | 'none';
  /** On a smaller disk a file system keeps at least this much room above what it has in use, in percent of that. */
  headroomPercent: number;
  /** A disk of the layout (`sda`) to the serial, WWN or name of a found one. */
  pins: Record<string, string>;
  /** Disks of the layout that are not made again. Refused where something needed lies on them. */
  leaveOut: string[];
  /** Encrypted volumes, by name or UUID, that get a new key though the backup has their header. Left out by runs of before there were any. */
  newKeys?: string[];
  /** It is a copy: machine id, ssh host keys and the fleet's key are made anew. */
  newIdentity?: true;
}

export const DEFAULT_RECOVERY_POLICY: Readonly<RecoveryPolicy> = {
  grow: 'last',
  headroomPercent: 10,
  pins: {},
  leaveOut: [],
};

/** All that a disk says of itself, without what an id or a plan adds. */
export function diskFacts(disk: Omit<Disk, 'id'>): Omit<Disk, 'id'> {
  const { name, bytes, sectorBytes, physicalSectorBytes, model, serial, wwn, byId, transport, rotational } = disk;
  const { removable, readOnly } = disk;
  return {
    name,
    bytes,
    sectorBytes,
    physicalSectorBytes,
    model,
    serial,
    wwn,
    byId,
    transport,
    rotational,
    removable,
    readOnly,
  };
}
