/** What is mounted nowhere is in no backup: it is named, and what nobody misses is not. */
import { z } from 'zod';
import { layoutChanges, layoutSum } from '../../planning/layout-diff';
import { UNSAVED } from '../../planning/layout-limits';
import { unsavedLimits } from '../../planning/layout-unsaved';
import { recoverability } from '../../planning/recoverable';
import { altered, layoutOf, machine } from './layout-machines';

type Changes = Parameters<typeof altered>[1];
const layoutWith = (name: string, changes: Changes) => layoutOf(altered(machine(name), changes));
const unsaved = (name: string, changes: Changes) =>
  unsavedLimits(layoutWith(name, changes)).map(({ what, why, weight }) => `${weight} ${what}: ${why}`);
const without = (name: string, fact: string, word: string) => ({
  [fact]: (machine(name)[fact]?.out ?? '')
    .split('\n')
    .filter((line) => !line.includes(word))
    .join('\n'),
});

const rows = z.object({ blockdevices: z.array(z.looseObject({ kname: z.string() })) });
const part = (kname: string, over: Record<string, unknown> = {}) => ({
  ...{ name: kname, kname, pkname: null, 'maj:min': '8:99', size: 1_000_000_000, ro: false, rm: false, rota: true },
  ...{ 'log-sec': 512, 'phy-sec': 512, type: 'part', ...over },
});
/** `uefi-ext4` with a further disk sdb and the partition sdb1, on which blkid finds this. */
function withDisk(
  probed: string,
  { disk = {}, dm = {} }: { disk?: object; dm?: Record<string, unknown> } = {},
): Changes {
  const { blockdevices } = rows.parse(JSON.parse(machine('uefi-ext4')['lsblk']?.out ?? ''));
  const children = [part('sdb1', { pkname: 'sdb' }), ...('kname' in dm ? [part('dm-0', dm)] : [])];
  const sdb = part('sdb', { type: 'disk', tran: 'sata', ...disk, children });
  return { lsblk: JSON.stringify({ blockdevices: [...blockdevices, sdb] }), 'blkid:/dev/sdb1': probed };
}
const NTFS = 'ID_FS_LABEL_ENC=Win\\x20C\nID_FS_UUID_ENC=0123\nID_FS_TYPE=ntfs\nID_FS_USAGE=filesystem\n';
const LUKS = 'ID_FS_UUID=ca34225d-523b-4b80-9007-03568bf1c36d\nID_FS_TYPE=crypto_LUKS\nID_FS_USAGE=crypto\n';
const dump = {
  'luks-dump:/dev/sdb1': machine('luks2-lvm')['luks-dump:/dev/vda3'],
  'luks-json:/dev/sdb1': machine('luks2-lvm')['luks-json:/dev/vda3'],
};

describe('is named', () => {
  it('a file system that nothing mounts, and whether fstab names it makes no difference', () => {
    const mounts = without('lvm-raid1', 'mounts', '/srv/data');
    const fstab = without('lvm-raid1', 'config:/etc/fstab', '/srv/data');
    const told = [`part vg-0/data (xfs “data”): ${UNSAVED.unmounted}`];
    expect(unsaved('lvm-raid1', {})).toEqual([]);
    expect(unsaved('lvm-raid1', mounts)).toEqual(told);
    expect(unsaved('lvm-raid1', { ...mounts, ...fstab })).toEqual(told);
    expect(recoverability(layoutWith('lvm-raid1', { ...mounts, ...fstab })).recoverable).toBe(true);
  });

  it('another system’s, with its label', () => {
    expect(unsaved('uefi-ext4', withDisk(NTFS))).toEqual([`part sdb1 (ntfs “Win C”): ${UNSAVED.unmounted}`]);
  });

  it('one that fstab has at a place of the system: without it the system is not whole', () => {
    const changes = without('lvm-raid1', 'mounts', ' /boot ');
    expect(unsaved('lvm-raid1', changes)).toEqual([`fatal md127 (ext4 “boot”): ${UNSAVED.unmounted}`]);
    expect(recoverability(layoutWith('lvm-raid1', changes)).recoverable).toBe(false);
  });

  it('a btrfs over two disks once', () => {
    const changes = { mounts: machine('uefi-ext4')['mounts']?.out.replaceAll('254:', '259:') };
    expect(unsaved('btrfs-two', changes)).toHaveLength(1);
  });

  it('a closed encrypted volume', () => {
    expect(unsaved('uefi-ext4', { ...withDisk(LUKS), ...dump })).toEqual([
      `part sdb1 (crypto_LUKS): ${UNSAVED.closed}`,
    ]);
    const crypttab = { 'config:/etc/crypttab': 'archive /dev/sdb1 none luks,noauto\n' };
    expect(unsaved('uefi-ext4', { ...withDisk(LUKS), ...dump, ...crypttab })).toEqual([
      `part archive on sdb1 (crypto_LUKS): ${UNSAVED.closed}`,
    ]);
  });

  it('a logical volume that is not active, a volume with the disk of a virtual machine, a dataset', () => {
    expect(unsaved('lvm-thin', {})).toContain(`part vg0/strip: ${UNSAVED.inactive}`);
    const guest = { 'blkid:/dev/zd0': 'ID_PART_TABLE_TYPE=gpt\n' };
    expect(unsaved('zfs-data', guest)).toEqual([`part tank/vm: ${UNSAVED.guestDisk}`]);
    const list = (machine('zfs-data')['zfs-list']?.out ?? '').replace(/(tank\/data.*)yes/, '$1no');
    expect(unsaved('zfs-data', { 'zfs-list': list })).toContain(`part tank/data: ${UNSAVED.dataset}`);
  });
});

