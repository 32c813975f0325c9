/** What makes a restored system of each family boot: GRUB, the EFI side, what stays as it came. */
import { describeAsRoot, SHELLS } from '../support';
import { disk, System } from './family-system';
import { useRescueShell } from './kit';
import * as trees from './trees';
import { changed, DEBIAN, DEBIAN_ESP, FEDORA, RHEL, SUSE, type Files } from './trees';

describeAsRoot('a restored system of each family', () => {
  describe.each(SHELLS)('%s', (name) => {
    const shell = useRescueShell(name);
    const made = (tree: Files, change: Record<string, string | null | undefined> = {}) =>
      new System(shell, changed(tree, change));

    describe('its boot loader', () => {
      const loader = (system: System, args: Record<string, string>, more: Parameters<System['job']>[2] = {}) =>
        system.job('new-bootloader', { id: '', disks: '', esps: '', ...args }, more);
      const NO_VARIABLES = expect.stringContaining('no boot entry was written') as string;

      test.each<[string, Files, string, string]>([
        ['Debian', DEBIAN, 'grub-install', 'update-grub'],
        ['RHEL', RHEL, 'grub2-install', 'grub2-mkconfig -o /boot/grub2/grub.cfg'],
        ['openSUSE', SUSE, 'grub2-install', 'grub2-mkconfig -o /boot/grub2/grub.cfg'],
      ])('%s by BIOS: boot code on each disk, then the configuration', (_, tree, install, configure) => {
        const system = made(tree);
        const args = { firmware: 'bios', disks: `${disk('vda')}\n${disk('vdb')}` };
        expect(loader(system, args, { disks: ['vda', 'vdb', 'vdc'] })).toEqual({
          disks: ['/dev/vda', '/dev/vdb'],
          entry: '',
          warnings: [],
        });
        expect(system.calls()).toEqual([
          `${install} --target=i386-pc --recheck /dev/vda`,
          `${install} --target=i386-pc --recheck /dev/vdb`,
          configure,
        ]);
      });

      const CFG = DEBIAN['boot/grub/grub.cfg'] ?? '';
      const [UUID = ''] = /[0-9a-f-]{36}/.exec(CFG) ?? [];
      const NAMED = { [`dev/disk/by-uuid/${UUID}`]: '-> ../../vda2' };

      test('a configuration that names only what is here stays', () => {
        const initrd = `initrd /boot/ucode /${trees.DEBIAN_KERNEL.initramfs}\n`;
        const system = made(DEBIAN, { ...NAMED, 'boot/ucode': '', 'boot/grub/grub.cfg': `${CFG}${initrd}` });
        const args = { firmware: 'bios', disks: disk('vda'), keep: '1' };
        expect(loader(system, args, { disks: ['vda'] })).toMatchObject({ kept: true, disks: ['/dev/vda'] });
        expect(system.calls()).toEqual(['grub-install --target=i386-pc --recheck /dev/vda']);
      });

      test.each<[string, Record<string, string | null | undefined>, { fixed?: true; keep?: '0' }]>([
        ['nobody asks for it', NAMED, { keep: '0' }],
        ['the configuration was changed', NAMED, { fixed: true }],
        ['the root is another', {}, {}],
        [
          'a root is named by the kernel’s name of a disk',
          { ...NAMED, 'boot/grub/grub.cfg': `${CFG}linux /boot/vmlinuz-6.1.0-50-amd64 root=/dev/sda2\n` },
          {},
        ],
        [
          'a kernel is gone, whatever else lies there',
          {
            ...NAMED,
            'boot/grub/grub.cfg': `${CFG}linux /boot/vmlinuz-gone root=UUID=${UUID}\n`,
            'boot/loader/entries/x.conf': `linux /vmlinuz-6.1.0-50-amd64\noptions root=UUID=${UUID}\n`,
          },
          {},
        ],
        ['an initramfs is gone', { ...NAMED, 'boot/grub/grub.cfg': `${CFG}initrd /boot/initrd.img-gone\n` }, {}],
        ['it names no kernel', { ...NAMED, 'boot/grub/grub.cfg': 'menuentry x {\n}\n' }, {}],
      ])('it is made anew where %s', (_, change, { fixed, keep = '1' }) => {
        const system = made(DEBIAN, change);
        if (fixed === true) shell.run({ parts: [], script: `mkdir -p '${system.base}/var/runs/run-1/made'` });
        if (fixed === true) system.write('var/runs/run-1/made/fixed', '1796025408\n');
        const args = { firmware: 'bios', disks: disk('vda'), keep };
        expect(loader(system, args, { disks: ['vda'] })).not.toHaveProperty('kept');
        expect(system.calls()).toContain('update-grub');
      });

      test('no boot code is written where one of the disks is another', () => {
        const system = made(DEBIAN);
        const args = { firmware: 'bios', disks: `${disk('vda')}\n${disk('vdb')}` };
        expect(loader(system, args, { disks: ['vda'] })).toMatch(/^identity-changed: 0 disks/);
        expect(system.calls()).toEqual([]);
      });

      test('a loader’s program that fails is told with what it said', () => {
        const system = made(RHEL);
        system.write('fails', 'grub2-mkconfig');
        expect(loader(system, { firmware: 'bios', disks: disk('vda') }, { disks: ['vda'] })).toMatch(
          /^failed: grub2-mkconfig of the new system failed: .*I am broken/,
        );
        expect(loader(made(RHEL, { 'usr/sbin/grub2-install': undefined }), { firmware: 'bios' })).toMatch(
          /^missing-tool/,
        );
      });

      test('Fedora by UEFI: the loaders of its packages stay, the entry names its shim, the configuration is the one in /boot', () => {
        const system = made(FEDORA);
        const stub = system.read('boot/efi/EFI/fedora/grub.cfg');
        expect(loader(system, { firmware: 'uefi', id: 'fedora' }, { efi: '' })).toEqual({
          disks: [],
          entry: 'Boot0007',
          warnings: [],
        });
        expect(system.calls().filter((line) => !line.startsWith('efibootmgr -v'))).toEqual([
          'efibootmgr --quiet --create --disk /dev/vda --part 1 --label fedora --loader \\EFI\\fedora\\shimx64.efi',
          'grub2-mkconfig -o /boot/grub2/grub.cfg',
        ]);
        expect(system.read('boot/efi/EFI/fedora/grub.cfg')).toBe(stub);
        expect(system.read('boot/efi/EFI/BOOT/BOOTX64.EFI')).toBe('MZ shim');
        expect(system.has('new/web/boot/efi/EFI/BOOT/grubx64.efi')).toBe(false);
      });

      test('an entry that is there already is enough', () => {
        const system = made(FEDORA);
        loader(system, { firmware: 'uefi', id: 'fedora' }, { efi: '' });
        expect(loader(system, { firmware: 'uefi', id: 'fedora' }, { efi: '' })).toMatchObject({ entry: 'Boot0007' });
        expect(system.calls().filter((line) => line.includes('--create'))).toHaveLength(1);
      });

      test('older ones of Red Hat’s family have their whole configuration beside the loader; without grub2-install it is grub2’s all the same', () => {
        const whole = { 'boot/efi/EFI/fedora/grub.cfg': '### BEGIN /etc/grub.d/00_header ###\ninsmod blscfg\n' };
        const system = made(FEDORA, whole);
        expect(loader(system, { firmware: 'uefi' })).toMatchObject({ warnings: [NO_VARIABLES] });
        expect(system.calls()).toEqual(['grub2-mkconfig -o /boot/efi/EFI/fedora/grub.cfg']);
        const lean = made(FEDORA, { 'usr/sbin/grub2-install': undefined });
        loader(lean, { firmware: 'uefi' });
        expect(lean.calls()).toEqual(['grub2-mkconfig -o /boot/grub2/grub.cfg']);
      });

      test('without the loaders of its packages Fedora would not boot: told, and none of another kind is put there', () => {
        const gone = { 'boot/efi/EFI/fedora/shimx64.efi': undefined, 'boot/efi/EFI/fedora/shim.efi': undefined };
        const system = made(FEDORA, { ...gone, 'boot/efi/EFI/fedora/grubx64.efi': undefined });
        expect(loader(system, { firmware: 'uefi', id: 'fedora' })).toMatch(/^not-found: .*EFI\/fedora/);
        expect(system.calls()).toEqual([]);
      });

      test('openSUSE by UEFI: GRUB is installed beside its signed loaders, which stay what the firmware starts', () => {
        const system = made(SUSE);
        expect(loader(system, { firmware: 'uefi', id: 'opensuse' }, { efi: '' })).toMatchObject({ entry: 'Boot0007' });
        expect(system.calls().filter((line) => !line.startsWith('efibootmgr -v'))).toEqual([
          'grub2-install --help',
          'grub2-install --target=x86_64-efi --efi-directory=/boot/efi --bootloader-id=opensuse --recheck --no-nvram',
          'efibootmgr --quiet --create --disk /dev/vda --part 1 --label opensuse --loader \\EFI\\opensuse\\shim.efi',
          'grub2-mkconfig -o /boot/grub2/grub.cfg',
        ]);
        expect(system.read('boot/efi/EFI/opensuse/grub.efi')).toBe('MZ grub, signed');
        expect(system.read('boot/efi/EFI/opensuse/grub.cfg')).toContain('source "${prefix}/grub.cfg"');
      });

      test('where nothing lies at the path that every firmware tries, SUSE’s shim comes there with what it starts', () => {
        const gone = { 'boot/efi/EFI/boot/bootx64.efi': undefined, 'boot/efi/EFI/boot/fallback.efi': undefined };
        const system = made(SUSE, gone);
        loader(system, { firmware: 'uefi', id: 'opensuse' });
        const boot = (file: string) => system.read(`boot/efi/EFI/BOOT/${file}`);
        expect([boot('BOOTX64.EFI'), boot('grub.efi'), boot('MokManager.efi')]).toEqual([
          'MZ shim',
          'MZ grub, signed',
          'MZ mok',
        ]);
        // With it there, shim would write entries of its own instead of starting GRUB.
        expect(system.has('new/web/boot/efi/EFI/BOOT/fallback.efi')).toBe(false);
      });

      test('Debian by UEFI: its own grub-install writes the fallback path too', () => {
        const system = made({ ...DEBIAN, ...DEBIAN_ESP });
        expect(loader(system, { firmware: 'uefi' })).toMatchObject({ warnings: [NO_VARIABLES] });
        expect(system.calls()).toEqual([
          'grub-install --help',
          'grub-install --target=x86_64-efi --efi-directory=/boot/efi --bootloader-id=debian --recheck --no-nvram --force-extra-removable',
          'update-grub',
        ]);
        expect(system.read('boot/efi/EFI/BOOT/BOOTX64.EFI')).toBe('MZ by grub-install');
      });
    });
  });
});
