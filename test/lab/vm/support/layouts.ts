/** The layouts that servers are set up with: shell for install.sh, from the plainest to the oddest. */
import type { ServerSpec } from './install';

export type Layout = Pick<ServerSpec, 'firmware' | 'disks' | 'script'>;

const ROOT_OPTIONS = 'errors=remount-ro';

/** GPT, BIOS, one ext4. */
export const biosExt4: Layout = {
  firmware: 'bios',
  disks: [{ serial: 'D1', sizeMb: 4096 }],
  script: `layout() {
  D1=$(disk D1); BOOT_DISKS=$D1
  printf 'label: gpt\\nsize=1MiB, type=21686148-6449-6E6F-744E-656564454649, name="bios"\\ntype=linux, name="root"\\n' | sfdisk -q "$D1"
  mkfs.ext4 -q -L root "$(part "$D1" 2)"
  mount "$(part "$D1" 2)" /mnt
  fstab / ext4 ${ROOT_OPTIONS} 1
}`,
};

/** GPT, UEFI with the signed shim, ext4 for root and a swap partition between. */
export const uefiExt4: Layout = {
  firmware: 'uefi',
  disks: [{ serial: 'D1', sizeMb: 4096 }],
  script: `layout() {
  D1=$(disk D1); BOOT_DISKS=$D1
  printf 'label: gpt\\nsize=64MiB, type=uefi, name="ESP"\\nsize=128MiB, type=swap, name="swap"\\ntype=linux, name="root"\\n' | sfdisk -q "$D1"
  mkfs.vfat -F 32 -n ESP "$(part "$D1" 1)" >/dev/null
  mkswap -q -L swap "$(part "$D1" 2)"
  mkfs.ext4 -q -L root -m 3 "$(part "$D1" 3)"
  mount "$(part "$D1" 3)" /mnt
  mkdir -p /mnt/boot/efi
  mount "$(part "$D1" 1)" /mnt/boot/efi
  fstab / ext4 ${ROOT_OPTIONS} 1
  fstab /boot/efi vfat umask=0077 1
  fstab none swap sw 0 "$(part "$D1" 2)"
}`,
};
