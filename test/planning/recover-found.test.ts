import type { Facts } from '../../planning/layout-facts';
import { foundMachine } from '../../planning/recover-found';
import type { FoundDisk } from '../../planning/recover-machine';
import { altered, layoutOf, machine, MACHINES } from './layout-machines';

const GIB = 2 ** 30;
const ZEROS = `${' 00'.repeat(16)}\n`.repeat(32);

interface Blank {
  kname: string;
  bytes?: number;
  children?: { kname: string; type?: string }[];
  type?: string;
  rm?: boolean;
}

/** A rescue system's facts with these devices, none of which holds anything until a test says so. */
function rescue(
  disks: readonly Blank[],
  more: Record<string, string | Partial<Facts[string]> | undefined> = {},
): Facts {
  const row = ({ kname, bytes = GIB, type = 'disk', rm = false, children }: Blank): object => ({
    name: kname,
    kname,
    pkname: null,
    'maj:min': `8:${kname.length}${kname.charCodeAt(2)}${kname.charCodeAt(3) || ''}`,
    size: bytes,
    ro: false,
    rm,
    rota: false,
    'log-sec': 512,
    'phy-sec': 512,
    type,
    children: children?.map((child) => ({ ...row({ type: 'part', ...child }), pkname: kname })),
  });
  const all = disks.flatMap(({ kname, children = [] }) => [kname, ...children.map((child) => child.kname)]);
  const none = { exit: 1, out: '', err: 'sfdisk: /dev/x: does not contain a recognized partition table\n' };
  return altered(
    {},
    {
      lsblk: JSON.stringify({ blockdevices: disks.map(row) }),
      slaves: '',
      mounts: '1 1 0:2 / / rw - rootfs rootfs rw\n',
      swaps: 'Filename Type Size Used Priority\n',
      media: '',
      efi: { exit: 1, out: '', err: '' },
      meminfo: 'MemTotal: 1000 kB\n',
      'ip-link': '[]',
      'ip-addr': '[]',
      'ip-route': '[]',
      'ip-route6': '[]',
      disks: disks.map(({ kname, bytes = GIB }) => `${kname} ${bytes} S-${kname} -\n`).join(''),
      ...Object.fromEntries(all.map((kname) => [`blkid:/dev/${kname}`, { exit: 2, out: '', err: '' }])),
      ...Object.fromEntries(disks.map(({ kname }) => [`sfdisk:/dev/${kname}`, none])),
      ...Object.fromEntries(disks.map(({ kname }) => [`sector:/dev/${kname}`, ZEROS])),
      ...more,
    },
  );
}

const diskOf = (facts: Facts, name = 'sda'): FoundDisk => {
  const found = foundMachine({ facts }).disks.find((disk) => disk.name === name);
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
};
const ofFormat = (type: string, label = '') => `ID_FS_TYPE=${type}\nID_FS_LABEL=${label}\nID_FS_LABEL_ENC=${label}\n`;

