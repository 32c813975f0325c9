/** What else keeps a recovered machine from coming up, said before anything is written. */
import { ESP_PLACES, keepsLoader } from './boot-families';
import { BOOT_UNKNOWN, bootProblems, isBootKnown } from './layout-bootable';
import { layoutSum } from './layout-diff';
import type { Layout } from './layout-schema';
import type { FoundMachine } from './recover-machine';
import { espsOf } from './recover-esps';
import type { Storage } from './recover-graph';
import type { Held } from './recover-held';
import { lostMounts } from './recover-held';
import { limitInWords } from './recover-keep';
import { luksWarnings } from './recover-luks';
import { list, printable } from './recover-words';

const BIOS_BOOT = '21686148-6449-6E6F-744E-656564454649';

interface CheckInput {
  layout: Layout;
  machine: FoundMachine;
  storage: Storage;
  newKeys?: string[];
  newIdentity?: true | undefined;
}

/** Whether the new machine's firmware can start what the layout holds. */
export function firmwareChecks({ layout, machine, storage }: CheckInput): { warnings: string[]; blockers: string[] } {
  const was = layout.boot.firmware;
  const warnings: string[] = [];
  const blockers: string[] = [];
  const bootDisks =
    machine.firmware === 'bios'
      ? storage.disks.filter((each) => each.sectorBytes > 512 && layout.boot.biosDisks.includes(each.id))
      : [];
  for (const disk of bootDisks) {
    warnings.push(
      printable(`${disk.name} has sectors of ${disk.sectorBytes} bytes, and hardly any BIOS boots from such a disk`),
    );
  }
  if (was === machine.firmware) return { warnings, blockers };
  const can =
    machine.firmware === 'uefi'
      ? layout.boot.espMounts.length > 0
      : storage.tables.some((table) => table.kind === 'dos') ||
        storage.partitions.some((each) => each.type === BIOS_BOOT);
  const message = `the host booted by ${was.toUpperCase()} and this machine's rescue system by ${machine.firmware.toUpperCase()}`;
  if (can) warnings.push(`${message}; its layout has a place for both`);
  else
    blockers.push(
      `${message}, for which its layout has no place. Set the machine's firmware to ${was === 'uefi' ? 'UEFI' : 'BIOS (legacy)'} and boot the rescue system again`,
    );
  return { warnings, blockers };
}

/** Whether the jobs that come after the data can make the new system boot here. What is not known is told, and no success. */
export function bootChecks({ layout, machine, held, newIdentity }: Omit<CheckInput, 'storage'> & { held: Held }): {
  warnings: string[];
  blockers: string[];
} {
  const { system, boot } = layout;
  const lost = lostMounts({ storage: layout, held }).map(({ path }) => path);
  const isKept = boot.remake !== undefined && keepsLoader({ system, boot, remake: boot.remake });
  const needed = ['/', '/usr', '/boot', ...(machine.firmware === 'uefi' && isKept ? ESP_PLACES : [])];
  return {
    warnings: isBootKnown(layout) ? [] : [printable(`${BOOT_UNKNOWN.what}: ${BOOT_UNKNOWN.why}`)],
    blockers: [
      ...bootProblems({ layout, firmware: machine.firmware }).map(limitInWords),
      // Its kernels lie in folders of the machine's id, and the tools that make an initramfs look for the one of now.
      ...(newIdentity === true && boot.loader === 'systemd-boot'
        ? ['systemd-boot names its kernels by the machine id, and a copy gets another: recover without --new-identity']
        : []),
      ...lost
        .filter((path) => needed.includes(path))
        .map(
          (path) =>
            `${path} is not in the backup, and without what lies there the new system would not boot. Take another backup (--backup), and one whose runbook does not exclude it`,
        ),
    ],
  };
}

/** Media that were built for something else may do as well: what the steps need of them is looked at by itself. */
export function mediaNotes({ layout, machine: { builtFor } }: Omit<CheckInput, 'storage'>): string[] {
  if (builtFor === null || builtFor === layoutSum(layout)) return [];
  return [
    `the rescue system was built for another layout of ${layout.host} than that of this backup: a kernel, a disk or the network has changed between the two. Newer media are shown by \`resurgo rescue list ${layout.host}\``,
  ];
}

/** The loader and an entry come to each EFI system partition (hostkit/rescue/lib/efi.sh): to one that holds a FAT, and to what GRUB alone needs. */
function espWarnings({ layout, machine, storage }: CheckInput): string[] {
  if (machine.firmware !== 'uefi') return [];
  const esps = espsOf({ storage, boot: layout.boot });
  if (esps === undefined) return [];
  const { path, others, holdsKernels } = esps;
  const bare = others.filter(({ fileSystem }) => fileSystem === null || holdsKernels);
  if (bare.length === 0) return [];
  const names = list(bare.map(({ partition }) => partition.slice(partition.indexOf(':') + 1)));
  const [it, gets] = bare.length === 1 ? ['an EFI system partition', 'It gets'] : ['EFI system partitions', 'They get'];
  const why = holdsKernels ? 'and its kernels lie on that one alone' : 'without a FAT';
  return [
    printable(
      `${names} of the layout: ${it} beside the one at ${path}, ${why}. ${gets} neither loader nor boot entry: without the disk of ${path} the machine does not start until you see to that (docs/bare-metal.md)`,
    ),
  ];
}

/** What will be different on the new machine, or has to be given by hand. */
export function otherWarnings({ layout, machine, storage, newKeys = [], newIdentity }: CheckInput): string[] {
  const warnings: string[] = [];
  if (newIdentity === true)
    warnings.push(
      'it gets an identity of its own (--new-identity): machine id, ssh host keys, the key that other hosts know it by. Its name and its addresses stay those of the backup: not beside the old machine in one network',
    );
  const macs = machine.interfaces.flatMap((each) => (each.mac === null ? [] : [each.mac.toLowerCase()]));
  const gone = layout.network.interfaces.filter((each) => {
    const mac = (each.permanentMac ?? each.mac)?.toLowerCase();
    return each.kind === 'ethernet' && mac !== undefined && !macs.includes(mac);
  });
  if (gone.length > 0) {
    const names = list(gone.map((each) => `${each.name} (${each.permanentMac ?? each.mac ?? ''})`));
    warnings.push(
      printable(`network interface ${names} is not in this machine: its configuration goes to another by its place`),
    );
  }
  warnings.push(...luksWarnings({ layout, storage, newKeys }));
  warnings.push(...espWarnings({ layout, machine, storage }));
  for (const { make } of storage.fileSystems) {
    const snapshots =
      make.type === 'btrfs' ? make.subvolumes.filter((each) => each.snapshot).map((each) => each.path) : [];
    if (snapshots.length > 0) {
      warnings.push(
        printable(`snapshots become subvolumes that share no data with others, and need more room: ${list(snapshots)}`),
      );
    }
  }
  if (storage.luks.length > 0 && machine.memoryBytes < layout.system.memoryBytes && machine.memoryBytes < 2 ** 31) {
    warnings.push('this machine has little memory: opening an encrypted volume may need up to 1 GiB');
  }
  return warnings;
}
