import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { layout } from '../../hosts/replies/reading';
import type { Facts } from '../../planning/layout-facts';
import { readLayout } from '../../planning/layout-read';
import { layoutSchema } from '../../planning/layout-schema';
import { foundMachine } from '../../planning/recover-found';
import { Box, SHELLS, describeAsRoot } from './support';
import type { Shell } from './support';

const layoutOf = (facts: Facts) => layoutSchema.parse(readLayout({ facts, host: 'app-1', capturedAt: new Date(0) }));

/** A line of the box's hostkit changed: its time-outs, or a tool's name. */
function changed(box: Box, file: string, from: string | RegExp, to: string): void {
  const at = box.file(`lib/resurgo/lib/${file}`);
  const text = fs.readFileSync(at, 'utf8');
  const now = text.replace(from, to);
  if (now === text) throw new Error(`${file} has no ${String(from)}`);
  fs.writeFileSync(at, now);
}

/** A program in the place where the hostkit looks first. */
function stub(box: Box, name: string, script: string): void {
  box.runs(
    'sh',
    [
      '-euc',
      'mountpoint -q /usr/local/sbin || mount -t tmpfs none /usr/local/sbin; cat >"/usr/local/sbin/$1"',
      'sh',
      name,
    ],
    script,
  );
  box.runs('chmod', ['0755', `/usr/local/sbin/${name}`]);
}

