/**
 * File trees of restored systems, as their installers leave them: where each family keeps its kernels, its boot loader, its programs and its
 * configuration. A file's text is what the jobs read of it; programs are empty, and an initramfs is what its family's tool lists of it.
 */
export type Files = Record<string, string | null>;

export const ROOT = '5e5e0001-0000-4000-8000-000000000001';
export const SWAP = '5e5e0003-0000-4000-8000-000000000003';
const MACHINE_ID = '0123456789abcdef0123456789abcdef';

export interface Kernel {
  version: string;
  image: string;
  initramfs: string;
}

const programs = (...paths: string[]): Files => Object.fromEntries(paths.map((each) => [each, '']));

/** Modules of a kernel: as files, and built in. */
function modules(folder: string, files: readonly string[], builtin: readonly string[]): Files {
  return {
    [`${folder}/modules.dep`]: files.map((each) => `kernel/${each}:\n`).join(''),
    [`${folder}/modules.builtin`]: builtin.map((each) => `kernel/${each}\n`).join(''),
    [`${folder}/kernel`]: null,
  };
}

/** As `lsinitramfs` of Debian's tool lists it. */
export const debianList = (version: string, holds: readonly string[]): string =>
  ['.', 'etc', 'etc/fstab', ...holds.map((each) => `usr/lib/modules/${version}/kernel/${each}`), ''].join('\n');

/** As `lsinitrd` of dracut lists it. */
export const dracutList = (version: string, holds: readonly string[]): string =>
  [
    'Image: /boot/initramfs: 34M',
    '========================================================================',
    'drwxr-xr-x  12 root     root            0 Apr 14  2024 .',
    ...holds.map(
      (each) => `-rw-r--r--   1 root     root        17852 Apr 14  2024 usr/lib/modules/${version}/kernel/${each}`,
    ),
    '',
  ].join('\n');

export const DEBIAN_KERNEL: Kernel = {
  version: '6.1.0-50-amd64',
  image: 'boot/vmlinuz-6.1.0-50-amd64',
  initramfs: 'boot/initrd.img-6.1.0-50-amd64',
};
export const DEBIAN_HOLDS = ['fs/ext4/ext4.ko', 'drivers/block/virtio_blk.ko', 'drivers/md/dm-mod.ko'];

/** Debian 12 that boots by BIOS; its `/lib` is a link to `/usr/lib`. */
export const DEBIAN: Files = {
  lib: '-> usr/lib',
  'usr/lib/os-release': 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n',
  ...programs('usr/sbin/update-initramfs', 'usr/sbin/mkinitramfs', 'usr/bin/lsinitramfs'),
  ...programs('usr/sbin/grub-install', 'usr/sbin/grub-mkconfig', 'usr/sbin/update-grub'),
  ...modules('usr/lib/modules/6.1.0-50-amd64', [...DEBIAN_HOLDS, 'drivers/nvme/host/nvme.ko'], ['fs/exec.ko']),
  [DEBIAN_KERNEL.image]: 'kernel',
  [DEBIAN_KERNEL.initramfs]: debianList(DEBIAN_KERNEL.version, DEBIAN_HOLDS),
  'etc/initramfs-tools/initramfs.conf':
    '# MODULES: [ most | netboot | dep | list ]\n# dep: try and guess\n\nMODULES=most\nBUSYBOX=auto\n',
  'etc/initramfs-tools/conf.d/resume': `RESUME=UUID=${SWAP}\n`,
  'etc/fstab': `UUID=${ROOT} / ext4 errors=remount-ro 0 1\nUUID=${SWAP} none swap sw 0 0\n`,
  'etc/default/grub': 'GRUB_DEFAULT=0\nGRUB_CMDLINE_LINUX_DEFAULT="quiet"\nGRUB_CMDLINE_LINUX=""\n',
  'boot/grub/grub.cfg': `linux /boot/vmlinuz-6.1.0-50-amd64 root=UUID=${ROOT} ro quiet\n`,
};

