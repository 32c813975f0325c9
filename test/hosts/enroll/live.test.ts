/** `recover --live`: what is taken for a rescue Linux, and what it has once the hostkit was sent there. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { ensureDirectorKeys } from '../../../hosts/director-keys';
import { enterLive, type EnterOptions } from '../../../hosts/enroll/live';
import { asRescue, readHostkit, readScript } from '../../../hosts/enroll/hostkit-tree';
import { liveTools } from '../../../hosts/enroll/live-tools';
import { liveTrust, type LiveTrustOptions } from '../../../hosts/enroll/live-trust';
import { installCommand } from '../../../hosts/enroll/tools';
import { fingerprint, KnownHosts } from '../../../hosts/known-hosts';
import { liveAt } from '../../../hosts/rescue-host';
import { SshHosts } from '../../../hosts/ssh-hosts';
import { layoutFacts, probe } from '../../../hosts/verbs/reading';
import type { FleetHost } from '../../../planning/run-input';
import { describeAsRoot } from '../../hostkit/support';
import { golden } from '../../planning/layout-machines';
import { BoxHost } from './box-host';
import { LiveHost } from './live-host';

// Each test logs in several times, and sends the whole hostkit.
jest.setTimeout(240_000);

const HOST: FleetHost = { name: 'web-1', short: 'web-1', address: '192.0.2.1', port: 22, user: 'resurgo' };
const LOOK = readFileSync(resolve(__dirname, '../../../hosts/enroll/live-look.sh'), 'utf8');
const TARGET = `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI${'B'.repeat(43)}`;

describe('where it is', () => {
  test('root by itself, or as said', () => {
    const rescue = { name: 'web-1.rescue', short: 'web-1', user: 'resurgo', pinnedAs: 'web-1.live', live: true };
    expect(liveAt({ host: HOST, at: '192.0.2.7' })).toEqual({
      admin: 'root',
      rescue: { ...rescue, address: '192.0.2.7', port: 22 },
    });
    expect(liveAt({ host: HOST, at: 'user@rescue.example.org:2222' })).toEqual({
      admin: 'user',
      rescue: { ...rescue, address: 'rescue.example.org', port: 2222 },
    });
    expect(() => liveAt({ host: HOST, at: 'a b@192.0.2.7' })).toThrow(/is no address/);
  });
});

describe('S24 what is a rescue Linux', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'resurgo-look-'));
    for (const dir of ['proc/2', 'proc/self', 'etc']) mkdirSync(join(root, dir), { recursive: true });
    writeFileSync(join(root, 'proc/2/comm'), 'kthreadd\n');
  });
  afterEach(() => {
    rmSync(root, { recursive: true });
  });

  function reasons(shell: string, mounts: string[], before = ''): string {
    const lines = mounts.map((each, i) => `${i + 20} 1 0:${i} / ${each}\n`).join('');
    writeFileSync(join(root, 'proc/self/mountinfo'), lines);
    const [command = '', ...args] = shell.split(' ');
    // busybox ash runs busybox's own awk, as a live system without another does.
    const awk = command === 'busybox' ? 'awk() { busybox awk "$@"; }\n' : '';
    const script = `${awk}${before}${LOOK}\nlook_reasons "$1/proc" "$1/etc"`;
    const ran = spawnSync(command, [...args, '-euc', script, 'sh', root], { encoding: 'utf8' });
    if (ran.status !== 0) throw new Error(ran.stderr);
    return ran.stdout;
  }

  const MEDIUM = '/run/live/medium ro - iso9660 /dev/sr0 ro';
  const SQUASH = '/run/live/rootfs/filesystem.squashfs ro - squashfs /dev/loop0 ro';
  const live =
    'lowerdir=/run/live/rootfs/filesystem.squashfs/,upperdir=/run/live/overlay/rw,workdir=/run/live/overlay/work';

  describe.each(['dash', 'busybox ash'])('%s', (shell) => {
    test.each<[string, string[]]>([
      ['Debian live', [`/ rw - overlay overlay rw,${live}`, MEDIUM, SQUASH, '/run/live/overlay rw - tmpfs tmpfs rw']],
      [
        'Ubuntu live',
        [
          '/ rw shared:1 - overlay /cow rw,lowerdir=/minimal.squashfs,upperdir=/cow/upper',
          '/cdrom ro - iso9660 /dev/sr0 ro',
        ],
      ],
      ['a live stick', [`/ rw - overlay overlay rw,${live}`, '/run/live/medium ro - vfat /dev/sdc1 ro', SQUASH]],
      ['an initramfs', ['/ rw - rootfs rootfs rw']],
      [
        'Alpine in memory',
        ['/ rw - tmpfs tmpfs rw', '/media/usb ro - vfat /dev/sdb1 ro', '/.modloop ro - squashfs /dev/loop0 ro'],
      ],
      ['a network boot', ['/ ro - nfs 192.0.2.1:/rescue ro', '/var rw - tmpfs tmpfs rw']],
      ['one that looks at a disk', ['/ rw - rootfs rootfs rw', '/mnt/old rw - ext4 /dev/sda2 rw']],
      ['one whose disk was mounted over', ['/ rw - ext4 /dev/sda2 rw', '/ rw - tmpfs tmpfs rw']],
    ])('%s', (_name, mounts) => {
      expect(reasons(shell, mounts)).toBe('');
    });

    test.each<[string, string[], RegExp]>([
      ['a server', ['/ rw - ext4 /dev/sda2 rw'], /^its root file system is ext4 on the disk \/dev\/sda2$/m],
      ['one on LVM', ['/ rw - xfs /dev/mapper/vg-root rw'], /is xfs on the disk \/dev\/mapper\/vg-root/],
      ['one on btrfs', ['/ rw - btrfs /dev/sda2 rw,subvol=/@'], /is btrfs on the disk/],
      ['one on zfs', ['/ rw - zfs rpool/ROOT rw'], /is zfs on the disk rpool\/ROOT/],
      ['one of an older kernel', ['/ rw - ext4 /dev/root rw'], /ext4 on the disk/],
      ['a root that is not known', ['/ rw - 9p share rw'], /is 9p, neither in memory/],
      [
        'an overlay that is kept on a disk',
        ['/ rw - overlay overlay rw,lowerdir=/ro,upperdir=/media/rw/up', '/media/rw rw - ext4 /dev/sdb1 rw'],
        /laid over ext4 on the disk \/dev\/sdb1, at \/media\/rw/,
      ],
      [
        'an overlay over a server',
        [
          '/ rw - overlay overlayroot rw,lowerdir=/media/root-ro,upperdir=/media/root-rw/o',
          '/media/root-ro ro - ext4 /dev/sda1 ro',
          '/media/root-rw rw - tmpfs tmpfs rw',
        ],
        /laid over ext4 on the disk \/dev\/sda1/,
      ],
      [
        'a server in memory with its data on a disk',
        ['/ rw - tmpfs tmpfs rw', '/var/lib/docker rw - ext4 /dev/sda3 rw'],
        /ext4 on the disk \/dev\/sda3 is mounted at \/var\/lib\/docker/,
      ],
      ['NixOS in memory', ['/ rw - tmpfs tmpfs rw', '/nix rw - ext4 /dev/nvme0n1p2 rw'], /is mounted at \/nix/],
      [
        'a diskless server with a disk',
        ['/ rw - nfs 192.0.2.1:/web rw', '/srv rw - xfs /dev/sda rw'],
        /is mounted at \/srv/,
      ],
      ['nothing that can be read', [], /can not be read/],
    ])('not %s', (_name, mounts, why) => {
      expect(reasons(shell, mounts)).toMatch(why);
    });

    test('not one that could not be looked at', () => {
      for (const broken of ['awk() { return 127; }\n', 'awk() { :; }\n'])
        expect(reasons(shell, ['/ rw - rootfs rootfs rw'], broken)).toBe('what it has mounted can not be read\n');
    });

    test('not a container, and not an enrolled host; our own rescue system is one', () => {
      writeFileSync(join(root, 'proc/2/comm'), 'bash\n');
      expect(reasons(shell, ['/ rw - overlay overlay rw,upperdir=/var/lib/docker/1/diff'])).toMatch(
        /it is a container/,
      );
      writeFileSync(join(root, 'proc/2/comm'), 'kthreadd\n');
      mkdirSync(join(root, 'etc/resurgo'));
      writeFileSync(join(root, 'etc/resurgo/host.conf'), 'host db-1\n');
      expect(reasons(shell, ['/ rw - tmpfs tmpfs rw'])).toMatch(/it is enrolled, as db-1/);
      writeFileSync(join(root, 'etc/resurgo/rescue.host'), 'web-1\n');
      expect(reasons(shell, ['/ rw - rootfs rootfs rw'])).toBe('');
    });
  });
});

describe('the tools', () => {
  test('those that the layout asks for, and no others', () => {
    expect(liveTools(golden('gpt-bios-ext4'))).not.toEqual(expect.arrayContaining(['mdadm']));
    expect(liveTools(golden('lvm-raid1'))).toEqual(expect.arrayContaining(['mdadm', 'lvm']));
    expect(liveTools(golden('luks2-lvm'))).toEqual(expect.arrayContaining(['cryptsetup', 'dmsetup', 'mke2fs']));
    expect(liveTools(golden('btrfs-two'))).toEqual(expect.arrayContaining(['mkfs.btrfs']));
    expect(liveTools(golden('zfs-data'))).toEqual(expect.arrayContaining(['zpool', 'zfs']));
  });

  test.each(['apt-get', 'dnf', 'zypper', 'apk'])('%s has a package for each', (manager) => {
    const layouts = ['luks2-lvm', 'lvm-raid1', 'btrfs-two', 'uefi-ext4', 'xfs-bls', 'zfs-data'] as const;
    const tools = new Set(layouts.flatMap((each) => liveTools(golden(each))));
    for (const tool of tools)
      expect(installCommand({ missing: [tool], manager })).toMatch(/ (install|add).* [a-z0-9.-]+$/);
  });
});

describeAsRoot('on a running rescue Linux', () => {
  const live = new LiveHost();
  let stateDir: string;
  let knownHosts: KnownHosts;
  let said: string[];

  beforeAll(() => live.start(), 30_000);
  afterAll(() => {
    live.close();
  });
  beforeEach(async () => {
    stateDir = mkdtempSync(join(tmpdir(), 'resurgo-live-state-'));
    knownHosts = await KnownHosts.open({ stateDir });
    said = [];
  });
  afterEach(() => {
    rmSync(stateDir, { recursive: true });
  });

  async function enter({
    trust = {},
    port = live.port,
    ...more
  }: Partial<Omit<EnterOptions, 'trust'>> & {
    trust?: Partial<LiveTrustOptions>;
    port?: number;
  } = {}): Promise<FleetHost> {
    const { rescue, admin: user } = liveAt({ host: HOST, at: `127.0.0.1:${port}` });
    const given = { fingerprint: fingerprint(live.hostKey), adminKnownHosts: '' };
    await enterLive({
      ...{ host: HOST, rescue, user, knownHosts, keys: await ensureDirectorKeys({ stateDir }) },
      ...{ admin: live.admin(), layout: golden('gpt-bios-ext4'), installPackages: false },
      peers: new Map([['target', TARGET]]),
      trust: liveTrust({ knownHosts, host: 'web-1', hosts: ['web-1', 'target'], ...given, ...trust }),
      log: (text) => said.push(text),
      ...more,
    });
    return rescue;
  }

  async function withHosts<T>(body: (hosts: SshHosts) => Promise<T>): Promise<T> {
    const hosts = await SshHosts.open({ stateDir });
    try {
      return await body(hosts);
    } finally {
      await hosts.close();
    }
  }

  const clean = () =>
    live.sh('rm -rf /etc/resurgo /var/lib/resurgo /usr/local/lib/resurgo; sed -i /^resurgo:/d /etc/passwd /etc/shadow');
  const untouched = () =>
    live.sh('ls -d /etc/resurgo /usr/local/lib/resurgo /var/lib/resurgo 2>/dev/null; grep ^resurgo: /etc/passwd || :')
      .stdout;

  test('it answers the director as the rescue system, with the jobs of one', async () => {
    const rescue = await enter();
    await withHosts(async (hosts) => {
      const answer = await probe({ hosts, host: rescue });
      expect(answer).toMatchObject({ host: 'web-1', hash: asRescue(await readHostkit()).hash });
      expect(answer.identityKey).toMatch(/^ssh-ed25519 /);
      expect(answer.peers).toHaveProperty('target');
      expect(await layoutFacts({ hosts, host: rescue, step: 'plan' })).toHaveProperty('media');
      // A job that only a rescue system has.
      const keys = { group: 'portal', run: 'run-00000001', term: 1, step: 'fix', attempt: 1 };
      const args = { ...keys, kind: 'new-fix' as const, job: 'live.job-1', tree: 'web-1@+' };
      await expect(hosts.call({ host: rescue, verb: 'job.start', args })).resolves.toBeDefined();
    });
    // Where the data goes, and the headers of encrypted volumes before it.
    live.sh('mkdir -p /mnt/new /mnt/headers');
    for (const path of ['/mnt/new', '/mnt/headers'])
      await withHosts((hosts) => {
        const args = { group: 'portal', run: 'run-00000001', path, tree: 'web-1@+', expected: 0 };
        return expect(hosts.call({ host: rescue, verb: 'restore.check', args })).resolves.toBeDefined();
      });
    const [key, kit] = said;
    expect(key).toContain('is the one given by --fingerprint');
    expect(kit).toMatch(/in memory\): gets the hostkit .*no disk is written to/);
    expect(live.sh('cat /etc/resurgo/host.conf').stdout).toBe(
      'host web-1\nrestore-to /mnt/new\nrestore-to /mnt/headers\n',
    );
    expect(live.sh('stat -c "%u:%g %a" /etc/resurgo/host.key').stdout).toBe('0:0 600\n');
  });

  test('the director gets no shell there, and the administrator still gets his', async () => {
    await enter();
    const { director } = await ensureDirectorKeys({ stateDir });
    const file = join(stateDir, 'key');
    writeFileSync(file, director.privateKey, { mode: 0o600 });
    const ssh = [
      '-i',
      file,
      '-p',
      String(live.port),
      '-o',
      'StrictHostKeyChecking=no',
      '-o',
      'UserKnownHostsFile=/dev/null',
    ];
    const ran = spawnSync('ssh', [...ssh, 'resurgo@127.0.0.1', 'id'], { encoding: 'utf8', input: '' });
    expect(ran.stdout).toMatch(/"code":"bad-request"/);
    expect(ran.stdout).not.toMatch(/uid=/);
    await enter();
  });

  test('again is nothing, and its identity stays; another director takes its place', async () => {
    await enter();
    const identity = live.sh('cat /etc/resurgo/host.key.pub').stdout;
    await enter();
    expect(said.at(-1)).toMatch(/all stood already/);
    expect(live.sh('cat /etc/resurgo/host.key.pub').stdout).toBe(identity);
    rmSync(join(stateDir, 'keys'), { recursive: true });
    const rescue = await enter();
    expect(live.sh('cat /etc/resurgo/director.keys | wc -l').stdout.trim()).toBe('1');
    await withHosts((hosts) => expect(probe({ hosts, host: rescue })).resolves.toMatchObject({ host: 'web-1' }));
  });

  test('that recovers another machine already is left alone', async () => {
    await enter();
    const other = { ...HOST, name: 'db-1', short: 'db-1' };
    await expect(enter({ host: other })).rejects.toThrow(/web-1 is being recovered, and not db-1/);
    expect(live.sh('cat /etc/resurgo/rescue.host').stdout).toBe('web-1\n');
  });

  test('that has mounted a disk at a place of its own is refused, and nothing is changed', async () => {
    clean();
    live.sh('truncate -s 4M /tmp/disk && mkfs.ext2 -q /tmp/disk && mount -o loop /tmp/disk /srv');
    try {
      await expect(enter()).rejects.toThrow(
        /no rescue Linux: ext[24] on the disk \/dev\/loop\d+ is mounted at \/srv.*Nothing was changed/,
      );
      expect(untouched()).toBe('');
    } finally {
      live.sh('umount -d /srv');
    }
  });

  test('is looked at once more by the script that changes it', async () => {
    clean();
    const script = await readScript('live-install');
    live.sh('truncate -s 4M /tmp/disk && mkfs.ext2 -q /tmp/disk && mount -o loop /tmp/disk /srv');
    try {
      const ran = live.sh(`set -- web-1\n${script}`);
      expect(ran).toMatchObject({ status: 3, stderr: expect.stringMatching(/is mounted at \/srv/) as string });
      expect(untouched()).toBe('');
    } finally {
      live.sh('umount -d /srv');
    }
  });

  test('that lacks a tool: it is named, with its package', async () => {
    clean();
    live.sh('mv /usr/sbin/sfdisk /usr/sbin/sfdisk.away');
    try {
      await expect(enter()).rejects.toThrow(
        /missing there: sfdisk .*run there: apt-get install .* fdisk; .*--install-packages/,
      );
      expect(untouched()).toBe('');
    } finally {
      live.sh('mv /usr/sbin/sfdisk.away /usr/sbin/sfdisk');
    }
  });

  describe('S30 its key', () => {
    beforeEach(clean);

    test.each<[string, Partial<LiveTrustOptions>, RegExp]>([
      [
        'nobody’s word',
        { fingerprint: undefined },
        /\[host-key-unknown\] Next: compare it on its own console.*--fingerprint/,
      ],
      ['another than was given', { fingerprint: 'SHA256:other' }, /and not SHA256:other \[host-key-changed\]/],
      [
        'refused by a person',
        { fingerprint: undefined, confirm: () => Promise.resolve(false) },
        /nobody has confirmed it/,
      ],
    ])('is %s: refused before a login', async (_name, trust, why) => {
      await expect(enter({ trust })).rejects.toThrow(why);
      expect(untouched()).toBe('');
      expect(knownHosts.places()).toEqual([]);
    });

    test('a person’s, the administrator’s or an earlier word is enough', async () => {
      await enter({ trust: { fingerprint: undefined, confirm: () => Promise.resolve(true) } });
      expect(knownHosts.placesOf(live.hostKey)).toEqual(['web-1.live']);
      await enter({ trust: { fingerprint: undefined } });
      await knownHosts.unpin({ host: liveAt({ host: HOST, at: '127.0.0.1' }).rescue });
      await enter({ trust: { fingerprint: undefined, adminKnownHosts: live.known } });
    });

    test('S24 is an enrolled host’s: that is no rescue system, whoever says so', async () => {
      await knownHosts.pin({ host: HOST, keys: [live.hostKey] });
      await expect(enter({ trust: { confirm: () => Promise.resolve(true) } })).rejects.toThrow(
        /is no rescue system: it shows the ssh host key .* of the enrolled host at 192\.0\.2\.1 \[still-there\]/,
      );
      expect(untouched()).toBe('');
    });
  });
});

describeAsRoot('S24 a server at a mistyped address', () => {
  const server = new BoxHost();
  beforeAll(() => server.start(), 30_000);
  afterAll(() => {
    server.box.close();
  });

  test('is refused before anything is changed', async () => {
    const stateDir = mkdtempSync(join(tmpdir(), 'resurgo-live-state-'));
    try {
      const knownHosts = await KnownHosts.open({ stateDir });
      const { rescue } = liveAt({ host: HOST, at: `127.0.0.1:${server.port}` });
      const entered = enterLive({
        ...{ host: HOST, rescue, user: 'root', knownHosts, keys: await ensureDirectorKeys({ stateDir }) },
        ...{ admin: server.admin(), layout: golden('gpt-bios-ext4'), installPackages: true, peers: new Map() },
        trust: liveTrust({ knownHosts, host: 'web-1', hosts: ['web-1'], adminKnownHosts: server.known }),
        log: () => undefined,
      });
      await expect(entered).rejects.toThrow(
        /is no rescue Linux: its root file system is \S+ on the disk \S+;.*Nothing was changed/,
      );
      expect(server.sh('ls /etc/resurgo /usr/local/lib/resurgo /var/lib/resurgo 2>/dev/null || :').stdout).toBe('');
      expect(knownHosts.places()).toEqual([]);
    } finally {
      rmSync(stateDir, { recursive: true });
    }
  });
});
