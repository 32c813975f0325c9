/** Four hosts with three writing containers each, and a target: what the pause and the orchestration are measured on. */
import type { Fleet } from '../../lab/support/fleet';
import { hostLines } from '../../lab/support/product';
import { raiseStand, type Stand } from './stand';

export const APPS = ['app-1', 'app-2', 'app-3', 'app-4'] as const;
export const CONTAINERS = 3;
export const GROUP = 'portal';
export const PLACE = '/srv/data';

/** Raises them, enrolled and with everything writing. */
export function raiseFour(name: string): Promise<Stand> {
  const apps = APPS.map((app) => ({ name: app, disk: 'btrfs', docker: true }) as const);
  return raiseStand({
    name,
    hosts: [...apps, { name: 'target', disk: 'ext4', docker: false, store: 'btrfs' }],
    runbook,
    prepare: async (fleet) => {
      await Promise.all(APPS.map((app) => startWriters(fleet, app)));
    },
  });
}

function runbook(fleet: Fleet): string {
  const sources = APPS.map((app) => `      - { host: ${app}, path: ${PLACE}, name: data, snapshot: btrfs }`);
  return `version: 1
${hostLines(fleet)}
stores:
  main: { host: target, kind: btrfs, place: /backup }
groups:
  ${GROUP}:
    sources:
${sources.join('\n')}
    target: main
    transfer: { io: normal }
`;
}

async function startWriters(fleet: Fleet, app: string): Promise<void> {
  const loop = 'while :; do date >>/data/$HOSTNAME; sleep 0.2; done';
  const start = `for i in $(seq ${CONTAINERS}); do docker run -d -v ${PLACE}:/data bb:1 sh -c '${loop}' >/dev/null; done`;
  await fleet.exec(app, `btrfs subvolume create ${PLACE} >/dev/null && ${start}`);
}
