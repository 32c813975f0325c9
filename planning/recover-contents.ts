/** What lies on a disk of the new machine, in words that tell its owner what would be lost. Not for workflow code (zod). */
import { z } from 'zod';
import { counted } from './counted';
import type { Device } from './layout-devices';
import { bytesOf, unescaped, type Reading } from './layout-facts';

const table = z.object({
  partitiontable: z.object({ label: z.string(), partitions: z.array(z.unknown()).default([]) }),
});
const TABLES: Readonly<Record<string, string>> = { gpt: 'GPT', dos: 'MBR' };

/** What is no file system, in the words of people. */
const KINDS: Readonly<Record<string, string>> = {
  LVM2_member: 'a physical volume of LVM',
  linux_raid_member: 'a part of an md array',
  crypto_LUKS: 'a LUKS volume',
  zfs_member: 'a part of a ZFS pool',
  swap: 'swap',
  iso9660: 'a CD image',
};

interface One {
  reading: Reading;
  device: Device;
  /** The disk itself, and no part of it. */
  isDisk: boolean;
}

/** What lies somewhere, and whether it is not known what that is. */
export interface Content {
  words: string;
  isUnknown: boolean;
}

const known = (words: string): Content => ({ words, isUnknown: false });
const unknown = (words: string): Content => ({ words, isUnknown: true });

/** Nothing is said only of a device that was looked at and found empty. */
export function contentsOf({ reading, device, isDisk }: One): Content[] {
  // What runs on top of it is told by that it is in use; a disk without a medium holds nothing.
  if ((!isDisk && device.kind !== 'part') || device.row.size === 0) return [];
  const found = [...(isDisk ? tableOf({ reading, device }) : []), ...formatOf({ reading, device })];
  if (!isDisk) return found.map((each) => ({ ...each, words: `${each.words} on ${device.row.kname}` }));
  return found.length > 0 ? found : unknownOf({ reading, device });
}

function tableOf({ reading, device }: Omit<One, 'isDisk'>): Content[] {
  const { value } = reading.json({ name: `sfdisk:/dev/${device.row.kname}`, schema: table });
  if (value !== undefined) {
    const { label, partitions } = value.partitiontable;
    const count = partitions.length === 0 ? 'no partitions' : counted(partitions.length, 'partition');
    const kind = TABLES[label] ?? `a table (${label})`;
    return [known(`${kind} with ${count}`)];
  }
  const kind = device.probed.get('ID_PART_TABLE_TYPE');
  return kind === undefined ? [] : [unknown(`a table (${kind}) that sfdisk can’t read`)];
}

function formatOf({ reading, device }: Omit<One, 'isDisk'>): Content[] {
  const type = device.probed.get('ID_FS_TYPE');
  const label = unescaped(device.probed.get('ID_FS_LABEL_ENC') ?? '');
  if (type !== undefined) return [known(`${KINDS[type] ?? type}${label === '' ? '' : ` “${label}”`}`)];
  const fact = reading.fact(`blkid:/dev/${device.row.kname}`);
  // Exit 2: nothing is recognised.
  if (fact?.exit === 0 || fact?.exit === 2) return [];
  if (fact?.exit === 8) return [unknown('several formats at once')];
  return [unread(reading.problem(`blkid:/dev/${device.row.kname}`) ?? '')];
}

/** Where no tool recognises anything, the first sector says whether it is blank. */
function unknownOf({ reading, device }: Omit<One, 'isDisk'>): Content[] {
  const name = `sector:/dev/${device.row.kname}`;
  const problem = reading.problem(name);
  if (problem !== undefined) return [unread(problem)];
  const sector = bytesOf(reading.text(name));
  if (sector.length === 0) return [unread('its first sector is empty of bytes')];
  return sector.some((byte) => byte !== 0) ? [unknown('data of no known format')] : [];
}

function unread(why: string): Content {
  return unknown(`something that could not be read (${why})`);
}
