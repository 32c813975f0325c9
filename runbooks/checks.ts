/**
 * What the schema alone can't see: names that point nowhere, places that collide, a target that would copy itself. Works on whatever
 * part of the runbook has passed the schema, so that one run of `validate` shows as much as it can.
 */
import { checkGroup, checkOrder } from './checks-group';
import { overlaps, storeFolder, unknownName, type KnownNames } from './checks-shared';
import { quote, type Finding } from './issues';
import { shortName } from './names';
import { cleanPath } from './resolve';
import { type WrittenRunbook } from './schema';
import { nearest } from './suggest';

/** Every fault in how the parts of a runbook fit together. */
export function crossCheck({ written, known }: { written: WrittenRunbook; known: KnownNames }): Finding[] {
  return [
    ...checkHosts({ written, known }),
    ...checkStores({ written, known }),
    ...Object.entries(written.groups).flatMap(([name, group]) => checkGroup({ name, group, written, known })),
  ];
}

/** Faults that are looked for once there are no others. */
export function lastCheck({ written }: { written: WrittenRunbook }): Finding[] {
  return Object.entries(written.groups).flatMap(([name, group]) => checkOrder({ name, group, written }));
}

/** Folders that a restore `--to` may not be pointed at: what is written there becomes the system (S23). */
const SYSTEM_FOLDERS =
  '/bin /boot /dev /etc /lib /lib32 /lib64 /proc /root /run /sbin /sys /usr /var/lib/resurgo'.split(' ');

function checkHosts({ written, known }: { written: WrittenRunbook; known: KnownNames }): Finding[] {
  const findings: Finding[] = [];
  const shorts = new Map<string, string>();
  const doors = new Map<string, string>();
  const labels = new Set(Object.values(written.hosts).flatMap((host) => host.labels));
  for (const [name, host] of Object.entries(written.hosts)) {
    const path = ['hosts', name];
    const short = shortName({ host: name, deployment: written.deployment ?? null });
    const twin = shorts.get(short);
    if (twin !== undefined) {
      const message = `is called ${quote(short)} in backups, as is ${quote(twin)}: their data would share one folder; rename one`;
      findings.push({ path, message, atKey: true });
    }
    shorts.set(short, name);
    // Behind another jump the same address is another machine.
    const door = JSON.stringify([(host.address ?? name).toLowerCase(), host.port, host.via ?? null]);
    const same = doors.get(door);
    if (same !== undefined) {
      const message = `is reached at the same address and port as host ${quote(same)}: enrolling one would overwrite the other on the machine; keep one of them`;
      findings.push({
        path: host.address === undefined ? path : [...path, 'address'],
        message,
        atKey: host.address === undefined,
      });
    }
    doors.set(door, same ?? name);
    if (labels.has(name)) {
      findings.push({ path, message: 'is also a label: `order` could mean both; rename one', atKey: true });
    }
    if (host.via !== undefined) findings.push(...checkVia({ name, via: host.via, written, known }));
    for (const [index, folder] of host.restore_to.entries()) {
      const clean = cleanPath(folder);
      const system = SYSTEM_FOLDERS.find((place) => clean === '/' || `${clean}/`.startsWith(`${place}/`));
      if (system === undefined) continue;
      const message = `${quote(folder)} is part of the system; expected a folder of its own, such as \`/var/restore\``;
      findings.push({ path: [...path, 'restore_to', index], message });
    }
  }
  return findings;
}

function checkVia({
  name,
  via,
  written,
  known,
}: {
  name: string;
  via: string;
  written: WrittenRunbook;
  known: KnownNames;
}): Finding[] {
  const path = ['hosts', name, 'via'];
  if (!known.hosts.includes(via)) return unknownName({ path, word: via, what: 'host', known: known.hosts });
  const way = [name];
  for (let next: string | undefined = via; next !== undefined; next = ownEntry(written.hosts, next)?.via) {
    way.push(next);
    if (next === name) return [{ path, message: `jumps in a circle: ${way.join(' → ')}` }];
    if (way.length > 64 || way.indexOf(next) < way.length - 1) return [];
  }
  return [];
}

function ownEntry<T>(record: Record<string, T>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

const COMPRESSIONS = {
  btrfs: /^(?:off|lzo|zlib(?:-[1-9])?|zstd(?:-(?:[1-9]|1[0-5]))?)$/,
  zfs: /^(?:off|on|lz4|lzjb|zle|gzip(?:-[1-9])?|zstd(?:-(?:[1-9]|1[0-9]))?|zstd-fast(?:-(?:[1-9]|10))?)$/,
  hardlink: /^off$/,
};
const COMPRESSION_WORDS = {
  btrfs: 'zstd, zstd-1 to zstd-15, zlib, zlib-1 to zlib-9, lzo, off',
  zfs: 'zstd, zstd-1 to zstd-19, gzip, gzip-1 to gzip-9, lz4, lzjb, zle, off',
  hardlink: 'off',
};
const FOLDER = /^(?!.*\/\.{1,2}(?:\/|$))(?:\/[A-Za-z0-9._@:=,+-]+)+\/?$/;
const DATASET = /^[A-Za-z][A-Za-z0-9_.:-]*(?:\/[A-Za-z0-9][A-Za-z0-9_.:-]*)*$/;

function checkStores({ written, known }: { written: WrittenRunbook; known: KnownNames }): Finding[] {
  const stores = Object.entries(written.stores);
  return stores.flatMap(([name, store], index) => {
    const path = ['stores', name];
    const findings = unknownName({ path: [...path, 'host'], word: store.host, what: 'host', known: known.hosts });
    const isZfs = store.kind === 'zfs';
    if (!(isZfs ? DATASET : FOLDER).test(store.place)) {
      const expected = isZfs
        ? 'the name of a dataset, such as `tank/backup`'
        : 'an absolute folder (not `/` itself) of letters, digits and `._@:=,+-`';
      const message = `expected ${expected} for kind \`${store.kind}\`, found ${quote(store.place)}`;
      findings.push({ path: [...path, 'place'], message, expected });
    }
    const { compression } = store;
    if (compression !== undefined && !COMPRESSIONS[store.kind].test(compression)) {
      const expected = COMPRESSION_WORDS[store.kind];
      const message = `kind \`${store.kind}\` takes ${expected}; found ${quote(compression)}`;
      const suggestion = nearest({ word: compression, known: expected.split(/, | to /) });
      findings.push({
        path: [...path, 'compression'],
        message,
        expected,
        ...(suggestion !== undefined && { suggestion }),
      });
    }
    for (const [other, { host, kind, place }] of stores.slice(0, index)) {
      if (host !== store.host || !overlaps(storeFolder({ kind, place }), storeFolder(store))) continue;
      const message = `lies on the same host at the same place as store ${quote(other)}, or one inside the other: give each its own`;
      findings.push({ path: [...path, 'place'], message });
    }
    return findings;
  });
}