/** What Debian's packages put on the EFI system partition, with Secure Boot. */
export const DEBIAN_ESP: Files = {
  'boot/efi/EFI/debian/shimx64.efi': 'MZ shim',
  'boot/efi/EFI/debian/grubx64.efi': 'MZ grub',
  'boot/efi/EFI/debian/mmx64.efi': 'MZ mok',
  'boot/efi/EFI/debian/fbx64.efi': 'MZ fallback',
  'boot/efi/EFI/debian/BOOTX64.CSV': 'shimx64.efi,debian',
  'boot/efi/EFI/debian/grub.cfg': `search.fs_uuid ${ROOT} root\nset prefix=($root)'/boot/grub'\nconfigfile $prefix/grub.cfg\n`,
};

export const FEDORA_KERNEL: Kernel = {
  version: '6.8.5-301.fc40.x86_64',
  image: 'boot/vmlinuz-6.8.5-301.fc40.x86_64',
  initramfs: 'boot/initramfs-6.8.5-301.fc40.x86_64.img',
};

const BLS = (title: string, { version, image, initramfs }: Kernel, options: string): Files => ({
  [`boot/loader/entries/${MACHINE_ID}-${version}.conf`]: `title ${title}
version ${version}
linux /${image.replace('boot/', '')}
initrd /${initramfs.replace('boot/', '')} $tuned_initrd
options ${options} $tuned_params
grub_users $grub_users
grub_arg --unrestricted
grub_class ${title.split(' ')[0]?.toLowerCase() ?? ''}
`,
});

const RED_HAT_PROGRAMS = programs(
  ...['usr/bin/dracut', 'usr/bin/lsinitrd', 'usr/sbin/grub2-install', 'usr/sbin/grub2-mkconfig', 'usr/sbin/grubby'],
);

/** Fedora 40 Server by UEFI: `/boot` of its own, entries of the boot loader specification, loaders that came with packages. */
export const FEDORA: Files = {
  lib: '-> usr/lib',
  'usr/lib/os-release': 'NAME="Fedora Linux"\nVERSION="40 (Server Edition)"\nID=fedora\nVERSION_ID=40\n',
  ...RED_HAT_PROGRAMS,
  ...modules(
    `usr/lib/modules/${FEDORA_KERNEL.version}`,
    ['fs/xfs/xfs.ko.xz', 'drivers/block/virtio_blk.ko.xz', 'drivers/nvme/host/nvme.ko.xz'],
    ['fs/ext4/ext4.ko', 'drivers/md/dm-mod.ko'],
  ),
  [FEDORA_KERNEL.image]: 'kernel',
  [FEDORA_KERNEL.initramfs]: dracutList(FEDORA_KERNEL.version, ['fs/xfs/xfs.ko.xz', 'drivers/nvme/host/nvme.ko.xz']),
  [`boot/vmlinuz-0-rescue-${MACHINE_ID}`]: 'kernel',
  [`boot/initramfs-0-rescue-${MACHINE_ID}.img`]: 'initramfs',
  ...BLS(
    'Fedora Linux (6.8.5-301.fc40.x86_64) 40 (Server Edition)',
    FEDORA_KERNEL,
    'root=/dev/mapper/fedora-root ro rd.lvm.lv=fedora/root rhgb quiet',
  ),
  'boot/grub2/grub.cfg': 'insmod blscfg\nblscfg\n',
  'boot/grub2/grubenv': '# GRUB Environment Block\nsaved_entry=0123\n',
  'boot/efi/EFI/BOOT/BOOTX64.EFI': 'MZ shim',
  'boot/efi/EFI/BOOT/fbx64.efi': 'MZ fallback',
  'boot/efi/EFI/fedora/BOOTX64.CSV': 'shimx64.efi,Fedora',
  'boot/efi/EFI/fedora/shim.efi': 'MZ shim',
  'boot/efi/EFI/fedora/shimx64.efi': 'MZ shim',
  'boot/efi/EFI/fedora/grubx64.efi': 'MZ grub',
  'boot/efi/EFI/fedora/mmx64.efi': 'MZ mok',
  'boot/efi/EFI/fedora/grub.cfg': `search --no-floppy --root-dev-only --fs-uuid --set=dev ${ROOT}\nset prefix=($dev)/grub2\nexport $prefix\nconfigfile $prefix/grub.cfg\n`,
  'etc/selinux/config': '# SELINUX= can take one of three values\nSELINUX=enforcing\nSELINUXTYPE=targeted\n',
  'etc/lvm/devices/system.devices':
    '# LVM uses devices listed in this file.\nVERSION=1.1.2\nIDTYPE=devname IDNAME=/dev/sda3 DEVNAME=/dev/sda3 PVID=PWEEfp PART=3\n',
  'etc/fstab': `/dev/mapper/fedora-root / xfs defaults 0 0\nUUID=5e5e0002-0000-4000-8000-000000000002 /boot xfs defaults 0 0\nUUID=5E5E-0002 /boot/efi vfat umask=0077,shortname=winnt 0 2\n`,
  'etc/default/grub': 'GRUB_ENABLE_BLSCFG=true\nGRUB_CMDLINE_LINUX="rd.lvm.lv=fedora/root rhgb quiet"\n',
  'etc/NetworkManager/system-connections/enp1s0.nmconnection':
    '[connection]\nid=enp1s0\ntype=ethernet\ninterface-name=enp1s0\n\n[ethernet]\nmac-address=52:54:00:AA:00:01\n\n[ipv4]\nmethod=auto\n',
};

