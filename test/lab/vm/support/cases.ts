/** The machines that the lab recovers: what they were, what they become, and what is looked at afterwards. */
import { choiceOf, chosen } from '../../../crash/support/choice';
import { awkwardScript } from '../../support/awkward';
import {
  biosBtrfs,
  biosExt4,
  biosMbrXfs,
  biosMirror,
  biosThin,
  biosZfs,
  PASSPHRASE,
  uefiEncrypted,
  uefiExt4,
  uefiMirror,
} from './layouts';
import type { Recovery, ServerCase } from './recovery';

export interface RecoveryCase extends Omit<ServerCase, 'name'> {
  /** Unique, up to 6 letters. */
  name: string;
  title: string;
  /** What the replacement has, where it is another machine than the lost one. */
  replacement?: { disks?: ServerCase['layout']['disks'] | 'own'; mac?: string };
  /** Passphrases by the mapping's name. */
  passphrases?: Record<string, string>;
  /** Words of the command besides. */
  words?: readonly string[];
  /** Those of the differences told that the replacement's own disks and card make. */
  expected?: RegExp;
  /** Takes longer than `npm test` has room for: `npm run test:metal` runs it. */
  long?: true;
  /** Looked at after everything was compared. */
  then?: (recovery: Recovery) => Promise<void>;
}

const GIB_MB = 1024;
/** What is on another disk has other sizes. */
const OTHER_DISK = /^\{"area":"(disks|partitions|file systems|boot)"/;

/** A pool that is made gets another GUID, and the file that the boot imports it by has it. */
const POOL_GUID = /^\{"area":"volumes".*pool tank.*"field":"guid"|^(?:gone|come): \.\/zfs(?:\/zpool\.cache)? /;
/** Keys and ids, and the times of the folders that they lie in. */
const NEW_IDENTITY =
  /^(?:gone|come): (?:\.|\.\/(?:machine-id|ssh|ssh\/ssh_host_[a-z0-9]+_key(?:\.pub)?|resurgo\/(?:host|rescue)\.key(?:\.pub)?)) |"field":"machineId"/;
/** In the pool's datasets too. */
const FILL_POOL = ['/srv/data', '/srv/tank/logs']
  .map((folder) => `mkdir ${folder}/awkward; ( ${awkwardScript({ dir: `${folder}/awkward`, holds: 'full' })}\n)`)
  .join('\n');

/** Its recovery makes an initramfs with every driver, as Debian does unless it is told otherwise; for the other machines see tree.sh. */
const EVERY_DRIVER = 'settle() { rm /mnt/etc/initramfs-tools/conf.d/lean; }';

/** Each disk by itself, the other one pulled. */
async function bootsWithEither(recovery: Recovery): Promise<void> {
  for (const serial of ['D1', 'D2']) await recovery.bootsWith([serial]);
}

/** By BIOS. */
export const biosCases: readonly RecoveryCase[] = [
  { name: 'ext4', title: 'GPT, one ext4', layout: biosExt4, number: 131 },
  {
    name: 'md',
    title: 'LVM on md RAID1 over two disks; it boots with either alone',
    layout: biosMirror,
    number: 132,
    then: bootsWithEither,
  },
  {
    name: 'again',
    long: true,
    title: 'LVM on md RAID1, onto its own disks with all that is on them',
    layout: biosMirror,
    number: 138,
    replacement: { disks: 'own' },
  },
  { name: 'thin', title: 'LVM thin', layout: biosThin, number: 133 },
  { name: 'btrfs', title: 'btrfs with subvolumes over two disks', layout: biosBtrfs, number: 134 },
  { name: 'mbr', title: 'MBR with logical partitions, XFS', layout: biosMbrXfs, number: 135 },
  {
    name: 'zfs',
    long: true,
    title: 'ZFS data pool',
    layout: biosZfs,
    number: 137,
    fill: `${FILL_POOL}\nsync`,
    expected: POOL_GUID,
    // The boot itself has imported and mounted it.
    then: async ({ server }) => {
      const { stdout } = await server.ssh(
        'zpool list -H -o name,health,altroot; zfs get -H -o value mounted tank tank/data tank/logs',
      );
      if (stdout !== 'tank\tONLINE\t-\nyes\nyes\nyes\n') throw new Error(`the pool is not as it was: ${stdout}`);
    },
  },
  {
    name: 'small',
    title: 'a smaller disk that says nothing of itself',
    layout: biosExt4,
    number: 136,
    replacement: { disks: [{ serial: 'S1', nameless: true, sizeMb: 3 * GIB_MB }] },
    expected: OTHER_DISK,
  },
  {
    name: 'copy',
    // Its initramfs is made anew.
    long: true,
    title: 'a copy with an identity of its own',
    layout: biosExt4,
    number: 139,
    words: ['--new-identity'],
    expected: NEW_IDENTITY,
  },
];

/** By UEFI. */
export const uefiCases: readonly RecoveryCase[] = [
  { name: 'uefi', title: 'GPT, ESP, swap, ext4', layout: uefiExt4, number: 140 },
  {
    name: 'secure',
    title: 'Secure Boot',
    layout: { ...uefiExt4, firmware: 'secure' },
    number: 141,
    then: (recovery) => recovery.bootedSecurely(),
  },
  {
    name: 'esps',
    long: true,
    title: 'md RAID1 with an EFI system partition on each disk; it boots with either alone',
    layout: uefiMirror,
    number: 144,
    then: bootsWithEither,
  },
  {
    name: 'luks',
    long: true,
    title: 'LVM on LUKS 2',
    layout: uefiEncrypted,
    number: 142,
    passphrases: { system_crypt: PASSPHRASE },
  },
  {
    name: 'other',
    long: true,
    title: 'another machine: a bigger NVMe disk, another MAC',
    layout: { ...uefiExt4, script: `${uefiExt4.script}\n${EVERY_DRIVER}` },
    number: 143,
    replacement: { disks: [{ serial: 'N1', sizeMb: 6 * GIB_MB, bus: 'nvme' }], mac: '52:54:00:aa:bb:cc' },
    expected: new RegExp(`${OTHER_DISK.source}|^\\{"area":"(network|files)"|\\./systemd/network/10-lan\\.network`),
  },
];

/** Those of the cases that the choice takes: all of them, or some of those that `npm test` has room for. */
export function chosenCases(cases: readonly RecoveryCase[]): RecoveryCase[] {
  const choice = choiceOf();
  return chosen(choice.wanted === 'all' ? cases : cases.filter(({ long }) => long !== true), choice);
}
