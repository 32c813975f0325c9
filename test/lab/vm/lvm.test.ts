/**
 * LVM snapshots on a real device mapper: classic and thin, under writing, filled up, left behind. The host is a virtual machine on the
 * simulated fleet's network; the target is a simulated host.
 */
import { appendFileSync } from 'node:fs';
import { describeLab } from '../support/describe-lab';
import type { Fleet } from '../support/fleet';
import { eventually, hostLines, raiseProduct, takeDown } from '../support/product';
import type { Product } from '../support/product';
import { blankDisk, startTools } from './support/install';
import { machineAddress } from './support/machine';
import type { Machine } from './support/machine';

const NUMBER = 120;
/** A freeze of a virtual machine without hardware help is slow to begin. */
const FREEZE_MS = 120_000;
/** A copy is tried some times, with longer and longer waits, before a person is asked. */
const GIVEN_UP_MS = 300_000;
jest.setTimeout(600_000);

/** A classic volume with ext4, one with xfs, a thin one; some room left in the group. */
const SET_UP = `set -e
D=$(lsblk -dnpo NAME,SERIAL | awk '$2 == "data" { print $1 }')
vgcreate -qq vg0 "$D"
lvcreate -qq -y -L 300M -n ext vg0; mkfs.ext4 -q /dev/vg0/ext
lvcreate -qq -y -L 400M -n x vg0; mkfs.xfs -q /dev/vg0/x
lvcreate -qq -y -L 400M -T vg0/pool; lvcreate -qq -y -V 300M -T vg0/pool -n thin; mkfs.ext4 -q /dev/vg0/thin
`;
const MOUNT = `set -e
vgchange -qq -ay vg0
for v in ext x thin; do mkdir -p /srv/$v; mount /dev/vg0/$v /srv/$v; done
`;
/** Room for the first of both classic snapshots, and a little to grow. */
const LEAVE_LITTLE =
  'free=$(vgs --noheadings --nosuffix --units m -o vg_free vg0); free=${free%.*}; lvcreate -qq -y -L $((free - 92))M -n ballast vg0';
const FILL = `for v in ext x thin; do mkdir -p /srv/$v/data/sub; head -c 3000000 /dev/urandom >/srv/$v/data/big; echo $v >/srv/$v/data/sub/name; setfattr -n user.a -v b /srv/$v/data/big; done; sync`;

