/** Which package brings a tool that a host needs, by package manager. */
import type { Runbook } from '../../runbooks/types';

const PACKAGES: Record<string, Record<string, string>> = {
  'apt-get': {
    ...common(),
    ...disks(),
    ...{ find: 'findutils', stat: 'coreutils', awk: 'mawk', 'ssh-keygen': 'openssh-client', ssh: 'openssh-client' },
    ...{ sfdisk: 'fdisk', mount: 'mount', umount: 'mount', ip: 'iproute2', dmsetup: 'dmsetup' },
    ...of('zfsutils-linux', 'zpool', 'zfs'),
  },
  dnf: {
    ...common(),
    ...disks(),
    ...{ find: 'findutils', stat: 'coreutils', awk: 'gawk', 'ssh-keygen': 'openssh', ssh: 'openssh-clients' },
    ...{ ip: 'iproute', dmsetup: 'device-mapper' },
  },
  zypper: {
    ...common(),
    ...disks(),
    ...{ find: 'findutils', stat: 'coreutils', awk: 'gawk', 'ssh-keygen': 'openssh-common', ssh: 'openssh-clients' },
    ...{ ip: 'iproute2', dmsetup: 'device-mapper', 'mkfs.btrfs': 'btrfsprogs', btrfs: 'btrfsprogs' },
  },
  apk: {
    ...common(),
    ...disks(),
    ...{ find: 'findutils', stat: 'coreutils', awk: 'gawk', 'ssh-keygen': 'openssh-keygen', ssh: 'openssh-client' },
    ...{ sfdisk: 'sfdisk', wipefs: 'wipefs', blkid: 'blkid', lsblk: 'lsblk', findmnt: 'findmnt', partx: 'partx' },
    ...{ flock: 'flock', setsid: 'setsid', ip: 'iproute2', dmsetup: 'device-mapper' },
    ...{ tune2fs: 'e2fsprogs-extra', mke2fs: 'e2fsprogs' },
  },
};

function common(): Record<string, string> {
  return {
    rsync: 'rsync',
    ...{ sudo: 'sudo', visudo: 'sudo', getfattr: 'attr', setfattr: 'attr', getfacl: 'acl', setfacl: 'acl' },
    ...of('util-linux', 'flock', 'setsid', 'unshare'),
    ...of('coreutils', 'base64', 'od', 'timeout', 'sort', 'sha256sum', 'chroot'),
    ...{ gzip: 'gzip', tar: 'tar', sed: 'sed', openssl: 'openssl' },
  };
}

/** What makes disks and what lies on them. */
function disks(): Record<string, string> {
  return {
    ...of('util-linux', 'nsenter', 'mountpoint', 'mount', 'umount', 'sfdisk', 'wipefs', 'blkid', 'lsblk', 'findmnt'),
    ...of('util-linux', 'partx', 'blockdev', 'mkswap'),
    ...of('e2fsprogs', 'mke2fs', 'tune2fs'),
    ...of('btrfs-progs', 'mkfs.btrfs', 'btrfs'),
    ...of('lvm2', 'lvm', 'pvcreate', 'vgcreate', 'lvcreate'),
    ...of('zfs', 'zpool', 'zfs'),
    ...{ 'mkfs.xfs': 'xfsprogs', 'mkfs.vfat': 'dosfstools', mdadm: 'mdadm', cryptsetup: 'cryptsetup' },
  };
}

function of(name: string, ...tools: string[]): Record<string, string> {
  return Object.fromEntries(tools.map((tool) => [tool, name]));
}

/** What a host needs besides the tools of every host: a store checks whose key has signed a manifest. */
export function toolsOf({ runbook, host }: { runbook: Pick<Runbook, 'stores'>; host: string }): string[] {
  return Object.values(runbook.stores).some((store) => store.host === host) ? ['openssl'] : [];
}

/** The packages for the missing tools, each once; empty for a manager that is not known. */
export function packagesFor({ missing, manager }: { missing: readonly string[]; manager: string }): string[] {
  const table = PACKAGES[manager] ?? {};
  return [...new Set(missing.flatMap((tool) => table[tool] ?? []))].sort();
}

/** The command that a person would type to install them. */
export function installCommand({ missing, manager }: { missing: readonly string[]; manager: string }): string {
  const packages = packagesFor({ missing, manager }).join(' ');
  const verbs: Record<string, string> = {
    'apt-get': 'apt-get install -y --no-install-recommends',
    dnf: 'dnf install -y',
    zypper: 'zypper install -y',
    apk: 'apk add',
  };
  const verb = verbs[manager];
  return verb === undefined || packages === '' ? `install ${missing.join(', ')} by hand` : `${verb} ${packages}`;
}
