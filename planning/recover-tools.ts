/**
 * What a plan's steps need of the rescue system that is booted: tools and kernel modules. What is missing forbids the recovery before
 * anything is written, since it would be noticed only half-way. Pure.
 */
import type { FoundMachine, FoundTools } from './recover-machine';
import type { Device, RecoveryStep, StepVdev } from './recover-plan';
import { list, printable } from './recover-words';

/**
 * The tools that every job of a rescue system calls whatever it is asked for, as its file declares them (`# tools:`; those with `?` there are
 * needed in some cases, and added below). A test compares the two, and the declarations with what the jobs call.
 */
export const JOB_TOOLS: Readonly<Record<string, readonly string[]>> = {
  'btrfs-read-only': ['blkid', 'btrfs'],
  'btrfs-subvolumes': ['blkid', 'btrfs'],
  'disk-table': ['sfdisk', 'partx'],
  'disk-wipe': ['wipefs', 'partx'],
  'luks-check': ['cryptsetup'],
  'luks-format': ['wipefs', 'cryptsetup', 'dmsetup', 'blockdev'],
  'luks-restore': ['wipefs', 'cryptsetup', 'dmsetup', 'blockdev'],
  'lvm-lv': ['lvs', 'pvs', 'lvcreate', 'lvchange'],
  'lvm-pv': ['wipefs', 'pvs', 'pvcreate'],
  'lvm-read-only': ['lvs', 'lvchange'],
  'lvm-uuids': ['vgs', 'lvs', 'vgchange', 'vgcfgbackup', 'vgcfgrestore'],
  'lvm-vg': ['pvs', 'vgs', 'vgcreate'],
  'md-create': ['wipefs', 'mdadm'],
  'mkfs-btrfs': ['blkid', 'wipefs', 'mkfs.btrfs', 'btrfs'],
  'mkfs-ext': ['blkid', 'wipefs', 'blockdev', 'mke2fs', 'tune2fs'],
  'mkfs-vfat': ['blkid', 'wipefs', 'blockdev', 'mkfs.vfat'],
  'mkfs-xfs': ['blkid', 'wipefs', 'blockdev', 'mkfs.xfs'],
  mkswap: ['blkid', 'wipefs', 'blockdev', 'mkswap'],
  'mount-new': ['blkid', 'findmnt'],
  'mount-zfs': ['zpool', 'findmnt'],
  'new-bootloader': ['blkid', 'findmnt'],
  'new-director': [],
  'new-identity': ['ssh-keygen'],
  'new-fix': [],
  'new-initramfs': ['blkid', 'findmnt'],
  'new-reboot': [],
  'new-unmount': ['blockdev'],
  'new-verify': ['blkid', 'findmnt'],
  'swap-file': ['blkid', 'mkswap'],
  'zfs-create': ['zpool', 'zfs'],
  'zpool-create': ['blkid', 'wipefs', 'zpool'],
  'zpool-finish': ['zpool', 'zfs'],
};

/** The tools that look up a device of that kind (`# tools KIND:` in rescue/lib/device.sh). */
export const DEVICE_TOOLS: Readonly<Record<Device['kind'], readonly string[]>> = {
  disk: [],
  partition: [],
  md: ['mdadm'],
  luks: ['dmsetup', 'blockdev'],
  lv: ['blockdev'],
  zvol: ['zvol_id', 'blockdev'],
};

/** Done after the data, in each recovery. */
const AFTERWARDS = [
  'new-fix',
  'new-director',
  'new-initramfs',
  'new-bootloader',
  'new-verify',
  'new-unmount',
  'new-reboot',
] as const;

/** Steps whose job has another name. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  wipe: 'disk-wipe',
  table: 'disk-table',
  'lvm-thin-pool': 'lvm-lv',
  'lvm-thin': 'lvm-lv',
};

/** Debian's packages, where they are not called as their tool. */
const PACKAGES: Readonly<Record<string, string>> = {
  blkid: 'util-linux',
  btrfs: 'btrfs-progs',
  chattr: 'e2fsprogs',
  dmsetup: 'dmsetup',
  findmnt: 'util-linux',
  mke2fs: 'e2fsprogs',
  'mkfs.btrfs': 'btrfs-progs',
  'mkfs.vfat': 'dosfstools',
  'mkfs.xfs': 'xfsprogs',
  mkswap: 'util-linux',
  sfdisk: 'fdisk',
  thin_check: 'thin-provisioning-tools',
  tune2fs: 'e2fsprogs',
  zfs: 'zfsutils-linux',
  zpool: 'zfsutils-linux',
  zvol_id: 'zfsutils-linux',
  ...Object.fromEntries(
    ['lvs', 'pvs', 'vgs', 'lvcreate', 'pvcreate', 'vgcreate', 'lvchange'].map((each) => [each, 'lvm2']),
  ),
};

