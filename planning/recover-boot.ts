/** What the boot loader of a recovered system needs to know: the disks that it boots from, and the name of its EFI folder. Pure. */
import type { Layout } from './layout-schema';
import { fileSystemDevices, storageGraph } from './recover-graph';
import type { DiskIdentity, RecoveryPlan } from './recover-plan';

export interface BootTarget {
  /** Of the new machine: with a BIOS each of them gets boot code, with UEFI they hold the EFI system partitions. */
  disks: DiskIdentity[];
  /** The folder below `EFI/`, `debian`; null where the layout does not tell one. */
  efiId: string | null;
}

export function bootTarget({ layout, plan }: { layout: Layout; plan: RecoveryPlan }): BootTarget {
  const was = bootDisks({ layout, firmware: plan.firmware });
  const names = layout.disks.filter((disk) => was.includes(disk.id)).map((disk) => disk.name);
  return {
    disks: plan.disks
      .filter(
        ({ fate, takesPlaceOf }) => fate === 'overwritten' && takesPlaceOf !== null && names.includes(takesPlaceOf),
      )
      .map(({ name, serial, wwn, bytes }) => ({ name, serial, wwn, bytes })),
    efiId: efiId(layout),
  };
}

/** Of the layout: those that it booted from, or, by this firmware, can boot from. */
function bootDisks({ layout, firmware }: { layout: Layout; firmware: 'bios' | 'uefi' }): string[] {
  const { boot, mounts } = layout;
  if (firmware === 'bios' && boot.biosDisks.length > 0) return boot.biosDisks;
  const own = mounts.some(({ path }) => path === '/boot') ? '/boot' : '/';
  const paths = firmware === 'uefi' ? boot.espMounts : [own];
  const graph = storageGraph(layout);
  const systems = mounts.filter(({ path }) => paths.includes(path)).map(({ fileSystem }) => fileSystem);
  return layout.fileSystems
    .filter(({ id }) => systems.includes(id))
    .flatMap((fileSystem) => fileSystemDevices(fileSystem).flatMap((id) => graph.disksUnder(id)));
}

/** Folders that are no system's own that could be recovered, as the rescue system has them (hostkit/rescue/lib/efi.sh). A FAT tells no case. */
const FOREIGN = ['BOOT', 'MICROSOFT', 'DELL', 'HP'];

/** The folder that the machine was booted from, else the distribution's own. */
function efiId({ boot, system }: Layout): string | null {
  const order = [...boot.efiEntries].sort((a, b) => rank(boot.efiOrder, a.number) - rank(boot.efiOrder, b.number));
  for (const { loader } of order) {
    const [, folder] = /^\\EFI\\([A-Za-z0-9._-]+)\\[^\\]+$/i.exec(loader ?? '') ?? [];
    if (folder !== undefined && !FOREIGN.includes(folder.toUpperCase())) return folder;
  }
  return system.os.id === '' ? null : system.os.id;
}

/** Those that the order does not name come last. */
function rank(order: readonly string[], number: string): number {
  const at = order.indexOf(number);
  return at < 0 ? order.length : at;
}
