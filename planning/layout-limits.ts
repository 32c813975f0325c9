/** What can't be made again on blank disks: every reason by name, and how heavy each weighs. */
import type { Device, Devices } from './layout-devices';
import type { Found } from './layout-facts';
import type { Limit } from './layout-schema';

/** The reasons that need no figure of the host, as a sentence's end. */
export const WHY = {
  multipath: 'it is reached over several paths (multipath)',
  foreignMapping: 'it is made by device-mapper in a way that Resurgo does not know',
  firmwareRaid: 'it belongs to a RAID of the firmware or a controller (imsm, ddf, dmraid)',
  iscsi: 'it is a disk of the network (iSCSI, Fibre Channel): the storage must be reached first',
  detachedHeader: 'it is encrypted with a header that lies elsewhere',
  plainCrypt: 'it is encrypted without a header (plain dm-crypt)',
  freshKey: 'it is encrypted with a new key at each boot: crypttab makes it anew, what it held is gone',
  integrity: 'it is kept with checksums (dm-integrity)',
  verity: 'it is verified by dm-verity',
  foreignCrypt: 'it is encrypted in the format of another system',
  reencrypting: 'it is being encrypted anew: let that end first',
  degraded: 'it was degraded when it was captured: its missing member has no place to come back to',
  reshaping: 'it was being reshaped when it was captured: let that end first',
  externalBitmap: 'its write-intent bitmap lies in a file: it comes back without',
  arrayJournal: 'it has a write journal or partial parity log: it comes back without',
  markedMembers:
    'members of it are write-mostly or failfast: it comes back without that; set it afterwards in /sys/block/MD/md/dev-MEMBER/state',
  inactiveArray: 'the array was not running, so its parts are not understood',
  hybrid: 'its partition table is a hybrid of GPT and MBR: it comes back as GPT alone',
  externalLog: 'its journal lies on a device of its own',
  realtime: 'its real-time part lies on a device of its own',
  signatures: 'several formats are recognised on it, so it is not certain what it holds',
  unmountedBtrfs: 'it was not mounted, so its subvolumes are not known',
  missingMember: 'a device of it was missing when it was captured',
  mixedProfiles: 'its data lie in several profiles (a balance was not finished)',
  seed: 'it grows from a seed device',
  quotas: 'it has quota groups: they come back without their limits',
  encryptedFolders: 'it can hold encrypted folders: these come back only as far as their keys were loaded',
  clusterUnknown: 'it gives out space in clusters (bigalloc) of a size that is not known: it comes back without them',
  journalOnly: 'it is the journal of another file system',
  inFile: 'it lies in a file that is mounted: it comes back with that file',
  rootOnZfs: 'the system lies on ZFS: Resurgo brings ZFS pools back for data only',
  rootOnNetwork: 'the system lies on the network',
  rootElsewhere: 'the system lies on no disk (a live system or a container)',
  sharedGroup: 'it is shared between hosts by a lock manager',
  exportedGroup: 'it is exported',
  duplicatePv: 'it was seen twice',
  snapshot: 'it is a snapshot: snapshots are not made again',
  oddPoolData: 'its data or metadata are not plain: they come back linear',
  encryptedDataset: 'it is encrypted by ZFS, and Resurgo makes no encrypted datasets: make it by hand, with its key',
  foreignVdev:
    'the pool has a part of a kind that Resurgo does not make (draid, a file), or one that is missing or being replaced',
  foreignHelper: 'a log, cache or spare of the pool is not understood: the pool comes back without it',
  missingMirror:
    'a member of one of its mirrors is missing or being replaced: it comes back without, add it afterwards (zpool attach)',
  altroot: 'it was imported below another folder (altroot): its mount points come back as they were then',
  clone: 'it is a clone of a snapshot: it comes back as a dataset of its own, with all of its data',
  externalVdev: 'it has a part for deduplication tables: they come back within the pool',
  loaderUnknown: 'what boots it is no loader that Resurgo knows',
  extlinux: 'it is extlinux or syslinux, which Resurgo does not install',
  noGrubInstall: 'the system has no grub-install, by which Resurgo makes it boot',
  noGrubPlatform: 'GRUB’s own files for this firmware are not installed (Debian: grub-pc-bin, grub-efi-amd64-bin)',
  noGrubConfig: 'the system has no grub-mkconfig, by which its configuration is written anew',
  noEfiLoader: 'its folder on the EFI system partition holds none of shim, GRUB and systemd-boot',
  unifiedKernels: 'systemd-boot starts kernels without entries in loader/entries (unified images)',
  bootDisk: 'its boot code lies on a disk that neither / nor /boot lies on',
  espElsewhere: 'no FAT is mounted at /boot/efi, /efi or /boot, where a recovery looks for it',
  kernelUnversioned:
    'none has its version in its name and modules of that version (/boot/vmlinuz-VERSION and /lib/modules/VERSION)',
  initramfsForeign: 'the system makes it by none of update-initramfs, dracut and mkinitrd',
  initramfsUnreadable: 'the system has neither lsinitramfs nor lsinitrd, by which a recovery looks into it',
  bootUnknown:
    'the host did not tell all that makes it boot, so whether a recovery can is not known: bring its hostkit up to date (`resurgo enroll --update`), and back it up again',
  architecture: 'it is of a processor whose boot Resurgo does not know',
  wireless: 'it is a wireless network: its keys are not told by the host',
  foreignInterface:
    'it is of a kind that Resurgo does not set up in the rescue system; its configuration comes back with the files',
} as const;

/** Of what is mounted nowhere at the moment (`layout-unsaved.ts`). */
export const UNSAVED = {
  unmounted: 'it is not mounted, so its data is in no backup',
  closed: 'it is encrypted and closed, so its data is in no backup',
  inactive: 'it is not active, so its data is in no backup',
  guestDisk:
    'it holds a partition table, as the disk of a virtual machine does, and nothing of it is mounted, so its data is in no backup',
  dataset: 'it is a dataset that is not mounted, so its data is in no backup',
} as const;

/** Where the system's own files lie: what these mounts need decides whether the machine comes back at all. */
const SYSTEM_PATHS = new Set(['/', '/boot', '/boot/efi', '/efi', '/usr', '/var', '/etc', '/lib', '/opt', '/root']);

export function isSystemPath(path: string): boolean {
  return SYSTEM_PATHS.has(path);
}

/** All devices that the system's file systems lie on, by id. */
export function systemDevices({
  devices,
  mounted,
}: {
  devices: Devices;
  mounted: { path: string; device: Device }[];
}): Set<string> {
  const roots = mounted.filter(({ path }) => isSystemPath(path)).map(({ device }) => device);
  return new Set(roots.flatMap((device) => devices.downFrom(device)).map(({ id }) => id));
}

/** The limits as the layout holds them: each once, the fatal ones first. */
export function weighed({ found, system }: { found: readonly Found[]; system: ReadonlySet<string> }): Limit[] {
  const limits = new Map<string, Limit>();
  for (const { what, why, devices = [], weight } of found) {
    const own = weight ?? (devices.some((id) => system.has(id)) ? 'fatal' : 'part');
    const key = `${what}\0${why}`;
    if (limits.get(key)?.weight !== 'fatal')
      limits.set(key, { what: what.slice(0, 4096), why: why.slice(0, 4096), weight: own });
  }
  const order = { fatal: 0, part: 1 };
  return [...limits.values()].sort((a, b) => order[a.weight] - order[b.weight]);
}
