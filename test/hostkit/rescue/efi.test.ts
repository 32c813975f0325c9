/** The EFI side of a boot loader: which loader, the path that every firmware tries, and whether the firmware has an entry already. */
import { existsSync, readFileSync } from 'node:fs';
import * as path from 'node:path';
import { describeAsRoot, SHELLS } from '../support';
import { useRescueShell } from './kit';

const PARTITION = '11111111-2222-4333-8444-5555555555a2';
const ENTRIES = `BootCurrent: 0001
BootOrder: 0001,0003
Boot0001* UEFI Misc Device\tPciRoot(0x0)/Pci(0x3,0x0)
Boot0003* debian\tHD(1,GPT,${PARTITION},0x800,0x20000)/File(\\EFI\\debian\\shimx64.efi)
`;

describeAsRoot('the EFI side of a boot loader', () => {
  describe.each(SHELLS)('%s', (name) => {
    const shell = useRescueShell(name);
    function run(files: Record<string, string | null>, script: string, id = ''): { root: string; out: string } {
      const root = shell.files(files);
      const head = `arg_id='${id}' new='${root}' new_esp='${root}/boot/efi'; uname() { echo x86_64; }; efi_arch; efi_id`;
      return { root, out: shell.run({ parts: ['lib/new.sh', 'lib/efi.sh'], script: `${head}\n${script}` }) };
    }
    const DEBIAN = {
      'usr/lib/os-release': 'ID=debian\n',
      'boot/efi/EFI/Microsoft/bootmgfw.efi': 'MZ',
      'boot/efi/EFI/debian/shimx64.efi': 'MZ shim',
      'boot/efi/EFI/debian/grubx64.efi': 'MZ grub',
      'boot/efi/EFI/debian/grub.cfg': 'configfile',
    };

    test('the signed shim is what the firmware starts, of the folder that came with the data', () => {
      const script =
        'efi_loader; echo "$efi_id ${efi_loader##*/}"; if efi_keeps; then echo keeps; else echo installs; fi';
      const grub = { 'usr/sbin/grub-install': '' };
      expect(run({ ...DEBIAN, ...grub }, script).out).toBe('debian shimx64.efi\ninstalls\n');
      expect(run(DEBIAN, script).out).toBe('debian shimx64.efi\nkeeps\n');
      const rocky = {
        'usr/lib/os-release': 'ID="rocky"\nID_LIKE="rhel centos fedora"\n',
        'usr/sbin/grub2-install': '',
        'boot/efi/EFI/rocky/shimx64.efi': 'MZ',
      };
      expect(run(rocky, script).out).toBe('rocky shimx64.efi\nkeeps\n');
      // GRUB is there too, and is not put in the place of the loader that the machine boots by.
      const systemd = { ...grub, 'boot/efi/EFI/systemd/systemd-bootx64.efi': 'MZ' };
      expect(run(systemd, script, 'systemd').out).toBe('systemd systemd-bootx64.efi\nkeeps\n');
      expect(run({ ...DEBIAN, ...systemd }, script, 'debian').out).toBe('debian shimx64.efi\ninstalls\n');
      expect(run({ 'usr/lib/os-release': 'ID=arch\n', ...grub }, 'echo "$efi_id"; efi_loader || echo none').out).toBe(
        'arch\nnone\n',
      );
    });

    test('it lies at the path that every firmware tries too, with what it starts; what is there stays', () => {
      const { root } = run(DEBIAN, 'efi_loader; efi_fallback');
      const boot = (file: string) => readFileSync(path.join(root, 'boot/efi/EFI/BOOT', file), 'utf8');
      expect([boot('BOOTX64.EFI'), boot('grubx64.efi'), boot('grub.cfg')]).toEqual([
        'MZ shim',
        'MZ grub',
        'configfile',
      ]);
      const own = run({ ...DEBIAN, 'boot/efi/EFI/BOOT/BOOTX64.EFI': 'MZ own' }, 'efi_loader; efi_fallback').root;
      expect(readFileSync(path.join(own, 'boot/efi/EFI/BOOT/BOOTX64.EFI'), 'utf8')).toBe('MZ own');
      expect(existsSync(path.join(own, 'boot/efi/EFI/BOOT/grubx64.efi'))).toBe(false);
    });

    test('an entry of the firmware is the one for that partition and that loader', () => {
      const entry = (uuid: string, loader: string): string =>
        run(
          DEBIAN,
          `efibootmgr() { cat <<'ENTRIES'
${ENTRIES}ENTRIES
}
_ee_run='' _ee_uuid='${uuid}' _ee_path='${loader}'
if efi_entry_is; then echo "$boot_entry"; else echo none; fi`,
        ).out;
      expect(entry(PARTITION, '\\EFI\\debian\\shimx64.efi')).toBe('Boot0003\n');
      expect(entry(PARTITION, '\\EFI\\fedora\\shimx64.efi')).toBe('none\n');
      expect(entry(PARTITION.replace('a2', 'a3'), '\\EFI\\debian\\shimx64.efi')).toBe('none\n');
    });

    test('a further EFI system partition gets the loader, the path that is always tried, and an entry of its own', () => {
      const beside = (more: Record<string, string>, at: string) =>
        run(
          { ...DEBIAN, ...more, 'job/x': '' },
          `cd "$new/job"
findmnt() { printf '%s' "${at === '' ? '' : `$new/${at}`}"; }
mount() { :; }
efi_entry() { echo "entry \${new_esp#"$new/"} \${efi_loader#"$new_esp/"}"; boot_entry=Boot0009; }
boot_entry=Boot0003
efi_loader
efi_beside /dev/sdb1
echo "$boot_entry \${new_esp#"$new/"} \${efi_loader#"$new/"}"`,
        );
      const back = 'Boot0003 boot/efi boot/efi/EFI/debian/shimx64.efi\n';
      const nowhere = beside({}, '');
      expect(nowhere.out).toBe(`entry job/esp EFI/debian/shimx64.efi\n${back}`);
      const file = (root: string, name: string) => readFileSync(path.join(root, name), 'utf8');
      expect(file(nowhere.root, 'job/esp/EFI/debian/grubx64.efi')).toBe('MZ grub');
      expect(file(nowhere.root, 'job/esp/EFI/BOOT/BOOTX64.EFI')).toBe('MZ shim');
      expect(existsSync(path.join(nowhere.root, 'job/esp/EFI/Microsoft'))).toBe(false);
      // One that is mounted elsewhere has its own from the backup.
      const own = beside({ 'boot/efi2/EFI/debian/shimx64.efi': 'MZ its own' }, 'boot/efi2');
      expect(own.out).toBe(`entry boot/efi2 EFI/debian/shimx64.efi\n${back}`);
      expect(file(own.root, 'boot/efi2/EFI/debian/shimx64.efi')).toBe('MZ its own');
      expect(file(own.root, 'boot/efi2/EFI/BOOT/BOOTX64.EFI')).toBe('MZ its own');
    });

    test('one that can not be written to is warned of, and ends nothing', () => {
      const script = `cd "$new"
findmnt() { :; }; mount() { echo 'wrong fs type' >&2; return 1; }; efi_entry() { echo entry; }
: >warnings; : >tool.out; boot_entry=Boot0003; efi_loader
efi_beside /dev/sdb1
cat warnings; echo "$boot_entry \${new_esp#"$new/"}"`;
      expect(run(DEBIAN, script).out).toBe(
        "the EFI system partition /dev/sdb1 gets no loader (wrong fs type): without the first one's disk the machine does not start\nBoot0003 boot/efi\n",
      );
    });

    test("the first one's entry stays the first", () => {
      const order = (now: string) =>
        run(
          DEBIAN,
          `cd "$new"; boot_entry=Boot0003 _ee_run=''
efibootmgr() { if [ $# -gt 0 ]; then echo "$*"; else echo 'BootOrder: ${now}'; fi; }
efi_first; cat tool.out`,
        ).out;
      expect(order('0007,0003,0001')).toBe('--quiet --bootorder 0003,0007,0001\n');
      const kept = run(
        DEBIAN,
        `cd "$new"; : >tool.out; boot_entry=Boot0003 _ee_run=''
efibootmgr() { if [ $# -gt 0 ]; then echo "$*"; else echo 'BootOrder: 0003,0001'; fi; }
efi_first; cat tool.out`,
      );
      expect(kept.out).toBe('');
    });

    test('a configuration of its own is told from one that leads to /boot', () => {
      const script = 'if efi_own_config; then echo own; else echo leads; fi';
      const fedora = { 'usr/lib/os-release': 'ID=fedora\n', 'boot/efi/EFI/fedora/shimx64.efi': 'MZ' };
      const configured = (text: string) => run({ ...fedora, 'boot/efi/EFI/fedora/grub.cfg': text }, script).out;
      expect(configured('### BEGIN /etc/grub.d/00_header ###\ninsmod blscfg\n')).toBe('own\n');
      expect(configured('search --fs-uuid --set=dev x\nconfigfile ($dev)/grub2/grub.cfg\n')).toBe('leads\n');
    });
  });
});
