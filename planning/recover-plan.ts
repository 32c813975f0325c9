/**
 * The recovery plan as plain data: the disks, what becomes of them, and the steps in their order. Each step is one verb of the rescue
 * system's hostkit; whoever acts checks the identity of every disk in `destroys` again, in the same script.
 */
import type {
  FileSystemMake,
  Luks,
  LogicalVolume,
  MdArray,
  Partition,
  Pool,
  Table,
  VolumeGroup,
} from './layout-storage';
import type { FoundDisk, RecoveryPolicy } from './recover-machine';
import type { Choice } from './recover-map-state';

/** What the acting script compares before it writes. The name is what people read; serial, WWN and size decide. */
export type DiskIdentity = Pick<FoundDisk, 'name' | 'serial' | 'wwn' | 'bytes'>;

/** A block device of the new machine, by what it is known by there. */
export type Device =
  | { kind: 'disk'; disk: DiskIdentity }
  | { kind: 'partition'; on: Device; number: number; uuid: string | null; startByte: number; bytes: number }
  | { kind: 'md'; uuid: string; device: string }
  | { kind: 'luks'; uuid: string; name: string }
  | { kind: 'lv'; group: string; name: string }
  | { kind: 'zvol'; dataset: string };

interface Base {
  /** The same in every plan of the same layout: `table:disk:sda`. A run that goes on after a crash knows by it what is done. */
  key: string;
  /** What it does, for people. */
  says: string;
  /** Keys of steps that must be done before. */
  needs: string[];
  /** The disks that it writes over. */
  destroys: DiskIdentity[];
}

type Areas = { physical: string; startExtent: number; extents: number }[];
/** `physical` is the UUID of a physical volume. */
export type StepSegment =
  | { kind: 'linear'; extents: number; areas: Areas }
  | { kind: 'striped'; extents: number; stripes: number; stripeBytes: number; areas: Areas }
  | {
      kind: 'raid';
      type: string;
      extents: number;
      stripes: number;
      mirrors: number;
      stripeBytes: number;
      regionBytes: number;
      areas: Areas;
    };

export type StepVdev =
  { kind: 'disk'; on: Device } | { kind: 'mirror' | 'raidz1' | 'raidz2' | 'raidz3'; children: StepVdev[] };

type OfArray = Pick<
  MdArray,
  'device' | 'name' | 'uuid' | 'level' | 'metadata' | 'layout' | 'chunkBytes' | 'bitmap' | 'bytes'
>;
type OfLuks = Pick<Luks, 'uuid' | 'version' | 'label' | 'cipher' | 'keyBytes' | 'sectorBytes' | 'dataOffsetBytes'>;
type OfVolume = Pick<LogicalVolume, 'group' | 'name' | 'uuid' | 'bytes' | 'tags'>;
type Dataset = Pool['datasets'][number];