/** Of one step: its job's kind, undefined where no job does it; the tools and the modules that it needs. */
export interface StepNeeds {
  job: string | undefined;
  programs: string[];
  modules: string[];
}

export function stepNeeds(step: RecoveryStep): StepNeeds {
  const job = jobOf(step);
  const devices = devicesOf(step).flatMap((device) => DEVICE_TOOLS[device.kind]);
  const own = job === undefined ? [] : [...(JOB_TOOLS[job] ?? []), ...devices, ...sometimes(step)];
  return { job, programs: [...new Set(own)], modules: modulesOf(step) };
}

function jobOf(step: RecoveryStep): string | undefined {
  const { kind } = step;
  if (kind === 'mkfs') return step.make.type.startsWith('ext') ? 'mkfs-ext' : `mkfs-${step.make.type}`;
  if (kind === 'mount') return step.source.kind === 'device' ? 'mount-new' : 'mount-zfs';
  const job = OTHER_NAMES[kind] ?? kind;
  return job in JOB_TOOLS ? job : undefined;
}

/** Declared with `?`: what only some steps of the kind need. LVM itself calls thin_check. */
function sometimes(step: RecoveryStep): string[] {
  const { kind } = step;
  if (kind === 'lvm-thin-pool' || kind === 'lvm-thin') return ['thin_check'];
  if (kind === 'btrfs-subvolumes') return step.subvolumes.some(({ noDataCow }) => noDataCow) ? ['chattr'] : [];
  if (kind === 'zfs-create') return step.type === 'volume' ? ['zvol_id'] : [];
  if (kind !== 'lvm-vg') return [];
  const isSet = step.physical.some(({ tags, allocatable }) => tags.length > 0 || !allocatable);
  return [...(step.group.tags.length > 0 ? ['vgchange'] : []), ...(isSet ? ['pvchange'] : [])];
}

function modulesOf(step: RecoveryStep): string[] {
  const { kind } = step;
  if (kind === 'mount') return [step.source.kind === 'device' ? fileSystemModule(step.source.type) : 'zfs'];
  if (kind === 'zpool-create' || kind === 'zfs-create') return ['zfs'];
  if (kind === 'md-create') return [levelModule(step.array.level)];
  if (kind === 'luks-format' || kind === 'luks-restore') return ['dm_mod', 'dm_crypt'];
  if (kind === 'lvm-thin-pool' || kind === 'lvm-thin') return ['dm_mod', 'dm_thin_pool'];
  if (kind !== 'lvm-lv') return [];
  const types = step.segments.flatMap((segment) => (segment.kind === 'raid' ? [segment.type] : []));
  const raids = types.flatMap((type) => (type === 'mirror' ? ['dm_mirror'] : ['dm_raid', levelModule(type)]));
  return [...new Set(['dm_mod', ...raids])];
}

/** One driver for the whole family: no kernel of today has modules ext2 and ext3. */
function fileSystemModule(type: string): string {
  return type.startsWith('ext') ? 'ext4' : type;
}

/** `raid5` of md, `raid5_ls` of LVM. */
function levelModule(level: string): string {
  const [plain = level] = level.split('_');
  return ['raid4', 'raid5', 'raid6'].includes(plain) ? 'raid456' : plain;
}

/** The devices that its job looks up, with those that they are partitions of. */
function devicesOf(step: RecoveryStep): Device[] {
  const below = (device: Device): Device[] => (device.kind === 'partition' ? [device, ...below(device.on)] : [device]);
  return lookedUp(step).flatMap((device) => (device === null ? [] : below(device)));
}

function lookedUp(step: RecoveryStep): (Device | null)[] {
  if (step.kind === 'mkfs') return step.on;
  if (step.kind === 'md-create') return [...step.members, ...step.spares];
  if (step.kind === 'mount') return step.source.kind === 'device' ? [step.source.on] : [];
  if (step.kind === 'zpool-create') return vdevLeaves(step);
  if (step.kind === 'lvm-read-only') return [{ kind: 'lv', group: step.group, name: step.name }];
  return 'on' in step ? [step.on] : [];
}

