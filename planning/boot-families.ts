/**
 * The boot set-ups that the rescue system's jobs make again (`hostkit/rescue/jobs/new-*`, `hostkit/rescue/lib`), as one list: what is in none
 * of these families is told at backup time and refused by the plan, never first when the disks are written over. A test compares the jobs
 * with it. Pure.
 */
import type { Layout, LayoutBoot } from './layout-schema';

/** Programs that make an initramfs, in the order in which job `new-initramfs` takes them. */
export const INITRAMFS_TOOLS = ['update-initramfs', 'dracut', 'mkinitrd'] as const;
/** Programs that list one, by which job `new-verify` looks into it. */
export const INITRAMFS_READERS = ['lsinitramfs', 'lsinitrd'] as const;
/** What installs GRUB, the one that is taken first. */
export const GRUB_INSTALLERS = ['grub2-install', 'grub-install'] as const;
/** What writes its configuration. */
export const GRUB_CONFIGURERS = ['update-grub', 'grub2-mkconfig', 'grub-mkconfig'] as const;
/** Where a kernel is looked for by its version; `*` is one folder. */
export const KERNEL_PLACES = [
  '/boot/vmlinuz-VERSION',
  '/boot/vmlinux-VERSION',
  '/boot/Image-VERSION',
  '/boot/*/VERSION/linux',
  '/boot/efi/*/VERSION/linux',
  '/efi/*/VERSION/linux',
] as const;
/** Where the EFI system partition is looked for, in this order. */
export const ESP_PLACES = ['/boot/efi', '/efi', '/boot'] as const;
/** Types of its partition, of GPT and MBR. */
export const ESP_TYPES: ReadonlySet<string> = new Set(['C12A7328-F81F-11D2-BA4B-00A0C93EC93B', 'ef']);
/** Files that a firmware can start, in a loader's own folder; `ARCH` is x64, aa64 or ia32. */
export const EFI_LOADERS = ['shimARCH.efi', 'shim.efi', 'grubARCH.efi', 'grub.efi', 'systemd-bootARCH.efi'] as const;
/** Of these distributions (ID or ID_LIKE) the loader's files of their packages stay, instead of an installation. */
export const KEEPING_SYSTEMS = ['rhel', 'fedora', 'centos'] as const;
/** GRUB's platforms by processor. */
export const GRUB_PLATFORMS: Readonly<Record<string, { bios: readonly string[]; uefi: readonly string[] }>> = {
  x86_64: { bios: ['i386-pc'], uefi: ['x86_64-efi', 'i386-efi'] },
  aarch64: { bios: [], uefi: ['arm64-efi'] },
};
/** Folders of the EFI system partition that are no system's own that could be recovered. A FAT tells no case. */
export const FOREIGN_FOLDERS = ['boot', 'microsoft', 'dell', 'hp'] as const;

type Remake = NonNullable<LayoutBoot['remake']>;

/** Does the job leave the loader's files as they came with the data? */
export function keepsLoader({ system, boot, remake }: Pick<Layout, 'system' | 'boot'> & { remake: Remake }): boolean {
  const { id, like } = system.os;
  const keeping = [id, ...like].some((name) => KEEPING_SYSTEMS.some((each) => each === name));
  if (keeping || !hasOne(remake.tools, GRUB_INSTALLERS)) return true;
  return loadersIn({ remake, folder: efiFolder({ system, boot }) }).some((file) => file.startsWith('systemd-boot'));
}

/** Names of the loaders in one folder of the EFI system partition, or, without one, in all that a system can be recovered from. */
export function loadersIn({ remake, folder }: { remake: Remake; folder: string | null }): string[] {
  const wanted = folder?.toLowerCase();
  return remake.loaderFiles.flatMap((file) => {
    const [, at = '', name = ''] = /^EFI\/([^/]+)\/([^/]+)$/i.exec(file) ?? [];
    const place = at.toLowerCase();
    const isThere = wanted === undefined ? !isForeign(place) : place === wanted;
    return isThere && isLoader(name) ? [name.toLowerCase()] : [];
  });
}

/** The folder below `EFI` that the machine was booted from, else the distribution's own; null leaves it to what came with the data. */
export function efiFolder({ boot, system }: Pick<Layout, 'system' | 'boot'>): string | null {
  const order = [...boot.efiEntries].sort((a, b) => rank(boot.efiOrder, a.number) - rank(boot.efiOrder, b.number));
  for (const { loader } of order) {
    const [, folder] = /^\\EFI\\([A-Za-z0-9._-]+)\\[^\\]+$/i.exec(loader ?? '') ?? [];
    if (folder !== undefined && !isForeign(folder)) return folder;
  }
  return system.os.id === '' ? null : system.os.id;
}

/** Those that the order does not name come last. */
function rank(order: readonly string[], number: string): number {
  const at = order.indexOf(number);
  return at < 0 ? order.length : at;
}

function isForeign(folder: string): boolean {
  return FOREIGN_FOLDERS.some((each) => each === folder.toLowerCase());
}

function isLoader(name: string): boolean {
  return EFI_LOADERS.some((each) => new RegExp(`^${each.replace('ARCH', '(?:x64|aa64|ia32)')}$`, 'i').test(name));
}

/** The version of a kernel's image where it lies at one of the places; undefined for any other file. */
export function kernelVersion(image: string): string | undefined {
  for (const place of KERNEL_PLACES) {
    const pattern = place.replace(/[.]/g, '\\$&').replace('*', '[^/]+').replace('VERSION', '([^/]+)');
    const [, version] = new RegExp(`^${pattern}$`).exec(image) ?? [];
    if (version !== undefined) return version;
  }
  return undefined;
}

export function hasOne(have: readonly string[], wanted: readonly string[]): boolean {
  return wanted.some((each) => have.includes(each));
}
