/** Whether a restored system can boot, told from its files: trees of three distributions, each broken in one way after another. */
import { rmSync, utimesSync } from 'node:fs';
import * as path from 'node:path';
import { describeAsRoot, SHELLS } from '../support';
import { useRescueShell } from './kit';

const ROOT = '5e5e0001-0000-4000-8000-000000000001';
type Files = Record<string, string | null>;

/** What a kernel with modules consists of, with an initramfs that holds these. */
function kernel(version: string, image: string, initramfs: string, holds: readonly string[]): Files {
  return {
    [`boot/${image}`]: 'kernel',
    [`boot/${initramfs}`]: holds
      .map((each) => `usr/lib/modules/${version}/kernel/drivers/${each}.ko.xz`)
      .concat('etc/passwd', '')
      .join('\n'),
    [`usr/lib/modules/${version}/modules.dep`]: '',
    [`usr/lib/modules/${version}/kernel`]: null,
    [`usr/lib/modules/${version}/modules.builtin`]: 'kernel/fs/ext4/ext4.ko\n',
  };
}
const NAMES: Files = {
  [`dev/disk/by-uuid/${ROOT}`]: '-> ../../vda2',
  'dev/disk/by-uuid/5E5E-0002': '-> ../../vda1',
  'dev/disk/by-label/my\\x20data': '-> ../../vdb',
  'dev/disk/by-partuuid/11111111-02': '-> ../../vda2',
};

const DEBIAN: Files = {
  ...NAMES,
  ...kernel('6.1.0-50-amd64', 'vmlinuz-6.1.0-50-amd64', 'initrd.img-6.1.0-50-amd64', ['virtio_blk', 'dm-mod']),
  'usr/bin/lsinitramfs': '',
  'etc/fstab': `# made by hand
UUID=${ROOT} / ext4 errors=remount-ro 0 1
UUID=5e5e-0002 /boot/efi vfat umask=0077 0 1
LABEL=my\\040data /srv ext4 defaults 0 2
PARTUUID=11111111-02 /again ext4 defaults 0 2
/swapfile none swap sw 0 0
/dev/mapper/secret /secret ext4 defaults 0 2
UUID=not-here /mnt/stick ext4 noauto 0 0
LABEL=usb /mnt/usb ext4 nofail 0 0
nas:/x /mnt/nas nfs defaults 0 0
tmpfs /tmp tmpfs defaults 0 0
/srv/a /srv/b none bind 0 0
`,
  'etc/crypttab': `secret UUID=${ROOT} none luks\n`,
  swapfile: '',
  'boot/grub/grub.cfg': `menuentry 'Debian' {
\tsearch --no-floppy --fs-uuid --set=root ${ROOT}
\tlinux\t/boot/vmlinuz-6.1.0-50-amd64 root=UUID=${ROOT} ro quiet
\tinitrd\t/boot/initrd.img-6.1.0-50-amd64
}
`,
  disk: `${'x'.repeat(300)}GRUB `,
};

const FEDORA_KERNEL = '6.8.5-301.fc40.x86_64';
const FEDORA: Files = {
  ...NAMES,
  ...kernel(FEDORA_KERNEL, `vmlinuz-${FEDORA_KERNEL}`, `initramfs-${FEDORA_KERNEL}.img`, ['virtio_blk', 'dm-mod']),
  'boot/vmlinuz-0-rescue-0123': 'kernel without modules of its own',
  'usr/bin/lsinitrd': '',
  'etc/fstab': `UUID=${ROOT} / btrfs subvol=root 0 0\nUUID=5E5E-0002 /boot/efi vfat umask=0077,shortname=winnt 0 2\n`,
  'boot/grub2/grub.cfg': 'insmod blscfg\nblscfg\n',
  [`boot/loader/entries/0123-${FEDORA_KERNEL}.conf`]: `title Fedora
version ${FEDORA_KERNEL}
linux /vmlinuz-${FEDORA_KERNEL}
initrd /initramfs-${FEDORA_KERNEL}.img $tuned_initrd
options root=UUID=${ROOT} ro rootflags=subvol=root rhgb quiet $tuned_params
`,
  'boot/efi/EFI/fedora/grub.cfg': `search --no-floppy --fs-uuid --set=dev ${ROOT}\nconfigfile $prefix/grub.cfg\n`,
  'boot/efi/EFI/BOOT/BOOTX64.EFI': 'MZ shim',
};

const SUSE_KERNEL = '5.14.21-150500.55.44-default';
const SUSE: Files = {
  ...NAMES,
  ...kernel(SUSE_KERNEL, `vmlinuz-${SUSE_KERNEL}`, `initrd-${SUSE_KERNEL}`, ['virtio_blk', 'dm-mod']),
  'usr/bin/lsinitrd': '',
  'etc/fstab': `/dev/disk/by-uuid/${ROOT} / btrfs defaults 0 0\n`,
  'boot/grub2/grub.cfg': `  linux /@/.snapshots/1/snapshot/boot/vmlinuz-${SUSE_KERNEL} root=UUID=${ROOT} \${extra_cmdline} splash=silent\n`,
  disk: 'GRUB ',
};