export type RecoveryStep = Base &
  (
    | { kind: 'wipe'; disk: DiskIdentity }
    | { kind: 'table'; on: Device; table: Table; sectorBytes: number; partitions: Partition[] }
    | {
        kind: 'md-create';
        array: OfArray;
        /** In the order of the slots; null is `missing`. */
        members: (Device | null)[];
        spares: Device[];
        /**
         * What the array takes of each member, so that it becomes as large as planned whatever mdadm's defaults are now. Not for `linear`
         * and `raid0`, which take all of each. */
        componentBytes: number;
        /** Where the data begins on each member; null where mdadm alone says it. */
        dataOffsetBytes: number | null;
      }
    /** The header comes back from its backup, with its keys, and the mapping is opened. */
    | { kind: 'luks-restore'; on: Device; luks: OfLuks; name: string; header: NonNullable<Luks['header']> }
    /** A new volume key under one passphrase, with the old UUID; the mapping is opened. */
    | { kind: 'luks-format'; on: Device; luks: OfLuks; name: string }
    | { kind: 'lvm-pv'; on: Device; group: string; uuid: string; dataOffsetBytes: number }
    | {
        kind: 'lvm-vg';
        group: Pick<VolumeGroup, 'name' | 'uuid' | 'extentBytes' | 'tags'>;
        physical: { on: Device; uuid: string; extents: number; tags: string[]; allocatable: boolean }[];
      }
    | { kind: 'lvm-lv'; volume: OfVolume; segments: StepSegment[] }
    | {
        kind: 'lvm-thin-pool';
        volume: OfVolume;
        extents: number;
        chunkBytes: number;
        metadataBytes: number;
        discards: string;
        zero: boolean;
      }
    | { kind: 'lvm-thin'; volume: OfVolume; pool: string }
    /** The group and its volumes get the UUIDs that they had, before anything lies on them. */
    | { kind: 'lvm-uuids'; group: Pick<VolumeGroup, 'name' | 'uuid'>; volumes: Pick<OfVolume, 'name' | 'uuid'>[] }
    | {
        kind: 'mkfs';
        /** More than one for a btrfs, in the order of its members. */
        on: Device[];
        uuid: string;
        label: string | null;
        bytes: number;
        /** Of the device, whose blocks can't be smaller. A FAT counts its clusters in them. */
        sectorBytes: number;
        make: Exclude<FileSystemMake, { type: 'other' }>;
      }
    /** Made in this order at the top level, before anything is mounted for good. */
    | {
        kind: 'btrfs-subvolumes';
        on: Device;
        uuid: string;
        subvolumes: { path: string; noDataCow: boolean }[];
        /** The path of the default one; null for the top level. */
        defaultPath: string | null;
      }
    | { kind: 'mkswap'; on: Device; uuid: string | null; label: string | null; bytes: number }
    | {
        kind: 'zpool-create';
        name: string;
        properties: Record<string, string>;
        /** Of its first dataset, what can be chosen now alone. */
        root: Record<string, string>;
        data: StepVdev[];
        log: StepVdev[];
        cache: StepVdev[];
        spare: StepVdev[];
        special: StepVdev[];
      }
    | {
        kind: 'zfs-create';
        dataset: string;
        type: Dataset['kind'];
        bytes: number | null;
        properties: Record<string, string>;
      }
    /** What had to wait for the data; and the file that the boot imports the pool by. */
    | {
        kind: 'zpool-finish';
        name: string;
        properties: Record<string, string>;
        /** Null for a pool that the boot finds otherwise. */
        cache: string | null;
        /** Where it is mounted by itself (`canmount`), and whether it can be written to. */
        datasets: { name: string; type: Dataset['kind']; properties: Record<string, string> }[];
      }
    /** Below the folder that the new system is put together in. */
    | {
        kind: 'mount';
        path: string;
        source: { kind: 'device'; on: Device; uuid: string; type: string } | { kind: 'dataset'; dataset: string };
        subvolume: string | null;
        options: string[];
      }
    /** The data comes back here. */
    | { kind: 'restore'; paths: string[] }
    | { kind: 'swap-file'; path: string; bytes: number; mode: string; uuid: string | null; label: string | null }
    | { kind: 'btrfs-read-only'; on: Device; uuid: string; paths: string[] }
    | { kind: 'lvm-read-only'; group: string; name: string }
  );

export type StepKind = RecoveryStep['kind'];

/** A disk of the new machine, and what happens to it. */
export interface PlannedDisk extends FoundDisk {
  /** The layout's disk whose place it takes; null for one that is left alone. */
  takesPlaceOf: string | null;
  how: Choice | null;
  /** Why it was chosen, or why not. */
  why: string;
  /** By serial or WWN and size the very disk of the layout. */
  isSame: boolean;
  fate: 'overwritten' | 'untouched';
}

/** A device as it will be, with what lies on it. */
export interface PlanNode {
  what: string;
  bytes: number | null;
  /** As it was, where that is another size. */
  wasBytes: number | null;
  nodes: PlanNode[];
}

export interface RecoveryPlan {
  resurgoRecoveryPlan: 1;
  host: string;
  /** The backup that the layout and the data are of. */
  backup: string;
  /** SHA-256 over the layout's canonical JSON. */
  layoutSha256: string;
  firmware: 'bios' | 'uefi';
  policy: RecoveryPolicy;
  /** Every disk of the machine, those too that are left alone. */
  disks: PlannedDisk[];
  /** Mount points, and file systems that were mounted nowhere, that come back empty: the backup does not hold them. */
  lost?: string[];
  /** One for each disk that is overwritten. */
  after: (PlanNode & { disk: string })[];
  /** Empty where there are blockers. */
  steps: RecoveryStep[];
  warnings: string[];
  /** Each of these forbids the recovery, and says what to do. */
  blockers: string[];
  /** SHA-256 over the canonical JSON of all the above: what an approval names. */
  hash: string;
}
