/** What can't be made again is named, with its weight; and whatever a host tells, a layout comes of it. */
import fc from 'fast-check';
import { z } from 'zod';
import { factsSchema, type Facts } from '../../planning/layout-facts';
import { altered, layoutOf, machine, MACHINES } from './layout-machines';

/** Jest’s own are `any`. */
const matching = (pattern: RegExp): unknown => expect.stringMatching(pattern);
const containing = (text: string): unknown => expect.stringContaining(text);

type Changes = Parameters<typeof altered>[1];
const limitsOf = (name: string, changes: Changes) => layoutOf(altered(machine(name), changes)).limits;
const said = (name: string, changes: Changes) =>
  limitsOf(name, changes).map(({ what, why, weight }) => `${weight} ${what}: ${why}`);

const rowsSchema = z.array(z.looseObject({ kname: z.string() }));
/** A device of the machine's `lsblk` changed, and further disks added. */
function devices(name: string, change: (rows: Record<string, unknown>[]) => Record<string, unknown>[]): string {
  const lsblk = z.object({ blockdevices: rowsSchema }).parse(JSON.parse(machine(name).lsblk?.out ?? ''));
  return JSON.stringify({ blockdevices: change(lsblk.blockdevices) });
}
const disk = (kname: string, over: Record<string, unknown> = {}) => ({
  name: kname,
  kname,
  pkname: null,
  'maj:min': '65:0',
  size: 1_000_000_000,
  ro: false,
  rm: false,
  rota: true,
  'log-sec': 512,
  'phy-sec': 512,
  type: 'disk',
  ...over,
});
const added = (...rows: Record<string, unknown>[]) => ({ lsblk: devices('uefi-ext4', (old) => [...old, ...rows]) });

describe('devices', () => {
  it.each([
    ['bcache0', /bcache/],
    ['drbd1', /DRBD/],
    ['nbd0', /network block device/],
    ['rbd0', /Ceph/],
  ])('%s is no disk', (kname, why) => {
    const facts = altered(machine('uefi-ext4'), added(disk(kname)));
    const layout = layoutOf(facts);
    expect(layout.disks.map(({ name }) => name)).toEqual(['vda']);
    expect(layout.limits).toEqual([{ what: kname, why: matching(why), weight: 'part' }]);
  });

  it('a multipath map, by the name that it goes by', () => {
    const mapped = disk('dm-0', { name: 'mpatha', type: 'mpath' });
    const path = disk('sda', { children: [{ ...mapped, pkname: 'sda' }] });
    const other = disk('sdb', { children: [{ ...mapped, pkname: 'sdb' }] });
    const changes = { ...added(path, other), dm: 'dm-0 mpath-36001405 mpatha\n', slaves: 'dm-0 sda\ndm-0 sdb\n' };
    expect(said('uefi-ext4', changes)).toContain('part mpatha: it is reached over several paths (multipath)');
  });

  it('iSCSI, and members of a RAID of the firmware', () => {
    const changes = {
      ...added(disk('sda', { tran: 'iscsi' }), disk('sdb')),
      'sfdisk:/dev/sda': { exit: 1, err: 'sfdisk: /dev/sda: does not contain a recognized partition table' },
      'blkid:/dev/sdb': 'ID_FS_TYPE=isw_raid_member\nID_FS_USAGE=raid\n',
    };
    expect(said('uefi-ext4', changes)).toEqual([
      matching(/^part sda: it is a disk of the network/),
      matching(/^part sdb: it belongs to a RAID of the firmware/),
    ]);
  });

  it('is fatal where the system lies on it', () => {
    const iscsi = devices('uefi-ext4', (rows) => rows.map((row) => ({ ...row, tran: 'iscsi' })));
    expect(said('uefi-ext4', { lsblk: iscsi })).toEqual([matching(/^fatal vda: it is a disk of the network/)]);
  });

  it('several formats on one device', () => {
    expect(said('uefi-ext4', { 'blkid:/dev/vda3': { exit: 8 } })).toContainEqual(
      matching(/^part vda3: several formats/),
    );
  });
});

