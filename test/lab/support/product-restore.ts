/** The fleet of the restore suite: two hosts with awkward data on btrfs and zfs and a container each, a staging host, a target. */
import { makeAwkward } from './awkward';
import type { Fleet } from './fleet';
import { type Product, raiseProduct } from './product';

const HOSTS = [
  { name: 'app-1', disk: 'btrfs', docker: true },
  { name: 'app-2', disk: 'btrfs', docker: true, zfs: true },
  { name: 'staging-app-1', disk: 'btrfs', docker: false },
  { name: 'target', disk: 'ext4', docker: false, store: 'btrfs' },
] as const;
const HEALTH = '/usr/local/bin/writes';

const hostLine = (fleet: Fleet, name: string) => `  ${name}: { address: ${fleet.host(name).address} }`;
const STORE = 'stores:\n  main: { host: target, kind: btrfs, place: /backup }';

const production = (fleet: Fleet) => `version: 1
hosts:
${['app-1', 'app-2', 'target'].map((name) => hostLine(fleet, name)).join('\n')}
${STORE}
groups:
  portal:
    sources:
      - { host: app-1, path: /srv/data, name: data, snapshot: btrfs, exclude: [/cache/] }
      - { host: app-1, path: /srv/conf, name: conf, snapshot: btrfs }
      - { host: app-2, path: /tank/data, name: data, snapshot: zfs }
    target: main
    restore:
      order: [app-2, app-1]
      health: [{ host: app-2, name: writes, command: ${HEALTH}, timeout: 10s }]
`;

/** The same store and group, seen from the other fleet: its host has the source under another path. */
export const staging = (fleet: Fleet) => `version: 1
deployment: staging
hosts:
${['staging-app-1', 'target'].map((name) => hostLine(fleet, name)).join('\n')}
${STORE}
groups:
  portal:
    sources:
      - { host: staging-app-1, path: /srv/elsewhere, name: data, snapshot: btrfs }
    target: main
`;

export function raiseRestoreFleet(name: string): Promise<Product> {
  return raiseProduct({ name, hosts: HOSTS, runbook: production, prepare });
}

async function prepare(fleet: Fleet): Promise<void> {
  await Promise.all([
    (async () => {
      await fleet.exec(
        'app-1',
        `set -e; mkdir -p /var/restore /srv/probe; cd /srv; for each in data data/nested conf; do btrfs subvolume create $each >/dev/null; done
         echo deep >data/nested/file; mkdir data/cache; echo junk >data/cache/junk; echo one >conf/one; mkdir conf/d; echo two >conf/d/two`,
      );
      await makeAwkward(fleet, 'app-1', '/srv/data', 'full');
      await startWriter(fleet, 'app-1', '/srv/data');
    })(),
    (async () => {
      await fleet.exec(
        'app-2',
        `set -e; mkdir -p /var/restore /srv/probe; zfs create tank/data; zfs create tank/data/child; echo deep >/tank/data/child/file
         printf '#!/bin/sh\\ntest -s /tank/data/live/log\\n' >${HEALTH}; chmod 755 ${HEALTH}`,
      );
      await makeAwkward(fleet, 'app-2', '/tank/data', 'plain');
      await startWriter(fleet, 'app-2', '/tank/data');
    })(),
    fleet.exec('staging-app-1', 'btrfs subvolume create /srv/elsewhere'),
  ]);
}

/** A container that writes into the source until it is told to end, and is unhealthy while `/srv/probe/sick` is there. */
async function startWriter(fleet: Fleet, host: string, dir: string): Promise<void> {
  const loop = 'trap "exit 0" TERM; while :; do date >>/data/live/log; sleep 0.2; done';
  await fleet.exec(
    host,
    `mkdir -p ${dir}/live; docker run -d --restart always --name writer -v ${dir}:/data -v /srv/probe:/probe --health-cmd 'test ! -e /probe/sick' --health-interval 1s --health-retries 1 bb:1 sh -c '${loop}'`,
  );
}
