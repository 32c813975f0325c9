/**
 * Units frozen on a real systemd with cgroup v2, in a machine that booted by its firmware: a backup of one instant, and the dead-man as a
 * unit of its own when everything that froze them is gone.
 */
import { appendFileSync } from 'node:fs';
import { findServer } from '../../../workers/embedded-server';
import { findWorker } from '../../../workers/background-worker';
import { prepareState } from '../../../workers/paths';
import { describeLab } from '../support/describe-lab';
import type { Fleet } from '../support/fleet';
import { eventually, hostLines, raiseProduct, takeDown } from '../support/product';
import type { Product } from '../support/product';
import { installServer } from './support/install';
import { biosExt4 } from './support/layouts';
import { machineAddress } from './support/machine';
import type { Machine } from './support/machine';

const NUMBER = 160;
/** Its freeze is slow to begin without hardware help, and on a busy machine. */
const SLOW_MS = 180_000;
const MAX_PAUSE_S = 20;
jest.setTimeout(900_000);

/** It counts into the data, as fast as it can be told apart. */
const LEDGER = String.raw`[Service]
ExecStart=/bin/sh -c 'n=0; while :; do n=$$((n+1)); echo $$n >>/srv/data/ledger; sleep 0.05; done'
[Install]
WantedBy=multi-user.target
`;
const SET_UP = `set -e
D=$(lsblk -dnpo NAME,SERIAL | awk '$2 == "data" { print $1 }')
mkfs.btrfs -q -f "$D"; mkdir -p /srv/data
echo "UUID=$(blkid -s UUID -o value "$D") /srv/data btrfs defaults 0 0" >> /etc/fstab
systemctl daemon-reload; mount /srv/data
cat > /etc/systemd/system/ledger.service
systemctl daemon-reload; systemctl enable --now ledger.service
`;

/** In the machine: pulls its own cable the moment that the unit is frozen, notes how long that lasts, and puts it back. */
const CUT = `frozen() { [ "$(systemctl show -p FreezerState --value ledger.service)" = frozen ]; }
card=$(ip -o link show | awk -F': ' '$2 != "lo" { print $2; exit }')
until frozen; do sleep 0.02; done
ip link set "$card" down
read -r begin _ </proc/uptime
while frozen; do sleep 0.1; done
read -r end _ </proc/uptime
echo "$begin $end" >/run/cut.seen
sleep 10
ip link set "$card" up
`;

describeLab('units frozen with cgroup v2', () => {
  let product: Product;
  let machine: Machine;
  const on = async (command: string, input = '') =>
    (await machine.ssh(command, { timeoutMs: 120_000, input })).stdout.trim();
  const freezer = () => on('systemctl show -p FreezerState --value ledger.service');
  const reached = () =>
    machine.ssh('true', { timeoutMs: 10_000 }).then(
      () => true,
      () => false,
    );
  const counted = async () => Number(await on('tail -n 1 /srv/data/ledger'));

  const runbook = (fleet: Fleet) => `version: 1
${hostLines(fleet)}
  db-1: { address: ${machineAddress({ fleet, number: NUMBER })} }
stores:
  main: { host: target, kind: btrfs, place: /backup }
groups:
  portal:
    sources:
      - { host: db-1, path: /srv/data, name: data, snapshot: btrfs }
    quiesce:
      containers: none
      max_pause: ${MAX_PAUSE_S}s
      units:
        - { host: db-1, name: ledger.service, by: freeze }
    target: main
`;

  beforeAll(async () => {
    product = await raiseProduct({
      name: 'vmunit',
      hosts: [{ name: 'target', disk: 'btrfs', docker: false, store: 'btrfs' }],
      runbook,
      prepare: async (fleet) => {
        const { script } = biosExt4;
        const disks = [...biosExt4.disks, { serial: 'data', sizeMb: 512 }];
        ({ machine } = await installServer({ fleet, name: 'db-1', number: NUMBER, firmware: 'bios', disks, script }));
        await machine.start();
        await machine.answers();
        await on(SET_UP, LEDGER);
        const key = await on('cat /etc/ssh/ssh_host_ed25519_key.pub');
        appendFileSync(fleet.knownHosts, `${machine.address} ${key.split(' ').slice(0, 2).join(' ')}\n`);
      },
    });
  }, 2_400_000);
  afterAll(async () => {
    await takeDown(product);
  }, 120_000);

  test('S1 a backup freezes the unit and lets it run on: the same processes, and the copy ends in the instant', async () => {
    expect(await on('stat -fc %T /sys/fs/cgroup')).toBe('cgroup2fs');
    const before = await on('systemctl show -p MainPID,NRestarts,InvocationID ledger.service');
    const done = await product.backup([], { timeoutMs: SLOW_MS });
    // How the lab's store is mounted is not what this is about.
    const warnings = done.warnings.filter((each) => !each.includes('mount the store so'));
    expect({ state: done.state, label: done.label, warnings }).toEqual({
      state: 'Completed',
      label: 'filesystem',
      warnings: [],
    });
    expect(await on('systemctl show -p MainPID,NRestarts,InvocationID ledger.service')).toBe(before);
    expect(await freezer()).toBe('running');
    const [first, later] = [await counted(), await on('sleep 1').then(counted)];
    expect(later).toBeGreaterThan(first);
    const kept = await product.fleet.exec('target', 'tail -n 1 /backup/portal/current/db-1@+srv+data/ledger');
    expect(Number(kept.stdout)).toBeGreaterThan(0);
    expect(Number(kept.stdout)).toBeLessThan(first);
  });

  test('S2 with worker, server and network gone in the freeze the dead-man lets the unit run at its limit', async () => {
    const state = prepareState(product.stateDir);
    await on('cat >/run/cut; systemd-run -q --unit=cut sh /run/cut', CUT);
    const run = await product.detached(['backup']);
    await eventually('the cable is out', async () => !(await reached()), SLOW_MS);
    for (const found of [findWorker(state), findServer(state)])
      if (found !== undefined) process.kill(found.process.pid, 'SIGKILL');
    await eventually('the cable is in again', reached, SLOW_MS);
    // Of a freeze that had ended in the moment before the cable was out nothing could be told here.
    const [begin = 0, end = 0] = (await on('cat /run/cut.seen')).split(' ').map(Number);
    expect(end - begin).toBeGreaterThan(MAX_PAUSE_S / 2);
    expect(end - begin).toBeLessThan(MAX_PAUSE_S + 10);
    expect(await freezer()).toBe('running');
    expect(await on(`awk 'NR > 1 && $1 != before + 1 { print "gap at " $1 } { before = $1 }' /srv/data/ledger`)).toBe(
      '',
    );
    await product.run(['engine', 'start']);
    await product.ended(run, [0, 1, 3], SLOW_MS);
    await eventually('nothing is left', async () => (await product.leftovers('portal')).length === 0, SLOW_MS);
    expect(await freezer()).toBe('running');
  });
});
