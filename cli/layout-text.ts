/** A layout as people read it: each disk down to its mount points as a tree, below it boot, network and what can't be made again. */
import { counted } from '../planning/counted';
import type { Layout, NetworkInterface } from '../planning/layout-schema';
import type { Disk, FileSystem, LogicalVolume, Partition, Swap, Vdev } from '../planning/layout-storage';
import { bytes, printable, table } from './output';

interface Node {
  text: string;
  below: Node[];
}

export function layoutText(layout: Layout): string {
  const { system } = layout;
  const kind = system.virtual === null ? 'real hardware' : system.virtual;
  const trees = new Trees(layout).all();
  return [
    printable(
      `${layout.host}: ${system.os.name === '' ? system.os.id : system.os.name}, ${system.architecture}, kernel ${system.kernel}, ${kind}, ${bytes(system.memoryBytes)} of memory`,
    ),
    '',
    ...(trees.length === 0 ? ['no disk is known'] : trees.flatMap((node) => drawn(node))),
    ...section('Boot', bootRows(layout)),
    ...section('Network', networkRows(layout)),
    ...section(
      'Files kept',
      [printable(layout.configs.map(({ path }) => path).join(' '))].filter((line) => line !== ''),
    ),
    ...section('Can’t be made again', limitRows(layout)),
  ].join('\n');
}

function section(title: string, lines: string[]): string[] {
  return lines.length === 0 ? [] : ['', title, ...lines.map((line) => `  ${line}`)];
}

function drawn({ text, below }: Node, lead = ''): string[] {
  return [
    printable(text),
    ...below.flatMap((node, i) => {
      const last = i === below.length - 1;
      const [head = '', ...rest] = drawn(node);
      return [`${lead}${last ? '└─ ' : '├─ '}${head}`, ...rest.map((line) => `${lead}${last ? '   ' : '│  '}${line}`)];
    }),
  ];
}

/** From each disk up. What lies on several devices is drawn in full at the first and named at the others. */
class Trees {
  private readonly seen = new Set<string>();

  constructor(private readonly layout: Layout) {}

  all(): Node[] {
    const disks = this.layout.disks.map((disk) => ({ text: this.diskText(disk), below: this.on(disk.id) }));
    // Devices that no disk explains (a multipath map, say) must not go unseen.
    const orphans = this.layout.partitions
      .filter(({ id }) => !this.seen.has(id))
      .map((partition) => this.once(partition.id, partitionText(partition), () => this.on(partition.id)));
    const files = this.layout.swaps
      .filter(({ on }) => on === null)
      .map((swap) => ({ text: swapText(swap), below: [] }));
    return [...disks, ...orphans, ...files];
  }

  private on(id: string): Node[] {
    const { partitions, arrays, luks, volumeGroups, pools, fileSystems, swaps } = this.layout;
    const inside = partitions.filter(({ on, role }) => on === id && role !== 'logical');
    const logical = partitions.filter(({ on, role }) => on === id && role === 'logical');
    return [
      ...inside.map((each) =>
        this.once(each.id, partitionText(each), () => [
          ...(each.role === 'extended'
            ? logical.map((one) => this.once(one.id, partitionText(one), () => this.on(one.id)))
            : []),
          ...this.on(each.id),
        ]),
      ),
      ...arrays
        .filter(({ slots, spares }) => [...slots, ...spares].includes(id))
        .map((each) => {
          const missing = each.slots.filter((slot) => slot === null).length;
          const text = `${each.level} ${each.name ?? each.device}  ${bytes(each.bytes)}, ${counted(each.slots.length, 'member')}${missing > 0 ? `, ${missing} missing` : ''}${each.spares.length > 0 ? `, ${each.spares.length} spare` : ''}`;
          return this.once(each.id, text, () => this.on(each.id));
        }),
      ...luks
        .filter(({ on }) => on === id)
        .map((each) =>
          this.once(each.id, `LUKS${each.version} ${each.name ?? '(not open)'}  ${each.cipher}`, () =>
            this.on(each.id),
          ),
        ),
      ...volumeGroups
        .filter(({ physical }) => physical.some(({ on }) => on === id))
        .map((each) => this.once(`vg:${each.name}`, `LVM group ${each.name}`, () => this.volumes(each.name))),
      ...pools
        .filter((each) =>
          [each.data, each.log, each.cache, each.spare, each.special].flat().some((vdev) => lies(vdev, id)),
        )
        .map((each) =>
          this.once(`pool:${each.name}`, `ZFS pool ${each.name}  ${bytes(each.bytes)}`, () => this.datasets(each.name)),
        ),
      ...fileSystems
        .filter(
          (each) => each.on === id || (each.make.type === 'btrfs' && each.make.members.some(({ on }) => on === id)),
        )
        .map((each) => this.once(each.id, fileSystemText(each), () => this.mounts(each.id))),
      ...swaps.filter(({ on }) => on === id).map((swap) => ({ text: swapText(swap), below: [] })),
    ];
  }