describe('tables', () => {
  it('one of a kind that is not known, and one that could not be read', () => {
    const sun = machine('uefi-ext4')['sfdisk:/dev/vda']?.out.replace('"gpt"', '"sun"');
    expect(said('uefi-ext4', { 'sfdisk:/dev/vda': sun })).toContainEqual(matching(/^fatal vda: .*\(sun\)/));
    const failed = { exit: 1, out: '', err: 'sfdisk: cannot open /dev/vda: Input/output error' };
    expect(said('uefi-ext4', { 'sfdisk:/dev/vda': failed })).toContainEqual(
      matching(/^fatal vda: its partition table could not be read: .*Input\/output error/),
    );
  });

  it('a hybrid MBR', () => {
    const bytes = (machine('uefi-ext4')['sector:/dev/vda']?.out ?? '').match(/[0-9a-f]{2}/g) ?? [];
    expect(said('uefi-ext4', { 'sector:/dev/vda': bytes.join(' ') })).toEqual([]);
    bytes[446 + 16 + 4] = '83';
    expect(said('uefi-ext4', { 'sector:/dev/vda': bytes.join(' ') })).toContainEqual(matching(/hybrid/));
  });
});

describe('md', () => {
  const at = '/dev/md126';
  const text = (kind: string) => machine('lvm-raid1')[`mdadm-${kind}:${at}`]?.out ?? '';

  it('a missing member leaves its slot empty', () => {
    const changes = { [`mdadm-export:${at}`]: text('export').replace(/.*sdb3.*\n/g, '') };
    const layout = layoutOf(altered(machine('lvm-raid1'), changes));
    expect(layout.arrays.find(({ device }) => device === 'md126')?.slots).toEqual(['part:sda3', null]);
    expect(layout.limits).toEqual([expect.objectContaining({ what: 'md126', why: matching(/degraded/) })]);
  });

  it('the place of the data is told by its members: where they have several, the one that all have room for', () => {
    const examined = (sectors: number) => `/dev/sda3:\n        Version : 1.2\n    Data Offset : ${sectors} sectors\n`;
    const changes = {
      'mdadm-examine:/dev/sda3': examined(264192),
      'mdadm-examine:/dev/sdb3': examined(262144),
    };
    const offset = (more = {}) =>
      layoutOf(altered(machine('lvm-raid1'), { ...changes, ...more })).arrays.find(({ device }) => device === 'md126')
        ?.dataOffsetBytes;
    expect(offset()).toBe(128 * 2 ** 20);
    // Behind the data it says 0 there.
    expect(offset({ [`mdadm-export:${at}`]: text('export').replace('MD_METADATA=1.2', 'MD_METADATA=1.0') })).toBe(
      undefined,
    );
  });

  it('a spare is none of the slots', () => {
    const spare = text('export').replace('sdb3_ROLE=1', 'sdb3_ROLE=spare');
    const array = layoutOf(altered(machine('lvm-raid1'), { [`mdadm-export:${at}`]: spare })).arrays;
    expect(array.find(({ device }) => device === 'md126')).toMatchObject({
      slots: ['part:sda3', null],
      spares: ['part:sdb3'],
    });
  });

  it('figures of a RAID 5', () => {
    const changes = {
      [`mdadm-export:${at}`]: text('export').replace('raid1', 'raid5'),
      [`mdadm-detail:${at}`]: text('detail').replace(
        'Name :',
        'Layout : left-symmetric\n        Chunk Size : 512K\n              Name :',
      ),
    };
    expect(layoutOf(altered(machine('lvm-raid1'), changes)).arrays.at(-1)).toMatchObject({
      level: 'raid5',
      layout: 'left-symmetric',
      chunkBytes: 524_288,
    });
  });

  it.each([
    ['export', 'MD_METADATA=1.2', 'MD_METADATA=imsm\nMD_CONTAINER=/dev/md0', /firmware/],
    ['export', 'MD_LEVEL=raid1', 'MD_LEVEL=faulty', /kind that Resurgo does not know \(faulty/],
    ['detail', 'State : clean', 'State : clean, reshaping', /reshaped/],
    ['detail', 'Bitmap : Internal', 'Bitmap : /var/bitmap', /bitmap lies in a file/],
    ['detail', 'Policy : bitmap', 'Policy : ppl', /write journal or partial parity/],
  ])('%s with %s → %s', (kind, from, to, why) => {
    const changes = { [`mdadm-${kind}:${at}`]: text(kind).replace(from, to) };
    expect(said('lvm-raid1', changes)).toContainEqual(matching(new RegExp(`^fatal md126: .*${why.source}`)));
  });

  it.each(['writemostly', 'failfast', 'writemostly failfast'])('a member that is %s', (state) => {
    const changes = { [`mdadm-detail:${at}`]: text('detail').replace(/(active sync)(?= +\/dev\/sdb3)/, `$1 ${state}`) };
    expect(said('lvm-raid1', changes)).toEqual([matching(/^part md126: members of it are write-mostly or failfast/)]);
    // An array of that name is none.
    const named = { [`mdadm-detail:${at}`]: text('detail').replace('web-1:lvm', 'web-1:failfast') };
    expect(said('lvm-raid1', named)).toEqual([]);
  });

  it('one that does not run', () => {
    expect(said('uefi-ext4', { mdstat: 'Personalities : \nmd5 : inactive sdb[0](S)\n' })).toEqual([
      matching(/^part md5: the array was not running/),
    ]);
  });
});

describe('LUKS', () => {
  const json = machine('luks2-lvm')['luks-json:/dev/vda3']?.out ?? '';

  it.each([
    ['integrity', json.replace('"sector_size"', '"integrity":{"type":"hmac(sha256)"},"sector_size"'), /dm-integrity/],
    [
      'a segment that is being encrypted anew',
      json.replace('"0":{\n      "type":"crypt"', '"1":{"type":"linear","offset":"0"},"0":{\n      "type":"crypt"'),
      /encrypted anew/,
    ],
    ['broken metadata', json.slice(0, 400), /printed no JSON/],
  ])('%s is fatal below the system', (_, out, why) => {
    expect(said('luks2-lvm', { 'luks-json:/dev/vda3': out })).toContainEqual(
      matching(new RegExp(`^fatal vda3_crypt: .*${why.source}`)),
    );
  });

  const bare = { 'blkid:/dev/vda3': 'ID_PART_ENTRY_TYPE=any\n', 'luks-dump:/dev/vda3': undefined };
  it.each([
    [
      'a detached header',
      'CRYPT-LUKS2-0-vda3_crypt',
      'vda3_crypt /dev/vda3 none luks,header=/boot/h',
      /header that lies elsewhere/,
    ],
    ['plain dm-crypt', 'CRYPT-PLAIN-vda3_crypt', 'vda3_crypt /dev/vda3 /etc/key plain', /plain dm-crypt/],
    [
      'a new key at each boot',
      'CRYPT-PLAIN-vda3_crypt',
      'vda3_crypt /dev/vda3 /dev/urandom swap',
      /new key at each boot/,
    ],
    ['dm-integrity alone', 'CRYPT-INTEGRITY-vda3_crypt', '', /dm-integrity/],
    ['BitLocker', 'CRYPT-BITLK-vda3_crypt', '', /format of another system/],
  ])('%s', (_, uuid, crypttab, why) => {
    const dm = (machine('luks2-lvm')['dm']?.out ?? '').replace(/^dm-0 \S+/m, `dm-0 ${uuid}`);
    expect(said('luks2-lvm', { ...bare, dm, 'config:/etc/crypttab': crypttab })).toContainEqual(
      matching(new RegExp(`^fatal vda3_crypt: .*${why.source}`)),
    );
  });

  it('LUKS1 is read of its own form', () => {
    const dump = `LUKS header information for /dev/vda3\n\nVersion:       \t1\nCipher name:   \taes\nCipher mode:   \txts-plain64\nHash spec:     \tsha256\nPayload offset:\t4096\nMK bits:       \t512\nUUID:          \tca34225d-523b-4b80-9007-03568bf1c36d\n\nKey Slot 0: ENABLED\n\tIterations:         \t1000\nKey Slot 1: DISABLED\nKey Slot 2: ENABLED\n`;
    const [luks] = layoutOf(altered(machine('luks2-lvm'), { 'luks-dump:/dev/vda3': dump })).luks;
    expect(luks).toMatchObject({
      version: 1,
      cipher: 'aes-xts-plain64',
      keyBytes: 64,
      dataOffsetBytes: 2_097_152,
      keySlots: [0, 2],
      uuid: 'ca34225d-523b-4b80-9007-03568bf1c36d',
    });
  });
});

describe('LVM', () => {
  const lvs = machine('lvm-thin')['lvm-lvs']?.out ?? '';
  const vgs = machine('lvm-thin')['lvm-vgs']?.out ?? '';

  it.each(['cache', 'writecache', 'vdo', 'error', 'snapshot'])('a volume of kind %s is named and left out', (kind) => {
    const out = lvs.replace(/("lv_name":"root".*?"segtype":)"linear"/, `$1"${kind}"`);
    const layout = layoutOf(altered(machine('lvm-thin'), { 'lvm-lvs': out }));
    expect(layout.volumes.map(({ name }) => name)).not.toContain('root');
    expect(layout.limits).toContainEqual({ what: 'vg0/root', why: containing(kind), weight: 'fatal' });
  });

  it('a RAID whose part lies on something else', () => {
    const out = lvs.replace(/("lv_name":"\[mir_rimage_1\]".*?"segtype":)"linear"/, '$1"integrity"');
    expect(said('lvm-thin', { 'lvm-lvs': out })).toContainEqual(matching(/^part vg0\/mir: a part of the volume/));
  });

  it('a pool whose data lie on a RAID comes back plain', () => {
    const out = lvs.replace(/("lv_name":"\[pool_tdata\]".*?"segtype":)"linear"/, '$1"raid1"');
    expect(said('lvm-thin', { 'lvm-lvs': out })).toContainEqual(matching(/^part vg0\/pool: .*come back linear/));
  });

  it.each([
    ['vg_missing_pv_count":"0', 'vg_missing_pv_count":"1', /missing/],
    ['vg_shared":"', 'vg_shared":"shared', /lock manager/],
    ['vg_exported":"', 'vg_exported":"exported', /exported/],
  ])('a group with %s → %s', (from, to, why) => {
    expect(said('lvm-thin', { 'lvm-vgs': vgs.replace(from, to) })).toContainEqual(
      matching(new RegExp(`^fatal vg0: .*${why.source}`)),
    );
  });
});

describe('file systems', () => {
  it('one that is not known stays in sight, and weighs by what lies on it', () => {
    const blkid = (machine('uefi-ext4')['blkid:/dev/vda2']?.out ?? '').replace('ID_FS_TYPE=ext4', 'ID_FS_TYPE=f2fs');
    const layout = layoutOf(altered(machine('uefi-ext4'), { 'blkid:/dev/vda2': blkid }));
    expect(layout.fileSystems).toContainEqual(expect.objectContaining({ make: { type: 'other', name: 'f2fs' } }));
    expect(layout.limits).toEqual([{ what: 'vda2', why: matching(/f2fs/), weight: 'fatal' }]);
  });

  it('a journal on a device of its own', () => {
    const xfs = (machine('xfs-bls')['xfs-info:/dev/sda3']?.out ?? '').replace('=internal log ', '=/dev/sdb1     ');
    const layout = layoutOf(altered(machine('xfs-bls'), { 'xfs-info:/dev/sda3': xfs }));
    expect(layout.fileSystems.find(({ on }) => on === 'part:sda3')?.make).toMatchObject({ external: ['log'] });
    expect(layout.limits).toContainEqual({
      what: 'sda3',
      why: matching(/journal lies on/),
      weight: 'fatal',
    });
    const ext = `${machine('uefi-ext4')['dumpe2fs:/dev/vda2']?.out ?? ''}Journal device:           0x0821\n`;
    expect(said('uefi-ext4', { 'dumpe2fs:/dev/vda2': ext })).toContainEqual(matching(/^fatal vda2: its journal/));
  });

  it('an ext4 that gives out space in clusters: their size is kept, or missed by name', () => {
    const text = (machine('uefi-ext4')['dumpe2fs:/dev/vda2']?.out ?? '').replace('64bit', '64bit bigalloc');
    const told = layoutOf(
      altered(machine('uefi-ext4'), { 'dumpe2fs:/dev/vda2': `${text}Cluster size:             16384\n` }),
    );
    expect(told.fileSystems.find(({ on }) => on === 'part:vda2')?.make).toMatchObject({ clusterBytes: 16384 });
    expect(told.limits).toEqual([]);
    expect(limitsOf('uefi-ext4', { 'dumpe2fs:/dev/vda2': text })).toEqual([
      { what: 'vda2', why: matching(/clusters \(bigalloc\) of a size that is not known/), weight: 'part' },
    ]);
  });

  it('a btrfs with a missing device, quotas, mixed profiles, or not mounted', () => {
    const of = (changes: Changes) => said('btrfs-two', changes).join('\n');
    expect(of({ 'btrfs-super:/dev/sdb1': undefined })).toMatch(/fatal sda2: a device of it was missing/);
    expect(of({ 'btrfs-qgroups:0:30': 'Qgroupid rfer excl\n0/5 16384 16384\n' })).toMatch(/quota groups/);
    const df = `Data, single: total=1, used=0\n${machine('btrfs-two')['btrfs-df:0:30']?.out ?? ''}`;
    expect(of({ 'btrfs-df:0:30': df })).toMatch(/several profiles/);
    expect(of({ mounts: machine('uefi-ext4')['mounts']?.out })).toMatch(/part sda2: it was not mounted/);
    expect(of({ 'btrfs-list:0:30': 'ID 5 what\n' })).toMatch(/subvolumes is not understood/);
    expect(of({ 'btrfs-attributes:0:30': { exit: 1, err: 'mount: denied' } })).toMatch(/not known as a whole/);
  });
});

describe('mounts', () => {
  const root = (type: string, source: string) =>
    (machine('uefi-ext4')['mounts']?.out ?? '').replace(
      /^(\d+ \d+) 254:2 (.*) - ext4 \S+/m,
      `$1 0:77 $2 - ${type} ${source}`,
    );

  it.each([
    ['nfs4', '192.0.2.1:/root', /on the network/],
    ['overlay', 'overlay', /on no disk/],
  ])('a root of type %s', (type, source, why) => {
    expect(said('uefi-ext4', { mounts: root(type, source) })).toContainEqual(
      matching(new RegExp(`^fatal /: .*${why.source}`)),
    );
  });

  it('the system on ZFS is fatal, data on ZFS is not', () => {
    expect(layoutOf(machine('zfs-data')).limits.map(({ weight }) => weight)).toEqual(['part', 'part']);
    const mounts = (machine('zfs-data')['mounts']?.out ?? '').replace(' /srv/data ', ' /var ');
    expect(said('zfs-data', { mounts })).toContainEqual(matching(/^fatal \/var: the system lies on ZFS/));
  });

  it('what fstab names and is not here, and what it mounts from a file', () => {
    const fstab = `${machine('uefi-ext4')['config:/etc/fstab']?.out ?? ''}UUID=none /srv ext4 defaults 0 0\n/dev/sr0 /cd iso9660 noauto 0 0\n192.0.2.1:/x /nfs nfs defaults 0 0\n/var/swap none swap sw 0 0\n`;
    expect(said('uefi-ext4', { 'config:/etc/fstab': fstab })).toEqual([
      matching(/^part \/var\/swap: fstab swaps to it/),
      matching(/^part \/srv: fstab mounts UUID=none there/),
    ]);
  });
});

describe('ZFS', () => {
  const pool = (from: string, to: string, more: Record<string, string> = {}) => {
    const status = (machine('zfs-data')['zpool-status']?.out ?? '').replace(from, to);
    return { ...more, 'zpool-status': status };
  };
  const list = (machine('zfs-data')['zfs-list']?.out ?? '').replaceAll('\tyes', '\tno');

  it.each([
    ['mirror-0 ', 'draid1:2d:3c:0s-0'],
    ['mirror-0     ONLINE       0     0     0\n\t    /dev/vdb1', '/srv/disk.img'],
    ['mirror-0 ONLINE 0 0 0\n\t    /dev/vdb1', 'raidz1-0 DEGRADED 0 0 0\n\t    1234'],
    ['    /dev/vdc1  ONLINE       0     0     0', 'special\n\t  draid1-0'],
  ])('a pool with %s → %s is not made: fatal where it is mounted', (from, to) => {
    const status = {
      'zpool-status': (machine('zfs-data')['zpool-status']?.out ?? '').replace(/ +(?=ONLINE|0|\n)/g, ' '),
    };
    const plain = { 'zpool-status': status['zpool-status'].replace(from.replace(/ +(?=ONLINE|0|\n|$)/g, ' '), to) };
    expect(plain['zpool-status']).not.toBe(status['zpool-status']);
    expect(said('zfs-data', plain)).toContainEqual(matching(/^fatal tank: .*draid, a file.*missing/));
    expect(said('zfs-data', { ...plain, 'zfs-list': list })).toContainEqual(matching(/^part tank: .*draid, a file/));
    expect(layoutOf(altered(machine('zfs-data'), plain)).pools).toEqual([]);
  });

  it.each([
    ['/dev/vdb1', '1234567890', /missing or being replaced/],
    ['/dev/vdd1', '/srv/spare.img', /log, cache or spare/],
    ['\tspares', '\tdedup', /deduplication/],
  ])('a pool with %s → %s comes back without it', (from, to, why) => {
    expect(said('zfs-data', pool(from, to))).toContainEqual(matching(new RegExp(`^part tank: .*${why.source}`)));
    expect(layoutOf(altered(machine('zfs-data'), pool(from, to))).pools).toHaveLength(1);
  });

  it('an encrypted dataset: fatal where it is open, so that its data is in the backup', () => {
    expect(said('zfs-data', {})).toContainEqual(matching(/^part tank\/vault: it is encrypted by ZFS/));
    const open = (machine('zfs-data')['zfs-list']?.out ?? '').replace(/(tank\/vault.*)no/, '$1yes');
    expect(said('zfs-data', { 'zfs-list': open })).toContainEqual(matching(/^fatal tank\/vault: it is encrypted/));
  });

  it('a clone, and a pool that is imported somewhere else', () => {
    const made = (machine('zfs-data')['zfs-made']?.out ?? '').replace(
      'tank/data\torigin\t-',
      'tank/data\torigin\ttank/a@b',
    );
    expect(said('zfs-data', { 'zfs-made': made })).toContainEqual(matching(/^part tank\/data: it is a clone/));
    const got = (machine('zfs-data')['zpool-get']?.out ?? '').replace('altroot\t-\tdefault', 'altroot\t/mnt\tlocal');
    expect(said('zfs-data', { 'zpool-get': got })).toContainEqual(matching(/^part tank: it was imported below/));
  });

  it('a member of a pool that is not imported', () => {
    expect(said('zfs-data', { 'zpool-list': '' })).toContainEqual(matching(/^part vdb1: .*not imported/));
  });
});

describe('tools that are missing or broken', () => {
  const missing = (tool: string) => ({ exit: 127, out: '', err: `${tool} is not installed` });

  it.each([
    ['lvm-raid1', 'lvm-lvs', 'lvs', /^fatal LVM: it is not understood: lvs is not installed/],
    [
      'lvm-raid1',
      'mdadm-export:/dev/md126',
      'mdadm',
      /^fatal md126: the array is not understood: mdadm is not installed/,
    ],
    ['luks2-lvm', 'luks-dump:/dev/vda3', 'cryptsetup', /^fatal vda3_crypt: .*cryptsetup is not installed/],
    [
      'uefi-ext4',
      'sfdisk:/dev/vda',
      'sfdisk',
      /^fatal vda: its partition table could not be read: sfdisk is not installed/,
    ],
    [
      'uefi-ext4',
      'dumpe2fs:/dev/vda2',
      'dumpe2fs',
      /^fatal vda2: its ext4 is not understood: dumpe2fs is not installed/,
    ],
    ['uefi-ext4', 'efibootmgr', 'efibootmgr', /^part the firmware’s boot entries: .*efibootmgr is not installed/],
    ['uefi-ext4', 'ip-link', 'ip', /^part the network: .*ip is not installed/],
    ['zfs-data', 'zpool-status', 'zpool', /^part ZFS: it is not understood: zpool is not installed/],
    ['uefi-ext4', 'lsblk', 'lsblk', /^fatal the disks: nothing is known of them: lsblk is not installed/],
  ])('%s without %s', (name, fact, tool, why) => {
    expect(said(name, { [fact]: missing(tool) })).toContainEqual(matching(why));
  });

  it('JSON that is broken, cut off or of another form is told, and the rest is read', () => {
    const sfdisk = machine('uefi-ext4')['sfdisk:/dev/vda']?.out ?? '';
    expect(said('uefi-ext4', { 'sfdisk:/dev/vda': { out: sfdisk.slice(0, 200), cut: true } })).toEqual([
      matching(/^fatal vda: .*no JSON: its output was cut off/),
      matching(/^part sfdisk:\/dev\/vda: the host told only the beginning/),
    ]);
    const layout = layoutOf(altered(machine('uefi-ext4'), { lsblk: '{"blockdevices":{}}' }));
    expect(layout.limits[0]).toMatchObject({ what: 'the disks', weight: 'fatal' });
    expect(layout.network.interfaces).toHaveLength(1);
    expect(said('lvm-thin', { 'lvm-pvs': '{"report":[{"pv":[{"pv_name":5}]}]}' })).toContainEqual(
      matching(/^fatal LVM: .*not understood/),
    );
  });

  it('nothing at all is a layout too', () => {
    const layout = layoutOf({});
    expect(layout.disks).toEqual([]);
    expect(layout.limits.filter(({ weight }) => weight === 'fatal')).not.toEqual([]);
  });

  it('an architecture or a loader that is not known', () => {
    expect(said('uefi-ext4', { uname: '6.1.0 s390x' })).toContainEqual(matching(/^fatal s390x/));
    expect(said('uefi-ext4', { 'boot-files': '/boot/vmlinuz-6.1\n' })).toContainEqual(
      matching(/^fatal the boot loader/),
    );
  });
});

describe('hostile hosts', () => {
  it('names of any kind are kept as they are, and no id holds a control character', () => {
    const facts = altered(machine('uefi-ext4'), {
      'blkid:/dev/vda2':
        (machine('uefi-ext4')['blkid:/dev/vda2']?.out ?? '') +
        'ID_FS_LABEL_ENC=a\\x0ab\\x1b[31m\\xc3\\xbc\\xff"\\x5c\n',
      mounts: `${machine('uefi-ext4')['mounts']?.out ?? ''}50 1 254:2 / /srv/a\\012b\\040\\134c rw - ext4 /dev/vda2 rw\n`,
    });
    const layout = layoutOf(facts);
    expect(layout.fileSystems.find(({ on }) => on === 'part:vda2')?.label).toBe('a\nb\u001b[31mü�"\\');
    expect(layout.mounts.map(({ path }) => path)).toContain('/srv/a\nb \\c');
  });

  it('what is too long, too large or malformed is left out and said', () => {
    const blkid = machine('uefi-ext4')['blkid:/dev/vda2']?.out ?? '';
    const lsblk = devices('uefi-ext4', (rows) =>
      rows.map((row) => ({ ...row, model: 'm'.repeat(9000), serial: 's\u0000' })),
    );
    const facts = altered(machine('uefi-ext4'), {
      lsblk,
      'blkid:/dev/vda2': blkid.replace(/(ID_FS_UUID_ENC=).*/, '$1\\x01'),
    });
    const layout = layoutOf(facts);
    expect(layout.disks[0]?.model).toHaveLength(4096);
    expect(layout.fileSystems.map(({ on }) => on)).toEqual(['part:vda1']);
    expect(layout.limits).toContainEqual({
      what: 'fileSystems.1',
      why: matching(/can’t be/),
      weight: 'fatal',
    });
    const far = (machine('btrfs-two')['btrfs-list:0:30']?.out ?? '').replace('ID 257', `ID ${'9'.repeat(40)}`);
    const btrfs = layoutOf(altered(machine('btrfs-two'), { 'btrfs-list:0:30': far }));
    expect(btrfs.limits).toContainEqual(
      expect.objectContaining({ what: 'fileSystems.0.make.subvolumes.1', weight: 'fatal' }),
    );
  });

  const all = MACHINES.map(machine);
  const SPOILS = ['9'.repeat(30), '-1', 'x'.repeat(5000), '[]', '{}', 'null', '\0', '=\n=\n', ': :', '../..'];
  const pieces = all.flatMap((facts) => Object.values(facts).map(({ out }) => out));
  it('whatever is told instead of what tools print, a layout comes of it', () => {
    const anyFacts = fc.constantFrom(...all).chain((facts) =>
      fc
        .array(
          fc.record({
            name: fc.constantFrom(...Object.keys(facts)),
            exit: fc.constantFrom(0, 0, 0, 1, 8, 127, 137),
            out: fc.oneof(
              fc.constantFrom(...pieces),
              fc.string({ unit: 'binary', maxLength: 60 }),
              fc.constantFrom(...SPOILS),
            ),
            from: fc.nat(2000),
            length: fc.nat(4000),
            figure: fc.constantFrom(undefined, '9'.repeat(30), '-1', '0', 'x'.repeat(300)),
          }),
          { maxLength: 6 },
        )
        .map((changes): Facts => {
          const spoiled = changes.map(({ name, exit, out, from, length, figure }) => [
            name,
            {
              exit,
              out:
                figure === undefined
                  ? out.slice(Math.min(from, out.length >> 1), from + length)
                  : (facts[name]?.out ?? '').replace(/\d+/g, (found, at) =>
                      Number(at) % 7 === from % 7 ? figure : found,
                    ),
              err: out.slice(0, 80),
            },
          ]);
          return factsSchema.parse({ ...facts, ...Object.fromEntries(spoiled) });
        }),
    );
    fc.assert(
      fc.property(anyFacts, (facts) => {
        layoutOf(facts);
      }),
      { numRuns: 300 },
    );
  });
});
