/** ZFS pools with their datasets, of `zpool` and `zfs` in their form for scripts. */
import type { Devices } from './layout-devices';
import { countOf, orNull, type Reading } from './layout-facts';
import { WHY } from './layout-limits';
import type { Pool, Vdev } from './layout-storage';
import { isEncrypted } from './zfs-properties';

type Parts = Pick<Pool, 'data' | 'log' | 'cache' | 'spare' | 'special'>;
type Note = (why: string) => void;

/** Of a pool's properties those that were chosen; the others follow from them or are figures of today. */
const POOL_PROPERTIES =
  /^(?:ashift|autoexpand|autoreplace|autotrim|bootfs|cachefile|comment|compatibility|delegation|failmode|listsnapshots|multihost|version|feature@.*)$/;

export function readPools({ reading, devices }: { reading: Reading; devices: Devices }): Pool[] {
  const members = devices.all.filter(({ probed }) => probed.get('ID_FS_TYPE') === 'zfs_member');
  if (reading.fact('zpool-list') === undefined) return [];
  const problem = ['zpool-list', 'zpool-status', 'zpool-get', 'zfs-list', 'zfs-get']
    .map((name) => reading.problem(name))
    .find((each) => each !== undefined);
  if (problem !== undefined) {
    if (members.length > 0)
      reading.limit({ what: 'ZFS', why: `it is not understood: ${problem}`, devices: members.map(({ id }) => id) });
    return [];
  }
  const used = new Set<string>();
  const pools = rows(reading, 'zpool-list').flatMap(([name = '', guid = '', size, allocated]): Pool[] => {
    const lines = statusOf({ reading, name });
    for (const line of lines) {
      const [, path] = /^\s*(\/\S+)/.exec(line) ?? [];
      const member = path === undefined ? undefined : devices.find(path);
      if (member !== undefined) used.add(member.id);
    }
    const note: Note = (why) => {
      reading.limit({ what: name, why });
    };
    const parts = partsOf({ lines, devices, name, note });
    if (parts === undefined || parts.data.length === 0) {
      // Where nothing of it is mounted nothing of it is in a backup either; else its data would have no place to go to.
      const weight = isMounted({ reading, name }) ? 'fatal' : 'part';
      reading.limit({ what: name, why: WHY.foreignVdev, weight });
      return [];
    }
    const properties = rows(reading, 'zpool-get').filter(([pool]) => pool === name);
    if (properties.some(([, property, , source]) => property === 'altroot' && source === 'local')) note(WHY.altroot);
    return [
      {
        name,
        guid,
        bytes: countOf(size) ?? 0,
        usedBytes: countOf(allocated) ?? 0,
        properties: chosen(properties),
        ...parts,
        datasets: datasetsOf({ reading, name }),
      },
    ];
  });
  for (const { id, row } of members)
    if (
      !used.has(id) &&
      !members.some((other) => other.below.includes(row.kname)) &&
      !hasUsedPart({ devices, used, kname: row.kname })
    )
      reading.limit({ what: row.kname, why: 'it belongs to a ZFS pool that is not imported', devices: [id] });
  return pools;
}

/** Is anything of that pool mounted? */
function isMounted({ reading, name }: { reading: Reading; name: string }): boolean {
  return rows(reading, 'zfs-list').some(
    ([dataset = '', , , , , mounted]) => isOf(dataset, name) && mounted?.trim() === 'yes',
  );
}

function isOf(dataset: string, pool: string): boolean {
  return dataset === pool || dataset.startsWith(`${pool}/`);
}

/** ZFS that was given a whole disk makes partitions of its own on it. */
function hasUsedPart({
  devices,
  used,
  kname,
}: {
  devices: Devices;
  used: ReadonlySet<string>;
  kname: string;
}): boolean {
  return devices.all.some(({ id, below }) => used.has(id) && below.includes(kname));
}

function rows(reading: Reading, name: string): string[][] {
  return reading.lines(name).map((line) => line.split('\t'));
}

function chosen(properties: string[][]): Record<string, string> {
  const kept = properties.flatMap(([, name = '', value = '', source = '']): [string, string][] => {
    if (!POOL_PROPERTIES.test(name)) return [];
    // Whether a feature is in use at the moment is no choice.
    if (name.startsWith('feature@')) return [[name, value === 'active' ? 'enabled' : value]];
    return source === 'local' || name === 'ashift' ? [[name, value]] : [];
  });
  return Object.fromEntries(kept);
}

/** The table of one pool in `zpool status`: from its own line on, without the tab that it is set in by. */
function statusOf({ reading, name }: { reading: Reading; name: string }): string[] {
  const lines = reading.text('zpool-status').split('\n');
  const begin = lines.findIndex((line) => line.trim() === `pool: ${name}`);
  const head = lines.findIndex((line, i) => i > begin && /^\tNAME\s+STATE/.test(line));
  if (begin < 0 || head < 0) return [];
  const rest = lines.slice(head + 1);
  const end = rest.findIndex((line) => !line.startsWith('\t'));
  return rest.slice(0, end < 0 ? undefined : end).map((line) => line.slice(1));
}

