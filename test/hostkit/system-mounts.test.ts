/** Which of a host's mounts are parts of a whole machine, from tables as real hosts have them, and the room that their snapshots need. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { SHELLS } from './support';

const LIB = resolve(__dirname, '../../hostkit');
const KERNEL = [
  '21 1 0:20 / /proc rw - proc proc rw',
  '22 1 0:21 / /sys rw - sysfs sysfs rw',
  '23 22 0:22 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw',
  '24 1 0:5 / /dev rw - devtmpfs udev rw',
  '25 24 0:23 / /dev/shm rw - tmpfs tmpfs rw',
  '26 1 0:24 / /run rw - tmpfs tmpfs rw',
  '27 26 0:25 / /run/user/1000 rw - tmpfs tmpfs rw',
  '28 26 0:4 net:[4026532177] /run/docker/netns/default rw - nsfs nsfs rw',
];
const TOLD = ['/proc', '/sys', '/dev', '/run'];

describe.each(SHELLS)('the mounts of a machine under %s', (shell) => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'resurgo-mounts-'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  function run(
    code: string,
    { table = [], conf = [] }: { table?: readonly string[]; conf?: readonly string[] } = {},
  ): string {
    writeFileSync(join(folder, 'table'), [...table, ...KERNEL].map((line) => `${line}\n`).join(''));
    const libs = ['base', 'types', 'config', 'snapshots'].map((lib) => `. "$RESURGO_LIB/lib/${lib}.sh"`);
    // Neither the folders nor the disks of those hosts are here.
    const here = ['mount_is_folder() { :; }', 'mount_disk() { :; }', `MOUNT_TABLE='${folder}/table'`];
    const at = "src_name=root src_group=portal src_room=10 real_path=/ snap_problem=''";
    const script = ['set -u', ...libs, 'config_loaded=yes', 'config_text=$CONF', ...here, at, code].join('\n');
    const env = { ...process.env, LC_ALL: 'C', RESURGO_LIB: LIB, CONF: conf.join('\n') };
    const [command = 'dash', ...args] = shell.split(' ');
    return execFileSync(command, [...args, '-c', script], { env, encoding: 'utf8' });
  }

  function parts(table: readonly string[], conf: readonly string[] = []) {
    const code = `mount_parts || { echo "problem $snap_problem"; exit 0; }
      printf '%s' "$mount_parts" | sed 's/^/part /'
      printf '%s' "$mount_twice" | sed 's/^/twice /'
      printf '%s' "$mount_skipped" | sed 's/^/skip /'`;
    const lines = run(code, { table, conf })
      .trimEnd()
      .split('\n')
      .map((line) => line.split(' '));
    const of = (word: string) =>
      lines.flatMap(([first, at = '', ...rest]) => (first === word ? [[at, rest.join(' ')] as const] : []));
    return {
      parts: of('part').map(([at]) => at),
      twice: Object.fromEntries(of('twice')),
      skipped: Object.fromEntries(of('skip').filter(([at]) => !TOLD.includes(at))),
      all: of('skip').map(([at]) => at),
      problem: of('problem')
        .map((words) => words.join(' '))
        .join(''),
    };
  }

  test('S13 a host with containers, a network mount and an unknown file system', () => {
    const seen = parts([
      '1 0 8:2 / / rw shared:1 - ext4 /dev/sda2 rw',
      '2 1 8:1 / /boot/efi rw - vfat /dev/sda1 rw',
      '3 1 8:17 / /srv/my\\040data rw - xfs /dev/sdb1 rw',
      '4 1 0:40 / /mnt/nas rw - nfs4 nas:/vol rw',
      '5 1 0:41 / /home/me/remote rw - fuse.sshfs me@far: rw',
      ...[1, 2, 3].map((n) => `1${n} 1 0:5${n} / /var/lib/docker/overlay2/${n}/merged rw - overlay overlay rw`),
      '6 1 7:0 / /snap/core/1 ro - squashfs /dev/loop0 ro',
      '7 1 8:33 / /mnt/odd rw - f2fs /dev/sdc1 rw',
      '8 1 0:60 / /mnt/strange rw - newfs somewhere rw',
      '9 3 8:17 /pub /var/ftp rw - xfs /dev/sdb1 rw',
    ]);
    // Data on a disk of this host is never left out only because its file system is a rare one.
    expect(seen.parts.sort()).toEqual(['/', '/boot/efi', '/mnt/odd', '/srv/my\\040data']);
    expect(seen.twice).toEqual({ '/var/ftp': 'shows once more what lies in the backup at /srv/my\\040data/pub' });
    expect(seen.skipped).toEqual({
      '/mnt/nas': 'a network file system (nfs4): its data lies on another machine',
      '/home/me/remote': 'fuse.sshfs: a program shows data that lies elsewhere',
      '/var/lib/docker': '3 mounts below it: an overlay of a container: what it shows lies in other folders',
      '/snap/core/1': 'a read-only image (squashfs)',
      '/mnt/strange': 'newfs: no disk of its own',
    });
    // What lies in a place that goes at each boot goes with it.
    expect(seen.all).toEqual(expect.arrayContaining(TOLD));
    expect(seen.all).not.toContain('/run/user/1000');
  });

  test('S13 subvolumes side by side, each a part; one nested in another is no part of its own', () => {
    const seen = parts([
      '1 0 0:30 /@ / rw - btrfs /dev/vda2 rw,subvol=/@',
      '2 1 0:30 /@home /home rw - btrfs /dev/vda2 rw,subvol=/@home',
      '3 1 0:30 /@/srv /srv rw - btrfs /dev/vda2 rw,subvol=/@/srv',
      '4 1 0:30 /@/srv/pub /var/ftp rw - btrfs /dev/vda2 rw,subvol=/@/srv',
    ]);
    expect(seen.parts).toEqual(['/', '/home']);
    expect(seen.twice).toEqual({
      '/srv': 'shows once more what lies in the backup at /srv',
      '/var/ftp': 'shows once more what lies in the backup at /srv/pub',
    });
  });

  test('the machine is not copied a second time where its top level is mounted too', () => {
    const table = [
      '1 0 0:30 /@/.snapshots/1/snapshot / rw - btrfs /dev/vda2 rw',
      '2 1 0:30 /@/.snapshots /.snapshots rw - btrfs /dev/vda2 rw',
      '3 1 0:30 /@/home /home rw - btrfs /dev/vda2 rw',
    ];
    const seen = parts(table);
    expect(seen.parts.sort()).toEqual(['/', '/.snapshots', '/home']);
    expect(seen.skipped).toEqual({ '/.snapshots/1/snapshot': 'the subvolume that is mounted at /' });
    const apart = run(
      'system_look; real_path=/.snapshots; system_apart; src_name=root:1; for each in 1/snapshot 2/snapshot; do ! source_excludes $each || echo $each; done',
      { table },
    );
    expect(apart).toBe('1/snapshot\n');
  });

  test('what another mount hides is told, and so is a disk that is mounted where nothing of the backup is', () => {
    const seen = parts([
      '1 0 8:2 / / rw - ext4 /dev/sda2 rw',
      '2 1 8:17 / /srv rw - ext4 /dev/sdb1 rw',
      '3 2 8:33 / /srv rw - xfs /dev/sdc1 rw',
      '4 1 8:49 / /mnt/deep rw - ext4 /dev/sdd1 rw',
      '6 1 8:81 / /mnt rw - ext4 /dev/sdf1 rw',
      '5 26 8:65 / /run/media/disk rw - ext4 /dev/sde1 rw',
    ]);
    expect(seen.parts).toEqual(['/', '/srv', '/mnt']);
    expect(seen.skipped).toEqual({
      '/srv': 'another mount lies over it, so nothing of it can be seen',
      '/mnt/deep': 'another mount lies over it, so nothing of it can be seen',
      '/run/media/disk': 'mounted inside /run, which is not in the backup',
    });
  });

  test('of a file system that is seen through pieces alone, and of a piece that a mount hides, each is a part', () => {
    const seen = parts([
      '1 0 8:2 / / rw - ext4 /dev/sda2 rw',
      '2 1 8:17 /one /srv/one rw - ext4 /dev/sdb1 rw',
      '3 1 8:17 /two /srv/two rw - ext4 /dev/sdb1 rw',
      '4 1 8:33 / /data rw - xfs /dev/sdc1 rw',
      '5 1 8:2 /data /mnt/under rw - ext4 /dev/sda2 rw',
    ]);
    expect(seen.parts.sort()).toEqual(['/', '/data', '/mnt/under', '/srv/one', '/srv/two']);
  });

  test('a store is left out, by its folder and by its dataset, and so is what the runbook excludes by name', () => {
    const seen = parts(
      [
        '1 0 0:30 / / rw - zfs rpool/root rw',
        '2 1 0:31 / /tank rw - zfs tank rw',
        '3 1 0:32 / /tank/backup rw - zfs tank/backup rw',
        '4 3 0:33 / /tank/backup/portal rw - zfs tank/backup/portal rw',
        '5 1 0:34 / /tank/.zfs/snapshot/a rw - zfs tank@a rw',
        '6 1 8:17 / /srv/scratch rw - ext4 /dev/sdb1 rw',
      ],
      ['store main zfs tank/backup zstd 5', 'exclude portal root /srv/scratch/', 'exclude portal other /tank'],
    );
    expect(seen.parts).toEqual(['/', '/tank']);
    expect(seen.skipped).toEqual({
      '/tank/backup': 'a backup store lies there',
      '/tank/backup/portal': 'a backup store lies there',
      '/tank/.zfs/snapshot/a': 'a snapshot of ZFS',
      '/srv/scratch': 'excluded by the runbook',
    });
  });

  test('S20 our own snapshots in the top level of a part are no data of it', () => {
    const record = ['kind system', 'mount 0 btrfs / /dev/vda2', 'mount 1 btrfs /srv/a\\040b /dev/vdb', 'part x btrfs'];
    writeFileSync(join(folder, 'record'), record.map((line) => `${line}\n`).join(''));
    const ours = (holds: string) =>
      run(`. "$RESURGO_LIB/lib/view.sh"; protect_holds_ours() { ${holds}; }
        src_path=/ snap_record='${folder}/record'; view_excludes root`);
    expect(ours('[ "$1" != / ]')).toBe('/srv/a b/.resurgo\n');
    expect(ours('[ "$1" = / ]')).toBe('/.resurgo\n');
  });

  test('a store is left out where a part shows it too', () => {
    const table = ['1 0 0:30 / / rw - btrfs /dev/vda2 rw', '2 1 0:30 /@backup /srv/backup rw - btrfs /dev/vda2 rw'];
    const conf = ['store main btrfs /srv/backup zstd 5'];
    // The folder of a store must be there to be found.
    const found = 'readlink() { printf \'%s\\n\' "$3"; }';
    const left = run(`${found}; mount_parts; printf '%s' "$mount_skipped"; system_excludes | grep backup`, {
      table,
      conf,
    });
    expect(left.split('\n')).toEqual(
      expect.arrayContaining([
        '/srv/backup the backup store main lies there',
        '/@backup the backup store main lies there',
        'exclude /srv/backup/*',
        'exclude /@backup/*',
      ]),
    );
  });

  test.each([
    ['overlay overlay', 'overlay, an overlay of a container'],
    ['tmpfs tmpfs', 'tmpfs, in memory'],
  ])('a live system on %s is no machine', (root, words) => {
    expect(parts([`1 0 0:30 / / rw - ${root} rw`]).problem).toContain(`/ lies on ${words}`);
  });

  describe('LVM', () => {
    const table = [
      '1 0 253:0 / / rw - ext4 /dev/vg0/root rw',
      '2 1 253:1 / /var rw - xfs /dev/vg0/var rw',
      '3 1 253:2 / /srv rw - ext4 /dev/vg1/srv rw',
    ];
    /** Volumes of 1000 bytes, of which a snapshot takes 10 %; `free` bytes are left in each group. */
    const prepare = (free: number, room = 10) =>
      run(
        `src_kind=system src_path=/ src_room=${room}
        mount_of() { mount_point=$1 mount_root=/ mount_type=ext4 mount_device=$system_from; }
        read_line() { case $1 in */dm/uuid) line=LVM-x ;; *) line='' ;; esac; }
        lvm_origin() { lvm_pool='' lvm_group=\${mount_device#/dev/} snap_uuid=$mount_device; lvm_group=\${lvm_group%/*}; }
        snapshot_lvm_prepare() { lvm_free=${free} lvm_room=100; [ "$lvm_free" -ge 100 ]; }
        snapshot_none_identity() { snap_uuid=$mount_device; }
        snapshot_syncs=''
        snapshot_system_identity && snapshot_system_prepare && echo "$system_parts$snapshot_syncs" || echo "$snap_problem"`,
        { table },
      );

    test('the room of all snapshots in a volume group is asked for together', () => {
      expect(prepare(199)).toMatch(/^\/var: volume group vg0 has 199 bytes free, .* want 200 so far/);
      expect(prepare(200)).toMatch(/^lvm \/ .*\nlvm \/var .*\nlvm \/srv /);
    });

    test('each file system is flushed in the pause', () => {
      expect(prepare(200)).toMatch(/\n\/ \/dev\/vg0\/root\n\/var \/dev\/vg0\/var\n\/srv \/dev\/vg1\/srv\n/);
    });

    test('snapshot_room: 0% says that they are read live', () => {
      expect(prepare(0, 0)).toMatch(/^none \/ .*\nnone \/var .*\nnone \/srv /);
    });
  });
});
