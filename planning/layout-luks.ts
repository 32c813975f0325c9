/** Encrypted volumes, of `cryptsetup luksDump`, its JSON metadata and crypttab. */
import { z } from 'zod';
import type { Device, Devices } from './layout-devices';
import { countOf, orNull, titledOf, type Reading } from './layout-facts';
import { WHY } from './layout-limits';
import type { Luks } from './layout-storage';

const decimal = z.string().regex(/^\d+$/).transform(Number);
const metadata = z.object({
  keyslots: z.record(z.string(), z.object({ key_size: z.number().int().positive().optional() })),
  tokens: z.record(z.string(), z.object({ type: z.string() })).default({}),
  segments: z.record(
    z.string(),
    z.object({
      type: z.string(),
      offset: decimal,
      encryption: z.string().optional(),
      sector_size: z.number().int().positive().optional(),
      integrity: z.object({ type: z.string() }).optional(),
    }),
  ),
  config: z.object({ requirements: z.object({ mandatory: z.array(z.string()).default([]) }).optional() }).optional(),
});

interface TableRow {
  name: string;
  spec: string;
  key: string;
  options: string[];
}

export function readLuks({ reading, devices }: { reading: Reading; devices: Devices }): Luks[] {
  const crypttab = reading.lines('config:/etc/crypttab').flatMap((line): TableRow[] => {
    const [name = '#', spec = '', key = '', options = ''] = line.trim().split(/\s+/);
    return name.startsWith('#') || spec === '' ? [] : [{ name, spec, key, options: options.split(',') }];
  });
  for (const device of devices.all) if (device.kind === 'luks') noteMapping({ reading, devices, device, crypttab });
  return devices.all
    .filter(({ probed }) => probed.get('ID_FS_TYPE') === 'crypto_LUKS')
    .flatMap((on) => {
      const open = devices.all.find(({ kind, below }) => kind === 'luks' && below.includes(on.row.kname));
      const named = open?.dm?.name ?? crypttab.find(({ spec }) => devices.find(spec) === on)?.name;
      const uuid = on.probed.get('ID_FS_UUID') ?? '';
      return luksOf({ reading, on, open, name: named ?? null, id: open?.id ?? `luks:${named ?? uuid}` });
    });
}

/** An open mapping that no LUKS header below it explains. */
function noteMapping({
  reading,
  devices,
  device,
  crypttab,
}: {
  reading: Reading;
  devices: Devices;
  device: Device;
  crypttab: TableRow[];
}): void {
  const uuid = device.dm?.uuid ?? '';
  const name = device.dm?.name ?? device.row.kname;
  const row = crypttab.find((each) => each.name === name);
  const explained = device.below.some((kname) => devices.get(kname)?.probed.get('ID_FS_TYPE') === 'crypto_LUKS');
  const why = () => {
    if (/^CRYPT-(?:INTEGRITY|SUBDEV)/.test(uuid)) return WHY.integrity;
    if (/^CRYPT-VERITY/.test(uuid)) return WHY.verity;
    if (/^CRYPT-PLAIN/.test(uuid)) return /^\/dev\/u?random$/.test(row?.key ?? '') ? WHY.freshKey : WHY.plainCrypt;
    if (row?.options.some((option) => option.startsWith('header=')) === true) return WHY.detachedHeader;
    if (explained) return undefined;
    return /^CRYPT-LUKS/.test(uuid) ? WHY.detachedHeader : WHY.foreignCrypt;
  };
  const found = why();
  if (found !== undefined) reading.limit({ what: name, why: found, devices: [device.id] });
}

interface At {
  reading: Reading;
  on: Device;
  open: Device | undefined;
  name: string | null;
  id: string;
}

function luksOf({ reading, on, open, name, id }: At): Luks[] {
  const at = `/dev/${on.row.kname}`;
  const note = (why: string) => {
    reading.limit({ what: name ?? on.row.kname, why, devices: [id, on.id] });
  };
  const problem = reading.problem(`luks-dump:${at}`);
  if (problem !== undefined) {
    note(`the encrypted volume is not understood: ${problem}`);
    return [];
  }
  const dump = reading.text(`luks-dump:${at}`);
  const titled = titledOf(dump);
  const common = {
    id,
    name,
    on: on.id,
    uuid: titled.get('UUID') ?? on.probed.get('ID_FS_UUID') ?? '',
    bytes: open?.row.size ?? null,
    // It is taken with the data, and named in the manifest (`luks-headers.ts`): a layout holds nothing that is as good as a key.
    header: null,
  };
  if (titled.get('Version') === '1') return [{ ...common, ...first({ dump, titled }) }];
  const json = reading.json({ name: `luks-json:${at}`, schema: metadata });
  if (json.value === undefined) {
    note(`the encrypted volume is not understood: ${json.problem}`);
    return [];
  }
  const { keyslots, tokens, segments, config } = json.value;
  const [segment, ...further] = Object.values(segments).filter(({ type }) => type === 'crypt');
  if (segment === undefined) {
    note('the encrypted volume has no segment that is encrypted');
    return [];
  }
  if (further.length > 0 || Object.keys(segments).length > 1) note(WHY.reencrypting);
  if (segment.integrity !== undefined) note(WHY.integrity);
  const strange = (config?.requirements?.mandatory ?? []).filter((each) => !each.startsWith('online-reencrypt'));
  if (strange.length > 0) note(`it needs what Resurgo does not know (${strange.join(', ')})`);
  const label = titled.get('Label') ?? '';
  return [
    {
      ...common,
      version: 2,
      label: label === '(no label)' ? null : orNull(label),
      cipher: segment.encryption ?? '',
      keyBytes: Object.values(keyslots).find(({ key_size: size }) => size !== undefined)?.key_size ?? 0,
      sectorBytes: segment.sector_size ?? 512,
      dataOffsetBytes: segment.offset,
      keySlots: Object.keys(keyslots).flatMap((slot) => countOf(slot) ?? []),
      tokens: Object.values(tokens).map(({ type }) => type),
    },
  ];
}

/** LUKS1 has no JSON; offsets are in sectors of 512 bytes. */
function first({
  dump,
  titled,
}: {
  dump: string;
  titled: Map<string, string>;
}): Omit<Luks, 'id' | 'name' | 'on' | 'uuid' | 'bytes' | 'header'> {
  return {
    version: 1,
    label: null,
    cipher: [titled.get('Cipher name'), titled.get('Cipher mode')].join('-'),
    keyBytes: (countOf(titled.get('MK bits')) ?? 0) / 8,
    sectorBytes: 512,
    dataOffsetBytes: (countOf(titled.get('Payload offset')) ?? 0) * 512,
    keySlots: [...dump.matchAll(/^Key Slot (\d+): ENABLED/gm)].map(([, slot]) => Number(slot)),
    tokens: [],
  };
}
