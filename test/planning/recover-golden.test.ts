/** What an operator is shown, for many layouts and machines. A change here is a change of what is written to somebody's disks. */
import type { Layout } from '../../planning/layout-schema';
import type { FoundDisk, FoundMachine, RecoveryPolicy } from '../../planning/recover';
import { DEFAULT_RECOVERY_POLICY, approvesUnattended, planRecovery } from '../../planning/recover';
import { recoveryText } from '../../planning/recover-text';
import type { LayoutName } from './layout-cases';
import { LAYOUTS } from './layout-cases';
import { foundDisk, foundMachine, LayoutKit, sameDisks } from './layout-builder';

interface Scenario {
  layout: LayoutName | (() => Layout);
  disks?: (layout: Layout) => FoundDisk[];
  policy?: Partial<RecoveryPolicy>;
  machine?: Partial<FoundMachine>;
}

const blank = (...sizes: number[]): (() => FoundDisk[]) => {
  return () =>
    sizes.map((gib, i) => foundDisk(`vd${'abcdefgh'[i] ?? ''}`, gib, { transport: 'virtio', rotational: true }));
};
const rescue = foundDisk('sdz', 16, {
  removable: true,
  transport: 'usb',
  contents: ['ISO 9660 "RESCUE"'],
  inUse: ['holds the rescue system'],
});
const backup = foundDisk('sdy', 40, { removable: true, transport: 'usb', contents: ['ext4 "backup"'] });

const sameForAll = Object.fromEntries(
  Object.keys(LAYOUTS).map((name) => [`${name}: onto its own disks`, { layout: name as LayoutName }] as const),
);

