/** The hosts that the enrolment's tests enrol, with what their runbook names: one with systemd, behind another. */
import { parseRunbook } from '../../../runbooks/load';
import type { Runbook } from '../../../runbooks/types';
import { type Fleet, raiseFleet } from './fleet';

/** Also with a hook, a unit and a container scope that a freeze of the group holds. */
export function runbookFor(fleet: Fleet): Runbook {
  // One host lies behind another, so that each step goes through a proxy jump too.
  const hosts = fleet.hosts
    .map(({ name, address }) => `  ${name}: { address: ${address}${name === 'sys-1' ? ', via: app-1' : ''} }`)
    .join('\n');
  const text = `version: 1
hosts:
${hosts}
stores:
  main: { host: target, kind: hardlink, place: /srv/store }
groups:
  portal:
    sources:
      - { host: app-1, path: /srv/data, name: data, snapshot: btrfs }
      - { host: sys-1, path: /srv/data, name: data, snapshot: btrfs }
    target: main
    quiesce:
      units: [{ host: sys-1, name: ledger.service, by: stop }]
      hooks:
        before: [{ host: app-1, name: dump, command: /usr/local/bin/dump }]
        after: [{ host: app-1, name: dump, command: /usr/local/bin/dump }]
`;
  return parseRunbook({ text, file: 'lab.yaml' });
}

/** Raises them. The hook writes down its calls; the unit is not enabled, so no boot starts it by itself. */
export async function raiseEnrollFleet(): Promise<Fleet> {
  const fleet = await raiseFleet({
    name: 'enroll',
    hosts: [
      { name: 'app-1', disk: 'btrfs', docker: false },
      { name: 'sys-1', disk: 'btrfs', docker: true, systemd: true },
      { name: 'target', disk: 'btrfs', docker: false },
    ],
  });
  for (const host of ['app-1', 'sys-1']) await fleet.exec(host, 'btrfs subvolume create /srv/data >/dev/null');
  await fleet.exec('target', 'mkdir -p /srv/store');
  const hook = '#!/bin/sh\necho "$1" >>/var/lib/hooked\n';
  await fleet.exec('app-1', 'cat >/usr/local/bin/dump && chmod 755 /usr/local/bin/dump', { input: hook });
  const unit = '[Service]\nExecStart=/bin/sleep 100000\n';
  await fleet.exec('sys-1', 'cat >/etc/systemd/system/ledger.service && systemctl start ledger', { input: unit });
  return fleet;
}
