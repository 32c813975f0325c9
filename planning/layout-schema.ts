/**
 * The layout of a machine: disks to mount points, how it boots, its network. Captured with each backup of a `system` source and on
 * demand, it is all that a recovery onto blank disks needs besides the data. JSON, versioned; strict about what it knows.
 * Not for workflow code (zod): its types are.
 */
import { z } from 'zod';
import * as storage from './layout-storage';

export const LAYOUT_VERSION = 1;

const word = z.string().max(4096);
const bytes = z.number().int().nonnegative();

const system = z
  .strictObject({
    os: z.strictObject({
      id: word.describe('`ID` of os-release, `debian`.'),
      like: z.array(word).describe('`ID_LIKE`.'),
      version: word,
      name: word.describe('`PRETTY_NAME`.'),
    }),
    family: z
      .enum(['debian', 'redhat', 'suse', 'other'])
      .describe('Which tools make its initramfs and its boot loader’s configuration.'),
    architecture: word.describe('As `uname -m` says.'),
    kernel: word.describe('The running one’s release.'),
    machineId: word.nullable(),
    memoryBytes: bytes,
    virtual: word.nullable().describe('`kvm`, `vmware`, …; null on real hardware.'),
    modules: z.array(word).describe('Loaded kernel modules, sorted.'),
    selinux: z.enum(['enforcing', 'permissive', 'disabled']).nullable(),
  })
  .describe('The system itself.');

const efiEntry = z.strictObject({
  number: z.string().regex(/^[0-9A-F]{4}$/),
  label: word,
  active: z.boolean(),
  partitionUuid: word.nullable(),
  loader: word.nullable().describe('Path on the ESP, with backslashes, `\\EFI\\debian\\shimx64.efi`.'),
});

/** Optional: layouts of before it was asked don't have it, and stay as they were signed. */
const remake = z
  .strictObject({
    tools: z.array(word).describe('Programs for it, sorted: `grub-install`, `update-initramfs` …'),
    grubPlatforms: z.array(word).describe('Firmwares that GRUB’s files are there for: `i386-pc`, `x86_64-efi` …'),
    loaderFiles: z.array(word).describe('`EFI/debian/shimx64.efi` …, from the top of the EFI system partition.'),
    moduleVersions: z.array(word).describe('Versions of kernels whose modules are there.'),
  })
  .describe('What a recovery makes it boot again with. Missing where the host’s hostkit did not tell it.');

const boot = z
  .strictObject({
    firmware: z.enum(['bios', 'uefi']).describe('What it was booted by.'),
    secureBoot: z.boolean().nullable().describe('Null on BIOS.'),
    loader: z.enum(['grub2', 'systemd-boot', 'extlinux', 'none', 'unknown']),
    biosDisks: z.array(storage.deviceId).describe('Disks whose first sector holds boot code of this loader.'),
    espMounts: z.array(word).describe('Where EFI system partitions are mounted, the one in use first.'),
    shim: z.boolean().describe('A signed shim lies on the ESP.'),
    efiEntries: z.array(efiEntry),
    efiOrder: z.array(z.string()),
    kernels: z.array(z.strictObject({ release: word, image: word, initramfs: word.nullable() })),
    commandLine: word.describe('Of the running kernel.'),
    initramfs: z.enum([
      'initramfs-tools',
      'dracut',
      'mkinitrd',
      'mkinitcpio',
      'mkinitfs',
      'booster',
      'none',
      'unknown',
    ]),
    blsEntries: z.array(word).describe('Files of boot loader specification entries.'),
    remake: remake.optional(),
  })
  .describe('How it boots.');

const networkInterface = z.strictObject({
  name: word,
  kind: z.enum(['ethernet', 'vlan', 'bond', 'bridge', 'other']),
  mac: word.nullable(),
  permanentMac: word.nullable().describe('The hardware’s own, where it is another (members of a bond).'),
  up: z.boolean(),
  mtu: z.number().int().positive(),
  addresses: z.array(word).describe('`192.0.2.10/24`, those of link scope left out.'),
  dynamic: z.boolean().describe('Its addresses come from DHCP or router advertisements.'),
  driver: word.nullable(),
  vlan: z.strictObject({ parent: word, id: z.number().int().min(0).max(4095) }).nullable(),
  bond: z.strictObject({ mode: word, members: z.array(word), options: z.record(word, word) }).nullable(),
  bridge: z.strictObject({ members: z.array(word), stp: z.boolean() }).nullable(),
});

const network = z
  .strictObject({
    hostname: word,
    interfaces: z.array(networkInterface),
    routes: z.array(
      z.strictObject({ to: word, via: word.nullable(), device: word, metric: z.number().int().nullable() }),
    ),
    dns: z.strictObject({ servers: z.array(word), search: z.array(word) }),
    tool: z.enum(['ifupdown', 'netplan', 'networkmanager', 'systemd-networkd', 'ifcfg', 'wicked', 'unknown']),
  })
  .describe('The network, and which tool configured it.');

const config = z.strictObject({
  path: word,
  text: z.string().max(1_048_576),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

const limit = z
  .strictObject({
    what: word.describe('The device, file system or part of the configuration.'),
    why: word.describe('Why a recovery can’t make it again, as a sentence’s end.'),
    /** `fatal`: the machine can't be recovered from bare metal; `part`: it can, without this. */
    weight: z.enum(['fatal', 'part']),
  })
  .describe('Something that was met and can’t be made again; said at backup time, never first at recovery.');

export const layoutSchema = z.strictObject({
  resurgoLayout: z.literal(LAYOUT_VERSION),
  host: word.describe('The host’s name without the deployment’s prefix.'),
  capturedAt: z.iso.datetime({ precision: 3 }),
  system,
  boot,
  disks: z.array(storage.disk),
  tables: z.array(storage.table),
  partitions: z.array(storage.partition),
  arrays: z.array(storage.array),
  luks: z.array(storage.luks),
  volumeGroups: z.array(storage.volumeGroup),
  volumes: z.array(storage.logicalVolume),
  pools: z.array(storage.pool),
  fileSystems: z.array(storage.fileSystem),
  swaps: z.array(storage.swap),
  mounts: z.array(storage.mount),
  network,
  configs: z.array(config).describe('fstab, crypttab, mdadm.conf and the like, as they were.'),
  limits: z.array(limit),
});

export type Layout = z.output<typeof layoutSchema>;
export type LayoutSystem = Layout['system'];
export type LayoutBoot = Layout['boot'];
export type LayoutNetwork = Layout['network'];
export type NetworkInterface = LayoutNetwork['interfaces'][number];
export type Limit = Layout['limits'][number];
