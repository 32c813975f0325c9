/**
 * What changed between two layouts of a host, in the terms of an operator. Devices are known by serial, WWN and UUID, as names change from
 * boot to boot; what changes by itself (how full something is, addresses of DHCP, loaded modules, snapshots) is no change.
 */
import { canonicalJson } from './canonical';
import { UNSAVED, WHY } from './layout-limits';
import type { Layout } from './layout-schema';
import { sha256Hex } from './sha256';

export const LAYOUT_AREAS = [
  'system',
  'disks',
  'partitions',
  'volumes',
  'file systems',
  'mounts',
  'boot',
  'network',
  'files',
  'limits',
] as const;
export type LayoutArea = (typeof LAYOUT_AREAS)[number];

export interface LayoutChange {
  area: LayoutArea;
  change: 'added' | 'removed' | 'changed';
  /** `disk RSG0001`, `/srv`, `interface ens3`. */
  what: string;
  /** Of what changed: `bytes`, `make.label`. Null where all of it came or went. */
  field: string | null;
  before: string | null;
  after: string | null;
}

type Plain = string | number | boolean | null | readonly Plain[] | { readonly [key: string]: Plain | undefined };
/** One thing that can come, go or change; `key` finds it again in the other layout. */
interface Item {
  area: LayoutArea;
  key: string;
  value: Plain;
}

/** In the order of the areas. */
export function layoutChanges({ before, after }: { before: Layout; after: Layout }): LayoutChange[] {
  const dynamic = new Set(
    [before, after].flatMap(({ network }) => network.interfaces.filter((each) => each.dynamic).map(({ name }) => name)),
  );
  // What was not asked then has not changed.
  const isAsked = [before, after].every(({ boot }) => boot.remake !== undefined);
  const itemsAsked = (layout: Layout) =>
    itemsOf({ layout: isAsked ? layout : { ...layout, boot: { ...layout.boot, remake: undefined } }, dynamic });
  const [was, is] = [itemsAsked(before), itemsAsked(after)];
  const changes = [...new Set([...was.keys(), ...is.keys()])].flatMap((key) =>
    compared({ was: was.get(key), is: is.get(key) }),
  );
  return changes.sort((a, b) => LAYOUT_AREAS.indexOf(a.area) - LAYOUT_AREAS.indexOf(b.area));
}

/** One sum of all that {@link layoutChanges} compares: the same as long as nothing of it changes. */
export function layoutSum(layout: Layout): string {
  const dynamic = new Set(layout.network.interfaces.filter((each) => each.dynamic).map(({ name }) => name));
  const items = [...itemsOf({ layout, dynamic })].map(([key, { value }]): [string, Record<string, string>] => [
    key,
    Object.fromEntries(flat(value)),
  ]);
  return sha256Hex(canonicalJson(Object.fromEntries(items)));
}

function compared({ was, is }: { was: Item | undefined; is: Item | undefined }): LayoutChange[] {
  const { area, key: what } = was ?? is ?? { area: 'system', key: '' };
  if (was === undefined || is === undefined)
    return [{ area, change: was === undefined ? 'added' : 'removed', what, field: null, before: null, after: null }];
  const [old, now] = [flat(was.value), flat(is.value)];
  return [...new Set([...old.keys(), ...now.keys()])].flatMap((field): LayoutChange[] => {
    const [from = null, to = null] = [old.get(field), now.get(field)];
    return from === to ? [] : [{ area, change: 'changed', what, field, before: from, after: to }];
  });
}

/** Fields by their path; a list is one field, as its order may matter. */
function flat(value: Plain, path = ''): Map<string, string> {
  if (typeof value !== 'object' || value === null || isList(value)) return new Map([[path, written(value)]]);
  return new Map(
    Object.entries(value).flatMap(([key, each]) =>
      each === undefined ? [] : [...flat(each, path === '' ? key : `${path}.${key}`)],
    ),
  );
}

