/** By which firmware rescue media start. Pure. */

export type Firmware = 'BIOS' | 'UEFI';

/** The firmware that an image has no boot code for, as the host that built it had none; undefined where it has both, or where that is not known. */
export function startsNotBy(build: { biosBoot?: boolean; uefiBoot?: boolean }): Firmware | undefined {
  if (build.biosBoot === false) return 'BIOS';
  return build.uefiBoot === false ? 'UEFI' : undefined;
}

/** What to install on a Debian host for it. */
export const BOOT_PACKAGES: Record<Firmware, string> = {
  BIOS: 'grub-pc-bin',
  UEFI: 'shim-signed and grub-efi-amd64-signed, or grub-efi-amd64-bin',
};
