/** What makes the initramfs of a restored system of each family. */
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

    describe('its initramfs', () => {
      const debian = trees.DEBIAN_KERNEL;
      const ramfs = (system: System, args: Record<string, string> = {}, needs?: string) =>
        system.job('new-initramfs', args, needs === undefined ? {} : { needs });
      const NEWER = { 'boot/vmlinuz-6.12.9+bpo-amd64': 'kernel', 'usr/lib/modules/6.12.9+bpo-amd64/modules.dep': '' };

      test('Debian’s tool makes all that are there, and those of kernels that have none; its warnings are told', () => {
        const system = made(DEBIAN, NEWER);
        expect(ramfs(system)).toEqual({
          tool: 'update-initramfs',
          kernels: [debian.version, '6.12.9+bpo-amd64'],
          warnings: ['W: Possible missing firmware /lib/firmware/tigon/tg3.bin for module tg3'],
        });
        expect(system.calls()).toEqual(['update-initramfs -u -k all', 'update-initramfs -c -k 6.12.9+bpo-amd64']);
        expect(system.read('boot/initrd.img-6.12.9+bpo-amd64')).toBe('by update-initramfs');
      });

      test('what would be made the same is kept', () => {
        const system = made(DEBIAN);
        const before = system.read(debian.initramfs);
        expect(ramfs(system, { keep: '1' })).toEqual({
          tool: 'update-initramfs',
          kernels: [debian.version],
          kept: true,
          warnings: [],
        });
        expect(system.calls()).toEqual([`lsinitramfs /${debian.initramfs}`]);
        expect(system.read(debian.initramfs)).toBe(before);
      });

      test('one that was looked into is unpacked again only where it has been touched since', () => {
        const system = made(DEBIAN);
        const lists = () => system.calls().filter((each) => each.startsWith('lsinitramfs')).length;
        ramfs(system, { keep: '1' });
        ramfs(system, { keep: '1' });
        expect(lists()).toBe(1);
        const held = system.read(debian.initramfs);
        system.write(`new/web/${debian.initramfs}`, held.replaceAll('virtio_blk', 'virtio_bla'));
        expect(ramfs(system, { keep: '1' })).not.toHaveProperty('kept');
        expect(lists()).toBeGreaterThan(1);
      });

      test.each<[string, Record<string, string | null | undefined>, { needs?: string; fixed?: true; keep?: '0' }]>([
        ['nobody asks for it', {}, { keep: '0' }],
        ['the configuration was changed', {}, { fixed: true }],
        ['a driver is missing', {}, { needs: 'ext4 nvme dm_mod' }],
        ['what the root needs is not known', {}, { needs: '' }],
        ['a kernel has none', NEWER, {}],
        ['it can not be read', { 'usr/bin/lsinitramfs': undefined }, {}],
        [
          'it holds the drivers of the old machine alone',
          { 'etc/initramfs-tools/conf.d/driver-policy': '# by the installer\nMODULES=dep\n' },
          {},
        ],
        ['another’s tool has that name', { 'usr/sbin/mkinitramfs': undefined }, {}],
      ])('it is made anew where %s', (_, change, { needs, fixed, keep = '1' }) => {
        const system = made(DEBIAN, change);
        if (fixed === true) shell.run({ parts: [], script: `mkdir -p '${system.base}/var/runs/run-1/made'` });
        if (fixed === true) system.write('var/runs/run-1/made/fixed', '1796025408\n');
        expect(ramfs(system, { keep }, needs)).not.toHaveProperty('kept');
        expect(system.calls()).toContain('update-initramfs -u -k all');
        expect(system.read(debian.initramfs)).toBe('by update-initramfs');
      });

      test('dracut gets the drivers that it has as files, for each kernel with modules', () => {
        const system = made(FEDORA);
        expect(ramfs(system, { keep: '1' }, 'xfs virtio_blk dm_mod')).toEqual({
          tool: 'dracut',
          kernels: [trees.FEDORA_KERNEL.version],
          warnings: ["dracut-install: ERROR: installing 'blkmapd'"],
        });
        expect(system.calls()).toEqual([
          `dracut --force --kver ${trees.FEDORA_KERNEL.version} --add-drivers xfs virtio_blk`,
        ]);
        expect(system.read(trees.FEDORA_KERNEL.initramfs)).toBe('by dracut');
      });

      test('one of dracut is never kept, though it has all drivers: it may hold the old machine’s devices', () => {
        const system = made(DEBIAN, { 'usr/sbin/update-initramfs': undefined, 'usr/bin/dracut': '' });
        expect(ramfs(system, { keep: '1' })).toMatchObject({ tool: 'dracut' });
        expect(system.read(debian.initramfs)).toBe('by dracut');
      });

      test('SUSE’s names and places: dracut where it is there, mkinitrd of its own before that', () => {
        const leap = made(SUSE);
        expect(ramfs(leap, { keep: '1' }, 'btrfs virtio_blk dm_mod')).toMatchObject({ tool: 'dracut' });
        expect(leap.calls()).toEqual([
          `dracut --force --kver ${trees.SUSE_KERNEL.version} --add-drivers btrfs virtio_blk dm_mod`,
        ]);
        expect(leap.read(trees.SUSE_KERNEL.initramfs)).toBe('by dracut');
        const older = made(SUSE, { 'usr/bin/dracut': undefined });
        expect(ramfs(older)).toMatchObject({ tool: 'mkinitrd', kernels: [trees.SUSE_KERNEL.version] });
        expect(older.calls()).toEqual(['mkinitrd']);
        expect(older.read(trees.SUSE_KERNEL.initramfs)).toBe('by mkinitrd');
      });

      test.each<[string, Files, Record<string, string>, RegExp]>([
        ['fails', FEDORA, { fails: 'dracut' }, /^failed: dracut of the new system failed: dracut: I am broken/],
        [
          'makes none and says nothing',
          SUSE,
          { lazy: 'dracut' },
          /^failed: dracut made no initramfs of kernel 5\.14\.21-150500\.55\.44-default, and did not say so/,
        ],
        [
          'leaves the old one',
          DEBIAN,
          { lazy: 'update-initramfs' },
          /^failed: update-initramfs made no initramfs of kernel 6\.1\.0-50-amd64/,
        ],
      ])('a tool that %s: told', (_, tree, how, expected) => {
        const system = made(tree);
        for (const [file, text] of Object.entries(how)) system.write(file, text);
        expect(ramfs(system)).toMatch(expected);
      });

      test('without a tool, or a kernel, there is nothing to make', () => {
        expect(ramfs(made(SUSE, { 'usr/bin/dracut': undefined, 'sbin/mkinitrd': undefined }))).toMatch(
          /^missing-tool: /,
        );
        expect(ramfs(made(RHEL, { [trees.RHEL_KERNEL.image]: undefined }))).toMatch(/^not-found: /);
      });
    });
  });
});
