/** Sets a server up on blank disks, as an administrator does it by hand: none of the product's own code takes part. */
import { existsSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import type { Fleet } from '../../support/fleet';
import { runProgram } from '../../support/program';
import { Machine, machineAddress } from './machine';
import type { MachineSpec, VirtualDisk } from './machine';

const TREE = path.join(__dirname, 'tree.sh');
const INSTALL = path.join(__dirname, 'install.sh');
/** A tree is built once on a machine; a server takes about two minutes to set up, several times that where others work. */
const BUILD_MS = 900_000;
const INSTALL_MS = 1_500_000;
/** OpenZFS' modules are compiled the first time. */
const ZFS_BUILD_MS = 3_000_000;

export interface ServerSpec {
  fleet: Fleet;
  name: string;
  number: number;
  firmware: 'bios' | 'uefi' | 'secure';
  /** Blank disks, by serial. */
  disks: readonly (Omit<VirtualDisk, 'image'> & { sizeMb: number })[];
  /** What is installed. Default `server`. */
  tree?: 'server' | 'rear' | 'zfs';
  /** Shell: the functions `layout`, `settle` and `leave` of install.sh. */
  script: string;
}

/** Path of what `tree.sh` makes or has made; tools, and what they are booted by, are those of the server or of one with OpenZFS. */
export async function built(
  what: 'server' | 'rear' | 'zfs' | 'tools' | 'boot' | 'live',
  of: 'server' | 'zfs' = 'server',
): Promise<string> {
  const words = what === 'tools' || what === 'boot' ? [what, of] : [what];
  return (
    await runProgram({ command: [TREE, ...words], timeoutMs: of === 'zfs' ? ZFS_BUILD_MS : BUILD_MS })
  ).stdout.trim();
}

/** Makes a sparse image below the fleet's folder, which goes with the fleet. */
export function blankDisk({ fleet, name, sizeMb }: { fleet: Fleet; name: string; sizeMb: number }): string {
  const folder = path.join('/var/tmp/resurgo-lab', fleet.name, 'vm');
  mkdirSync(folder, { recursive: true });
  const image = path.join(folder, `${name}.img`);
  rmSync(image, { force: true });
  writeFileSync(image, '');
  truncateSync(image, sizeMb * 1024 * 1024);
  return image;
}

/**
 * The machine that sets up others, started, with further disks. What it writes to its own root is lost with it, unless a `root` is given:
 * a file that is made as a copy at the first start, and used again.
 */
export async function startTools(options: {
  fleet: Fleet;
  number: number;
  disks: readonly VirtualDisk[];
  root?: string;
  /** With OpenZFS, or without (the default). */
  of?: 'server' | 'zfs';
}): Promise<Machine> {
  const { fleet, number, disks, root, of } = options;
  const [tools, boot] = [await built('tools', of), await built('boot', of)];
  if (root !== undefined && !existsSync(root)) {
    await runProgram({ command: ['cp', '--sparse=always', tools, root] });
    // What it writes has to outlive a power cut, as on any server.
    await runProgram({ command: ['tune2fs', '-O', 'has_journal', root] });
  }
  const machine = new Machine({
    fleet,
    name: `tools-${number}`,
    number,
    memoryMb: 1024,
    disks: [{ image: root ?? tools, serial: 'tools', throwAway: root === undefined }, ...disks],
    kernel: {
      image: path.join(boot, 'vmlinuz'),
      initrd: path.join(boot, 'initrd.img'),
      append: `root=/dev/disk/by-id/virtio-tools rw init=/lab-init ${labWords({ fleet, number })}`,
    },
  });
  await machine.start();
  await machine.shows('LAB-READY');
  await machine.answers();
  return machine;
}

/** What tools-init.sh reads. */
function labWords({ fleet, number }: { fleet: Fleet; number: number }): string {
  const key = readFileSync(`${fleet.adminKey}.pub`, 'utf8').trim().replaceAll(' ', '_');
  return `console=ttyS0 net.ifnames=0 quiet lab.address=${machineAddress({ fleet, number })} lab.key=${key}`;
}

/** A rescue Linux that is none of ours, and runs from memory: not started. It shows `LAB-READY`. By BIOS. */
export async function liveMachine(options: Pick<MachineSpec, 'fleet' | 'number' | 'disks' | 'mac'>): Promise<Machine> {
  const [initrd, boot] = [await built('live'), await built('boot')];
  const append = `rdinit=/lab-init ${labWords(options)}`;
  return new Machine({
    ...options,
    name: 'live',
    memoryMb: 3072,
    kernel: { image: path.join(boot, 'vmlinuz'), initrd, append },
  });
}

/** Sets it up; its disks as they are then, and the machine that they make, not started. */
export async function installServer(spec: ServerSpec): Promise<{ machine: Machine; disks: VirtualDisk[] }> {
  const { fleet, name, number, firmware, script, tree = 'server' } = spec;
  const disks = spec.disks.map(({ sizeMb, ...disk }) => ({
    ...disk,
    image: blankDisk({ fleet, name: `${name}-${disk.serial}`, sizeMb }),
  }));
  const of = tree === 'zfs' ? 'zfs' : 'server';
  const server = await built(tree, of);
  const machine = new Machine({ fleet, name, number, firmware, disks });
  const tools = await startTools({
    fleet,
    number,
    of,
    disks: [...disks, { image: server, serial: 'server', throwAway: true }],
  });
  const key = readFileSync(`${fleet.adminKey}.pub`, 'utf8').trim();
  const facts = {
    NAME: name,
    ADDRESS: machine.address,
    MAC: machine.mac,
    KEY: key,
    FIRMWARE: firmware === 'bios' ? 'bios' : 'uefi',
    SERVER: 'server',
  };
  const head = Object.entries(facts).map(([word, value]) => `${word}='${value}'`);
  try {
    const said = await tools.ssh('cat >/tmp/install && sh /tmp/install', {
      input: [...head, script, readFileSync(INSTALL, 'utf8')].join('\n'),
      timeoutMs: INSTALL_MS,
    });
    if (!said.stdout.includes('INSTALLED')) throw new Error(`the set-up of ${name} said: ${said.stdout}${said.stderr}`);
    await tools.sync();
  } finally {
    await tools.kill();
  }
  return { machine, disks };
}
