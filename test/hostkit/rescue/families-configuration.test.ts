/** What of the configuration of a restored system of each family is written anew for this machine. */
import { readFileSync } from 'node:fs';
import * as path from 'node:path';
import { encodeValue } from '../../../hosts/request';
import type { Layout } from '../../../planning/layout-schema';
import { planFixes } from '../../../planning/recover-fix';
import { sha256Hex } from '../../../planning/sha256';
import { LayoutKit } from '../../planning/layout-builder';
import { describeAsRoot, SHELLS } from '../support';
import { System } from './family-system';
import { useRescueShell } from './kit';
import * as trees from './trees';
import { changed, DEBIAN, FEDORA, RHEL, SUSE, type Files } from './trees';

describeAsRoot('a restored system of each family', () => {
  describe.each(SHELLS)('%s', (name) => {
    const shell = useRescueShell(name);
    const made = (tree: Files, change: Record<string, string | null | undefined> = {}) =>
      new System(shell, changed(tree, change));

    describe('its configuration', () => {
      const edit = (file: string, before: string | null, after: string): string =>
        `${encodeValue(file)} ${before === null ? '-' : sha256Hex(before)} ${Buffer.from(after).toString('base64')}\n`;
      const fix = (system: System, ...lines: string[]) =>
        system.job('new-fix', { edits: Buffer.from(lines.join('')).toString('base64') });
      const isMarked = (system: System): boolean => system.has('var/runs/run-1/made/fixed');
      const NOTHING = { written: [], was: [], left: [], relabel: false, notes: [] };

      test('where nothing is changed nothing says so: its initramfs may be kept', () => {
        const system = made(DEBIAN);
        expect(fix(system)).toEqual(NOTHING);
        const fstab = DEBIAN['etc/fstab'] ?? '';
        expect(fix(system, edit('/etc/fstab', 'old', fstab))).toEqual({ ...NOTHING, was: ['/etc/fstab'] });
        const left = fix(system, edit('/etc/fstab', 'as it was never', 'new'), edit('/etc/initramfs-tools', null, 'x'));
        expect(left).toMatchObject({ written: [], left: [{ path: '/etc/fstab' }, { path: '/etc/initramfs-tools' }] });
        expect(isMarked(system)).toBe(false);
        expect(system.read('etc/fstab')).toBe(fstab.trimEnd());
      });

      test('what is changed, or new, is written, and noted for the initramfs that must be newer', () => {
        const system = made(DEBIAN);
        const before = Math.floor(Date.now() / 1000);
        expect(
          fix(
            system,
            edit('/etc/fstab', DEBIAN['etc/fstab'] ?? '', 'new\n'),
            edit('/etc/systemd/network/10-x.link', null, 'link\n'),
          ),
        ).toEqual({ ...NOTHING, written: ['/etc/fstab', '/etc/systemd/network/10-x.link'] });
        expect([system.read('etc/fstab'), system.read('etc/systemd/network/10-x.link')]).toEqual(['new', 'link']);
        expect(system.has('new/web/etc/fstab.resurgo-new')).toBe(false);
        const noted = Number(readFileSync(path.join(system.base, 'var/runs/run-1/made/fixed'), 'utf8'));
        expect(noted).toBeGreaterThanOrEqual(before);
        expect(system.job('new-initramfs', { keep: '1' })).not.toHaveProperty('kept');
      });

      test.each<[string, Files, string, boolean]>([
        ['Debian 12', DEBIAN, 'usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-252.so', false],
        [
          'Fedora 40',
          changed(FEDORA, { 'etc/lvm/devices/system.devices': undefined }),
          'usr/lib/systemd/libsystemd-shared-255.4-1.fc40.so',
          false,
        ],
        ['one of before systemd 240', DEBIAN, 'lib/systemd/libsystemd-shared-239.so', true],
        ['one without systemd', DEBIAN, 'etc/motd', true],
      ])(
        'what ties a card to its name asks for a new initramfs where its udev wants that: %s',
        (_, tree, lib, expected) => {
          const system = made(tree, { ...(lib.startsWith('lib/') ? { lib: undefined } : {}), [lib]: '' });
          expect(fix(system, edit('/etc/systemd/network/10-resurgo-enp1s0.link', null, 'link\n'))).toMatchObject({
            written: ['/etc/systemd/network/10-resurgo-enp1s0.link'],
          });
          expect(isMarked(system)).toBe(expected);
        },
      );

      test('SELinux labels all files at the first boot, also where it only watches, and not where it is off', () => {
        for (const tree of [FEDORA, RHEL]) {
          const system = made(tree);
          expect(fix(system)).toMatchObject({ relabel: true });
          expect(system.has('new/web/.autorelabel')).toBe(true);
        }
        const off = made(FEDORA, { 'etc/selinux/config': '#SELINUX=enforcing\nSELINUX=disabled\n' });
        expect(fix(off)).toMatchObject({ relabel: false });
        expect([off.has('new/web/.autorelabel'), made(SUSE).has('new/web/.autorelabel')]).toEqual([false, false]);
      });

      test('S22 the mark for SELinux is not written through a link that came with the data', () => {
        const system = made(FEDORA, { '.autorelabel': '-> ../../precious' });
        system.write('precious', 'of the rescue system');
        expect(fix(system)).toMatch(/^not-allowed: .*\.autorelabel is a symbolic link/);
        expect(readFileSync(path.join(system.base, 'precious'), 'utf8')).toBe('of the rescue system');
      });

      test('LVM’s list of the old disks is put aside, once, and that is a change', () => {
        const system = made(FEDORA);
        const list = system.read('etc/lvm/devices/system.devices');
        expect(fix(system)).toMatchObject({ notes: [expect.stringContaining('vgimportdevices -a')] });
        expect(system.has('new/web/etc/lvm/devices/system.devices')).toBe(false);
        expect(system.read('etc/lvm/devices/system.devices.before-recovery')).toBe(list);
        expect(isMarked(system)).toBe(true);
        expect(fix(system)).toMatchObject({ notes: [] });
        expect(system.read('etc/lvm/devices/system.devices.before-recovery')).toBe(list);
      });

      /** What the director finds to change in a tree, as the layout of its backup tells the files. */
      function planned(tree: Files, card: string): { lines: string[]; root: string; swap: string } {
        const built = new LayoutKit({ firmware: 'bios' })
          .disk('sda', 40, { byId: ['ata-OLD_1'] })
          .gpt('disk:sda', ['1M bios', '20G linux', '* swap'])
          .ext4('part:sda2', '/')
          .swap('part:sda3')
          .build();
        const face: Layout['network']['interfaces'][number] = {
          ...{ name: card, kind: 'ethernet', mac: '52:54:00:aa:00:01', permanentMac: null, up: true, mtu: 1500 },
          ...{ addresses: [], dynamic: true, driver: null, vlan: null, bond: null, bridge: null },
        };
        const configs = Object.entries(tree).flatMap(([file, text]) =>
          text === null || !/^(?:etc|boot\/loader)\//.test(file)
            ? []
            : [{ path: `/${file}`, text, sha256: sha256Hex(text) }],
        );
        const layout = { ...built, configs, network: { ...built.network, interfaces: [face] } };
        const { edits } = planFixes({ layout, cards: [{ mac: '52:54:00:bb:cc:dd', up: true }] });
        const lines = edits.map(({ path: file, before, after }) => edit(file, before, after));
        return { lines, root: layout.fileSystems[0]?.uuid ?? '?', swap: layout.swaps[0]?.uuid ?? '?' };
      }

      test('RHEL: fstab, entries of the boot loader specification, default/grub and ifcfg', () => {
        const system = made(RHEL);
        const { lines, root, swap } = planned(RHEL, 'enp1s0');
        expect(fix(system, ...lines)).toMatchObject({ left: [], relabel: true });
        expect(system.read('etc/fstab')).toBe(`UUID=${root} / xfs defaults 0 0\nUUID=${swap} none swap defaults 0 0`);
        const entry = `boot/loader/entries/0123456789abcdef0123456789abcdef-${trees.RHEL_KERNEL.version}.conf`;
        expect(system.read(entry)).toContain(`options root=UUID=${root} ro crashkernel=`);
        expect(system.read(entry)).toContain(`resume=UUID=${swap} $tuned_params`);
        expect(system.read('etc/default/grub')).toContain(`resume=UUID=${swap}"`);
        expect(system.read('etc/sysconfig/network-scripts/ifcfg-enp1s0')).toContain('HWADDR=52:54:00:BB:CC:DD');
      });

      test('Fedora: NetworkManager’s connection; names of volumes stay', () => {
        const system = made(FEDORA);
        fix(system, ...planned(FEDORA, 'enp1s0').lines);
        expect(system.read('etc/NetworkManager/system-connections/enp1s0.nmconnection')).toContain(
          '[ethernet]\nmac-address=52:54:00:BB:CC:DD\n',
        );
        expect(system.read('etc/fstab')).toBe(FEDORA['etc/fstab']?.trimEnd());
      });

      test('openSUSE: names of connectors in fstab and default/grub, and the rule that names its card', () => {
        const system = made(SUSE);
        const { lines, root, swap } = planned(SUSE, 'eth0');
        expect(fix(system, ...lines)).toMatchObject({ left: [], relabel: false });
        expect(system.read('etc/fstab')).toBe(`UUID=${root} / btrfs defaults 0 0\nUUID=${swap} swap swap defaults 0 0`);
        expect(system.read('etc/default/grub')).toContain(`resume=UUID=${swap} quiet`);
        expect(system.read('etc/udev/rules.d/70-persistent-net.rules')).toContain('ATTR{address}=="52:54:00:bb:cc:dd"');
        expect(system.read('etc/sysconfig/network/ifcfg-eth0')).toBe(
          SUSE['etc/sysconfig/network/ifcfg-eth0']?.trimEnd(),
        );
      });
    });
  });
});
