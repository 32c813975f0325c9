/** How the machine boots: firmware, loader and its place, kernels. */
import { ESP_PLACES, ESP_TYPES, kernelVersion } from './boot-families';
import type { Devices } from './layout-devices';
import { bytesOf, type Reading } from './layout-facts';
import { WHY } from './layout-limits';
import type { Mounted } from './layout-mounts';
import type { LayoutBoot } from './layout-schema';
import type { Partition } from './layout-storage';

const GRUB = [0x47, 0x52, 0x55, 0x42];

interface BootOf {
  reading: Reading;
  devices: Devices;
  mounted: readonly Mounted[];
  partitions: readonly Partition[];
}

export function readBoot({ reading, devices, mounted, partitions }: BootOf): LayoutBoot {
  const files = reading.lines('boot-files');
  const uefi = reading.fact('efi')?.exit === 0;
  if (uefi && reading.problem('efibootmgr') !== undefined)
    reading.limit({
      what: 'the firmware’s boot entries',
      why: `they are not known: ${reading.problem('efibootmgr') ?? ''}`,
      weight: 'part',
    });
  const { entries, order, current } = efiOf(reading.text('efibootmgr'));
  const running = entries.find(({ number }) => number === current);
  const loader = loaderOf({ files, running: running?.loader ?? null });
  if (loader === 'unknown' || loader === 'none')
    reading.limit({ what: 'the boot loader', why: WHY.loaderUnknown, weight: 'fatal' });
  const ofBios = uefi ? [] : biosDisks({ reading, devices, loader });
  noteBootDisk({ reading, devices, mounted, disks: ofBios });
  const remake = remakeOf({ reading, files, mounted });
  return {
    firmware: uefi ? 'uefi' : 'bios',
    secureBoot: uefi ? bytesOf(reading.text('secure-boot'))[4] === 1 : null,
    loader,
    biosDisks: ofBios,
    espMounts: espMounts({ mounted, partitions, inUse: running?.partitionUuid ?? null }),
    shim: files.some((file) => /\/shim[a-z0-9]*\.efi$/i.test(file)),
    efiEntries: entries,
    efiOrder: order,
    kernels: kernelsOf(files),
    commandLine: reading.word('cmdline') ?? '',
    initramfs: initramfsOf({ reading, files }),
    blsEntries: files.filter((file) => /\/loader\/entries\/[^/]+\.conf$/.test(file)).sort(),
    ...(remake === undefined ? {} : { remake }),
  };
}

/** A firmware may boot from one disk and the system lie on another: a recovery finds boot code on the latter alone. */
function noteBootDisk({
  reading,
  devices,
  mounted,
  disks,
}: Pick<BootOf, 'reading' | 'devices' | 'mounted'> & { disks: readonly string[] }): void {
  const under = mounted.flatMap(({ path, device, type }) => {
    if (!['/', '/usr', '/boot'].includes(path) || device === undefined) return [];
    // A btrfs is mounted on all its devices, and names one.
    const uuid = type === 'btrfs' ? device.probed.get('ID_FS_UUID') : undefined;
    const members = devices.all.filter((each) => uuid !== undefined && each.probed.get('ID_FS_UUID') === uuid);
    return [device, ...members].flatMap((each) => devices.downFrom(each).map(({ id }) => id));
  });
  if (disks.length > 0 && !disks.some((id) => under.includes(id)))
    reading.limit({ what: 'the boot loader', why: WHY.bootDisk, weight: 'fatal' });
}

/** Undefined where the hostkit is of before it was asked, or an answer is missing. */
function remakeOf({
  reading,
  files,
  mounted,
}: Pick<BootOf, 'reading' | 'mounted'> & { files: readonly string[] }): LayoutBoot['remake'] {
  if (
    ['boot-modules', 'grub-platforms', 'boot-tools', 'boot-files'].some((name) => reading.problem(name) !== undefined)
  )
    return undefined;
  const esp = ESP_PLACES.find((place) => mounted.some(({ path, type }) => path === place && type === 'vfat'));
  const tools = reading.lines('boot-tools').flatMap((line) => {
    const [name = '', at = ''] = line.split(' ');
    // The jobs look where packages put their programs.
    return at.startsWith('/usr/local/') ? [] : [name];
  });
  return {
    tools: tools.sort(),
    grubPlatforms: [...new Set(reading.lines('grub-platforms'))].sort(),
    loaderFiles: files
      .flatMap((file) => (esp !== undefined && file.startsWith(`${esp}/`) ? [file.slice(esp.length + 1)] : []))
      .filter((file) => /^EFI\/[^/]+\/[^/]+\.efi$/i.test(file))
      .sort(),
    moduleVersions: [...new Set(reading.lines('boot-modules'))].sort(),
  };
}

function loaderOf({ files, running }: { files: string[]; running: string | null }): LayoutBoot['loader'] {
  const has = (pattern: RegExp) => files.some((file) => pattern.test(file));
  if (running !== null && /systemd-boot/i.test(running)) return 'systemd-boot';
  if (has(/^\/boot\/grub2?\/grub\.cfg$/) || has(/\/EFI\/[^/]+\/grub\.cfg$/i)) return 'grub2';
  if (has(/\/systemd-boot[a-z0-9]+\.efi$/i)) return 'systemd-boot';
  if (has(/\/(?:ext|sys)linux\.(?:conf|cfg)$/)) return 'extlinux';
  return files.length === 0 ? 'none' : 'unknown';
}