  private volumes(group: string): Node[] {
    return this.layout.volumes
      .filter((each) => each.group === group)
      .map((each) => this.once(each.id, volumeText(each), () => this.on(each.id)));
  }

  private datasets(name: string): Node[] {
    const pool = this.layout.pools.find((each) => each.name === name);
    return (pool?.datasets ?? []).map((each) => ({
      text: each.kind === 'volume' ? `${each.name}  ${bytes(each.bytes ?? 0)} volume` : each.name,
      below: [...this.mounts(`zfs:${each.name}`), ...this.on(`zvol:${each.name}`)],
    }));
  }

  private mounts(fileSystem: string): Node[] {
    return this.layout.mounts
      .filter((each) => each.fileSystem === fileSystem)
      .map(({ path, subvolume, inFstab }) => ({
        text: `${path}${subvolume === null ? '' : `  (subvolume ${subvolume})`}${inFstab ? '' : '  not in fstab'}`,
        below: [],
      }));
  }

  private once(id: string, text: string, below: () => Node[]): Node {
    if (this.seen.has(id)) return { text: `${text.split('  ')[0] ?? ''}  (shown above)`, below: [] };
    this.seen.add(id);
    return { text, below: below() };
  }

  private diskText(disk: Disk): string {
    const { model, serial, transport } = disk;
    const kind = this.layout.tables.find(({ on }) => on === disk.id)?.kind;
    const words = [
      bytes(disk.bytes),
      kind === undefined ? 'no table' : { gpt: 'GPT', dos: 'MBR' }[kind],
      ...[model, transport].flatMap((word) => word ?? []),
      serial === null ? 'no serial' : `serial ${serial}`,
      ...(disk.removable ? ['removable'] : []),
    ];
    return `${disk.name}  ${words.join(', ')}`;
  }
}

function lies(vdev: Vdev, id: string): boolean {
  return vdev.on === id || vdev.children.some((child) => lies(child, id));
}

/** What GUIDs and numbers of partitions are called. */
const TYPES: Readonly<Record<string, string>> = {
  'C12A7328-F81F-11D2-BA4B-00A0C93EC93B': 'EFI system',
  '21686148-6449-6E6F-744E-656564454649': 'BIOS boot',
  'BC13C2FF-59E6-4262-A352-B275FD6F7172': 'extended boot',
  'A19D880F-05FC-4D3B-A006-743F0F84911E': 'Linux RAID',
  'E6D6D379-F507-44C2-A23C-238F2A3DF928': 'Linux LVM',
  '0657FD6D-A4AB-43C4-84E5-0933C84B4F4F': 'swap',
  ef: 'EFI system',
  fd: 'Linux RAID',
  '8e': 'Linux LVM',
  '82': 'swap',
};

function partitionText({ id, bytes: size, type, name, bootable, role }: Partition): string {
  const words = [
    bytes(size),
    role === 'primary' ? undefined : role,
    TYPES[type],
    name === null ? undefined : `“${name}”`,
  ];
  return `${id.slice('part:'.length)}  ${[...words, bootable ? 'active' : undefined].filter((word) => word !== undefined).join(', ')}`;
}

