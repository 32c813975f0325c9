/** A virtual machine with volumes of LVM, classic and thin, on a fleet whose target is a simulated host. */
import { appendFileSync } from 'node:fs';
import type { Fleet } from '../../support/fleet';
import { hostLines, raiseProduct } from '../../support/product';
import type { Product } from '../../support/product';
import { blankDisk, startTools } from './install';
import { machineAddress } from './machine';
import type { Machine } from './machine';

/** A classic volume with ext4, one with xfs, a thin one; some room left in the group. */
const SET_UP = `set -e
D=$(lsblk -dnpo NAME,SERIAL | awk '$2 == "data" { print $1 }')
vgcreate -qq vg0 "$D"
lvcreate -qq -y -L 300M -n ext vg0; mkfs.ext4 -q /dev/vg0/ext
lvcreate -qq -y -L 400M -n x vg0; mkfs.xfs -q /dev/vg0/x
lvcreate -qq -y -L 320M -T vg0/pool; lvcreate -qq -y -V 300M -T vg0/pool -n thin; mkfs.ext4 -q /dev/vg0/thin
`;
const MOUNT = `set -e
vgchange -qq -ay vg0
for v in ext x thin; do mkdir -p /srv/$v; mount /dev/vg0/$v /srv/$v; done
`;
const FILL = `for v in ext x thin; do mkdir -p /srv/$v/data/sub; head -c 3000000 /dev/urandom >/srv/$v/data/big; echo $v >/srv/$v/data/sub/name; setfattr -n user.a -v b /srv/$v/data/big; done; sync`;
/** Leaves room for the first of both classic snapshots, and a little to grow. */
export const LEAVE_LITTLE =
  'free=$(vgs --noheadings --nosuffix --units m -o vg_free vg0); free=${free%.*}; lvcreate -qq -y -L $((free - 92))M -n ballast vg0';

/** Half of the thin volume. */
export const MAKE_BALLAST = 'head -c 150000000 /dev/urandom >/srv/thin/ballast; sync';
/** Writes over it where it lies: what a snapshot shares with it is kept besides, and fills the pool's 320 MB; the last of it slowly. */
export const FILL_POOL = `write() { dd if=/dev/urandom of=/srv/thin/ballast bs=1M seek="$1" count="$2" conv=notrunc,fsync status=none; }
write 0 60; for at in 60 65 70 75 80 85 90 95 100 105 110 115 120 125 130 135; do write "$at" 5; sleep 2; done`;

export class LvmHost {
  private running: Machine | undefined;

  private constructor(
    readonly product: Product,
    private readonly number: number,
    private readonly image: string,
  ) {}

  /** @param number of the machine on the fleet's network, one that no other machine has */
  static async raise({ name, number }: { name: string; number: number }): Promise<LvmHost> {
    let image = '';
    let machine: Machine | undefined;
    const product = await raiseProduct({
      name,
      hosts: [{ name: 'target', disk: 'ext4', docker: false, store: 'btrfs' }],
      prepare: async (fleet) => {
        image = blankDisk({ fleet, name: 'lvm-data', sizeMb: 1500 });
        machine = await start({ fleet, number, image });
        await machine.ssh(SET_UP + MOUNT + FILL, { timeoutMs: 120_000 });
        const { stdout } = await machine.ssh('cat /etc/ssh/ssh_host_ed25519_key.pub');
        appendFileSync(fleet.knownHosts, `${machine.address} ${stdout.split(' ').slice(0, 2).join(' ')}\n`);
      },
      runbook: (fleet) => runbookOf({ fleet, number }),
    });
    const host = new LvmHost(product, number, image);
    host.running = machine;
    return host;
  }

  async on(command: string): Promise<string> {
    return (await this.machine.ssh(command, { timeoutMs: 120_000 })).stdout;
  }

  /** Snapshots of the product's that stand on the machine. */
  async snapshots(): Promise<string[]> {
    const names = await this.on("lvs --noheadings -o lv_name -S 'lv_tags=resurgo'");
    return names.split(/\s+/).filter((each) => each !== '');
  }

  cutPower(): Promise<void> {
    return this.machine.kill();
  }

  /** Powers it on, with its data where it was. */
  async powerOn(): Promise<void> {
    this.running = await start({ fleet: this.product.fleet, number: this.number, image: this.image });
    await this.on(MOUNT);
  }

  private get machine(): Machine {
    if (this.running === undefined) throw new Error('no machine was started');
    return this.running;
  }
}

function start({ fleet, number, image }: { fleet: Fleet; number: number; image: string }): Promise<Machine> {
  return startTools({ fleet, number, disks: [{ image, serial: 'data' }], root: `${image}.root` });
}

function runbookOf({ fleet, number }: { fleet: Fleet; number: number }): string {
  return `version: 1
${hostLines(fleet)}
  db-1: { address: ${machineAddress({ fleet, number })} }
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
}