describe('is not named', () => {
  it.each([
    ['swap', 'ID_FS_TYPE=swap\nID_FS_USAGE=other\n'],
    ['a member of an array', 'ID_FS_TYPE=linux_raid_member\nID_FS_USAGE=raid\n'],
    ['a physical volume', 'ID_FS_TYPE=LVM2_member\nID_FS_USAGE=raid\n'],
    ['a journal', 'ID_FS_TYPE=jbd\nID_FS_USAGE=filesystem\n'],
    ['a part of a pool, which is told as such', 'ID_FS_TYPE=zfs_member\nID_FS_USAGE=filesystem\n'],
    ['a partition with nothing', ''],
  ])('%s', (_, probed) => {
    expect(unsaved('uefi-ext4', withDisk(probed))).toEqual([]);
  });

  it('the EFI system partition', () => {
    expect(unsaved('uefi-ext4', without('uefi-ext4', 'mounts', '/boot/efi'))).toEqual([]);
  });

  it('what a backup mounts by its look', () => {
    const mounts = without('lvm-raid1', 'mounts', ' /boot ')['mounts'] ?? '';
    const automatic = `${mounts.trim()}\n90 1 0:50 / /boot rw - autofs systemd-1 rw\n`;
    expect(unsaved('lvm-raid1', { mounts: automatic })).toEqual([]);
  });

  it.each([
    ['a removable disk', { rm: true }],
    ['a disk on USB', { tran: 'usb' }],
  ])('what lies on %s', (_, disk) => {
    expect(unsaved('uefi-ext4', withDisk(NTFS, { disk }))).toEqual([]);
    expect(unsaved('uefi-ext4', { ...withDisk(LUKS, { disk }), ...dump })).toEqual([]);
  });

  it('an open encrypted volume, closed swap, and a path of several that are mounted as one', () => {
    expect(unsaved('luks2-lvm', {})).toEqual([]);
    const crypttab = { 'config:/etc/crypttab': 'swp /dev/sdb1 none luks,swap\n' };
    expect(unsaved('uefi-ext4', { ...withDisk(LUKS), ...dump, ...crypttab })).toEqual([]);
    const dm = { kname: 'dm-0', name: 'mpatha', type: 'mpath', 'maj:min': '253:0', pkname: 'sdb1' };
    const mounts = `${machine('uefi-ext4')['mounts']?.out ?? ''}30 1 253:0 / /x rw - ext4 /dev/mapper/mpatha rw\n`;
    const slaves = { slaves: 'dm-0 sdb1\n', dm: 'dm-0 mpath-1 mpatha\n' };
    expect(unsaved('uefi-ext4', { ...withDisk(NTFS, { dm }), ...slaves, mounts })).toEqual([]);
  });

  it('a snapshot of LVM, hidden volumes, datasets without a place or that are not to be mounted', () => {
    expect(unsaved('lvm-thin', {})).toEqual([
      `part vg0/mir (ext4): ${UNSAVED.unmounted}`,
      `part vg0/strip: ${UNSAVED.inactive}`,
    ]);
    const list = `${machine('zfs-data')['zfs-list']?.out ?? ''}tank/a\tfilesystem\tlegacy\t-\t1\tno\ntank/b\tfilesystem\t/b\t-\t1\tno\n`;
    const got = `${machine('zfs-data')['zfs-get']?.out ?? ''}tank/b\tcanmount\toff\tlocal\n`;
    expect(unsaved('zfs-data', { 'zfs-list': list, 'zfs-get': got }).join()).not.toMatch(/tank\/[ab]/);
  });

  it('anything, where the mounts are not known', () => {
    expect(unsaved('lvm-raid1', { mounts: { exit: 1, out: '' } })).toEqual([]);
  });
});

it('is no change of the layout: it comes and goes with a mount', () => {
  const [before, after] = [{}, { 'blkid:/dev/zd0': 'ID_PART_TABLE_TYPE=gpt\n' }].map((each) =>
    layoutWith('zfs-data', each),
  );
  if (before === undefined || after === undefined) throw new Error('no layouts');
  const silent = { ...after, limits: after.limits.filter((each) => !unsavedLimits(after).includes(each)) };
  expect(unsavedLimits(after)).not.toEqual([]);
  expect(layoutSum(after)).toBe(layoutSum(silent));
  expect(layoutChanges({ before: silent, after })).toEqual([]);
  expect(layoutChanges({ before, after }).map(({ area }) => area)).not.toContain('limits');
});
