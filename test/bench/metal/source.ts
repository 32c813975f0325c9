/** The one disk that everything is measured on: installed once as an administrator does it, and copied for each who begins with it. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import * as path from 'node:path';
import type { Fleet } from '../../lab/support/fleet';
import { raiseFleet } from '../../lab/support/fleet';
import { runProgram } from '../../lab/support/program';
import { blankDisk, built, installServer } from '../../lab/vm/support/install';
import { biosExt4 } from '../../lab/vm/support/layouts';
import { Machine } from '../../lab/vm/support/machine';
import type { MachineSpec, VirtualDisk } from '../../lab/vm/support/machine';
import { DATA_VERSION, makeSourceData } from './source-data';

export const HOST = 'web-1';
/** Of the source and of what takes its place, on each fleet's network. */
export const NUMBER = 130;
export const DISK_MB = 6144;
const MOUNTED = path.join(__dirname, 'mounted.sh');
const COPY_MS = 600_000;

/** The same for all: 2 GiB of memory, BIOS, a graphics card. */
export const KIND: Pick<MachineSpec, 'memoryMb' | 'firmware' | 'screen' | 'number'> = {
  memoryMb: 2048,
  firmware: 'bios',
  screen: true,
  number: NUMBER,
};

/** By what a source disk is known: its packages, its data, its size. */
export async function sourceId(): Promise<string> {
  const input = `${path.basename(await built('rear'))} ${DATA_VERSION} ${DISK_MB} ${biosExt4.script}`;
  return createHash('sha256').update(input).digest('hex').slice(0, 12);
}

/** The source disk below `work`, made if it is not there. @returns its path */
export async function sourceDisk({ work, id }: { work: string; id: string }): Promise<string> {
  const image = path.join(work, `source-${id}.img`);
  if (existsSync(image)) return image;
  mkdirSync(work, { recursive: true });
  const fleet = await raiseFleet({ name: 'bench-source', hosts: [{ name: 'idle', disk: 'ext4', docker: false }] });
  const data = mkdtempSync(path.join(work, 'data-'));
  try {
    const { disks } = await installServer({
      ...{ fleet, name: HOST, number: NUMBER, tree: 'rear' },
      ...biosExt4,
      // The layout asks for its disk by that name.
      disks: [{ serial: 'D1', sizeMb: DISK_MB }],
    });
    const [disk] = disks;
    if (disk === undefined) throw new Error('the installation made no disk');
    await makeSourceData(data);
    await inRoot(disk.image, 'cp -a "$1" srv/data', [data]);
    await copyDisk(disk.image, `${image}.part`);
    renameSync(`${image}.part`, image);
  } finally {
    rmSync(data, { recursive: true, force: true });
    await fleet.down();
  }
  return image;
}

/** All of the source's root as one tar, made if it is not there: what somebody sends by hand. @returns its path */
export async function sourceTar({ source }: { source: string }): Promise<string> {
  const tar = source.replace(/\.img$/, '.tar');
  if (existsSync(tar)) return tar;
  const script = 'tar --xattrs --xattrs-include="*" --acls --sparse -cf "$1" .';
  await inRoot(source, script, [`${tar}.part`], 'ro,noload');
  renameSync(`${tar}.part`, tar);
  return tar;
}

/** A machine with a copy of the source disk, at this fleet's address, running and done with its start. */
export async function startSource(options: {
  fleet: Fleet;
  source: string;
  more?: readonly VirtualDisk[];
}): Promise<Machine> {
  const { fleet, source, more = [] } = options;
  const image = blankDisk({ fleet, name: 'source', sizeMb: DISK_MB });
  await copyDisk(source, image);
  const machine = new Machine({
    ...{ fleet, name: HOST, ...KIND },
    disks: [{ image, serial: 'SOURCE' }, ...more],
  });
  await tellPlace({ image, machine });
  await machine.start();
  await machine.answers();
  // A unit that failed is no reason: what counts is that nothing goes on starting.
  await machine.ssh('systemctl is-system-running --wait; sync', { mayFail: true, timeoutMs: 300_000 });
  return machine;
}

/** Tells the system on a disk where it is now and who its administrator is: each fleet has another network and another key. */
export async function tellPlace({ image, machine }: { image: string; machine: Machine }): Promise<void> {
  const { fleet } = machine.spec;
  const key = readFileSync(`${fleet.adminKey}.pub`, 'utf8').trim();
  await inRoot(image, PLACE, [machine.address, machine.mac, key, HOST, fleet.directorAddress]);
}

const PLACE = `printf '[Match]\\nMACAddress=%s\\n\\n[Network]\\nAddress=%s/24\\n' "$2" "$1" >etc/systemd/network/10-lan.network
printf '127.0.0.1 localhost\\n%s %s\\n' "$1" "$4" >etc/hosts
echo "$3" >root/.ssh/authorized_keys
echo "nameserver $5" >etc/resolv.conf`;

/** Runs shell in the root folder of the system on a disk that no machine uses. */
export async function inRoot(image: string, script: string, args: readonly string[], options = 'rw'): Promise<string> {
  const command = ['unshare', '--mount', '--propagation', 'private', MOUNTED, image, options, script, ...args] as const;
  return (await runProgram({ command, timeoutMs: COPY_MS })).stdout;
}

export async function copyDisk(from: string, to: string): Promise<void> {
  await runProgram({ command: ['cp', '--sparse=always', from, to], timeoutMs: COPY_MS });
}