describeAsRoot('can the new system boot?', () => {
  describe.each(SHELLS)('%s', (name) => {
    const shell = useRescueShell(name);
    /** The problems of a tree with these files in the place of its own, and without those that are undefined; its kernel. */
    function verify(
      tree: Files,
      change: Record<string, string | null | undefined> = {},
      { firmware = 'bios', needs = 'ext4 virtio_blk dm_mod', old = '', disks = 'disk' } = {},
    ): { problems: string[]; kernel: string } {
      const written = Object.entries({ ...tree, ...change }).flatMap(([file, text]) =>
        text === undefined ? [] : [[file, text] as const],
      );
      const root = shell.files(Object.fromEntries(written));
      if (old !== '') utimesSync(path.join(root, old), 1000, 1000);
      const out = shell.run({
        parts: ['lib/device.sh', 'lib/new.sh', 'lib/chain.sh', 'lib/verify.sh'],
        script: `new='${root}' chain_needs='${needs}' arg_disks='${disks}'
device_disk() { device=$new/$1; }
new_run() { cat "$new$2"; }
new_esp() { new_esp=$new/boot/efi; }
verify_all ${firmware} 2000
printf '%s\\n' "$verify_kernel"
cat problems`,
      });
      rmSync(root, { recursive: true, force: true });
      const [told = '', ...problems] = out.trimEnd().split('\n');
      return { problems, kernel: told };
    }

    test('whole trees of Debian, Fedora and SUSE can', () => {
      expect(verify(DEBIAN)).toEqual({ problems: [], kernel: '6.1.0-50-amd64' });
      expect(verify(FEDORA, {}, { firmware: 'uefi' })).toEqual({ problems: [], kernel: FEDORA_KERNEL });
      expect(verify(SUSE)).toEqual({ problems: [], kernel: SUSE_KERNEL });
    });

    test.each<[string, Files, Parameters<typeof verify>[1], Parameters<typeof verify>[2], RegExp]>([
      [
        'what fstab calls otherwise',
        DEBIAN,
        { 'dev/disk/by-uuid/5E5E-0002': undefined },
        {},
        /\/etc\/fstab mounts UUID=5e5e-0002 at \/boot\/efi, and no device here is that: write/,
      ],
      [
        'a label with a blank',
        DEBIAN,
        { 'dev/disk/by-label/my\\x20data': undefined },
        {},
        /fstab mounts LABEL=my\\040data at \/srv/,
      ],
      [
        'a swap file that is not there',
        DEBIAN,
        { swapfile: undefined },
        {},
        /fstab swaps to the file \/swapfile, which is not there: make it/,
      ],
      [
        'an encrypted volume that nothing opens',
        DEBIAN,
        { 'etc/crypttab': undefined },
        {},
        /fstab mounts \/dev\/mapper\/secret/,
      ],
      [
        'an encrypted volume that is not there',
        DEBIAN,
        { 'etc/crypttab': 'secret UUID=gone none luks\n' },
        {},
        /crypttab opens UUID=gone as secret, and no device/,
      ],
      ['no fstab', DEBIAN, { 'etc/fstab': undefined }, {}, /has no \/etc\/fstab/],
      [
        'no kernel with modules',
        DEBIAN,
        {
          'usr/lib/modules/6.1.0-50-amd64/kernel': undefined,
          'usr/lib/modules/6.1.0-50-amd64/modules.dep': undefined,
        },
        {},
        /has no kernel whose modules are there/,
      ],
      [
        'no initramfs',
        DEBIAN,
        { 'boot/initrd.img-6.1.0-50-amd64': undefined },
        {},
        /6.1.0-50-amd64 has no initramfs in \/boot: make it/,
      ],
      [
        'an initramfs from before the change',
        DEBIAN,
        {},
        { old: 'boot/initrd.img-6.1.0-50-amd64' },
        /is older than the last change/,
      ],
      [
        'a driver that this machine needs',
        DEBIAN,
        {},
        { needs: 'ext4 virtio_blk nvme raid1' },
        /lacks drivers .*\(nvme, raid1\)/,
      ],
      [
        'no grub.cfg',
        DEBIAN,
        { 'boot/grub/grub.cfg': undefined },
        {},
        /no configuration of a boot loader names a kernel/,
      ],
      [
        'a grub.cfg for a kernel that is gone',
        DEBIAN,
        { 'boot/grub/grub.cfg': 'linux /boot/vmlinuz-5 root=PARTUUID=11111111-02\n' },
        {},
        /starts a kernel that is not there \(\/boot\/vmlinuz-5\): write/,
      ],
      [
        'a grub.cfg with the name of an old disk',
        DEBIAN,
        { 'boot/grub/grub.cfg': 'linux /boot/vmlinuz-6.1.0-50-amd64 root=/dev/sdq9\n' },
        {},
        /root=\/dev\/sdq9, and no device here is that/,
      ],
      [
        'a grub.cfg whose first kernel is gone',
        DEBIAN,
        {
          'boot/grub/grub.cfg': `linux $other root=UUID=${ROOT}\nlinux /vmlinuz-7 root=UUID=${ROOT}\nlinux /boot/vmlinuz-6.1.0-50-amd64 root=UUID=${ROOT}\n`,
        },
        {},
        /starts a kernel that is not there \(\/vmlinuz-7\)/,
      ],
      [
        'an entry of the newest kernel, which is gone',
        FEDORA,
        { 'boot/loader/entries/0123-6.10.1.conf': 'linux /vmlinuz-6.10.1\n' },
        { firmware: 'uefi' },
        /starts a kernel that is not there \(\/vmlinuz-6\.10\.1\)/,
      ],
      ['no boot code', DEBIAN, { disk: 'blank' }, {}, /\/disk has no boot code of GRUB in its first sector/],
      [
        'a mirror of which one disk has boot code',
        DEBIAN,
        { other: 'blank' },
        { disks: 'disk\nother' },
        /\/other has no boot code of GRUB in its first sector, and the machine shall start from it/,
      ],
      [
        'an entry with the name of an old disk',
        FEDORA,
        {
          [`boot/loader/entries/0123-${FEDORA_KERNEL}.conf`]: `linux /vmlinuz-${FEDORA_KERNEL}\noptions root=/dev/sda3 ro\n`,
        },
        { firmware: 'uefi' },
        /root=\/dev\/sda3/,
      ],
      [
        'nothing at the path that every firmware tries',
        FEDORA,
        { 'boot/efi/EFI/BOOT/BOOTX64.EFI': undefined },
        { firmware: 'uefi' },
        /no loader at EFI\/BOOT/,
      ],
      [
        'a loader there that is none',
        FEDORA,
        { 'boot/efi/EFI/BOOT/BOOTX64.EFI': '' },
        { firmware: 'uefi' },
        /no loader at EFI\/BOOT/,
      ],
      [
        'no tool that reads an initramfs',
        SUSE,
        { 'usr/bin/lsinitrd': undefined },
        {},
        /can not be read by the new system's own tool/,
      ],
      ['a driver of SUSE', SUSE, {}, { needs: 'btrfs' }, /\(btrfs\)/],
    ])('%s is told, and nothing else', (_, tree, change, how, expected) => {
      const { problems } = verify(tree, change, how);
      expect(problems).toHaveLength(1);
      expect(problems[0]).toMatch(expected);
    });

    test('a configuration of GRUB that nothing reads any more does no harm, nor does an entry of an older kernel', () => {
      const stale = { 'boot/grub2/grub.cfg': `linux /vmlinuz-5 root=UUID=${ROOT}\n` };
      expect(verify(DEBIAN, stale).problems).toEqual([]);
      const older = { 'boot/loader/entries/0123-6.2.0.conf': 'linux /vmlinuz-6.2.0\n' };
      expect(verify(FEDORA, older, { firmware: 'uefi' }).problems).toEqual([]);
    });

    test('an ext3 needs the driver ext4; the drivers of the disks of /boot are not the root’s affair', () => {
      const block = (disk: string, part: string, number: string): Files => ({
        [`devices/${disk}/device`]: null,
        [`devices/${disk}/${part}/partition`]: '1\n',
        [`class/block/${disk}`]: `-> ../../devices/${disk}`,
        [`class/block/${part}`]: `-> ../../devices/${disk}/${part}`,
        [`dev/block/${number}`]: `-> ../../devices/${disk}/${part}`,
      });
      const out = shell.run({
        parts: ['lib/chain.sh', 'lib/verify.sh'],
        sys: shell.files({ ...block('vda', 'vda2', '254:2'), ...block('vdb', 'vdb1', '254:17') }),
        script: `new=/mnt/new/x
findmnt() {
  case "$2 $4" in
    'FSTYPE /mnt/new/x') echo ext3 ;;
    'SOURCE /mnt/new/x') echo /dev/vda2 ;;
    'FSTYPE /mnt/new/x/boot') echo vfat ;;
    'SOURCE /mnt/new/x/boot') echo /dev/vdb1 ;;
    *) return 1 ;;
  esac
}
stat() { case $3 in /dev/vda2) echo 'fe 2' ;; /dev/vdb1) echo 'fe 11' ;; esac; }
verify_chain
printf '%s\n' "$chain_needs"`,
      });
      expect(out).toBe('ext4\n');
    });

    test('an older kernel without an initramfs does no harm, a newer one would be taken', () => {
      const older = { 'boot/vmlinuz-5.10.0-1-amd64': '', 'usr/lib/modules/5.10.0-1-amd64/modules.dep': '' };
      const newer = { 'boot/vmlinuz-6.12.0-1-amd64': '', 'usr/lib/modules/6.12.0-1-amd64/modules.dep': '' };
      expect(verify(DEBIAN, older).problems).toEqual([]);
      expect(verify(DEBIAN, newer)).toEqual({
        problems: ['kernel 6.12.0-1-amd64 has no initramfs in /boot: make it (step new-initramfs)'],
        kernel: '6.1.0-50-amd64',
      });
    });
  });
});
