/** Whether a recovery's jobs can make a machine boot again, of its layout: at backup time for its own limits, at recovery for the plan. Pure. */
import {
  efiFolder,
  ESP_PLACES,
  GRUB_CONFIGURERS,
  GRUB_INSTALLERS,
  GRUB_PLATFORMS,
  hasOne,
  INITRAMFS_READERS,
  INITRAMFS_TOOLS,
  keepsLoader,
  kernelVersion,
  loadersIn,
} from './boot-families';
import { WHY } from './layout-limits';
import type { Layout } from './layout-schema';

type Booting = Pick<Layout, 'system' | 'boot' | 'mounts' | 'fileSystems'>;

/** Something that the jobs would refuse, as a limit says it. */
export interface BootProblem {
  what: string;
  why: string;
}

const problem = (what: string, why: string): BootProblem => ({ what, why });
const LOADER = 'the boot loader';
const INITRAMFS = 'the initramfs';

/**
 * What a recovery onto a machine with that firmware would come to an end at once its disks are written over. Of a layout from before all of
 * it was asked (`boot.remake`) only what is certain.
 */
export function bootProblems({ layout, firmware }: { layout: Booting; firmware: 'bios' | 'uefi' }): BootProblem[] {
  const loader = layout.boot.loader === 'extlinux' ? [problem(LOADER, WHY.extlinux)] : loaderProblems(layout, firmware);
  const esp = firmware === 'uefi' && !hasEsp(layout) ? [problem('the EFI system partition', WHY.espElsewhere)] : [];
  return [...loader, ...esp, ...kernelProblems(layout), ...initramfsProblems(layout)];
}

/** Is it known what the jobs need? */
export function isBootKnown({ boot }: Pick<Layout, 'boot'>): boolean {
  return boot.remake !== undefined;
}

/** Said where it is not. */
export const BOOT_UNKNOWN: BootProblem = problem('the boot set-up', WHY.bootUnknown);

function loaderProblems({ system, boot }: Booting, firmware: 'bios' | 'uefi'): BootProblem[] {
  const { remake, loader, blsEntries } = boot;
  // Said already, and nothing more is known of it.
  if (remake === undefined || loader === 'unknown' || loader === 'none') return [];
  if (firmware === 'uefi' && keepsLoader({ system, boot, remake })) {
    const folders = [efiFolder({ system, boot }), null];
    const isThere = folders.some((folder) => loadersIn({ remake, folder }).length > 0);
    return [
      ...(!isThere ? [problem(LOADER, WHY.noEfiLoader)] : []),
      ...(loader === 'systemd-boot' && blsEntries.length === 0 ? [problem(LOADER, WHY.unifiedKernels)] : []),
    ];
  }
  if (!hasOne(remake.tools, GRUB_INSTALLERS)) return [problem(LOADER, WHY.noGrubInstall)];
  const platforms = GRUB_PLATFORMS[system.architecture]?.[firmware] ?? [];
  return [
    ...(hasOne(remake.grubPlatforms, platforms) ? [] : [problem(LOADER, WHY.noGrubPlatform)]),
    ...(firmware === 'bios' && !hasOne(remake.tools, GRUB_CONFIGURERS) ? [problem(LOADER, WHY.noGrubConfig)] : []),
  ];
}

/** Mounted now or by fstab: the plan mounts what the layout has. */
function hasEsp({ mounts, fileSystems }: Booting): boolean {
  return mounts.some(
    ({ path, fileSystem }) =>
      ESP_PLACES.some((place) => place === path) &&
      fileSystems.some(({ id, make }) => id === fileSystem && make.type === 'vfat'),
  );
}

function kernelProblems({ boot: { kernels, remake } }: Booting): BootProblem[] {
  const versions = kernels.flatMap(({ image }) => kernelVersion(image) ?? []);
  if (remake !== undefined)
    return hasOne(remake.moduleVersions, versions) ? [] : [problem('the kernel', WHY.kernelUnversioned)];
  // A kernel's version begins with a digit; `linux` and `lts` have modules of no such name.
  const isCertain = kernels.length > 0 && !versions.some((version) => /^\d/.test(version));
  return isCertain ? [problem('the kernel', WHY.kernelUnversioned)] : [];
}

function initramfsProblems({ boot: { initramfs, remake } }: Booting): BootProblem[] {
  if (remake === undefined)
    return initramfs === 'mkinitcpio' || initramfs === 'none' ? [problem(INITRAMFS, WHY.initramfsForeign)] : [];
  if (!hasOne(remake.tools, INITRAMFS_TOOLS)) return [problem(INITRAMFS, WHY.initramfsForeign)];
  return hasOne(remake.tools, INITRAMFS_READERS) ? [] : [problem(INITRAMFS, WHY.initramfsUnreadable)];
}