describeLab('LVM snapshots', () => {
  let product: Product;
  let machine: Machine;
  const on = async (command: string) => (await machine.ssh(command, { timeoutMs: 120_000 })).stdout;

  const runbook = (fleet: Fleet) => `version: 1
${hostLines(fleet)}
  db-1: { address: ${machineAddress({ fleet, number: NUMBER })} }
stores:
  main: { host: target, kind: btrfs, place: /backup }
groups:
  portal:
    sources:
      - { host: db-1, path: /srv/ext/data, name: ext, snapshot: lvm, snapshot_room: 10% }
      - { host: db-1, path: /srv/x/data, name: x, snapshot: lvm }
      - { host: db-1, path: /srv/thin/data, name: thin, snapshot: lvm-thin }
    quiesce: { containers: none }
    target: main
    transfer: { bandwidth: 2MB/s }
`;

  /** Powers the machine on, with its data where it was. */
  async function powerOn(fleet: Fleet, image: string, first: boolean): Promise<void> {
    machine = await startTools({ fleet, number: NUMBER, disks: [{ image, serial: 'data' }], root: `${image}.root` });
    await machine.ssh(first ? SET_UP + MOUNT + FILL : MOUNT, { timeoutMs: 120_000 });
  }

  let image: string;
  beforeAll(async () => {
    product = await raiseProduct({
      name: 'vmlvm',
      hosts: [{ name: 'target', disk: 'ext4', docker: false, store: 'btrfs' }],
      prepare: async (fleet) => {
        image = blankDisk({ fleet, name: 'lvm-data', sizeMb: 1500 });
        await powerOn(fleet, image, true);
        const key = await on('cat /etc/ssh/ssh_host_ed25519_key.pub');
        appendFileSync(fleet.knownHosts, `${machine.address} ${key.split(' ').slice(0, 2).join(' ')}\n`);
      },
      runbook,
    });
  }, 1_200_000);
  afterAll(async () => {
    await takeDown(product);
  }, 120_000);

  /** Volumes of ours that stand on the machine. */
  const ours = async () =>
    (await on("lvs --noheadings -o lv_name -S 'lv_tags=resurgo'")).split(/\s+/).filter((each) => each !== '');

  test('S6 a backup under steady writing: three snapshots of one instant, each complete, none left', async () => {
    await on(
      'for v in ext x thin; do (i=0; while [ $i -lt 400 ]; do i=$((i+1)); echo $i >>/srv/$v/data/log; sleep 0.05; done) >/dev/null 2>&1 & done',
    );
    const done = await product.backup();
    // Nobody was paused: LVM's own flush makes the file systems whole, and what writes may be in the middle of something.
    expect({ state: done.state, label: done.label }).toEqual({ state: 'Completed', label: 'crash' });
    expect(done.sources.map(({ tree, files }) => [tree, files])).toEqual([
      ['db-1@+srv+ext+data', 3],
      ['db-1@+srv+thin+data', 3],
      ['db-1@+srv+x+data', 3],
    ]);
    expect(await ours()).toEqual([]);
    expect(await product.leftovers('portal')).toEqual([]);
  });

  test('one that fills is made larger before it is full, and the backup is whole', async () => {
    await on('head -c 20000000 /dev/urandom >/srv/ext/data/slow; sync');
    const run = await product.detached(['backup']);
    await eventually('three snapshots stand', async () => (await ours()).length === 3, FREEZE_MS);
    const before = Number(
      await on("lvs --noheadings --units b --nosuffix -o lv_size -S 'lv_tags=resurgo && origin=ext'"),
    );
    // 24 of the 30 MB that it has to begin with, while 20 MB go over at 2 MB/s.
    await on('head -c 24000000 /dev/urandom >/srv/ext/ballast; sync');
    await eventually(
      'it is larger',
      async () =>
        Number(await on("lvs --noheadings --units b --nosuffix -o lv_size -S 'lv_tags=resurgo && origin=ext'")) >
        before,
    );
    await product.ended(run);
    expect(await ours()).toEqual([]);
    await on('rm /srv/ext/ballast /srv/ext/data/slow; sync');
  });

  test('one that overflows fails its source: nothing is sealed, and the origin lives on', async () => {
    const before = (await product.run(['list'])).stdout;
    await on(`${LEAVE_LITTLE}; head -c 20000000 /dev/urandom >/srv/ext/data/slow; sync`);
    const run = await product.detached(['backup']);
    await eventually('three snapshots stand', async () => (await ours()).length === 3, FREEZE_MS);
    await on('dd if=/dev/urandom of=/srv/ext/ballast bs=1M count=120 status=none; sync');
    const asked = await product.question(run, GIVEN_UP_MS);
    expect(asked.message).toMatch(/overflowed|could not copy everything/);
    await product.run(['abort', run], { allow: [0] });
    await product.ended(run, [1]);
    expect((await product.run(['list'])).stdout).toBe(before);
    expect(await ours()).toEqual([]);
    await on('rm /srv/ext/ballast /srv/ext/data/slow; lvremove -qq -y vg0/ballast; sync; touch /srv/ext/data/lives');
  });

  test('no snapshot is begun where the group has no room for it', async () => {
    await on('lvcreate -qq -y -l 100%FREE -n ballast vg0');
    const said = await product.run(['backup'], { allow: [1, 3] });
    expect(said.stderr).toMatch(/db-1.*volume group vg0 has 0 bytes free and the snapshot of \w+ wants/);
    await on('lvremove -qq -y vg0/ballast');
    expect(await ours()).toEqual([]);
  });

  test('a thin pool that fills loses the snapshot, and production goes on', async () => {
    const before = (await product.run(['list'])).stdout;
    await on('head -c 20000000 /dev/urandom >/srv/thin/data/slow; sync');
    const run = await product.detached(['backup']);
    await eventually('three snapshots stand', async () => (await ours()).length === 3, FREEZE_MS);
    // What is written beside the snapshot fills the pool's 400 MB.
    await on(
      'for i in 1 2 3 4 5 6 7; do dd if=/dev/urandom of=/srv/thin/ballast bs=1M count=50 conv=fsync status=none; done',
    );
    await eventually('the thin one is gone', async () => (await ours()).length === 2);
    await on('echo alive >/srv/thin/data/lives; sync');
    const asked = await product.question(run, GIVEN_UP_MS);
    expect(asked.message).toMatch(/thin pool|could not copy everything|is gone/);
    await product.run(['abort', run], { allow: [0] });
    await product.ended(run, [1]);
    expect((await product.run(['list'])).stdout).toBe(before);
    await on('rm /srv/thin/ballast /srv/thin/data/slow; fstrim /srv/thin; sync');
  });

  test('what a power cut leaves of a run is found and removed by the next', async () => {
    await on('head -c 20000000 /dev/urandom >/srv/x/data/slow; sync');
    const run = await product.detached(['backup']);
    await eventually('three snapshots stand', async () => (await ours()).length === 3, FREEZE_MS);
    await machine.kill();
    await powerOn(product.fleet, image, false);
    expect((await ours()).length).toBe(3);
    await product.run(['cancel', run], { allow: [0, 1] });
    await product.ended(run, [1, 130]).catch(() => undefined);
    await product.backup();
    expect(await ours()).toEqual([]);
  });
});
