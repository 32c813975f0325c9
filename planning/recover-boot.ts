/** What the boot loader of a recovered system needs to know: the disks that it boots from, and the name of its EFI folder. Pure. */
import { efiFolder, keepsLoader, loadersIn } from './boot-families';
import type { Layout } from './layout-schema';
import { espsOf } from './recover-esps';
import { fileSystemDevices, storageGraph } from './recover-graph';
import type { Device, DiskIdentity, RecoveryPlan } from './recover-plan';

export interface BootTarget {
  /** Of the new machine: with a BIOS each of them gets boot code, with UEFI they hold the EFI system partitions. */
  disks: DiskIdentity[];
  /** The folder below `EFI/`, `debian`; null where the layout does not tell one. */
  efiId: string | null;
  /** It starts by the firmware that it had: a configuration of its loader may stay. Left out by runs of an earlier version. */
  sameFirmware?: boolean;
  /** EFI system partitions beside the one that is mounted, which get its loader too. Left out where there are none. */
  otherEsps?: Device[];
}

export function bootTarget({
  layout,
  plan,
}: {
  layout: Layout;
  plan: Pick<RecoveryPlan, 'firmware' | 'disks' | 'steps'>;
}): BootTarget {
  const was = bootDisks({ layout, firmware: plan.firmware });
  const otherEsps = espsBeside({ layout, plan });
  const names = layout.disks.filter((disk) => was.includes(disk.id)).map((disk) => disk.name);
  return {
    disks: plan.disks
      .filter(
        ({ fate, takesPlaceOf }) => fate === 'overwritten' && takesPlaceOf !== null && names.includes(takesPlaceOf),
      )
      .map(({ name, serial, wwn, bytes }) => ({ name, serial, wwn, bytes })),
    efiId: efiId(layout),
    sameFirmware: layout.boot.firmware === plan.firmware,
    ...(otherEsps.length === 0 ? {} : { otherEsps }),
  };
}

/** Those that the plan makes. */
function espsBeside({ layout, plan }: { layout: Layout; plan: Pick<RecoveryPlan, 'firmware' | 'steps'> }): Device[] {
  const esps = plan.firmware === 'uefi' ? espsOf({ storage: layout, boot: layout.boot }) : undefined;
  if (esps === undefined || esps.holdsKernels) return [];
  const keys = esps.others.map(({ fileSystem }) => `mkfs:${fileSystem ?? ''}`);
  return plan.steps.flatMap((step) => (step.kind === 'mkfs' && keys.includes(step.key) ? step.on : []));
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

/** A loader that stays as it came is looked for where one is: not every system's folder has its name. */
function efiId({ system, boot }: Layout): string | null {
  const folder = efiFolder({ system, boot });
  const { remake } = boot;
  if (remake === undefined || !keepsLoader({ system, boot, remake })) return folder;
  return loadersIn({ remake, folder }).length > 0 ? folder : null;
}