describe('the machine that a rescue system finds', () => {
  it('a blank disk holds nothing and is free', () => {
    expect(diskOf(rescue([{ kname: 'sda' }]))).toMatchObject({ serial: 'S-sda', contents: [], inUse: [] });
  });

  it('a disk tells the UUIDs of all that lies on it', () => {
    const facts = rescue([{ kname: 'sda', children: [{ kname: 'sda1' }, { kname: 'sda2' }] }], {
      'blkid:/dev/sda1': `${ofFormat('ext4')}ID_FS_UUID=1234-a\n`,
      'blkid:/dev/sda2': `${ofFormat('LVM2_member')}ID_FS_UUID=pv-B\n`,
    });
    expect(diskOf(facts).uuids).toEqual(['1234-a', 'pv-B']);
    expect(diskOf(rescue([{ kname: 'sda' }])).uuids).toEqual([]);
  });

  it('tells what it brings along, where it tells it', () => {
    expect(foundMachine({ facts: rescue([{ kname: 'sda' }]) })).toMatchObject({ tools: null, builtFor: null });
    const facts = rescue([{ kname: 'sda' }], {
      tools: 'mke2fs /usr/sbin/mke2fs\nmdadm -\n',
      'kernel-modules': 'ext4\ndm_mod\n',
      'xfs-words': 'bigtime\nnrext64\n',
      'built-for': `${'a'.repeat(64)}\n`,
    });
    const { tools, builtFor } = foundMachine({ facts });
    expect([[...(tools?.programs ?? [])], [...(tools?.modules ?? [])]]).toEqual([['mke2fs'], ['ext4', 'dm_mod']]);
    expect(tools?.xfs).toEqual(new Set(['bigtime', 'nrext64']));
    expect(foundMachine({ facts: altered(facts, { 'xfs-words': undefined }) }).tools?.xfs).toBeNull();
    expect(builtFor).toBe('a'.repeat(64));
    const failed = altered(facts, { 'kernel-modules': { exit: 124, out: '' } });
    expect(foundMachine({ facts: failed }).tools).toBeNull();
  });

  it('is the machine of the layout, where it is the same one', () => {
    const facts = altered(machine('uefi-ext4'), { media: '' });
    const { network, system, boot } = layoutOf(facts);
    expect(foundMachine({ facts })).toMatchObject({
      firmware: boot.firmware,
      memoryBytes: system.memoryBytes,
      interfaces: network.interfaces.map(({ name, mac }) => ({ name, mac })),
    });
  });

  it.each(MACHINES)('%s as it runs: every disk that its system lies on is in use, and tells what it holds', (name) => {
    const facts = altered(machine(name), { media: '' });
    const on = new Set(layoutOf(facts).fileSystems.map(({ on: device }) => device));
    expect(on.size).toBeGreaterThan(0);
    for (const disk of foundMachine({ facts }).disks) {
      expect([disk.name, disk.inUse]).not.toEqual([disk.name, []]);
      expect([disk.name, disk.contents]).not.toEqual([disk.name, []]);
    }
  });

  it('tells what partitions hold, by their labels', () => {
    const facts = rescue([{ kname: 'sda', children: [{ kname: 'sda1' }, { kname: 'sda2' }] }], {
      'sfdisk:/dev/sda': JSON.stringify({
        partitiontable: { label: 'gpt', id: 'X', partitions: [{ node: '/dev/sda1' }, { node: '/dev/sda2' }] },
      }),
      'blkid:/dev/sda1': ofFormat('ext4', 'my\\x20root'),
      'blkid:/dev/sda2': ofFormat('crypto_LUKS'),
    });
    expect(diskOf(facts).contents).toEqual([
      'GPT with 2 partitions',
      'ext4 “my root” on sda1',
      'a LUKS volume on sda2',
    ]);
  });

  it.each<[string, Record<string, string | Partial<Facts[string]> | undefined>, RegExp]>([
    ['its first sector is not empty', { 'sector:/dev/sda': ` 00 4c${ZEROS.slice(6)}` }, /no known format/],
    ['blkid hung', { 'blkid:/dev/sda': { exit: 137, out: '', err: '' } }, /could not be read/],
    ['several formats are on it', { 'blkid:/dev/sda': { exit: 8, out: '', err: '' } }, /several formats/],
    [
      'its first sector was not read',
      { 'sector:/dev/sda': { exit: 124, out: '', err: 'not asked' } },
      /could not be read/,
    ],
    ['its first sector was never asked for', { 'sector:/dev/sda': undefined }, /could not be read/],
    ['its table is of a kind that sfdisk does not know', { 'blkid:/dev/sda': 'ID_PART_TABLE_TYPE=mac\n' }, /mac/],
  ])('a disk is not called blank where %s', (_, change, words) => {
    expect(diskOf(rescue([{ kname: 'sda' }], change))).toMatchObject({
      contents: [expect.stringMatching(words)],
      isUnknown: true,
    });
  });

  const nested = rescue([{ kname: 'sda', children: [{ kname: 'sda1' }] }]);
  const number = /"sda1".*?"maj:min":"([^"]+)"/.exec(nested['lsblk']?.out ?? '')?.[1] ?? '';
  it.each<[string, Record<string, string>, string]>([
    ['mounted', { mounts: `2 1 ${number} / /mnt/x rw - ext4 /dev/sda1 rw\n` }, 'sda1 is mounted at /mnt/x'],
    ['swapped on', { swaps: 'Filename Type\n/dev/sda1 partition 1 0 -2\n' }, 'sda1 is in use as swap'],
    ['of a ZFS pool', { 'zpool-status': '\t  /dev/sda1  ONLINE 0 0 0\n' }, '/dev/sda1 is part of an imported ZFS pool'],
    [
      'a rescue medium by its label',
      { 'blkid:/dev/sda': ofFormat('iso9660', 'RESURGO') },
      'it holds the rescue system',
    ],
    ['a rescue medium by what lies on it', { media: 'sda1 rescue\n' }, 'it holds the rescue system'],
    ['one with a store', { media: 'sda1 store\n' }, 'it holds a store of backups'],
  ])('a disk is in use where it is %s', (_, change, why) => {
    const facts = rescue([{ kname: 'sda', children: [{ kname: 'sda1' }] }, { kname: 'sdb' }], change);
    expect(diskOf(facts).inUse).toEqual([why]);
    expect(diskOf(facts, 'sdb').inUse).toEqual([]);
  });

  it('a disk is in use where an array, a mapping or a second disk of a mounted btrfs is made of it', () => {
    const arrays = rescue([{ kname: 'sda' }, { kname: 'sdb' }, { kname: 'md0', type: 'raid1' }], {
      slaves: 'md0 sda\nmd0 sdb\n',
    });
    expect(diskOf(arrays).inUse).toEqual(['it is held by md0']);
    expect(diskOf(arrays, 'sdb').inUse).toEqual(['it is held by md0']);
    const btrfs = rescue([{ kname: 'sda' }, { kname: 'sdb' }], {
      'blkid:/dev/sda': 'ID_FS_TYPE=btrfs\nID_FS_UUID=u1\n',
      'blkid:/dev/sdb': 'ID_FS_TYPE=btrfs\nID_FS_UUID=u1\n',
      mounts: '2 1 0:40 / /mnt rw - btrfs /dev/sda rw\n',
    });
    expect(diskOf(btrfs, 'sdb').inUse).toEqual(['sdb is mounted at /mnt']);
  });

  it('what nobody could look into is told', () => {
    const facts = rescue([{ kname: 'sda' }], { 'blkid:/dev/sda': ofFormat('xfs'), media: 'sda unknown\n' });
    expect(diskOf(facts)).toMatchObject({
      contents: ['xfs', 'nobody could look into sda'],
      isUnknown: true,
      inUse: [],
    });
    expect(diskOf(rescue([{ kname: 'sda' }], { 'blkid:/dev/sda': ofFormat('xfs') })).isUnknown).toBeUndefined();
  });

  it('another CD image is content, and no reason', () => {
    const facts = rescue([{ kname: 'sda' }], { 'blkid:/dev/sda': ofFormat('iso9660', 'DEBIAN') });
    expect(diskOf(facts)).toMatchObject({ contents: ['a CD image “DEBIAN”'], inUse: [] });
  });

  it('a disk goes by the kernel’s words alone, decoded; by those of lsblk where the hostkit tells no other', () => {
    const udev = {
      lsblk: nested['lsblk']?.out.replace('"kname":"sda",', '"kname":"sda","serial":"UDEV","wwn":"0x5",') ?? '',
    };
    expect(diskOf(rescue([{ kname: 'sda' }], { ...udev, disks: 'sda 1073741824 A%20B%2D eui.01\n' }))).toMatchObject({
      serial: 'A B-',
      wwn: 'eui.01',
    });
    expect(diskOf(rescue([{ kname: 'sda' }], { ...udev, disks: 'sda 1073741824 - -\n' }))).toMatchObject({
      serial: null,
      wwn: null,
    });
    const numbered = { ...udev, disks: 'sda 1073741824 - - this-boot:b1:7\n' };
    expect(diskOf(rescue([{ kname: 'sda' }], numbered))).toMatchObject({ serial: 'this-boot:b1:7', wwn: null });
    expect(diskOf(rescue([{ kname: 'sda' }], { ...udev, disks: undefined }))).toMatchObject({
      serial: 'UDEV',
      wwn: '0x5',
    });
  });

  it('interfaces are known by the MAC of their hardware', () => {
    const link = (more: object) => ({ ifname: 'e0', link_type: 'ether', address: '02:00:00:00:00:01', ...more });
    const facts = rescue([], {
      'ip-link': JSON.stringify([
        link({ permaddr: '02:00:00:00:00:09' }),
        link({ ifname: 'bond0', linkinfo: { info_kind: 'bond' } }),
        link({ ifname: 'lo', flags: ['LOOPBACK'] }),
      ]),
    });
    expect(foundMachine({ facts }).interfaces).toEqual([{ name: 'e0', mac: '02:00:00:00:00:09' }]);
  });

  it.each<[string, Record<string, string | Partial<Facts[string]> | undefined>]>([
    ['lsblk is missing', { lsblk: { exit: 127, out: '', err: 'lsblk is not installed' } }],
    ['lsblk prints no JSON', { lsblk: '{' }],
    ['mounts are not known', { mounts: undefined }],
    ['mounts were cut off', { mounts: { exit: 0, out: '', err: '', cut: true } }],
    ['swaps were not asked', { swaps: { exit: 124, out: '', err: '' } }],
    ['nobody looked for stores', { media: undefined }],
    ['the look for stores was not asked', { media: { exit: 124, out: '', err: 'not asked' } }],
    ['the look for stores did not end', { media: { exit: 137, out: '', err: '' } }],
    ['the look for stores was cut off', { media: { exit: 0, out: 'sda1 store\n', err: '', cut: true } }],
  ])('is refused where %s', (_, change) => {
    expect(() => foundMachine({ facts: rescue([{ kname: 'sda' }], change) })).toThrow(/not known/);
  });

  it('a kernel without swap is no trouble', () => {
    expect(diskOf(rescue([{ kname: 'sda' }], { swaps: { exit: 1, out: '', err: '' } })).inUse).toEqual([]);
  });
});