const CLASSES = { logs: 'log', cache: 'cache', spares: 'spare', special: 'special' } as const;

/** What the pool consists of; undefined where a part that holds data is not understood. */
function partsOf({
  lines,
  devices,
  name,
  note,
}: {
  lines: string[];
  devices: Devices;
  name: string;
  note: Note;
}): Parts | undefined {
  const parts: Parts = { data: [], log: [], cache: [], spare: [], special: [] };
  let into: Vdev[] = parts.data;
  let group: Vdev | undefined;
  const missing: string[] = [];
  const lacks = (word: string) => {
    // Log, cache and spares hold nothing that is not elsewhere too.
    if (into === parts.data || into === parts.special) missing.push(word);
    else note(WHY.foreignHelper);
  };
  for (const line of lines) {
    const [, blanks = '', word = ''] = /^( *)(\S+)/.exec(line) ?? [];
    const depth = blanks.length / 2;
    if (depth === 0 && word === name) into = parts.data;
    else if (depth === 0 && word === 'dedup') {
      note(WHY.externalVdev);
      into = parts.special;
    } else if (depth === 0 && (word === 'logs' || word === 'cache' || word === 'spares' || word === 'special'))
      into = parts[CLASSES[word]];
    else if (word === '' || depth > 2) continue;
    else {
      const made = vdevOf({ word, devices });
      if (depth === 1) {
        group = made;
        if (made === undefined) lacks(word);
        else into.push(made);
      } else if (made !== undefined && group !== undefined) group.children.push(made);
      // Missing, or a replacement under way: the others of a mirror hold all of it.
      else if (group?.kind === 'mirror') note(WHY.missingMirror);
      else lacks(word);
    }
  }
  const all = [parts.data, parts.special, parts.log, parts.cache, parts.spare].flat();
  const isEmpty = (vdev: Vdev) => vdev.kind !== 'disk' && vdev.children.length === 0;
  if (missing.length > 0 || [...parts.data, ...parts.special].some(isEmpty)) return undefined;
  if (all.some(isEmpty)) note(WHY.foreignHelper);
  return { ...parts, log: parts.log.filter((each) => !isEmpty(each)) };
}

function vdevOf({ word, devices }: { word: string; devices: Devices }): Vdev | undefined {
  const [, kind] = /^(mirror|raidz1|raidz2|raidz3)-\d+$/.exec(word) ?? [];
  if (kind === 'mirror' || kind === 'raidz1' || kind === 'raidz2' || kind === 'raidz3')
    return { kind, on: null, children: [] };
  const on = devices.find(word)?.id;
  return on === undefined ? undefined : { kind: 'disk', on, children: [] };
}

/** What can be chosen at the making alone, and its usual value: `zfs get` does not call any of it local. */
const MADE_WITH: Readonly<Record<string, string>> = {
  casesensitivity: 'sensitive',
  normalization: 'none',
  utf8only: 'off',
  volblocksize: '',
  encryption: 'off',
};

function datasetsOf({ reading, name }: { reading: Reading; name: string }): Pool['datasets'] {
  const set = rows(reading, 'zfs-get');
  const made = rows(reading, 'zfs-made');
  return rows(reading, 'zfs-list').flatMap(([dataset = '', kind, mountPoint, size, , mounted]): Pool['datasets'] => {
    if (!isOf(dataset, name) || isOurs(dataset)) return [];
    if (kind !== 'filesystem' && kind !== 'volume') return [];
    const of = (lines: string[][]) =>
      lines
        .filter(([each]) => each === dataset)
        .map(([, property = '', value = '']): [string, string] => [property, value]);
    const withIt = of(made).filter(([property, value]) => value !== '-' && value !== (MADE_WITH[property] ?? value));
    const properties = Object.fromEntries([...of(set), ...withIt]);
    if (isEncrypted({ properties })) {
      const weight = mounted?.trim() === 'yes' ? 'fatal' : 'part';
      reading.limit({ what: dataset, why: WHY.encryptedDataset, weight });
    }
    const origin = of(made).find(([property]) => property === 'origin')?.[1] ?? '-';
    if (origin !== '-' && origin !== '') reading.limit({ what: dataset, why: WHY.clone });
    const point = mountPoint === '-' || mountPoint === 'none' || mountPoint === 'legacy' ? null : orNull(mountPoint);
    return [
      { name: dataset, kind, mountPoint: point, bytes: kind === 'volume' ? (countOf(size) ?? 0) : null, properties },
    ];
  });
}

/** A clone that a backup looks at its snapshot by (hostkit/snapshots/zfs.sh). */
function isOurs(dataset: string): boolean {
  return dataset.split('/').at(-1)?.startsWith('resurgo_') === true;
}
