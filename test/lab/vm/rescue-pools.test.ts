/** The rescue system's jobs for ZFS, on real disks with OpenZFS: a pool comes back as it was told, and is imported as a boot does it. */
import { describeLab } from '../support/describe-lab';
import { raiseFleet } from '../support/fleet';
import type { Fleet } from '../support/fleet';
import { blankDisk } from './support/install';
import { buildRescue, rescueMachine, RescueJobs } from './support/rescue';
import type { RescueArgs } from './support/rescue';

const MIB = 1024 * 1024;
const TREE = 'web-1@+';
const ROOT = `/mnt/new/${TREE}`;
const SIZE_MB = 512;
const ZFS = '6A898CC3-1DD2-11B2-99A6-080020736631';
const UUID = '5e5e0001-0000-4000-8000-000000000001';
const identity = (letter: string): string => `DISK-${letter} - ${SIZE_MB * MIB}`;
const partition = (letter: string): string => `partition 1 ${MIB} ${(SIZE_MB - 2) * MIB} of disk ${identity(letter)}`;
const partuuid = (letter: string): string => `11111111-2222-4333-8444-5555555555${letter.toLowerCase()}1`;
const FEATURES = [
  ...['async_destroy', 'lz4_compress', 'spacemap_histogram', 'enabled_txg', 'hole_birth', 'extensible_dataset'],
  ...['embedded_data', 'bookmarks', 'filesystem_limits', 'large_blocks', 'large_dnode', 'userobj_accounting'],
];

jest.setTimeout(3_600_000);