function isList(value: Plain): value is readonly Plain[] {
  return Array.isArray(value);
}

function written(value: Plain): string {
  if (isList(value))
    return value
      .map((each) => (typeof each === 'object' && each !== null ? JSON.stringify(each) : written(each)))
      .join(', ');
  return value === null ? 'none' : typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** Every item of a layout by area and key. Twins that nothing tells apart are numbered. */
function itemsOf({ layout, dynamic }: { layout: Layout; dynamic: ReadonlySet<string> }): Map<string, Item> {
  const names = namesOf(layout);
  const items = new Map<string, Item>();
  for (const { area, key, value } of [...storageItems(layout, names), ...otherItems({ layout, dynamic, names })]) {
    let unique = `${area} ${key}`;
    for (let nth = 2; items.has(unique); nth += 1) unique = `${area} ${key} (${nth})`;
    items.set(unique, { area, key, value: named(value, names) });
  }
  return items;
}

/** The id of a device or a file system → what it is called whichever name the kernel gives it. */
function namesOf(layout: Layout): Map<string, string> {
  const names = new Map<string, string>();
  for (const { id, serial, wwn, byId, name } of layout.disks) names.set(id, `disk ${serial ?? wwn ?? byId[0] ?? name}`);
  for (const { id, uuid, name } of layout.arrays) names.set(id, `array ${name ?? uuid}`);
  for (const { on, number, id } of layout.partitions) names.set(id, `partition ${number} of ${names.get(on) ?? on}`);
  for (const { id, uuid, name } of layout.luks) names.set(id, `encrypted ${name ?? uuid}`);
  for (const { id, group, name } of layout.volumes) names.set(id, `volume ${group}/${name}`);
  for (const { id, make, uuid, on } of layout.fileSystems)
    names.set(id, `${make.type === 'other' ? make.name : make.type} ${uuid === '' ? (names.get(on) ?? on) : uuid}`);
  return names;
}

/** The same value with every id in it replaced by what the device is called. */
function named(value: Plain, names: ReadonlyMap<string, string>): Plain {
  if (typeof value === 'string') return names.get(value) ?? value;
  if (isList(value)) return value.map((each) => named(each, names));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [key, each === undefined ? undefined : named(each, names)]),
  );
}

function storageItems(layout: Layout, names: ReadonlyMap<string, string>): Item[] {
  const called = (id: string) => names.get(id) ?? id;
  const item = (area: LayoutArea, key: string, value: Plain): Item => ({ area, key, value });
  // What is undefined is not compared.
  const id = undefined;
  return [
    ...layout.disks.map((each) => item('disks', called(each.id), { ...each, id, name: undefined, byId: undefined })),
    ...layout.tables.map((each) => item('partitions', `table of ${called(each.on)}`, { ...each, on: undefined })),
    ...layout.partitions.map((each) => item('partitions', called(each.id), { ...each, id, on: undefined })),
    ...layout.arrays.map((each) =>
      item('volumes', called(each.id), { ...each, id, device: undefined, spares: each.spares.map(called).sort() }),
    ),
    // Whether it was open at that moment is of no matter; the header is the backup’s, not the layout’s.
    ...layout.luks.map((each) =>
      item('volumes', called(each.id), { ...each, id, bytes: undefined, header: undefined }),
    ),
    ...layout.volumeGroups.map((each) =>
      item('volumes', `group ${each.name}`, {
        ...each,
        physical: each.physical.map((one) => ({ ...one })).sort(byUuid),
      }),
    ),
    ...layout.volumes.map((each) => item('volumes', called(each.id), { ...each, id, active: undefined })),
    ...layout.pools.map((each) => item('volumes', `pool ${each.name}`, { ...each, usedBytes: undefined })),
    ...layout.fileSystems.map((each) =>
      item('file systems', called(each.id), { ...each, id, usedBytes: undefined, make: lasting(each.make) }),
    ),
    ...layout.swaps.map((each) => item('file systems', `swap ${each.path ?? called(each.on ?? '')}`, each)),
    ...layout.mounts.map((each) => item('mounts', each.path, each)),
  ];
}

