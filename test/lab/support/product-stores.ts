/**
 * The fleet of the stores' suite: one target with a store of each kind on file systems of their own, and sources of each snapshot
 * kind. The group `links`, `subs` or `sets` backs the same hosts up into the store of its kind.
 */
import type { StoreKind } from '../../../runbooks/types';
import { facts, makeAwkward } from './awkward';
import type { Fleet } from './fleet';
import { hostLines, type Product, raiseProduct } from './product';

/** One group, the store that it goes to, and how a person reads it by hand. */
export interface StoreCase {
  kind: StoreKind;
  group: string;
  /** The group's folder on the target. */
  root: string;
  /** A source on app-1: zfs-fuse holds neither attributes nor nanoseconds, so its store gets data without them. */
  rich: string;
}

export const CASES: readonly StoreCase[] = [
  { kind: 'hardlink', group: 'links', root: '/backup/links', rich: '/srv/full' },
  { kind: 'btrfs', group: 'subs', root: '/srv/store/subs', rich: '/srv/full' },
  { kind: 'zfs', group: 'sets', root: '/tank/store/sets', rich: '/srv/plain' },
];

/** Host and path of a case's sources, by their tree; two of them differ by a plus in the place of a slash (S16). */
export function sourcesOf({ rich }: StoreCase): ReadonlyMap<string, { host: string; path: string }> {
  return new Map([
    [`app-1@+${rich.slice(1).replace('/', '+')}`, { host: 'app-1', path: rich }],
    ['app-2@+tank+data', { host: 'app-2', path: '/tank/data' }],
    ['app-2@+srv+a+b', { host: 'app-2', path: '/srv/a/b' }],
    ['app-2@+srv+a%2Bb', { host: 'app-2', path: '/srv/a+b' }],
  ]);
}

function runbook(fleet: Fleet, direction: 'push' | 'pull'): string {
  const groups = CASES.map(
    ({ group, rich }) => `  ${group}:
    sources:
      - { host: app-1, path: ${rich}, name: rich, snapshot: btrfs }
      - { host: app-2, path: /tank/data, name: data, snapshot: zfs }
      - { host: app-2, path: /srv/a/b, name: slash, snapshot: none }
      - { host: app-2, path: /srv/a+b, name: plus, snapshot: none }
    target: ${group}
    transfer: { direction: ${direction} }
    keep: { last: 2, daily: 0, weekly: 0, monthly: 0 }
`,
  );
  return `version: 1
${hostLines(fleet)}
stores:
  links: { host: target, kind: hardlink, place: /backup }
  subs: { host: target, kind: btrfs, place: /srv/store }
  sets: { host: target, kind: zfs, place: tank/store, compression: lzjb }
groups:
${groups.join('')}`;
}

/** Who opens the connections of the next backup. */
export function setDirection(product: Product, direction: 'push' | 'pull'): void {
  product.writeRunbook(runbook(product.fleet, direction));
}

/** Raises it, enrolled. */
export function raiseStores(name: string): Promise<Product> {
  const hosts = [
    { name: 'app-1', disk: 'btrfs', docker: false },
    { name: 'app-2', disk: 'ext4', docker: false, zfs: true },
    { name: 'target', disk: 'btrfs', docker: false, store: 'ext4', zfs: true },
  ] as const;
  return raiseProduct({ name, hosts, runbook: (fleet) => runbook(fleet, 'push'), prepare });
}

async function prepare(fleet: Fleet): Promise<void> {
  await Promise.all([
    (async () => {
      for (const [dir, holds] of [
        ['/srv/full', 'full'],
        ['/srv/plain', 'plain'],
      ] as const) {
        await fleet.exec('app-1', `btrfs -q subvolume create ${dir} && btrfs -q subvolume create ${dir}/nested`);
        // Large enough to be received in place, where a shared inode would be written through (S11, S12).
        await fleet.exec(
          'app-1',
          `cd ${dir} && echo deep >nested/file && head -c 17000000 /dev/urandom >large && ln large twin`,
        );
        await makeAwkward(fleet, 'app-1', dir, holds);
      }
    })(),
    (async () => {
      await fleet.exec(
        'app-2',
        'zfs create tank/data && zfs create tank/data/child && echo deep >/tank/data/child/file',
      );
      await makeAwkward(fleet, 'app-2', '/tank/data', 'plain');
      const live = 'mkdir -p /srv/a/b "/srv/a+b" && echo slash >/srv/a/b/file && echo plus >"/srv/a+b/file"';
      await fleet.exec('app-2', `${live} && touch -d @1600000000 /srv/a/b /srv/a+b /srv/a/b/file /srv/a+b/file`);
      // zfs counts blocks only once they are written, some seconds later.
      await fleet.exec('app-2', 'until [ "$(stat -c %b /tank/data/big)" -gt 5000 ]; do sleep 0.1; done');
    })(),
    fleet.exec('target', 'mkdir /srv/store && zfs create tank/store'),
  ]);
}

/** What lies at the sources of a case now, by tree. */
export async function sourceFacts(fleet: Fleet, each: StoreCase): Promise<Record<string, string>> {
  const all = [...sourcesOf(each)].map(
    async ([tree, { host, path }]) => [tree, await facts(fleet, host, path)] as const,
  );
  return Object.fromEntries(await Promise.all(all));
}

/** What a sealed backup holds, by tree, read as docs/stores.md says, without the product. */
export async function sealedFacts(fleet: Fleet, each: StoreCase, id: string): Promise<Record<string, string>> {
  const folder = await look(fleet, each, id);
  try {
    const all = [...sourcesOf(each).keys()].map(
      async (tree) => [tree, await facts(fleet, 'target', `${folder}/${tree}`)] as const,
    );
    return Object.fromEntries(await Promise.all(all));
  } finally {
    if (each.kind === 'zfs') await fleet.exec('target', 'until zfs destroy tank/look; do sleep 0.2; done');
  }
}

async function look(fleet: Fleet, { kind, root, group }: StoreCase, id: string): Promise<string> {
  if (kind !== 'zfs') return `${root}/backups/${id}`;
  await fleet.exec('target', `zfs clone -o readonly=on -o mountpoint=/mnt/look tank/store/${group}@${id} tank/look`);
  return '/mnt/look/current';
}