/** Disks whose first sector has this loader's code: GRUB writes its name there, extlinux has none, so any other code counts. */
function biosDisks({
  reading,
  devices,
  loader,
}: {
  reading: Reading;
  devices: Devices;
  loader: LayoutBoot['loader'];
}): string[] {
  return devices.all
    .filter(({ kind, row }) => {
      if (kind !== 'disk') return false;
      const code = bytesOf(reading.text(`sector:/dev/${row.kname}`)).slice(0, 440);
      const isGrub = code.some((_, i) => GRUB.every((byte, j) => code[i + j] === byte));
      return loader === 'grub2' ? isGrub : loader === 'extlinux' && !isGrub && code.some((byte) => byte !== 0);
    })
    .map(({ id }) => id);
}

function espMounts({
  mounted,
  partitions,
  inUse,
}: {
  mounted: readonly Mounted[];
  partitions: readonly Partition[];
  inUse: string | null;
}): string[] {
  const found = mounted.flatMap(({ path, device, root }) => {
    const esp = partitions.find(({ id, type }) => id === device?.id && ESP_TYPES.has(type));
    return esp === undefined || root !== '/' ? [] : [{ path, uuid: esp.uuid }];
  });
  const used = found.filter(({ uuid }) => uuid !== null && uuid === inUse);
  return [...new Set([...used, ...found].map(({ path }) => path))];
}

/** `Boot0001* debian<TAB>HD(1,GPT,UUID,0x800,0x100000)/File(\EFI\debian\shimx64.efi)`; newer ones leave `File(…)` out. */
function efiOf(text: string): { entries: LayoutBoot['efiEntries']; order: string[]; current: string | undefined } {
  const [, order = ''] = /^BootOrder: (.*)$/m.exec(text) ?? [];
  const [, current] = /^BootCurrent: ([0-9A-Fa-f]{4})/m.exec(text) ?? [];
  const entries = [...text.matchAll(/^Boot([0-9A-Fa-f]{4})(\*?) ?(.*)$/gm)].map(
    ([, number = '', star = '', rest = '']) => {
      const cut = rest.indexOf('\t');
      const path = cut < 0 ? '' : rest.slice(cut + 1);
      const [, partition] = /HD\(\d+,GPT,([0-9a-fA-F-]{36}),/.exec(path) ?? [];
      const [, filed, plain] = /\)\/(?:File\(([^)]*)\)|(\\[^\t]*))/.exec(path) ?? [];
      return {
        number: number.toUpperCase(),
        label: (cut < 0 ? rest : rest.slice(0, cut)).trim(),
        active: star === '*',
        partitionUuid: partition?.toLowerCase() ?? null,
        loader: filed ?? plain?.trim() ?? null,
      };
    },
  );
  return {
    entries,
    order: order
      .split(',')
      .map((each) => each.trim().toUpperCase())
      .filter((each) => each !== ''),
    current: current?.toUpperCase(),
  };
}

function kernelsOf(files: string[]): LayoutBoot['kernels'] {
  const named = files.flatMap((image) => {
    const [, folder, release] = /^(.*\/)(?:vmlinuz|vmlinux|Image|kernel)-([^/]+?)(?:\.efi)?$/.exec(image) ?? [];
    if (folder === undefined || release === undefined) return [];
    const names = [`initrd.img-${release}`, `initramfs-${release}.img`, `initrd-${release}`, `initramfs-${release}`];
    const initramfs = names.map((name) => folder + name).find((file) => files.includes(file)) ?? null;
    return [{ release, image, initramfs }];
  });
  // Of the boot loader specification: a folder of the machine's, in it one for each kernel.
  const inFolders = files.flatMap((image) => {
    const release = image.endsWith('/linux') ? kernelVersion(image) : undefined;
    if (release === undefined || named.some((each) => each.release === release)) return [];
    const initramfs = image.replace(/linux$/, 'initrd');
    return [{ release, image, initramfs: files.includes(initramfs) ? initramfs : null }];
  });
  return [...named, ...inFolders].sort((a, b) => (a.release < b.release ? -1 : 1));
}

function initramfsOf({ reading, files }: { reading: Reading; files: string[] }): LayoutBoot['initramfs'] {
  const tools = new Map(reading.lines('boot-tools').map((line) => [line.split(' ')[0], true]));
  if (tools.has('update-initramfs')) return 'initramfs-tools';
  for (const tool of ['dracut', 'mkinitrd', 'mkinitcpio', 'mkinitfs', 'booster'] as const)
    if (tools.has(tool)) return tool;
  return files.some((file) => /\/init(?:rd|ramfs)[.-]/.test(file)) ? 'unknown' : 'none';
}

/** Files of configuration that were met, by path. */
export function readConfigs(reading: Reading): { path: string; text: string }[] {
  if (reading.fact('configs-left-out') !== undefined)
    reading.limit({
      what: 'configuration',
      why: 'there are more files than a layout keeps; they come back with the data',
      weight: 'part',
    });
  return reading.subjects('config').flatMap((path) => {
    const fact = reading.fact(`config:${path}`);
    if (fact === undefined || fact.cut || fact.exit !== 0) {
      reading.limit({
        what: path,
        why: 'it is larger than a layout keeps; it comes back with the data',
        weight: 'part',
      });
      return [];
    }
    return [{ path, text: fact.out }];
  });
}