export const RHEL_KERNEL: Kernel = {
  version: '5.14.0-427.13.1.el9_4.x86_64',
  image: 'boot/vmlinuz-5.14.0-427.13.1.el9_4.x86_64',
  initramfs: 'boot/initramfs-5.14.0-427.13.1.el9_4.x86_64.img',
};

/** RHEL 9 by BIOS, updated from a release whose network was set up by ifcfg files. */
export const RHEL: Files = {
  lib: '-> usr/lib',
  'usr/lib/os-release': 'NAME="Red Hat Enterprise Linux"\nVERSION="9.4 (Plow)"\nID="rhel"\nID_LIKE="fedora"\n',
  ...RED_HAT_PROGRAMS,
  ...modules(
    `usr/lib/modules/${RHEL_KERNEL.version}`,
    ['fs/xfs/xfs.ko.xz', 'drivers/block/virtio_blk.ko.xz', 'drivers/md/dm-mod.ko.xz'],
    [],
  ),
  [RHEL_KERNEL.image]: 'kernel',
  [RHEL_KERNEL.initramfs]: dracutList(RHEL_KERNEL.version, ['fs/xfs/xfs.ko.xz']),
  ...BLS(
    'Red Hat Enterprise Linux (5.14.0-427.13.1.el9_4.x86_64) 9.4 (Plow)',
    RHEL_KERNEL,
    'root=/dev/sda2 ro crashkernel=1G-4G:192M,4G-64G:256M,64G-:512M resume=/dev/sda3',
  ),
  'boot/grub2/grub.cfg': 'insmod blscfg\nblscfg\n',
  'etc/selinux/config': 'SELINUX=permissive\nSELINUXTYPE=targeted\n',
  'etc/fstab': '/dev/sda2 / xfs defaults 0 0\n/dev/sda3 none swap defaults 0 0\n',
  'etc/default/grub': 'GRUB_ENABLE_BLSCFG=true\nGRUB_CMDLINE_LINUX="crashkernel=1G-4G:192M resume=/dev/sda3"\n',
  'etc/sysconfig/network-scripts/ifcfg-enp1s0':
    'TYPE=Ethernet\nBOOTPROTO=dhcp\nNAME=enp1s0\nDEVICE=enp1s0\nONBOOT=yes\nHWADDR=52:54:00:AA:00:01\n',
};