function volumeText({ name, bytes: size, segments, active }: LogicalVolume): string {
  const kinds = [...new Set(segments.map((each) => (each.kind === 'raid' ? each.type : each.kind)))].join(', ');
  return `${name}  ${bytes(size)}, ${kinds}${active ? '' : ', not active'}`;
}

function fileSystemText({ make, label, uuid, bytes: size, usedBytes }: FileSystem): string {
  const kind = make.type === 'other' ? make.name : make.type;
  const used = usedBytes === null ? '' : `, ${bytes(usedBytes)} used`;
  const over =
    make.type === 'btrfs' && make.members.length > 1
      ? `, ${make.profiles.data} over ${make.members.length} devices`
      : '';
  return `${kind}${label === null ? '' : ` “${label}”`}  ${bytes(size)}${used}${over}, ${uuid === '' ? 'no UUID' : uuid}`;
}

function swapText({ path, bytes: size, priority }: Swap): string {
  return `swap${path === null ? '' : ` ${path}`}  ${bytes(size)}${priority === null ? '' : `, priority ${priority}`}`;
}

function bootRows({ boot }: Layout): string[] {
  const secure =
    boot.secureBoot === null
      ? ''
      : `, Secure Boot ${boot.secureBoot ? 'on' : 'off'}${boot.shim ? ' (shim there)' : ''}`;
  const entries = new Map(boot.efiEntries.map(({ number, label }) => [number, label]));
  return [
    `${boot.firmware === 'uefi' ? 'UEFI' : 'BIOS'}${secure}, ${boot.loader}, initramfs by ${boot.initramfs}`,
    ...(boot.biosDisks.length > 0
      ? [`boot code on ${boot.biosDisks.map((id) => id.slice('disk:'.length)).join(', ')}`]
      : []),
    ...(boot.espMounts.length > 0 ? [`EFI system partition at ${boot.espMounts.join(', ')}`] : []),
    ...(boot.efiOrder.length > 0
      ? [`boot order ${boot.efiOrder.map((each) => `${each} ${entries.get(each) ?? ''}`.trim()).join(', ')}`]
      : []),
    ...(boot.kernels.length > 0 ? [`kernels ${boot.kernels.map(({ release }) => release).join(', ')}`] : []),
    `command line ${boot.commandLine}`,
  ].map(printable);
}

function networkRows({ network }: Layout): string[] {
  const rows = network.interfaces.map((each) => [
    each.name,
    kindText(each),
    each.mac ?? '',
    `${each.addresses.join(' ')}${each.dynamic ? ' (dynamic)' : ''}`.trim(),
    each.up ? '' : 'down',
  ]);
  const routes = network.routes.map(({ to, via, device }) => `${to}${via === null ? '' : ` via ${via}`} on ${device}`);
  const { servers, search } = network.dns;
  return [
    `configured by ${network.tool}`,
    ...(rows.length > 0 ? table(rows).split('\n') : []),
    ...(routes.length > 0 ? [`routes ${routes.join(', ')}`] : []),
    ...(servers.length > 0
      ? [`DNS ${servers.join(', ')}${search.length > 0 ? `, search ${search.join(' ')}` : ''}`]
      : []),
  ].map(printable);
}

function kindText({ kind, vlan, bond, bridge, driver }: NetworkInterface): string {
  if (vlan !== null) return `VLAN ${vlan.id} on ${vlan.parent}`;
  if (bond !== null) return `bond ${bond.mode} of ${bond.members.join(' ')}`;
  if (bridge !== null) return `bridge of ${bridge.members.join(' ')}`;
  return driver ?? kind;
}

function limitRows({ limits }: Layout): string[] {
  const weights = { fatal: 'the machine can’t be recovered from bare metal', part: 'it comes back without this' };
  return limits.map(({ what, why, weight }) => printable(`${what}: ${why}; ${weights[weight]}`));
}
