/** Disks and partition tables, of `lsblk`, `sfdisk --json` and the first sector. */
import { z } from 'zod';
import { MADE_DISKS, type Device, type Devices } from './layout-devices';
import { bytesOf, type Reading } from './layout-facts';
import { kernelWords, type KernelWord } from './layout-identity';
import { WHY } from './layout-limits';
import type { Disk, Partition, Table } from './layout-storage';

const count = z.number().int().nonnegative();
const sfdisk = z.object({
  partitiontable: z.object({
    label: z.string(),
    id: z.string().default(''),
    firstlba: count.optional(),
    lastlba: count.optional(),
    'table-length': z.coerce.number().int().positive().optional(),
    sectorsize: count.optional(),
    partitions: z
      .array(
        z.object({
          node: z.string(),
          start: count,
          size: count,
          type: z.string(),
          uuid: z.string().optional(),
          name: z.string().optional(),
          attrs: z.string().optional(),
          bootable: z.boolean().default(false),
        }),
      )
      .default([]),
  }),
});
type Printed = z.output<typeof sfdisk>['partitiontable'];

/** As many partitions as a GPT has room for unless it was made otherwise. */
const GPT_ENTRIES = 128;
const MBR_EXTENDED = new Set(['05', '0f', '85']);

export interface DiskPart {
  disks: Disk[];
  tables: Table[];
  partitions: Partition[];
}

export function readDisks({ reading, devices }: { reading: Reading; devices: Devices }): DiskPart {
  for (const device of devices.all) noteForeign({ reading, device });
  const part: DiskPart = { disks: [], tables: [], partitions: [] };
  const words = kernelWords(reading);
  for (const device of devices.all) {
    if (device.kind === 'disk') part.disks.push(diskOf({ device, devices, said: words?.get(device.row.kname) }));
    if (['disk', 'md', 'mpath'].includes(device.kind)) readTable({ reading, device, part });
  }
  return part;
}

/** What is a block device, and none that can be made again. */
function noteForeign({ reading, device }: { reading: Reading; device: Device }): void {
  const { id, kind, row, dm, probed } = device;
  const note = (why: string) => {
    reading.limit({ what: dm?.name ?? row.kname, why, devices: [id] });
  };
  if (kind === 'mpath') note(WHY.multipath);
  if (kind === 'other') note(MADE_DISKS.find(([pattern]) => pattern.test(row.kname))?.[1] ?? mappingWhy(device));
  if (kind === 'disk' && ['iscsi', 'fc', 'fcoe'].includes(row.tran ?? '')) note(WHY.iscsi);
  const type = probed.get('ID_FS_TYPE') ?? '';
  if (type.endsWith('_raid_member') && type !== 'linux_raid_member') note(WHY.firmwareRaid);
  if (type === 'mpath_member') note(WHY.multipath);
  // Exit 8 of blkid: more than one format is recognised.
  if (reading.fact(`blkid:/dev/${row.kname}`)?.exit === 8) note(WHY.signatures);
}

function mappingWhy({ dm, row }: Device): string {
  if (/^DMRAID-/.test(dm?.uuid ?? '') || row.type === 'dmraid') return WHY.firmwareRaid;
  return dm === undefined ? `it is a device of kind “${row.type}”, which Resurgo does not know` : WHY.foreignMapping;
}

interface OneDisk {
  device: Device;
  devices: Devices;
  said: KernelWord | undefined;
}

/** The kernel's own word of what the disk is comes before udev's, which writes the same serial another way and is not there in a rescue system. */
function diskOf({ device: { id, row }, devices, said }: OneDisk): Disk {
  const sectorBytes = row['log-sec'] ?? 512;
  return {
    id,
    name: row.kname,
    bytes: row.size ?? 0,
    sectorBytes,
    physicalSectorBytes: row['phy-sec'] ?? sectorBytes,
    model: row.model,
    serial: said?.serial ?? row.serial,
    wwn: said?.wwn ?? row.wwn,
    byId: devices.namesIn({ folder: '/dev/disk/by-id/', kname: row.kname }),
    transport: row.tran ?? (row.subsystems?.split(':').includes('virtio') === true ? 'virtio' : null),
    rotational: row.rota,
    removable: row.rm,
    readOnly: row.ro,
  };
}

