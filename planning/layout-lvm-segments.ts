/** The segments of one logical volume, and where its data lies. */
import type { Devices } from './layout-devices';
import { WHY } from './layout-limits';
import type { Segment } from './layout-storage';

/** One row of `lvs -a --segments`. */
export interface SegmentRow {
  vg_name: string;
  lv_name: string;
  lv_uuid: string;
  lv_size: number;
  lv_attr: string;
  lv_tags: string;
  lv_active: string;
  segtype: string;
  seg_start_pe: number;
  seg_size_pe: number;
  stripes: number;
  data_stripes: number;
  data_copies: number;
  stripe_size: number;
  region_size: number;
  chunk_size: number;
  /** `/dev/sda2(0),/dev/sdb2(25)`: device or hidden part, and the extent in it where the segment begins. */
  devices: string;
  pool_lv: string;
  data_lv: string;
  metadata_lv: string;
  origin: string;
  discards: string;
  zero: string;
  lv_metadata_size: number;
}

interface Context {
  /** `GROUP/NAME` → its segments; hidden ones with their brackets. */
  byVolume: Map<string, SegmentRow[]>;
  devices: Devices;
  note: (why: string) => void;
}
type Areas = Extract<Segment, { kind: 'linear' }>['areas'];

/** Empty where one of them can't be made again; `note` has said why. */
export function segmentsOf({ own, ...context }: Context & { own: SegmentRow[] }): Segment[] {
  const read = own.map((row) => segmentOf({ row, ...context }));
  return read.every((each) => each !== undefined) ? read : [];
}

function segmentOf({ row, ...context }: Context & { row: SegmentRow }): Segment | undefined {
  const { note } = context;
  const extents = row.seg_size_pe;
  const lies = (areas: Areas | undefined) => {
    if (areas === undefined) note('it lies on a device that is not understood');
    return areas;
  };
  switch (row.segtype) {
    case 'linear':
    case 'striped': {
      const areas = lies(plainAreas({ row, devices: context.devices }));
      if (areas === undefined) return undefined;
      // An old lvm calls a single stripe striped.
      if (row.segtype === 'linear' || areas.length <= 1) return { kind: 'linear', extents, areas };
      return { kind: 'striped', extents, stripes: areas.length, stripeBytes: row.stripe_size, areas };
    }
    case 'thin-pool':
      notePlain({ row, ...context });
      return {
        kind: 'thin-pool',
        extents,
        chunkBytes: row.chunk_size,
        metadataBytes: row.lv_metadata_size,
        discards: row.discards,
        zero: /^(?:zero|1|yes|y)$/.test(row.zero),
      };
    case 'thin':
      return { kind: 'thin', extents, pool: bare(row.pool_lv) };
    default:
      return raidOf({ row, ...context });
  }
}

function raidOf({ row, ...context }: Context & { row: SegmentRow }): Segment | undefined {
  const [, level] = /^(mirror|raid0|raid1|raid10|raid4|raid5|raid6)(?:_[a-z0-9_]+)?$/.exec(row.segtype) ?? [];
  if (level === undefined) {
    context.note(`it is a volume of kind “${row.segtype}”, which Resurgo does not make`);
    return undefined;
  }
  const parts = legsOf(row.devices);
  const areas = parts.flatMap(({ name }) => {
    const hidden =
      context.byVolume.get(`${row.vg_name}/[${name}]`) ?? context.byVolume.get(`${row.vg_name}/${name}`) ?? [];
    const found = hidden.map((each) =>
      isPlain(each) ? plainAreas({ row: each, devices: context.devices }) : undefined,
    );
    return found.length === 0 ? [undefined] : found;
  });
  if (!areas.every((each) => each !== undefined)) {
    context.note(
      'a part of the volume lies on a device that is missing or not understood (integrity, a cache, a lost disk)',
    );
    return undefined;
  }
  const legs = parts.length;
  const mirrored = level === 'mirror' || level === 'raid1';
  const copies = level === 'raid10' ? Math.max(2, row.data_copies) : 1;
  const parity = { raid4: 1, raid5: 1, raid6: 2 }[level] ?? 0;
  return {
    kind: 'raid',
    type: row.segtype,
    extents: row.seg_size_pe,
    stripes: mirrored ? 1 : Math.floor((legs - parity) / copies),
    mirrors: mirrored ? legs - 1 : copies - 1,
    stripeBytes: row.stripe_size,
    regionBytes: row.region_size,
    areas: areas.flat(),
  };
}

/** A pool says how large it is, not where it lies; where that is more than plain extents it comes back plain. */
function notePlain({ row, byVolume, note }: Context & { row: SegmentRow }): void {
  for (const name of [bare(row.data_lv), bare(row.metadata_lv)].filter((each) => each !== '')) {
    const hidden = byVolume.get(`${row.vg_name}/[${name}]`) ?? [];
    if (hidden.some((each) => !isPlain(each) || legsOf(each.devices).length > 1)) note(WHY.oddPoolData);
  }
}

function isPlain({ segtype }: SegmentRow): boolean {
  return segtype === 'linear' || segtype === 'striped';
}

function plainAreas({ row, devices }: { row: SegmentRow; devices: Devices }): Areas | undefined {
  const legs = legsOf(row.devices);
  const extents = Math.floor(row.seg_size_pe / Math.max(1, legs.length));
  const areas = legs.map(({ name, start }) => {
    const physical = devices.find(name)?.id;
    return physical === undefined || extents < 1 ? undefined : { physical, startExtent: start, extents };
  });
  return areas.length > 0 && areas.every((each) => each !== undefined) ? areas : undefined;
}

function legsOf(text: string): { name: string; start: number }[] {
  return text.split(',').flatMap((part) => {
    const [, name, start] = /^(.+)\((\d+)\)$/.exec(part) ?? [];
    return name === undefined ? [] : [{ name, start: Number(start) }];
  });
}

/** Without the brackets of what is hidden. */
function bare(name: string): string {
  return name.replace(/^\[|\]$/g, '');
}