function vdevLeaves(step: Extract<RecoveryStep, { kind: 'zpool-create' }>): Device[] {
  const leaves = (vdev: StepVdev): Device[] => (vdev.kind === 'disk' ? [vdev.on] : vdev.children.flatMap(leaves));
  return [...step.data, ...step.log, ...step.cache, ...step.spare, ...step.special].flatMap(leaves);
}

/** What forbids the plan, and what is not known of it. */
export function toolChecks({
  steps,
  machine: { tools },
  host,
}: {
  steps: readonly RecoveryStep[];
  machine: Pick<FoundMachine, 'tools'>;
  host: string;
}): { warnings: string[]; blockers: string[] } {
  if (tools === null)
    return {
      warnings: [
        `the rescue system does not tell which tools it has, so its media are of an older Resurgo: one that is missing would be noticed only when its step runs. While the host still runs, build media again (\`resurgo rescue build ${host}\`)`,
      ],
      blockers: [],
    };
  const missing = new Map<string, string[]>();
  const need = (what: string, by: string) => {
    missing.set(what, [...(missing.get(what) ?? []), by]);
  };
  for (const step of steps) {
    const { programs, modules } = stepNeeds(step);
    for (const each of programs) if (!tools.programs.has(each)) need(inWords(each), `“${step.says}”`);
    for (const each of modules) if (!tools.modules.has(each)) need(`kernel module ${each}`, `“${step.says}”`);
  }
  for (const step of steps)
    for (const each of unknownToXfs(step, tools))
      need(`an mkfs.xfs that knows ${each} (Debian: xfsprogs)`, `“${step.says}”`);
  // A swap file on a btrfs is one that is not copied on writing.
  const isBtrfs = steps.some((step) => step.kind === 'mkfs' && step.make.type === 'btrfs');
  for (const { kind, says } of steps)
    if (isBtrfs && kind === 'swap-file' && !tools.programs.has('chattr')) need(inWords('chattr'), `“${says}”`);
  const isMapped = steps.some(({ kind }) => kind.startsWith('lvm-') || kind.startsWith('luks-'));
  for (const job of steps.length === 0 ? [] : AFTERWARDS)
    for (const each of [...(JOB_TOOLS[job] ?? []), ...(isMapped ? (MAPPED[job] ?? []) : [])])
      if (!tools.programs.has(each)) need(inWords(each), `what comes after the data (${job})`);
  if (missing.size === 0) return { warnings: [], blockers: [] };
  const lacks = [...missing].map(([what, by]) => `${what}, needed by ${counted(by)}`);
  return {
    warnings: [],
    blockers: [
      printable(
        `the rescue system that is booted lacks ${lacks.join('; ')}. Boot media of this host that have it (\`resurgo rescue list ${host}\`). While the host still runs, install it there and build media again (\`resurgo rescue build ${host}\`). Else copy it by hand into the rescue system, programs with their libraries to /usr/local/sbin, and plan again`,
      ),
    ],
  };
}

/** Features that came one after the other: all others every mkfs.xfs of today knows. */
const NEWER_OF_XFS: ReadonlySet<string> = new Set([
  'bigtime',
  'inobtcount',
  'nrext64',
  'exchange',
  'parent',
  'metadir',
]);

function unknownToXfs(step: RecoveryStep, { xfs }: FoundTools): string[] {
  if (step.kind !== 'mkfs' || step.make.type !== 'xfs' || xfs === null) return [];
  return step.make.features.filter((each) => NEWER_OF_XFS.has(each) && !xfs.has(each));
}

/** Where volumes of device-mapper lie under the new system. */
const MAPPED: Readonly<Record<string, readonly string[]>> = {
  'new-initramfs': ['dmsetup'],
  'new-verify': ['dmsetup'],
  'new-unmount': ['dmsetup'],
};

function inWords(program: string): string {
  const owner = PACKAGES[program];
  return owner === undefined || owner === program ? program : `${program} (Debian: ${owner})`;
}

/** The first of them, and how many more. */
function counted(by: readonly string[]): string {
  const [first = '', second, ...more] = by;
  if (second === undefined) return first;
  return more.length === 0 ? list([first, second]) : `${first} and ${by.length - 1} more steps`;
}
