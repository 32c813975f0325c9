/** The fleet of the backup and restore suites: two hosts with a container and awkward data each, on btrfs and zfs, and a target with a btrfs store. */
import { makeAwkward } from './awkward';
import type { Fleet } from './fleet';
import { hostLines, type Product, raiseProduct } from './product';

/** The trees of the two sources in the store. */
export const ONE = 'app-1@+srv+data';
export const TWO = 'app-2@+tank+data';
/** Where the store keeps sealed backups. */
export const BACKUPS = '/backup/portal/backups';

const runbook = (fleet: Fleet) => `version: 1
${hostLines(fleet)}
stores:
  main: { host: target, kind: btrfs, place: /backup }
groups:
  portal:
    sources:
      - { host: app-1, path: /srv/data, name: data, snapshot: btrfs, exclude: [/cache/] }
      - { host: app-2, path: /tank/data, name: data, snapshot: zfs }
    target: main
    on_unreachable: partial
`;

/** Raises it, enrolled and with everything running. */
export function raisePortal(name: string): Promise<Product> {
  const hosts = [
    { name: 'app-1', disk: 'btrfs', docker: true },
    { name: 'app-2', disk: 'btrfs', docker: true, zfs: true },
    { name: 'target', disk: 'ext4', docker: false, store: 'btrfs' },
  ] as const;
  return raiseProduct({ name, hosts, runbook, prepare });
}

async function prepare(fleet: Fleet): Promise<void> {
  await Promise.all([
    (async () => {
      await fleet.exec('app-1', 'btrfs subvolume create /srv/data && btrfs subvolume create /srv/data/nested');
      await fleet.exec('app-1', 'cd /srv/data && mkdir cache pair && echo deep >nested/file && echo junk >cache/junk');
      // Large enough to be received in place, where a link that was cut at the source is dangerous (S11).
      await fleet.exec(
        'app-1',
        'cd /srv/data/pair && head -c 17000000 /dev/urandom >a && ln a b && printf AAAA >same && touch -d "2020-01-01 00:00:00.1" same',
      );
      await makeAwkward(fleet, 'app-1', '/srv/data', 'full');
      await startWriter(fleet, 'app-1', '/srv/data');
    })(),
    (async () => {
      await fleet.exec(
        'app-2',
        'zfs create tank/data && zfs create tank/data/child && echo deep >/tank/data/child/file',
      );
      await makeAwkward(fleet, 'app-2', '/tank/data', 'plain');
      await startWriter(fleet, 'app-2', '/tank/data');
    })(),
  ]);
}

/** A container that never stops writing into the source, and comes back after a reboot. */
async function startWriter(fleet: Fleet, host: string, dir: string): Promise<void> {
  const loop = 'while :; do date >>/data/live/log; sleep 0.2; done';
  await fleet.exec(
    host,
    `mkdir -p ${dir}/live; docker run -d --restart always --name writer -v ${dir}:/data bb:1 sh -c '${loop}'`,
  );
}
