/** The block devices of a host as a graph: what each is, what it lies on, and all the names that it is called by. */
import { z } from 'zod';
import { countOf, orNull, pairsOf, unescaped, type Reading } from './layout-facts';

const flag = z
  .union([z.boolean(), z.string(), z.number(), z.null()])
  .transform((value) => Number(value) === 1 || value === true);
const size = z.union([z.number(), z.string(), z.null()]).optional().transform(countOf);
const text = z.string().nullish().transform(orNull);

const row = z.object({
  name: z.string(),
  kname: z.string().regex(/^[^/\s\x00-\x1f]{1,120}$/),
  pkname: text,
  'maj:min': text,
  size,
  ro: flag,
  rm: flag,
  rota: flag,
  'log-sec': size,
  'phy-sec': size,
  type: z.string(),
  tran: text,
  wwn: text,
  model: text,
  serial: text,
  vendor: text,
  subsystems: text,
});
export type Row = z.output<typeof row>;
interface Nested extends Row {
  children?: Nested[];
}
const nested: z.ZodType<Nested> = row.extend({ children: z.lazy(() => z.array(nested)).optional() });
const lsblk = z.object({ blockdevices: z.array(nested) });

export type DeviceKind = 'disk' | 'part' | 'md' | 'luks' | 'lv' | 'zvol' | 'loop' | 'mpath' | 'other';

export interface Device {
  id: string;
  kind: DeviceKind;
  row: Row;
  /** Of device-mapper. */
  dm: { uuid: string; name: string } | undefined;
  /** What it lies on, by kernel name. */
  below: string[];
  /** What `blkid` found on it. */
  probed: Map<string, string>;
}

/** Disks that a driver of their own makes out of something else: they come back with what makes them, or not at all. */
export const MADE_DISKS: readonly [RegExp, string][] = [
  [/^bcache\d/, 'it is a bcache device'],
  [/^drbd\d/, 'it is a DRBD device'],
  [/^nbd\d/, 'it is a network block device'],
  [/^rbd\d/, 'it is a Ceph block device'],
  [/^dasd/, 'it is a mainframe’s DASD'],
  [/^pmem|^ndblk/, 'it is persistent memory'],
  [/^mtd/, 'it is raw flash'],
];
/** Nothing of these outlives a boot. */
const FLEETING = /^(?:zram|ram|fd|sr)\d/;

export class Devices {
  readonly all: Device[];
  private readonly byKname: Map<string, Device>;
  /** Every name below /dev → kernel name. */
  private readonly names = new Map<string, string>();

  constructor(reading: Reading) {
    const rows = listed(reading);
    const slaves = reading.lines('slaves').map((line) => line.split(' '));
    const mappings = new Map(
      reading.lines('dm').map((line) => {
        const [kname = '', uuid = '', ...name] = line.split(' ');
        return [kname, { uuid, name: unescaped(name.join(' ')) }];
      }),
    );
    for (const [from, to] of links(reading)) this.names.set(from, to);
    this.all = rows.map((each): Device => {
      const parents = slaves.flatMap(([holder, slave]) =>
        holder === each.kname && slave !== undefined ? [slave] : [],
      );
      const probed = pairsOf(reading.text(`blkid:/dev/${each.kname}`));
      const dm = mappings.get(each.kname);
      const kind = kindOf(each);
      const below = parents.length === 0 && each.pkname !== null ? [each.pkname] : parents;
      return { id: this.idOf({ reading, row: each, kind, dm }), kind, row: each, dm, below, probed };
    });
    this.byKname = new Map(this.all.map((each) => [each.row.kname, each]));
  }

  get(kname: string): Device | undefined {
    return this.byKname.get(kname);
  }

  /** By what a file system is called in fstab or crypttab: a path below /dev, `UUID=…`, `LABEL=…`, `PARTUUID=…`, `PARTLABEL=…`. */
  find(spec: string): Device | undefined {
    const [, tag, quoted = ''] = /^([A-Z]+)=(.*)$/.exec(spec) ?? [];
    if (tag !== undefined) {
      const value = unescaped(quoted.replaceAll('"', ''));
      const key = {
        UUID: 'ID_FS_UUID_ENC',
        LABEL: 'ID_FS_LABEL_ENC',
        PARTUUID: 'ID_PART_ENTRY_UUID',
        PARTLABEL: 'ID_PART_ENTRY_NAME',
      }[tag];
      const same = (found: string | undefined) =>
        found !== undefined &&
        (tag.endsWith('UUID') ? found.toLowerCase() === value.toLowerCase() : unescaped(found) === value);
      return key === undefined ? undefined : this.all.find(({ probed }) => same(probed.get(key)));
    }
    if (!spec.startsWith('/dev/')) return undefined;
    const kname = this.names.get(spec) ?? spec.slice('/dev/'.length);
    return (
      this.byKname.get(kname) ??
      this.all.find((each) => each.dm !== undefined && spec === `/dev/mapper/${each.dm.name}`)
    );
  }