const SCENARIOS: Record<string, Scenario> = {
  ...sameForAll,
  'other names: sda to nvme0n1': {
    layout: 'uefi ext4',
    disks: () => [foundDisk('nvme0n1', 40, { transport: 'nvme' })],
  },
  'other names: nvme0n1 to vda': { layout: 'uefi with /boot, nvme', disks: blank(500) },
  'names swapped, serials stay': {
    layout: 'boot and data disks',
    disks: (layout) => sameDisks(layout).map((disk) => ({ ...disk, name: disk.name === 'sda' ? 'sdb' : 'sda' })),
  },
  'bigger, grow last': { layout: 'bios gpt ext4 with swap at the end', disks: blank(80) },
  'bigger, grow none': { layout: 'bios gpt ext4 with swap at the end', disks: blank(80), policy: { grow: 'none' } },
  'bigger, mbr with logicals, grow last': { layout: 'mbr with logicals', disks: blank(100) },
  'bigger, mbr with logicals, grow proportional': {
    layout: 'mbr with logicals',
    disks: blank(100),
    policy: { grow: 'proportional' },
  },
  'bigger, lvm on md, grow last': { layout: 'lvm on md raid1', disks: blank(100, 100) },
  'bigger, lvm on md, grow proportional': {
    layout: 'lvm on md raid1',
    disks: blank(100, 100),
    policy: { grow: 'proportional' },
  },
  'bigger, luks and lvm, grow proportional': {
    layout: 'luks2 and lvm',
    disks: blank(120),
    policy: { grow: 'proportional' },
  },
  'bigger, mbr beyond 2 TiB': { layout: 'mbr ext4', disks: blank(4096) },
  'smaller, ext4': { layout: 'uefi ext4', disks: blank(8) },
  'smaller, headroom 50 percent': { layout: 'uefi ext4', disks: blank(4), policy: { headroomPercent: 50 } },
  'smaller, refused': { layout: 'uefi ext4', disks: blank(2) },
  'smaller, xfs': { layout: 'xfs root', disks: blank(40) },
  'smaller, xfs refused': { layout: 'xfs root', disks: blank(20) },
  'smaller, mbr with logicals': { layout: 'mbr with logicals', disks: blank(20) },
  'smaller, lvm on md': { layout: 'lvm on md raid1', disks: blank(20, 20) },
  'smaller, lvm on md refused': { layout: 'lvm on md raid1', disks: blank(10, 10) },
  'smaller, luks and lvm': { layout: 'luks2 and lvm', disks: blank(30) },
  'smaller, lvm thin': { layout: 'lvm thin', disks: blank(30) },
  'smaller, several segments': { layout: 'lvm of several segments, stripes and mirrors', disks: blank(30, 30) },
  'smaller, btrfs on two devices': { layout: 'btrfs with subvolumes on two devices', disks: blank(20, 20) },
  'smaller, raid5 and raid10': { layout: 'md raid5 and raid10', disks: blank(20, 60, 60, 60, 60), policy: {} },
  'smaller, zfs': { layout: 'zfs data pool', disks: blank(20, 100, 100) },
  'smaller, whole-disk file system': { layout: 'whole-disk ext4', disks: blank(20, 30) },
  'smaller, use unknown': {
    layout: () => {
      const layout = LAYOUTS['uefi ext4']();
      return { ...layout, fileSystems: layout.fileSystems.map((each) => ({ ...each, usedBytes: null })) };
    },
    disks: blank(20),
  },
  '4Kn: uefi ext4': {
    layout: 'uefi with /boot, nvme',
    disks: () => [foundDisk('nvme0n1', 500, { sectorBytes: 4096, physicalSectorBytes: 4096, transport: 'nvme' })],
  },
  '4Kn: a small ESP grows': {
    layout: () =>
      new LayoutKit()
        .disk('sda', 40)
        .gpt('disk:sda', ['100M esp', '* linux'])
        .vfat('part:sda1', '/boot/efi', { clusterBytes: 512 })
        .ext4('part:sda2', '/')
        .build(),
    disks: () => [foundDisk('sda', 40, { sectorBytes: 4096 })],
  },
  '4Kn: xfs and a small-block ext4': {
    layout: () =>
      new LayoutKit()
        .disk('sda', 40)
        .gpt('disk:sda', ['512M esp', '1G linux', '* linux'])
        .vfat('part:sda1', '/boot/efi')
        .ext4('part:sda2', '/boot', { usedGib: 0.2, blockBytes: 1024, blocks: 2 ** 20 })
        .xfs('part:sda3', '/')
        .build(),
    disks: () => [foundDisk('sda', 40, { sectorBytes: 4096 })],
  },
  '4Kn: mbr of old, a BIOS': {
    layout: 'mbr of old, 63 sectors',
    disks: () => [foundDisk('sda', 41, { sectorBytes: 4096 })],
  },
  '4Kn to 512': {
    layout: () =>
      new LayoutKit()
        .disk('sda', 40, { sectorBytes: 4096, physicalSectorBytes: 4096 })
        .gpt('disk:sda', ['512M esp', '* linux'])
        .vfat('part:sda1', '/boot/efi')
        .xfs('part:sda2', '/', { sectorBytes: 4096 })
        .build(),
    disks: blank(40),
  },
  '4Kn: a volume group of two kinds of sectors': {
    layout: 'lvm of several segments, stripes and mirrors',
    disks: () => [
      foundDisk('sda', 40, { serial: 'S-SDA' }),
      foundDisk('sdb', 40, { sectorBytes: 4096, serial: 'S-SDB' }),
    ],
  },
  '4Kn: zfs with ashift 9': {
    layout: () =>
      new LayoutKit()
        .disk('sda', 20)
        .disk('sdb', 100)
        .gpt('disk:sda', ['512M esp', '* linux'])
        .vfat('part:sda1', '/boot/efi')
        .ext4('part:sda2', '/')
        .pool(
          'tank',
          [{ kind: 'disk', on: 'disk:sdb', children: [] }],
          { tank: '/tank' },
          { properties: { ashift: '9' } },
        )
        .build(),
    disks: (layout) =>
      sameDisks(layout).map((disk) =>
        disk.name === 'sdb' ? { ...disk, serial: 'N', sectorBytes: 4096, contents: [] } : disk,
      ),
  },
  'a decoy of the same size': {
    layout: 'uefi ext4',
    disks: () => [foundDisk('sda', 40, { contents: ['ext4 "photos"'] }), foundDisk('sdb', 40)],
  },
  'two blank disks for one': { layout: 'uefi ext4', disks: blank(40, 40) },
  'two blank disks for one, pinned': { layout: 'uefi ext4', disks: blank(40, 40), policy: { pins: { sda: 'N-VDB' } } },
  'a bigger blank disk beside a full one of the same size': {
    layout: 'uefi ext4',
    disks: () => [foundDisk('sda', 40, { contents: ['ext4 "photos"'] }), foundDisk('sdb', 80)],
  },
  'only a full disk': {
    layout: 'uefi ext4',
    disks: () => [foundDisk('sda', 40, { contents: ['GPT with 4 partitions', 'ntfs "Windows"'] })],
  },
  'rescue medium and backup medium attached': {
    layout: 'uefi ext4',
    disks: () => [rescue, backup, foundDisk('sda', 40)],
  },
  'only the backup medium fits': { layout: 'uefi ext4', disks: () => [rescue, backup] },
  'a removable disk, pinned': {
    layout: 'uefi ext4',
    disks: () => [foundDisk('sdy', 40, { removable: true, transport: 'usb' })],
    policy: { pins: { sda: 'sdy' } },
  },
  'pinned to the rescue medium': {
    layout: 'uefi ext4',
    disks: () => [rescue, foundDisk('sda', 40)],
    policy: { pins: { sda: 'sdz' } },
  },
  'pinned to a disk that is too small': { layout: 'uefi ext4', disks: blank(1, 40), policy: { pins: { sda: 'vda' } } },
  'pinned to nothing': { layout: 'uefi ext4', disks: blank(40), policy: { pins: { sda: 'S-GONE' } } },
  'its own disk, in use': {
    layout: 'uefi ext4',
    disks: (layout) => [...sameDisks(layout, { inUse: ['mounted at /mnt'] }), foundDisk('sdb', 40)],
  },
  'its own disk, read-only': { layout: 'uefi ext4', disks: (layout) => sameDisks(layout, { readOnly: true }) },
  'one of two mirrored disks replaced': {
    layout: 'lvm on md raid1',
    disks: (layout) => sameDisks(layout).map((disk) => (disk.name === 'sdb' ? foundDisk('sdb', 60) : disk)),
  },
  'two paths to one disk': {
    layout: 'uefi ext4',
    disks: () => [foundDisk('sda', 40, { serial: 'X' }), foundDisk('sdb', 40, { serial: 'X' })],
  },
  'too few disks': { layout: 'lvm on md raid1', disks: blank(40) },
  'a mirror onto one disk, the other left out': {
    layout: 'lvm on md raid1',
    disks: blank(40),
    policy: { leaveOut: ['sdb'] },
  },
  'left out what is needed': { layout: 'boot and data disks', disks: blank(40), policy: { leaveOut: ['sdb'] } },
  'kind decides': {
    layout: 'boot and data disks',
    disks: () => [foundDisk('sda', 2000, { rotational: true }), foundDisk('sdb', 1500)],
  },
  'no disk at all': { layout: 'uefi ext4', disks: () => [] },
  'a UEFI host on a BIOS machine': { layout: 'uefi ext4', machine: { firmware: 'bios' } },
  'a BIOS host on a UEFI machine': { layout: 'mbr ext4', machine: { firmware: 'uefi' } },
  'another network card': {
    layout: 'uefi ext4',
    machine: { interfaces: [{ name: 'eth0', mac: '52:54:00:ff:ff:ff' }] },
  },
  'limits of the capture': {
    layout: () => {
      const kit = new LayoutKit().disk('sda', 40).disk('sdb', 10).gpt('disk:sda', ['512M esp', '10G linux', '* linux']);
      kit.vfat('part:sda1', '/boot/efi').ext4('part:sda2', '/').other('part:sda3', 'ntfs');
      return kit
        .limit('lv:vg0/snap', 'it is a snapshot', 'part')
        .limit('/dev/bcache0', 'bcache is not supported', 'fatal')
        .build();
    },
  },
  'hostile names': {
    layout: 'uefi ext4',
    disks: () => [
      foundDisk('sda', 40, { model: 'Evil\u001b[2J\u202edisk', serial: 'A\nB', contents: ['ext4 "\u001b]0;x\u0007"'] }),
    ],
  },
};

describe('the plan as it is shown', () => {
  it.each(Object.entries(SCENARIOS))('%s', (_, { layout: named, disks = sameDisks, policy, machine }) => {
    const layout = typeof named === 'function' ? named() : LAYOUTS[named]();
    const plan = planRecovery({
      layout,
      machine: foundMachine(layout, disks(layout), machine),
      policy: { ...DEFAULT_RECOVERY_POLICY, ...policy },
      backup: '20261121_013000',
    });
    const text = recoveryText(plan);
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
    expect(`${text}\nunattended: ${approvesUnattended(plan) ? 'yes' : 'no'}\n`).toMatchSnapshot();
  });
});
