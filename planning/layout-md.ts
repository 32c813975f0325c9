/** Linux software RAID, of `mdadm --detail`, `--export` and /proc/mdstat. */
import { z } from 'zod';
import type { Device, Devices } from './layout-devices';
import { countOf, orNull, pairsOf, titledOf, type Reading } from './layout-facts';
import { WHY } from './layout-limits';
import { array, type MdArray } from './layout-storage';

const levels = z.enum(array.shape.level.options);
const versions = z.enum(array.shape.metadata.options);

export function readArrays({ reading, devices }: { reading: Reading; devices: Devices }): MdArray[] {
  for (const line of reading.lines('mdstat')) {
    const [, name] = /^(md\S+) : inactive/.exec(line) ?? [];
    if (name !== undefined) reading.limit({ what: name, why: WHY.inactiveArray });
  }
  return devices.all.filter(({ kind }) => kind === 'md').flatMap((device) => arrayOf({ reading, devices, device }));
}

function arrayOf({ reading, devices, device }: { reading: Reading; devices: Devices; device: Device }): MdArray[] {
  const at = `/dev/${device.row.kname}`;
  const note = (why: string) => {
    reading.limit({ what: device.row.kname, why, devices: [device.id] });
  };
  const problem = reading.problem(`mdadm-export:${at}`) ?? reading.problem(`mdadm-detail:${at}`);
  if (problem !== undefined) {
    note(`the array is not understood: ${problem}`);
    return [];
  }
  const pairs = pairsOf(reading.text(`mdadm-export:${at}`));
  const detail = reading.text(`mdadm-detail:${at}`);
  const titled = titledOf(detail);
  const level = levels.safeParse(pairs.get('MD_LEVEL')).data;
  const metadata = versions.safeParse(pairs.get('MD_METADATA')).data;
  const uuid = pairs.get('MD_UUID') ?? '';
  if (pairs.has('MD_CONTAINER') || ['imsm', 'ddf'].includes(pairs.get('MD_METADATA') ?? '')) {
    note(WHY.firmwareRaid);
    return [];
  }
  if (level === undefined || metadata === undefined || !/^[0-9a-f]{8}(?::[0-9a-f]{8}){3}$/.test(uuid)) {
    note(
      `the array is of a kind that Resurgo does not know (${pairs.get('MD_LEVEL') ?? '?'}, ${pairs.get('MD_METADATA') ?? '?'})`,
    );
    return [];
  }
  const slots = slotsOf({ pairs, devices });
  if (slots.active.includes(null)) note(WHY.degraded);
  if (/reshap/i.test(titled.get('State') ?? '') || titled.has('Reshape Status')) note(WHY.reshaping);
  // The others keep their metadata behind the data.
  const isBefore = metadata === '1.1' || metadata === '1.2';
  const members = isBefore ? [...slots.active, ...slots.spares] : [];
  const dataOffsetBytes = dataOffsetOf({ reading, devices, members });
  const bitmap = titled.get('Intent Bitmap') ?? '';
  if (bitmap !== '' && !/^Internal/i.test(bitmap)) note(WHY.externalBitmap);
  if (/ppl|journal/i.test(titled.get('Consistency Policy') ?? '')) note(WHY.arrayJournal);
  // Of the table of members, `active sync writemostly failfast   /dev/sdb3`. The array is no less whole without.
  if (/^[ \d-]+ .*\b(?:writemostly|failfast)\b.*\/dev\//m.test(detail))
    reading.limit({ what: device.row.kname, why: WHY.markedMembers, weight: 'part' });
  return [
    {
      id: device.id,
      device: device.row.kname,
      name: orNull(pairs.get('MD_NAME')),
      level,
      metadata,
      uuid,
      bytes: device.row.size ?? 0,
      ...(dataOffsetBytes === undefined ? {} : { dataOffsetBytes }),
      chunkBytes: chunkOf(titled.get('Chunk Size')),
      layout: orNull(titled.get('Layout')),
      slots: slots.active,
      spares: slots.spares,
      bitmap: /^Internal/i.test(bitmap) ? 'internal' : 'none',
    },
  ];
}

/** `MD_DEVICE_dev_sda2_ROLE=0`, `MD_DEVICE_dev_sda2_DEV=/dev/sda2`: role and device of each member. */
function slotsOf({ pairs, devices }: { pairs: Map<string, string>; devices: Devices }): {
  active: (string | null)[];
  spares: string[];
} {
  const active = Array.from(
    { length: Math.min(countOf(pairs.get('MD_DEVICES')) ?? 0, 1024) },
    (): string | null => null,
  );
  const spares: string[] = [];
  for (const [key, role] of pairs) {
    if (!/^MD_DEVICE_.*_ROLE$/.test(key)) continue;
    const member = devices.find(pairs.get(key.replace(/_ROLE$/, '_DEV')) ?? '')?.id;
    const slot = countOf(role);
    if (member === undefined) continue;
    if (slot !== undefined && slot < active.length) active[slot] = member;
    else if (role === 'spare') spares.push(member);
  }
  return { active, spares: spares.sort() };
}

/**
 * `Data Offset : 264192 sectors`. Members that were added later may have one of their own: the least of them is one that all have room for.
 */
function dataOffsetOf({
  reading,
  devices,
  members,
}: {
  reading: Reading;
  devices: Devices;
  members: readonly (string | null)[];
}): number | undefined {
  const offsets = members.flatMap((id) => {
    const name = devices.all.find((each) => each.id === id)?.row.kname ?? '';
    const said = titledOf(reading.text(`mdadm-examine:/dev/${name}`)).get('Data Offset');
    const sectors = countOf(/^(\d+) sectors$/.exec(said ?? '')?.[1]);
    return sectors === undefined ? [] : [sectors * 512];
  });
  return offsets.length === 0 ? undefined : Math.min(...offsets);
}

/** `512K`. */
function chunkOf(text: string | undefined): number | null {
  const [, number, unit] = /^(\d+)([KMG]?)/.exec(text ?? '') ?? [];
  if (number === undefined) return null;
  const bytes =
    Number(number) *
    { K: 1024, M: 1024 ** 2, G: 1024 ** 3, '': 1 }[unit === 'K' || unit === 'M' || unit === 'G' ? unit : ''];
  return bytes > 0 ? bytes : null;
}
