/** What a running rescue Linux must have for a recovery, and which package brings it. Our own image has all of it. */
import type { Layout } from '../../planning/layout-schema';

/** For every machine. */
const ALWAYS = [
  ...['rsync', 'ssh', 'ssh-keygen', 'awk', 'sed', 'base64', 'od', 'sort', 'timeout', 'sha256sum', 'gzip', 'tar'],
  ...['getfattr', 'setfattr', 'getfacl', 'setfacl', 'chroot', 'mount', 'umount', 'mountpoint', 'flock', 'setsid'],
  ...['unshare', 'nsenter', 'sfdisk', 'wipefs', 'blkid', 'lsblk', 'findmnt', 'partx', 'blockdev', 'mkswap', 'ip'],
];

/** For what this machine's layout holds. */
export function liveTools(layout: Layout): string[] {
  const { fileSystems, arrays, luks, volumeGroups, pools } = layout;
  const made = new Set<string>(fileSystems.map(({ make }) => make.type));
  return [
    ...ALWAYS,
    ...(['ext2', 'ext3', 'ext4'].some((type) => made.has(type)) ? ['mke2fs', 'tune2fs'] : []),
    ...(made.has('xfs') ? ['mkfs.xfs'] : []),
    ...(made.has('btrfs') ? ['mkfs.btrfs', 'btrfs'] : []),
    ...(made.has('vfat') ? ['mkfs.vfat'] : []),
    ...(arrays.length > 0 ? ['mdadm'] : []),
    ...(luks.length > 0 ? ['cryptsetup'] : []),
    ...(volumeGroups.length > 0 ? ['lvm', 'pvcreate', 'vgcreate', 'lvcreate'] : []),
    ...(pools.length > 0 ? ['zpool', 'zfs'] : []),
    ...(luks.length + volumeGroups.length > 0 ? ['dmsetup'] : []),
  ];
}