describeLab('pools in the rescue system', () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await raiseFleet({ name: 'vmpools', hosts: [{ name: 'target', disk: 'btrfs', docker: false }] });
  }, 300_000);
  afterAll(() => fleet.down(), 60_000);

  test('a mirror with datasets and a volume: made, filled, noted for the boot, exported, and imported by that note', async () => {
    const image = await buildRescue({ fleet, of: 'zfs' });
    const disks = ['A', 'B', 'C'].map((letter) => ({
      serial: `DISK-${letter}`,
      image: blankDisk({ fleet, name: `pool-${letter}`, sizeMb: SIZE_MB }),
    }));
    const machine = await rescueMachine({ fleet, name: 'pools', number: 138, firmware: 'bios', image, disks });
    const jobs = new RescueJobs(machine);
    const on = async (command: string): Promise<string> =>
      (await machine.ssh(command, { timeoutMs: 120_000 })).stdout.trim();
    const twice = async (kind: string, args: RescueArgs): Promise<void> => {
      await jobs.do(kind, args);
      expect(await jobs.do(kind, args)).toMatchObject({ was: true });
    };
    for (const letter of ['A', 'B', 'C']) {
      await jobs.do('disk-wipe', { disk: `disk ${identity(letter)}` });
      const head = [`label: gpt`, `label-id: 11111111-2222-4333-8444-55555555550${letter}`, 'first-lba: 34'];
      const last = [`last-lba: ${SIZE_MB * 2048 - 34}`, 'sector-size: 512', ''];
      const line = `1 : start=2048, size=${(SIZE_MB - 2) * 2048}, type=${ZFS}, uuid=${partuuid(letter).toUpperCase()}`;
      const script = Buffer.from([...head, ...last, line, ''].join('\n')).toString('base64');
      const on = `disk ${identity(letter)}`;
      await jobs.do('disk-table', { on, disks: identity(letter), sector: 512, script, count: 1 });
    }
    const blocks = ((SIZE_MB - 2) * MIB) / 4096;
    const ext4 = { type: 'ext4', block: 4096, inode: 256, reserved: 0, hash: 'half_md4', errors: 'continue' };
    const features = 'has_journal,ext_attr,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,extra_isize';
    const made = { ...ext4, features, options: 'user_xattr,acl', uuid: UUID, blocks, inodes: blocks / 4 };
    await jobs.do('mkfs-ext', { ...made, on: partition('A'), disks: identity('A') });
    await jobs.do('mount-new', { tree: TREE, on: partition('A'), type: 'ext4', path: '/', uuid: UUID });

    const both = `${identity('B')}\n${identity('C')}`;
    const pool = {
      ...{ tree: TREE, disks: both, name: 'tank', features: FEATURES.join('\n') },
      properties: 'ashift=12\nautotrim=on\ncomment=of the lab',
      once: 'normalization=formD\nutf8only=on',
      vdevs: `mirror\non ${partition('B')}\non ${partition('C')}`,
    };
    await jobs.do('zpool-create', pool);
    // Killed before it was noted: made anew.
    const first = await on('zpool list -H -o guid tank; rm /var/lib/resurgo/runs/*/made/pool.tank');
    expect(await jobs.refused('zfs-create', dataset('tank', ''))).toBe('identity-changed');
    await twice('zpool-create', pool);
    expect(await on('zpool list -H -o guid tank')).not.toBe(first);
    // No file system is mounted, and nothing else shows it: the disk is in use all the same.
    expect(await on('grep -c tank /proc/self/mounts || :')).toBe('0');
    expect(await jobs.refused('disk-wipe', { disk: `disk ${identity('B')}` })).toBe('busy');
    expect(await on("zpool get -H -o property,value all tank | grep -c 'enabled$\\|active$'")).toBe(
      String(FEATURES.length),
    );
    expect(await on("zpool get -H -o value ashift,autotrim,comment,feature@encryption tank | tr '\\n' ' '")).toBe(
      '12 on of the lab disabled',
    );

    function dataset(name: string, properties: string, once?: string): RescueArgs {
      return {
        tree: TREE,
        disks: both,
        dataset: name,
        type: 'filesystem',
        bytes: 0,
        properties: properties === '' ? undefined : properties,
        once,
      };
    }
    await twice('zfs-create', dataset('tank', 'mountpoint=/srv/tank\ncompression=lz4\nxattr=sa\nacltype=posix'));
    await twice('zfs-create', dataset('tank/data', 'recordsize=16384\nmountpoint=/srv/data\norg:note=two words'));
    await twice('zfs-create', dataset('tank/logs', 'quota=67108864'));
    await twice('zfs-create', {
      ...{ ...dataset('tank/vm', ''), type: 'volume', bytes: 64 * MIB },
      once: 'volblocksize=16384',
    });
    expect(await on('grep -c tank /proc/self/mounts || :')).toBe('0');
    const mounts = { tank: '/srv/tank', 'tank/data': '/srv/data', 'tank/logs': '/srv/tank/logs' };
    for (const [name, path] of Object.entries(mounts)) await twice('mount-zfs', { tree: TREE, dataset: name, path });
    expect(await jobs.refused('mount-zfs', { tree: TREE, dataset: 'tank/logs', path: '/srv/data' })).toBe('busy');
    const onVolume = { ...made, blocks: 16384, inodes: 4096, uuid: UUID.replace(/1$/, '2') };
    await jobs.do('mkfs-ext', { ...onVolume, on: 'zvol tank%2Fvm', disks: both });
    await on(
      `cd ${ROOT}/srv/data && echo text >file && setfattr -n user.x -v y file && setfacl -m u:4000:r file && echo log >${ROOT}/srv/tank/logs/l`,
    );

    const finish = {
      ...{ tree: TREE, name: 'tank', cache: '/etc/zfs/zpool.cache' },
      datasets: 'canmount - tank\ncanmount - tank/data\ncanmount noauto tank/logs\nreadonly on tank/data',
    };
    await jobs.do('zpool-finish', finish);
    await jobs.do('zpool-finish', finish);
    expect(await on("zfs get -H -o name,value,source canmount tank tank/data tank/logs | tr '\\t' ' '")).toBe(
      'tank on default\ntank/data on default\ntank/logs noauto local',
    );
    await jobs.do('new-unmount', { tree: TREE });
    expect(await on('zpool list -H -o name')).toBe('');

    // As zfs-import-cache and zfs-mount do it.
    await on('mkdir /tmp/root; for d in /dev/vd*1; do ! blkid -p $d | grep -q ext4 || mount -o ro $d /tmp/root; done');
    await on('zpool import -c /tmp/root/etc/zfs/zpool.cache -aN && zfs mount -a');
    expect(
      await on('zpool list -H -o health tank; awk \'$3 == "zfs" { print $1, $2 }\' /proc/self/mounts | sort'),
    ).toBe('ONLINE\ntank /srv/tank\ntank/data /srv/data');
    expect(
      await on('cd /srv/data; cat file; getfattr --only-values -n user.x file; getfacl -cp file | grep 4000'),
    ).toBe('text\nyuser:4000:r--');
    expect(await on("zpool status -P tank | awk '$1 ~ /^\\// { print $1 }'")).toBe(
      ['B', 'C'].map((letter) => `/dev/disk/by-partuuid/${partuuid(letter)}`).join('\n'),
    );
    expect(
      await on('touch /srv/data/x 2>&1 | grep -c Read-only; zfs get -H -o value org:note,recordsize tank/data'),
    ).toBe('1\ntwo words\n16K');
    await machine.kill();
  });
});
