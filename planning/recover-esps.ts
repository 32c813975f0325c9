/** The EFI system partitions of a layout: the one that the loader is installed to, and those beside it. Pure. */
import { ESP_PLACES, ESP_TYPES } from './boot-families';
import type { LayoutBoot } from './layout-schema';
import type { Storage } from './recover-graph';

export interface Esps {
  /** Where the one in use is mounted. */
  path: string;
  /** Another one would lead to kernels that lie on it alone: systemd-boot's, or those of a FAT for /boot. */
  holdsKernels: boolean;
  /** Partitions of the type that are neither it nor members of its array, with the FAT on each; null where there is none. */
  others: { partition: string; fileSystem: string | null }[];
}

/** Undefined where none is mounted at a place where it is looked for (hostkit/rescue/lib/new.sh). */
export function espsOf({ storage, boot }: { storage: Storage; boot: Pick<LayoutBoot, 'loader'> }): Esps | undefined {
  const { fileSystems, mounts, arrays, partitions } = storage;
  const fats = fileSystems.filter(({ make }) => make.type === 'vfat');
  const isFat = (id: string) => fats.some((each) => each.id === id);
  const own = ESP_PLACES.flatMap((path) => mounts.filter((each) => each.path === path && isFat(each.fileSystem)))[0];
  if (own === undefined) return undefined;
  const on = fats.find(({ id }) => id === own.fileSystem)?.on;
  const members = arrays.flatMap(({ slots, spares }) => [...slots, ...spares]);
  return {
    path: own.path,
    holdsKernels: boot.loader === 'systemd-boot' || own.path === '/boot',
    others: partitions
      .filter(({ id, type }) => ESP_TYPES.has(type) && id !== on && !members.includes(id))
      .map(({ id }) => ({ partition: id, fileSystem: fats.find((each) => each.on === id)?.id ?? null })),
  };
}
