/** ZFS pools with their datasets, of `zpool` and `zfs` in their form for scripts. */
import type { Devices } from './layout-devices';
import { countOf, orNull, type Reading } from './layout-facts';
import { WHY } from './layout-limits';
import type { Pool, Vdev } from './layout-storage';

type Parts = Pick<Pool, 'data' | 'log' | 'cache' | 'spare' | 'special'>;
type Note = (why: string) => void;

/** Of a pool's properties those that were chosen; the others follow from them or are figures of today. */
const POOL_PROPERTIES =
  /^(?:ashift|altroot|autoexpand|autoreplace|autotrim|bootfs|cachefile|comment|compatibility|delegation|failmode|listsnapshots|multihost|version|feature@.*)$/;

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
  const pools = rows(reading, 'zpool-list').map(([name = '', guid = '', size, used]): Pool => {
    const note: Note = (why) => {
      reading.limit({ what: name, why });
    };
    const parts = partsOf({ lines: statusOf({ reading, name }), devices, name, note });
    if (parts.data.length === 0) note(WHY.foreignVdev);
    return {
      name,
      guid,
      bytes: countOf(size) ?? 0,
      usedBytes: countOf(used) ?? 0,
      properties: chosen(rows(reading, 'zpool-get').filter(([pool]) => pool === name)),
      ...parts,
      datasets: datasetsOf({ reading, name }),
    };
  });
  const used = new Set(JSON.stringify(pools).match(/(?:disk|part|luks|lv|md|mpath):[^"]*/g));
  for (const { id, row } of members)
    if (
      !used.has(id) &&
      !members.some((other) => other.below.includes(row.kname)) &&
      !hasUsedPart({ devices, used, kname: row.kname })
    )
      reading.limit({ what: row.kname, why: 'it belongs to a ZFS pool that is not imported', devices: [id] });
  // A pool without one that is understood can't be told by the schema.
  return pools.filter(({ data }) => data.length > 0);
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
    return name.startsWith('feature@') || source === 'local' || name === 'ashift' ? [[name, value]] : [];
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
}): Parts {
  const parts: Parts = { data: [], log: [], cache: [], spare: [], special: [] };
  let into: Vdev[] = parts.data;
  let group: Vdev | undefined;
  for (const line of lines) {
    const [, blanks = '', word = ''] = /^( *)(\S+)/.exec(line) ?? [];
    const depth = blanks.length / 2;
    if (depth === 0 && word === name) into = parts.data;
    else if (depth === 0 && word === 'dedup') {
      note(WHY.externalVdev);
      into = parts.special;
    } else if (depth === 0 && (word === 'logs' || word === 'cache' || word === 'spares' || word === 'special'))
      into = parts[CLASSES[word]];
    else if (word !== '') {
      const made = vdevOf({ word, devices });
      if (made === undefined) note(WHY.foreignVdev);
      else if (depth === 1) {
        into.push(made);
        group = made;
      } else if (depth === 2 && group !== undefined) group.children.push(made);
      // Deeper ones are a replacement under way.
      else note(WHY.foreignVdev);
    }
  }
  return parts;
}

function vdevOf({ word, devices }: { word: string; devices: Devices }): Vdev | undefined {
  const [, kind] = /^(mirror|raidz1|raidz2|raidz3)-\d+$/.exec(word) ?? [];
  if (kind === 'mirror' || kind === 'raidz1' || kind === 'raidz2' || kind === 'raidz3')
    return { kind, on: null, children: [] };
  const on = devices.find(word)?.id;
  return on === undefined ? undefined : { kind: 'disk', on, children: [] };
}

function datasetsOf({ reading, name }: { reading: Reading; name: string }): Pool['datasets'] {
  const set = rows(reading, 'zfs-get');
  return rows(reading, 'zfs-list').flatMap(([dataset = '', kind, mountPoint, size]): Pool['datasets'] => {
    if (dataset !== name && !dataset.startsWith(`${name}/`)) return [];
    if (kind !== 'filesystem' && kind !== 'volume') return [];
    const own = set
      .filter(([of]) => of === dataset)
      .map(([, property = '', value = '']): [string, string] => [property, value]);
    const properties = Object.fromEntries(own);
    if ((properties['encryption'] ?? 'off') !== 'off' || properties['keyformat'] !== undefined)
      reading.limit({ what: dataset, why: WHY.encryptedDataset });
    const point = mountPoint === '-' || mountPoint === 'none' || mountPoint === 'legacy' ? null : orNull(mountPoint);
    return [
      { name: dataset, kind, mountPoint: point, bytes: kind === 'volume' ? (countOf(size) ?? 0) : null, properties },
    ];
  });
}