/** Parts come in the order of the kernel’s names. */
function byUuid(a: { uuid: string }, b: { uuid: string }): number {
  return a.uuid < b.uuid ? -1 : 1;
}

/** Snapshots come and go by a timer, and a subvolume’s number and UUID say nothing to anybody. */
function lasting(make: Layout['fileSystems'][number]['make']): Plain {
  if (make.type !== 'btrfs') return make;
  const { subvolumes, defaultSubvolume, ...rest } = make;
  const kept = subvolumes.filter(({ snapshot }) => !snapshot);
  const marks = kept.map(({ path, readOnly, noDataCow }): [string, string] => [
    path,
    [readOnly ? 'read-only' : 'writable', ...(noDataCow ? ['no copy on write'] : [])].join(', '),
  ]);
  const chosen = subvolumes.find(({ number }) => number === defaultSubvolume)?.path ?? '';
  return { ...rest, defaultSubvolume: chosen, subvolumes: Object.fromEntries(marks) };
}

interface OtherItems {
  layout: Layout;
  dynamic: ReadonlySet<string>;
  names: ReadonlyMap<string, string>;
}

/** That something was not asked is none of the machine, and what is mounted, open and active at the moment stands among the mounts. */
const PASSING_LIMITS = new Set<string>([WHY.bootUnknown, ...Object.values(UNSAVED)]);

/** It changes at every boot. */
const FLEETING_FILES = new Set(['/boot/grub2/grubenv']);

function otherItems({ layout, dynamic, names }: OtherItems): Item[] {
  const { system, boot, network, configs, limits } = layout;
  const item = (area: LayoutArea, key: string, value: Plain): Item => ({ area, key, value });
  const { efiEntries, efiOrder, kernels, commandLine, remake, ...lastingBoot } = boot;
  const labels = new Map(efiEntries.map(({ number, label }) => [number, label]));
  // The kernel's image changes with every update, and stands among the kernels already.
  const line = commandLine.split(' ').filter((word) => !/^(?:BOOT_IMAGE|initrd)=/.test(word));
  return [
    item('system', 'system', { ...system, memoryBytes: undefined, modules: undefined }),
    item('boot', 'boot', {
      ...lastingBoot,
      biosDisks: boot.biosDisks.map((id) => names.get(id) ?? id).sort(),
      commandLine: line.join(' '),
      // Versions change with every update, and stand among the kernels.
      remake: remake === undefined ? undefined : { ...remake, moduleVersions: undefined },
      efiOrder: efiOrder.map((each) => labels.get(each) ?? each),
    }),
    ...efiEntries.map((each) => item('boot', `boot entry ${each.label}`, { ...each, number: undefined })),
    ...kernels.map(({ release, ...rest }) => item('boot', `kernel ${release}`, rest)),
    ...network.interfaces.map((each) =>
      item('network', `interface ${each.name}`, {
        ...each,
        up: undefined,
        addresses: dynamic.has(each.name) ? undefined : each.addresses,
      }),
    ),
    ...network.routes
      .filter(({ device }) => !dynamic.has(device))
      .map(({ to, device, ...rest }) => item('network', `route to ${to} on ${device}`, rest)),
    item('network', 'network', {
      hostname: network.hostname,
      tool: network.tool,
      // DHCP brings its own.
      ...(dynamic.size > 0 ? {} : { dns: network.dns }),
    }),
    ...configs
      .filter(({ path }) => !FLEETING_FILES.has(path) && !(path === '/etc/resolv.conf' && dynamic.size > 0))
      .map(({ path, sha256 }) => item('files', path, { content: sha256 })),
    ...limits
      .filter(({ why }) => !PASSING_LIMITS.has(why))
      .map(({ what, why, weight }) => item('limits', `${what}: ${why}`, { weight })),
  ];
}