  /** By the kernel's number, `8:1`. */
  numbered(number: string): Device | undefined {
    return this.all.find(({ row: { 'maj:min': own } }) => own === number);
  }

  /** The device's names in that folder, sorted. */
  namesIn({ folder, kname }: { folder: string; kname: string }): string[] {
    const names = [...this.names].filter(([from, to]) => to === kname && from.startsWith(folder));
    return names.map(([from]) => from.slice(folder.length)).sort();
  }

  /** A device and all that it lies on. */
  downFrom(device: Device): Device[] {
    const seen = new Map<string, Device>();
    const visit = (each: Device): void => {
      if (seen.has(each.id)) return;
      seen.set(each.id, each);
      for (const kname of each.below) {
        const next = this.byKname.get(kname);
        if (next !== undefined) visit(next);
      }
    };
    visit(device);
    return [...seen.values()];
  }

  private idOf({
    reading,
    row: { kname },
    kind,
    dm,
  }: {
    reading: Reading;
    row: Row;
    kind: DeviceKind;
    dm: Device['dm'];
  }): string {
    const safe = (name: string) => name.replace(/[\x00-\x1f\x7f]/g, '?').slice(0, 255);
    if (kind === 'md') {
      const named = pairsOf(reading.text(`mdadm-export:/dev/${kname}`)).get('MD_NAME');
      const own = orNull(named?.slice(named.indexOf(':') + 1));
      return `md:${safe(own ?? kname)}`;
    }
    if (kind === 'lv' && dm !== undefined) return `lv:${safe(volumeName(dm.name))}`;
    if (kind === 'luks' || kind === 'mpath') return `${kind}:${safe(dm?.name ?? kname)}`;
    if (kind === 'zvol') return `zvol:${safe(this.namesIn({ folder: '/dev/zvol/', kname })[0] ?? kname)}`;
    // What a recovery can't make has an id as a disk has: limits name it by that.
    return `${kind === 'other' ? 'disk' : kind}:${safe(kname)}`;
  }
}

/** `vg--x-lv` → `vg-x/lv`: device-mapper doubles the hyphens of names. */
function volumeName(name: string): string {
  const [group = '', ...volume] = name.replaceAll('--', '\0').split('-');
  return `${group}/${volume.join('-')}`.replaceAll('\0', '-');
}

function kindOf({ kname, type }: Row): DeviceKind {
  if (/^zd\d+$/.test(kname)) return 'zvol';
  if (/^md/.test(kname) && type !== 'part') return 'md';
  if (type === 'disk') return MADE_DISKS.some(([pattern]) => pattern.test(kname)) ? 'other' : 'disk';
  const kinds: Record<string, DeviceKind> = { part: 'part', crypt: 'luks', lvm: 'lv', mpath: 'mpath', loop: 'loop' };
  return Object.hasOwn(kinds, type) ? (kinds[type] ?? 'other') : 'other';
}

function listed(reading: Reading): Row[] {
  const { value, problem } = reading.json({ name: 'lsblk', schema: lsblk });
  if (value === undefined) {
    reading.limit({ what: 'the disks', why: `nothing is known of them: ${problem}`, weight: 'fatal' });
    return [];
  }
  const rows = new Map<string, Row>();
  const visit = ({ children = [], ...each }: Nested): void => {
    if (!rows.has(each.kname) && !FLEETING.test(each.kname) && each.type !== 'rom') rows.set(each.kname, each);
    for (const child of children) visit(child);
  };
  for (const each of value.blockdevices) visit(each);
  return [...rows.values()];
}

/** `'/dev/disk/by-id/x' -> '../../sda'`, as `stat` writes them. */
function links(reading: Reading): [string, string][] {
  return reading.lines('links').flatMap((line): [string, string][] => {
    const [, from, to] = /^'(\/dev\/.*)' -> '(.*)'$/.exec(line) ?? [];
    if (from === undefined || to === undefined) return [];
    return [[unescaped(from), to.slice(to.lastIndexOf('/') + 1)]];
  });
}
