/** LVM, of the JSON reports of `vgs`, `pvs` and `lvs -a --segments` in bytes. */
import { z } from 'zod';
import type { Devices } from './layout-devices';
import { countOf, type Reading } from './layout-facts';
import { WHY } from './layout-limits';
import { segmentsOf, type SegmentRow } from './layout-lvm-segments';
import type { LogicalVolume, VolumeGroup } from './layout-storage';

const word = z.string().default('');
const figure = z
  .string()
  .default('')
  .transform((text) => countOf(text) ?? 0);
const report = <T extends z.ZodRawShape>(name: string, shape: T) =>
  z.object({ report: z.array(z.object({ [name]: z.array(z.object(shape)).optional() })) });

const vgs = report('vg', {
  vg_name: z.string(),
  vg_uuid: z.string(),
  vg_extent_size: figure,
  vg_tags: word,
  vg_missing_pv_count: figure,
  vg_shared: word,
  vg_exported: word,
});
const pvs = report('pv', {
  pv_name: z.string(),
  pv_uuid: z.string(),
  vg_name: word,
  pe_start: figure,
  pv_pe_count: figure,
  pv_tags: word,
  pv_allocatable: word,
  pv_missing: word,
  pv_duplicate: word,
});
const lvs = report('seg', {
  vg_name: z.string(),
  lv_name: z.string(),
  lv_uuid: z.string(),
  lv_size: figure,
  lv_attr: word,
  lv_tags: word,
  lv_active: word,
  segtype: z.string(),
  seg_start_pe: figure,
  seg_size_pe: figure,
  stripes: figure,
  data_stripes: figure,
  data_copies: figure,
  stripe_size: figure,
  region_size: figure,
  chunk_size: figure,
  devices: word,
  pool_lv: word,
  data_lv: word,
  metadata_lv: word,
  origin: word,
  discards: word,
  zero: word,
  lv_metadata_size: figure,
});
const rows = <T>(value: { report: Record<string, T[] | undefined>[] }, name: string): T[] =>
  value.report.flatMap((each) => each[name] ?? []);

export interface LvmPart {
  groups: VolumeGroup[];
  volumes: LogicalVolume[];
}

export function readLvm({ reading, devices }: { reading: Reading; devices: Devices }): LvmPart {
  const members = devices.all.filter(({ probed }) => probed.get('ID_FS_TYPE') === 'LVM2_member');
  if (members.length === 0) return { groups: [], volumes: [] };
  const answers = {
    vg: reading.json({ name: 'lvm-vgs', schema: vgs }),
    pv: reading.json({ name: 'lvm-pvs', schema: pvs }),
    lv: reading.json({ name: 'lvm-lvs', schema: lvs }),
  };
  if (answers.vg.value === undefined || answers.pv.value === undefined || answers.lv.value === undefined) {
    const problem = answers.vg.problem ?? answers.pv.problem ?? answers.lv.problem ?? '';
    const all = devices.all.filter(({ kind }) => kind === 'lv');
    reading.limit({
      what: 'LVM',
      why: `it is not understood: ${problem}`,
      devices: [...members, ...all].map(({ id }) => id),
    });
    return { groups: [], volumes: [] };
  }
  const physical = rows(answers.pv.value, 'pv');
  const groups = rows(answers.vg.value, 'vg').map((vg): VolumeGroup => {
    const own = physical.filter((pv) => pv.vg_name === vg.vg_name);
    const ids = own.flatMap((pv) => devices.find(pv.pv_name)?.id ?? []);
    const note = (why: string, what = vg.vg_name) => {
      reading.limit({ what, why, devices: ids });
    };
    if (vg.vg_missing_pv_count > 0) note(WHY.missingMember);
    if (vg.vg_shared !== '') note(WHY.sharedGroup);
    if (vg.vg_exported !== '') note(WHY.exportedGroup);
    return {
      name: vg.vg_name,
      uuid: vg.vg_uuid,
      extentBytes: vg.vg_extent_size,
      tags: tagsOf(vg.vg_tags),
      physical: own.flatMap((pv) => {
        const on = devices.find(pv.pv_name)?.id;
        if (pv.pv_duplicate !== '') note(WHY.duplicatePv, pv.pv_name);
        if (on === undefined) {
          if (pv.pv_missing === '')
            note('it is a part of a volume group on a device that is not understood', pv.pv_name);
          return [];
        }
        return {
          on,
          uuid: pv.pv_uuid,
          extents: pv.pv_pe_count,
          dataOffsetBytes: pv.pe_start,
          tags: tagsOf(pv.pv_tags),
          allocatable: pv.pv_allocatable !== '',
        };
      }),
    };
  });
  return { groups, volumes: volumesOf({ reading, devices, segments: rows(answers.lv.value, 'seg') }) };
}

function volumesOf({
  reading,
  devices,
  segments,
}: {
  reading: Reading;
  devices: Devices;
  segments: SegmentRow[];
}): LogicalVolume[] {
  const byVolume = new Map<string, SegmentRow[]>();
  for (const row of segments) {
    const key = `${row.vg_name}/${row.lv_name}`;
    byVolume.set(key, [...(byVolume.get(key) ?? []), row]);
  }
  return [...byVolume].flatMap(([key, own]): LogicalVolume[] => {
    const [row] = own;
    // Hidden parts stand in brackets: they come back with what they are parts of.
    if (row === undefined || row.lv_name.startsWith('[')) return [];
    const id = `lv:${key}`;
    const note = (why: string) => {
      reading.limit({ what: key, why, devices: [id] });
    };
    // s and S: a snapshot and one that is being merged; a thin one is a thin volume with an origin.
    if (/^[sS]/.test(row.lv_attr) || row.origin !== '') {
      note(WHY.snapshot);
      return [];
    }
    const read = segmentsOf({ own: own.sort((a, b) => a.seg_start_pe - b.seg_start_pe), byVolume, devices, note });
    if (read.length === 0) return [];
    return [
      {
        id,
        group: row.vg_name,
        name: row.lv_name,
        uuid: row.lv_uuid,
        bytes: row.lv_size,
        tags: tagsOf(row.lv_tags),
        segments: read,
        readOnly: row.lv_attr.charAt(1) === 'r',
        active: row.lv_attr.charAt(4) === 'a' || row.lv_active === 'active',
      },
    ];
  });
}

function tagsOf(text: string): string[] {
  return text.split(',').filter((tag) => tag !== '');
}