describeAsRoot('what a host tells of its layout', () => {
  describe.each(SHELLS)('under %s', (shell: Shell) => {
    let box: Box;
    beforeEach(() => {
      box = new Box({ shell });
    });
    afterEach(() => {
      box.close();
    });
    const asked = () => layout.parse(box.ask('layout')).facts;

    it('of this machine, and nothing of it is changed', () => {
      const folders = () => box.runs('sh', ['-c', 'ls -d /tmp/tmp.*/facts']).stdout;
      const left = folders();
      const before = box.snapshot();
      const facts = asked();
      expect(box.snapshot()).toBe(before);
      const told = layoutOf(facts);
      expect(told.system.os.id).toBe(/^ID="?([a-z]+)/m.exec(fs.readFileSync('/etc/os-release', 'utf8'))?.[1]);
      expect(told.system.kernel).toBe(spawnSync('uname', ['-r']).stdout.toString().trim());
      expect(facts['lsblk']).toMatchObject({ exit: 0, cut: false });
      expect(facts['ip-link']).toMatchObject({ exit: 0 });
      expect(told.mounts.every(({ path: at }) => at.startsWith('/'))).toBe(true);
      // Folders of a request's own go with it.
      expect(folders()).toBe(left);
    });

    it('a part of it, where just that is asked for', () => {
      const whole = Object.keys(asked());
      const some = Object.keys(layout.parse(box.ask('layout', { part: 'network' })).facts);
      expect(some).toEqual(expect.arrayContaining(['ip-link', 'ip-addr', 'drivers']));
      expect(some.length).toBeLessThan(whole.length / 2);
      expect(whole).toEqual(expect.arrayContaining(some));
    });

    it('output of any kind breaks no reply, and is kept byte for byte', () => {
      stub(
        box,
        'ip',
        `#!/bin/sh\nprintf '"}],\\\\\\n\\033[31m\\000\\377%s' "\${0##*/}"; printf 'trouble "\\n' >&2; exit 3\n`,
      );
      const { 'ip-link': link } = asked();
      expect(link).toEqual({ exit: 3, out: '"}],\\\n\u001b[31m\u0000\u00ffip', err: 'trouble "\n', cut: false });
    });

    it('what is too long is cut, and says so', () => {
      changed(box, 'facts.sh', 'FACTS_MOST=262144', 'FACTS_MOST=100');
      stub(box, 'ip', '#!/bin/sh\nwhile :; do echo 123456789; done\n');
      const { 'ip-link': link } = asked();
      expect(link?.out).toHaveLength(100);
      expect(link?.cut).toBe(true);
    });

    it('a tool that is missing or hangs is a fact, and the others are told', () => {
      changed(box, 'facts.sh', 'FACTS_TOOL_S=20', 'FACTS_TOOL_S=1');
      changed(box, 'layout-system.sh', 'fact virt systemd-detect-virt', 'fact virt no-such-tool');
      stub(box, 'ip', '#!/bin/sh\ncase $* in *link*) sleep 60 ;; *) echo "[]" ;; esac\n');
      const facts = asked();
      expect(facts['virt']).toEqual({ exit: 127, out: '', err: 'no-such-tool is not installed', cut: false });
      expect(facts['ip-link']?.exit).toBe(137);
      expect(facts['ip-addr']).toMatchObject({ exit: 0, out: '[]\n' });
    });

    it('once their time is over, the rest is not asked, and there is an answer', () => {
      changed(box, 'facts.sh', 'FACTS_ALL_S=100', 'FACTS_ALL_S=0');
      const facts = asked();
      expect(facts['lsblk']).toMatchObject({ exit: 124, err: expect.stringMatching(/^not asked/) as unknown });
      expect(layoutOf(facts).limits).toContainEqual(expect.objectContaining({ what: 'the disks', weight: 'fatal' }));
    });

    it('S27 of configuration all but what may be a secret', () => {
      const files: Record<string, string> = {
        fstab: '//nas/x /mnt cifs user=me,password=HUSH1,uid=5 0 0\nUUID=1 / ext4 defaults 0 1\n',
        crypttab: 'data UUID=2 /etc/keys/passwords.key luks\n',
        'network/interfaces': 'iface wlan0 inet dhcp\n  wpa-ssid home\n  wpa-psk HUSH2\n  wireless-key HUSH3\n',
        'netplan/01.yaml':
          'network:\n  wifis:\n    wlan0:\n      access-points:\n        "home":\n          password: "HUSH4"\n  tunnels:\n    wg0:\n      key: HUSH5\n      peers:\n      - keys: {shared: HUSH6}\n  ethernets:\n    ens3:\n      addresses: [192.0.2.9/24]\n',
        'systemd/network/wg0.netdev':
          '[WireGuard]\nPrivateKey=HUSH7\nListenPort=51820\n[WireGuardPeer]\nPresharedKey=HUSH8\n',
        'sysconfig/network-scripts/ifcfg-wlan0': 'DEVICE=wlan0\nKEY1=HUSH9\nWPA_PSK=HUSHA\n',
        'NetworkManager/system-connections/a.nmconnection':
          '[connection]\nid=home\ntype=wifi\n\n[wifi-security]\nkey-mgmt=wpa-psk\npsk=HUSHB\n\n[ipv4]\nmethod=manual\naddress1=192.0.2.8/24\n\n[vpn-secrets]\nany=HUSHC\n\n[wireguard]\nprivate-key=HUSHD\n\n[wireguard-peer.x]\npreshared-key=HUSHE\n',
        'default/grub': 'GRUB_CMDLINE_LINUX="rd.luks.key=/etc/k quiet"\n',
      };
      for (const [name, text] of Object.entries(files)) {
        fs.mkdirSync(path.dirname(box.file(`etc/${name}`)), { recursive: true });
        fs.writeFileSync(box.file(`etc/${name}`), text);
      }
      const facts = asked();
      expect(JSON.stringify(facts)).not.toContain('HUSH');
      const text = (name: string) => facts[`config:/etc/${name}`]?.out ?? '';
      expect(text('fstab')).toBe(files['fstab']?.replace('HUSH1', 'LEFT-OUT'));
      expect(text('crypttab')).toBe(files['crypttab']);
      expect(text('default/grub')).toBe(files['default/grub']);
      expect(text('network/interfaces')).toContain('wpa-ssid home');
      expect(text('netplan/01.yaml')).toContain('addresses: [192.0.2.9/24]');
      expect(text('systemd/network/wg0.netdev')).toContain('ListenPort=51820');
      expect(text('NetworkManager/system-connections/a.nmconnection')).toContain('address1=192.0.2.8/24');
    });

    it('disks by the kernel’s own words, which need no udev and are those that a recovery’s steps know them by', () => {
      const page = (head: string, text: string) => Buffer.concat([Buffer.from(head, 'hex'), Buffer.from(text)]);
      const usb = 'devices/pci0000:00/usb1/1-1';
      const files: Record<string, string | Buffer> = {
        'block/sda/size': '2048\n',
        'block/sda/device/vpd_pg80': page('00800014', '      WD-WX11 A0001\0'),
        'block/sda/device/vpd_pg83': page('0083000f0200000b', 'not-this-one'),
        'block/sda/device/wwid': 'naa.50014ee2b5c1d2e3\n',
        'block/nvme0n1/size': '4096\n',
        'block/nvme0n1/device/serial': 'S5H9NS0N123456A     \n',
        'block/nvme0n1/wwid': 'eui.0025385b01234567\n',
        'block/vda/size': '8\n',
        'block/vda/device/vendor': '0x1af4\n',
        'block/vda/serial': 'my%disk\u00e9\n',
        'block/sdb/size': '8\n',
        // A target port's name before the disk's own: only the latter counts.
        'block/sdb/device/vpd_pg83': page('0083001b02100004706f72740200000b', 'drive-scsi0'),
        'block/sdb/device/wwid': 't10.QEMU    QEMU HARDDISK   drive-scsi0\n',
        'block/sdc/size': '0\n',
        [`${usb}/idVendor`]: '0781\n',
        [`${usb}/serial`]: '4C530001\n',
        'block/sdd/size': '8\n',
        'block/sdd/device/type': '0\n',
        'block/sdd/diskseq': '7\n',
        'block/sde/size': '8\n',
        'block/sde/device/type': '0\n',
        // A disk that says what it is needs no number.
        'block/sda/diskseq': '3\n',
        'block/loop0/size': '8\n',
      };
      for (const [name, content] of Object.entries(files)) {
        fs.mkdirSync(path.dirname(box.file(`sys/${name}`)), { recursive: true });
        fs.writeFileSync(box.file(`sys/${name}`), content);
      }
      fs.mkdirSync(box.file(`sys/${usb}/host6/6:0:0:0`), { recursive: true });
      fs.symlinkSync(`../../${usb}/host6/6:0:0:0`, box.file('sys/block/sdc/device'));
      expect(box.runs('mount', ['--bind', box.file('sys'), '/sys']).status).toBe(0);
      const bootId = fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
      expect(asked()['disks']?.out.trim().split('\n').sort()).toEqual([
        'nvme0n1 2097152 S5H9NS0N123456A eui.0025385b01234567',
        'sda 1048576 WD-WX11%20A0001 0x50014ee2b5c1d2e3',
        'sdb 4096 drive-scsi0 -',
        'sdc 0 4C530001 -',
        `sdd 4096 - - this-boot:${bootId}:7`,
        'sde 4096 - -',
        'vda 4096 my%25disk -',
      ]);
    });

    it('what makes it boot: programs, kernels with modules, and what GRUB’s files are there for', () => {
      const files = {
        'modules/6.1.0-1-amd64/modules.dep': '',
        'modules/6.1.0-2-amd64/kernel/fs/x.ko': '',
        // Left behind by a package that is gone.
        'modules/5.10.0-1-amd64/modules.builtin.bin': '',
        'grub/i386-pc/modinfo.sh': '',
        'grub/x86_64-efi/modinfo.sh': '',
        'grub/x86_64-efi-signed/grubx64.efi.signed': '',
      };
      for (const [name, text] of Object.entries(files)) {
        fs.mkdirSync(path.dirname(box.file(name)), { recursive: true });
        fs.writeFileSync(box.file(name), text);
      }
      changed(box, 'layout-system.sh', 'modules_at=/usr/lib/modules', `modules_at=${box.file('modules')}`);
      changed(box, 'layout-system.sh', '/usr/lib/grub/*', `${box.file('grub')}/*`);
      changed(box, 'layout-system.sh', '/usr/lib/grub2/* /usr/share/grub/* /usr/share/grub2/*', '/none/*');
      for (const name of ['mkinitrd', 'lsinitrd']) stub(box, name, '#!/bin/sh\n');
      const facts = asked();
      expect(facts['boot-modules']).toMatchObject({ exit: 0, out: '6.1.0-1-amd64\n6.1.0-2-amd64\n' });
      expect(facts['grub-platforms']).toMatchObject({ exit: 0, out: 'i386-pc\nx86_64-efi\n' });
      expect(facts['boot-tools']?.out).toMatch(/^mkinitrd \/usr\/local\/sbin\/mkinitrd$/m);
      const { remake } = layoutOf(facts).boot;
      expect(remake).toMatchObject({
        moduleVersions: ['6.1.0-1-amd64', '6.1.0-2-amd64'],
        grubPlatforms: ['i386-pc', 'x86_64-efi'],
      });
      // The jobs look where packages put their programs.
      expect(remake?.tools).not.toContain('mkinitrd');
    });

    it('more files than are kept are said to be more', () => {
      changed(box, 'layout-configs.sh', 'CONFIGS_MOST=300', 'CONFIGS_MOST=1');
      fs.writeFileSync(box.file('etc/fstab'), 'UUID=1 / ext4 defaults 0 1\n');
      expect(layoutOf(asked()).limits).toContainEqual(expect.objectContaining({ what: 'configuration' }));
    });

    it('a file that is larger than is kept says so by its exit, and is a limit', () => {
      fs.writeFileSync(box.file('etc/fstab'), '# x\n'.repeat(20_000));
      const facts = asked();
      expect(facts['config:/etc/fstab']?.exit).toBe(1);
      expect(layoutOf(facts).limits).toContainEqual(expect.objectContaining({ what: '/etc/fstab' }));
    });
  });
});

describeAsRoot('a disk with real file systems', () => {
  let box: Box;
  let loop: string;
  const image = () => box.file('disk.img');
  const run = (command: string, ...args: string[]) => {
    const ran = box.runs(command, args);
    if (ran.status !== 0) throw new Error(`${command} ${args.join(' ')}: ${ran.stderr}`);
    return ran.stdout;
  };

  beforeAll(() => {
    box = new Box({ shell: 'dash' });
    fs.closeSync(fs.openSync(image(), 'w'));
    fs.truncateSync(image(), 1024 ** 3);
    const table =
      'label: gpt\nsize=40M,type=U,name="EFI x"\nsize=100M,type=L,attrs=LegacyBIOSBootable\nsize=320M,type=L\nsize=320M,type=L\nsize=20M,type=S\n';
    expect(box.runs('sfdisk', ['-q', image()], table).status).toBe(0);
    loop = run('losetup', '-f', '--show', image()).trim();
    // Partitions that are added by hand outlive the loop device, and so a test that was killed.
    spawnSync('partx', ['-d', loop]);
    // The kernels of some machines know no partition tables.
    run('partx', '-a', loop);
    run('mkfs.vfat', '-F', '32', '-n', 'EFI', `${loop}p1`);
    run('mkfs.ext4', '-q', '-L', 'a "b\\', '-m', '2', `${loop}p2`);
    run('mkfs.xfs', '-q', '-L', 'xfs', `${loop}p3`);
    run('mkfs.btrfs', '-q', '-L', 'butter', `${loop}p4`);
    run('mkswap', '-L', 'swap', `${loop}p5`);
    run(
      'sh',
      '-euc',
      `cd "$1"; mkdir -p root x "sp ace" b; mount ${loop}p2 root; mount ${loop}p3 "sp ace"; mount ${loop}p4 b
      btrfs -q subvolume create b/@; mkdir b/@/var; btrfs -q subvolume create b/@/var/db; chattr +C b/@/var/db; btrfs -q subvolume snapshot -r b/@ b/snap
      umount b; mount -o subvol=@ ${loop}p4 b`,
      'sh',
      box.file('var'),
    );
    // The one thing that is not real: this loop device passes for a disk, and the machine's own are left out.
    const own = loop.slice('/dev/'.length);
    stub(
      box,
      'lsblk',
      `#!/bin/sh\n/usr/bin/lsblk "$@" /dev/${own} | sed -e 's/"loop"/"disk"/' -e 's/^\\(\\/dev\\/${own}\\) loop$/\\1 disk/'\n`,
    );
  });
  afterAll(() => {
    box.runs('sh', ['-c', 'umount "$1"/root "$1/sp ace" "$1"/b', 'sh', box.file('var')]);
    spawnSync('partx', ['-d', loop]);
    spawnSync('losetup', ['-d', loop]);
    box.close();
  });

  it('is read down to its mount points', () => {
    const own = loop.slice('/dev/'.length);
    const told = layoutOf(layout.parse(box.ask('layout')).facts);
    expect(told.disks).toMatchObject([{ name: own, bytes: 1024 ** 3, sectorBytes: 512 }]);
    expect(told.tables).toMatchObject([{ kind: 'gpt', on: `disk:${own}`, firstByte: 1_048_576, entries: 128 }]);
    expect(
      told.partitions.map(({ number, startByte, bytes, name, attributes }) => [
        number,
        startByte,
        bytes,
        name,
        attributes,
      ]),
    ).toEqual([
      [1, 1_048_576, 40 * 1_048_576, 'EFI x', []],
      [2, 41 * 1_048_576, 100 * 1_048_576, null, ['LegacyBIOSBootable']],
      [3, 141 * 1_048_576, 320 * 1_048_576, null, []],
      [4, 461 * 1_048_576, 320 * 1_048_576, null, []],
      [5, 781 * 1_048_576, 20 * 1_048_576, null, []],
    ]);
    const on = (number: number) => told.fileSystems.find((each) => each.on === `part:${own}p${number}`);
    expect(on(1)).toMatchObject({
      label: 'EFI',
      usedBytes: null,
      make: { type: 'vfat', fatBits: 32, clusterBytes: 512 },
    });
    expect(on(2)).toMatchObject({
      label: 'a "b\\',
      bytes: 100 * 1_048_576,
      make: { type: 'ext4', reservedBlocks: 2048 },
    });
    expect(on(2)?.usedBytes).toBeGreaterThan(0);
    expect(on(3)).toMatchObject({ label: 'xfs', make: { type: 'xfs', blockBytes: 4096, external: [] } });
    expect(on(4)).toMatchObject({
      label: 'butter',
      make: {
        type: 'btrfs',
        profiles: { data: 'single', metadata: 'dup' },
        members: [{ on: `part:${own}p4`, number: 1, bytes: 320 * 1_048_576 }],
        subvolumes: [
          { path: '@', readOnly: false, noDataCow: false, snapshot: false },
          { path: '@/var/db', readOnly: false, noDataCow: true, snapshot: false },
          { path: 'snap', readOnly: true, noDataCow: false, snapshot: true },
        ],
        defaultSubvolume: 5,
      },
    });
    expect(told.swaps).toMatchObject([{ on: `part:${own}p5`, label: 'swap' }]);
    const points = new Map(told.mounts.map((each) => [each.path, each]));
    expect(points.get(box.file('var/sp ace'))).toMatchObject({ fileSystem: on(3)?.id, inFstab: false });
    expect(points.get(box.file('var/b'))).toMatchObject({ fileSystem: on(4)?.id, subvolume: '@' });
    expect(told.limits.filter(({ what }) => what.startsWith(own))).toEqual([]);
  });

  it('no file system is mounted for it, but in the rescue system, where stores and rescue media are looked for', () => {
    const outside = layout.parse(box.ask('layout')).facts;
    expect(['media', 'tools', 'kernel-modules', 'built-for'].filter((name) => name in outside)).toEqual([]);
    fs.writeFileSync(box.file('etc/resurgo/rescue.layout'), 'the sum\n');
    fs.cpSync(path.join(__dirname, '../../hostkit/rescue/lib'), box.file('lib/resurgo/lib'), { recursive: true });
    const own = loop.slice('/dev/'.length);
    run(
      'sh',
      '-euc',
      `cd "$1"; umount root "sp ace" b
      mount ${loop}p2 root; mkdir root/.disk; echo "Resurgo rescue system" >root/.disk/mini-info; umount root
      mount ${loop}p3 root; mkdir -p root/srv/store; : >root/srv/store/.resurgo-store; umount root
      mount ${loop}p4 root; mkdir -p root/@/srv; : >root/@/srv/.resurgo-store; umount root`,
      'sh',
      box.file('var'),
    );
    // Whatever is written to the device is written to its file.
    const written = () => {
      run('sync');
      return fs.statSync(image()).mtimeMs;
    };
    const before = written();
    const facts = layout.parse(box.ask('layout')).facts;
    // Not every kernel that tests run on knows FAT: then it is told that nobody could look.
    const media = facts['media']?.out.replace(`${own}p1 unknown\n`, '');
    expect(media).toBe(`${own}p2 rescue\n${own}p3 store\n${own}p4 store\n`);
    const found = foundMachine({ facts });
    // Those that look up a device are declared in the library itself.
    expect([found.builtFor, found.tools?.programs.has('blockdev'), found.tools?.modules.has('proc')]).toEqual([
      'the sum',
      true,
      true,
    ]);
    const [disk] = found.disks;
    expect(disk?.inUse).toEqual(['it holds the rescue system', 'it holds a store of backups']);
    expect(disk?.contents.filter((each) => !each.startsWith('nobody'))).toEqual([
      'GPT with 5 partitions',
      `vfat “EFI” on ${own}p1`,
      `ext4 “a "b\\” on ${own}p2`,
      `xfs “xfs” on ${own}p3`,
      `btrfs “butter” on ${own}p4`,
      `swap “swap” on ${own}p5`,
    ]);
    expect(written()).toBe(before);
  });
});