function readTable({ reading, device, part }: { reading: Reading; device: Device; part: DiskPart }): void {
  const at = `/dev/${device.row.kname}`;
  const { value, problem } = reading.json({ name: `sfdisk:${at}`, schema: sfdisk });
  const seen = device.probed.get('ID_PART_TABLE_TYPE');
  const note = (why: string) => {
    reading.limit({ what: device.row.kname, why, devices: [device.id] });
  };
  if (value === undefined) {
    // A disk without a table makes sfdisk fail too: that is no trouble.
    const none = /does not contain a recognized partition table/.test(reading.fact(`sfdisk:${at}`)?.err ?? '');
    const wholly = device.probed.has('ID_FS_TYPE') && seen === undefined;
    if (!none && !wholly) note(`its partition table could not be read: ${problem}`);
    else if (seen !== undefined) note(`its partition table is of a kind that Resurgo does not know (${seen})`);
    return;
  }
  const printed = value.partitiontable;
  if (printed.label !== 'gpt' && printed.label !== 'dos') {
    note(`its partition table is of a kind that Resurgo does not know (${printed.label})`);
    return;
  }
  const sector = printed.sectorsize ?? device.row['log-sec'] ?? 512;
  part.tables.push(printed.label === 'gpt' ? gptOf({ printed, device, sector }) : mbrOf({ printed, device }));
  if (printed.label === 'gpt' && isHybrid(bytesOf(reading.text(`sector:${at}`)))) note(WHY.hybrid);
  for (const each of printed.partitions) {
    const read = partitionOf({ each, printed, device, sector });
    if (read === undefined) note(`a partition of it is not understood (${each.node})`);
    else part.partitions.push(read);
  }
}

function gptOf({ printed, device, sector }: { printed: Printed; device: Device; sector: number }): Table {
  const last = printed.lastlba ?? Math.max(0, Math.floor((device.row.size ?? 0) / sector) - 34);
  return {
    kind: 'gpt',
    on: device.id,
    uuid: printed.id.toLowerCase(),
    firstByte: (printed.firstlba ?? 34) * sector,
    lastByte: (last + 1) * sector - 1,
    entries: printed['table-length'] ?? GPT_ENTRIES,
  };
}

function mbrOf({ printed, device }: { printed: Printed; device: Device }): Table {
  const id = /^0x[0-9a-f]{1,8}$/i.test(printed.id) ? printed.id.slice(2).toLowerCase().padStart(8, '0') : '00000000';
  return { kind: 'dos', on: device.id, diskId: `0x${id}` };
}

/** A protective MBR has one entry of type EE; a hybrid one has others beside it. */
function isHybrid(sector: readonly number[]): boolean {
  const types = [0, 1, 2, 3].map((entry) => sector[446 + entry * 16 + 4] ?? 0).filter((type) => type !== 0);
  return types.includes(0xee) && types.some((type) => type !== 0xee);
}

interface Each {
  each: Printed['partitions'][number];
  printed: Printed;
  device: Device;
  sector: number;
}

function partitionOf({ each, printed, device, sector }: Each): Partition | undefined {
  const kname = each.node.slice(each.node.lastIndexOf('/') + 1);
  const [, digits] = /(\d+)$/.exec(kname.slice(device.row.kname.length)) ?? [];
  const number = Number(digits ?? 0);
  if (!kname.startsWith(device.row.kname) || number < 1) return undefined;
  const gpt = printed.label === 'gpt';
  const type = gpt ? each.type.toUpperCase() : each.type.toLowerCase().padStart(2, '0');
  const extended = !gpt && number <= 4 && MBR_EXTENDED.has(type);
  const diskId = printed.id.slice(2).toLowerCase().padStart(8, '0');
  return {
    id: `part:${kname}`,
    on: device.id,
    number,
    startByte: each.start * sector,
    bytes: each.size * sector,
    type,
    name: gpt ? (each.name ?? null) : null,
    uuid: gpt ? (each.uuid?.toLowerCase() ?? null) : `${diskId}-${number.toString(16).padStart(2, '0')}`,
    attributes: (each.attrs ?? '').split(/[ ,]+/).filter((word) => word !== ''),
    bootable: each.bootable,
    role: extended ? 'extended' : !gpt && number >= 5 ? 'logical' : 'primary',
  };
}