export const SUSE_KERNEL: Kernel = {
  version: '5.14.21-150500.55.44-default',
  image: 'boot/vmlinuz-5.14.21-150500.55.44-default',
  initramfs: 'boot/initrd-5.14.21-150500.55.44-default',
};

/** openSUSE Leap 15 by UEFI with Secure Boot: `/lib` is a folder of its own, and its shim starts `grub.efi`. */
export const SUSE: Files = {
  'usr/lib/os-release': 'NAME="openSUSE Leap"\nVERSION="15.5"\nID="opensuse-leap"\nID_LIKE="suse opensuse"\n',
  ...programs(
    'usr/bin/dracut',
    'usr/bin/lsinitrd',
    'sbin/mkinitrd',
    'usr/sbin/grub2-install',
    'usr/sbin/grub2-mkconfig',
  ),
  ...programs('usr/sbin/shim-install', 'sbin/update-bootloader'),
  ...modules(
    `lib/modules/${SUSE_KERNEL.version}`,
    ['fs/btrfs/btrfs.ko.zst', 'drivers/block/virtio_blk.ko.zst', 'drivers/md/dm-mod.ko.zst'],
    [],
  ),
  [SUSE_KERNEL.image]: 'kernel',
  [SUSE_KERNEL.initramfs]: dracutList(SUSE_KERNEL.version, ['fs/btrfs/btrfs.ko.zst']),
  'boot/vmlinuz': `-> vmlinuz-${SUSE_KERNEL.version}`,
  'boot/initrd': `-> initrd-${SUSE_KERNEL.version}`,
  'boot/grub2/grub.cfg': `linux /@/.snapshots/1/snapshot/boot/vmlinuz-${SUSE_KERNEL.version} root=UUID=${ROOT} splash=silent\n`,
  'boot/efi/EFI/boot/bootx64.efi': 'MZ shim',
  'boot/efi/EFI/boot/fallback.efi': 'MZ fallback',
  'boot/efi/EFI/opensuse/boot.csv': 'shim.efi,opensuse-secureboot',
  'boot/efi/EFI/opensuse/shim.efi': 'MZ shim',
  'boot/efi/EFI/opensuse/grub.efi': 'MZ grub, signed',
  'boot/efi/EFI/opensuse/MokManager.efi': 'MZ mok',
  'boot/efi/EFI/opensuse/grub.cfg': `set btrfs_relative_path="yes"\nsearch --fs-uuid --set=root ${ROOT}\nset prefix=(\${root})/boot/grub2\nsource "\${prefix}/grub.cfg"\n`,
  'etc/fstab':
    '/dev/disk/by-id/ata-OLD_1-part2 / btrfs defaults 0 0\n/dev/disk/by-id/ata-OLD_1-part3 swap swap defaults 0 0\n',
  'etc/default/grub': 'GRUB_CMDLINE_LINUX_DEFAULT="splash=silent resume=/dev/disk/by-id/ata-OLD_1-part3 quiet"\n',
  'etc/sysconfig/network/ifcfg-eth0': "BOOTPROTO='dhcp'\nSTARTMODE='auto'\n",
  'etc/udev/rules.d/70-persistent-net.rules':
    'SUBSYSTEM=="net", ACTION=="add", DRIVERS=="?*", ATTR{address}=="52:54:00:aa:00:01", ATTR{dev_id}=="0x0", ATTR{type}=="1", KERNEL=="eth*", NAME="eth0"\n',
};

/** A tree without some of its files, or with others in their place. */
export function changed(tree: Files, change: Record<string, string | null | undefined>): Files {
  const all = Object.entries({ ...tree, ...change });
  return Object.fromEntries(all.flatMap(([file, text]) => (text === undefined ? [] : [[file, text] as const])));
}
