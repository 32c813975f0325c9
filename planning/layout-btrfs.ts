/** A btrfs: its devices by their superblocks, and what only a mounted one tells. */
import type { Device, Devices } from './layout-devices';
import { countOf, orNull, type Reading } from './layout-facts';
import { WHY } from './layout-limits';
import type { Mounted } from './layout-mounts';
import type { FileSystemMake, Subvolume } from './layout-storage';

type Btrfs = Extract<FileSystemMake, { type: 'btrfs' }>;

interface One {
  reading: Reading;
  devices: Devices;
  device: Device;
  mounted: Mounted | undefined;
  note: (why: string) => void;
  /** `btrfs inspect-internal dump-super` of the device. */
  text: string;
}

/** Flags of the superblock → as `mkfs.btrfs -O` and `-R` know them. Those that mkfs sets by itself, or that data bring, are left out. */
const FEATURES: Readonly<Record<string, string>> = {
  MIXED_GROUPS: 'mixed-bg',
  EXTENDED_IREF: 'extref',
  RAID56: 'raid56',
  RAID1C34: 'raid1c34',
  SKINNY_METADATA: 'skinny-metadata',
  NO_HOLES: 'no-holes',
  ZONED: 'zoned',
  EXTENT_TREE_V2: 'extent-tree-v2',
  RAID_STRIPE_TREE: 'raid-stripe-tree',
  SIMPLE_QUOTA: 'squota',
  FREE_SPACE_TREE: 'free-space-tree',
  BLOCK_GROUP_TREE: 'block-group-tree',
};
const CHECKSUMS: Readonly<Record<string, string>> = { xxhash64: 'xxhash', blake2b: 'blake2' };

export function readBtrfs({ reading, devices, mounted, note, text }: One): { make: Btrfs; bytes: number } | undefined {
  const own = superOf(text);
  const fsid = own.get('fsid')?.split(' ')[0];
  const nodeBytes = countOf(own.get('nodesize'));
  const sectorBytes = countOf(own.get('sectorsize'));
  if (fsid === undefined || nodeBytes === undefined || sectorBytes === undefined) return undefined;
  const members = devices.all
    .flatMap((each) => {
      const values = superOf(reading.text(`btrfs-super:/dev/${each.row.kname}`));
      const number = countOf(values.get('dev_item.devid'));
      if (values.get('fsid')?.split(' ')[0] !== fsid || !number) return [];
      return [{ on: each.id, bytes: countOf(values.get('dev_item.total_bytes')) ?? 0, number }];
    })
    .sort((a, b) => a.number - b.number);
  if (members.length === 0) return undefined;
  if (members.length < (countOf(own.get('num_devices')) ?? 1)) note(WHY.missingMember);
  // Bit 32 of the superblock's flags.
  if (/\bSEEDING\b/.test(text)) note(WHY.seed);
  const [, checksum = 'crc32c'] = /\((\S+)\)/.exec(own.get('csum_type') ?? '') ?? [];
  return {
    bytes: members.reduce((sum, { bytes }) => sum + bytes, 0),
    make: {
      type: 'btrfs',
      nodeBytes,
      sectorBytes,
      features: Object.entries(FEATURES).flatMap(([flag, name]) =>
        new RegExp(`\\b${flag}\\b`).test(text) ? [name] : [],
      ),
      checksum: CHECKSUMS[checksum] ?? checksum,
      members,
      ...(mounted === undefined ? unmounted(note) : ofMounted({ reading, mounted, note })),
    },
  };
}

type Told = Pick<Btrfs, 'profiles' | 'subvolumes' | 'defaultSubvolume'>;

function unmounted(note: (why: string) => void): Told {
  note(WHY.unmountedBtrfs);
  return { profiles: { data: 'single', metadata: 'single' }, subvolumes: [], defaultSubvolume: 5 };
}

function ofMounted({
  reading,
  mounted,
  note,
}: {
  reading: Reading;
  mounted: Mounted;
  note: (why: string) => void;
}): Told {
  const at = (name: string) => `${name}:${mounted.number}`;
  for (const name of [
    'btrfs-df',
    'btrfs-default',
    'btrfs-list',
    'btrfs-snapshots',
    'btrfs-readonly',
    'btrfs-attributes',
  ]) {
    const problem = reading.problem(at(name));
    if (problem !== undefined) note(`its subvolumes are not known as a whole: ${problem}`);
  }
  if (reading.lines(at('btrfs-qgroups')).length > 0) note(WHY.quotas);
  const profiles = profilesOf({ lines: reading.lines(at('btrfs-df')), note });
  const [, chosen] = /^ID (\d+)/.exec(reading.word(at('btrfs-default')) ?? '') ?? [];
  return { profiles, subvolumes: subvolumesOf({ reading, at, note }), defaultSubvolume: Number(chosen ?? 5) };
}

/** `Data, RAID1: total=…`; several lines of one kind: a balance between profiles was not finished. */
function profilesOf({ lines, note }: { lines: string[]; note: (why: string) => void }): Btrfs['profiles'] {
  const found = (kind: string) => {
    const profiles = lines.flatMap(
      (line) => new RegExp(`^(?:${kind}|Data\\+Metadata), ([A-Za-z0-9]+):`).exec(line)?.[1] ?? [],
    );
    if (new Set(profiles).size > 1) note(WHY.mixedProfiles);
    return profiles[0]?.toLowerCase() ?? 'single';
  };
  return { data: found('Data'), metadata: found('Metadata') };
}

interface Listed {
  reading: Reading;
  at: (name: string) => string;
  note: (why: string) => void;
}

const ROW =
  /^ID (\d+) gen \d+ parent \d+ top level \d+ parent_uuid (\S+)\s+received_uuid (\S+)\s+uuid (\S+) path (.+)$/;

function subvolumesOf({ reading, at, note }: Listed): Subvolume[] {
  const numbers = (name: string) =>
    new Set(reading.lines(at(name)).flatMap((line) => /^ID (\d+) /.exec(line)?.[1] ?? []));
  const snapshots = numbers('btrfs-snapshots');
  const readOnly = numbers('btrfs-readonly');
  const plain = new Set(
    reading.lines(at('btrfs-attributes')).flatMap((line) => /^\S*C\S* \.\/(.+)$/.exec(line)?.[1] ?? []),
  );
  const id = (text: string) => (text === '-' ? null : orNull(text));
  return reading.lines(at('btrfs-list')).flatMap((line): Subvolume[] => {
    const [, number, parent, received, uuid, path] = ROW.exec(line) ?? [];
    if (
      number === undefined ||
      parent === undefined ||
      received === undefined ||
      uuid === undefined ||
      path === undefined
    ) {
      note(`one of its subvolumes is not understood (“${line.slice(0, 100)}”)`);
      return [];
    }
    return [
      {
        number: Number(number),
        path,
        uuid,
        parentUuid: id(parent),
        receivedUuid: id(received),
        readOnly: readOnly.has(number),
        noDataCow: plain.has(path),
        snapshot: snapshots.has(number),
      },
    ];
  });
}

/** `name<tabs>value` lines. */
function superOf(text: string): Map<string, string> {
  return new Map(
    text.split('\n').flatMap((line): [string, string][] => {
      const [, name, value] = /^([a-z_.]+)\t+(.*)$/.exec(line) ?? [];
      return name === undefined || value === undefined ? [] : [[name, value.trim()]];
    }),
  );
}
