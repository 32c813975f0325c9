/** The rescue media start a machine without anything on its disks: CD, USB stick and network; BIOS, UEFI and Secure Boot. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, openSync, writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import * as path from 'node:path';
import { z } from 'zod';
import { openNetbootMedia } from '../../../hosts/netboot-media';
import type { NetbootMedia } from '../../../hosts/netboot-media';
import { serveNetboot } from '../../../hosts/netboot-server';
import type { NetbootServer, Served } from '../../../hosts/netboot-server';
import { dnsmasqConfig, netbootScripts } from '../../../planning/netboot';
import { raiseFleet } from '../support/fleet';
import type { Fleet } from '../support/fleet';
import { describeLab } from '../support/describe-lab';
import { runProgram } from '../support/program';
import { Machine } from './support/machine';
import type { MachineSpec } from './support/machine';
import { buildMedia } from './support/media';

/** Firmware that checks signatures takes several times as long without hardware help. */
const BOOT_MS = 600_000;
const PORT = 8484;
/** The machines, by their numbers: those that start from a medium of their own, and those that may start by network. */
const BY_MEDIUM = [120, 121, 122, 123, 124, 125];
const BY_NETWORK = [130, 131];
const answer = z.looseObject({ ok: z.literal(true), host: z.string() });
/** By BIOS there is no such variable to ask for. */
const secureBoot = z.looseObject({
  facts: z.looseObject({ 'secure-boot': z.looseObject({ out: z.string() }).optional() }),
});

describeLab('the rescue media', () => {
  let fleet: Fleet;
  let iso: string;
  let dnsmasq: ChildProcess;
  let server: NetbootServer;
  let media: NetbootMedia;
  const served: Served[] = [];

  beforeAll(async () => {
    fleet = await raiseFleet({ name: 'vmrescue', hosts: [{ name: 'target', disk: 'btrfs', docker: false }] });
    iso = path.join(await buildMedia({ fleet, pinned: true }), 'rescue.iso');
    const folder = await buildMedia({ fleet, pinned: false });
    media = await openNetbootMedia({ folder, host: 'web-1' });
    server = await serveNetboot({
      media,
      scripts: netbootScripts({ host: 'web-1', macs: macsOf(BY_NETWORK), append: [] }),
      address: fleet.directorAddress,
      port: PORT,
      onServed: (each) => served.push(each),
    });
    dnsmasq = startDnsmasq({ fleet, macs: macsOf([...BY_MEDIUM, ...BY_NETWORK]) });
  }, 1_800_000);
  afterAll(async () => {
    dnsmasq.kill();
    await server.close();
    await media.close();
    await fleet.down();
  }, 60_000);

  const macsOf = (numbers: readonly number[]): string[] =>
    numbers.map((number) => new Machine({ fleet, name: `boot-${number}`, number, disks: [] }).mac);

  /** Starts it, waits until it is ready, asks it as the director does, and turns it off. */
  async function boots(spec: Omit<MachineSpec, 'fleet'>): Promise<{ machine: Machine; facts: string }> {
    const machine = new Machine({ fleet, ...spec });
    await machine.start();
    await machine.shows('RESURGO-RESCUE-READY', BOOT_MS);
    const [, address] = /^ +address +(\d+\.\d+\.\d+\.\d+)/m.exec(machine.console) ?? [];
    if (address === undefined) throw new Error(`it has no address:\n${machine.console.slice(-3000)}`);
    const probe = answer.parse(JSON.parse(await ask({ fleet, address, verb: 'probe' })));
    expect(probe.host).toBe('web-1');
    const { facts } = secureBoot.parse(JSON.parse(await ask({ fleet, address, verb: 'layout' })));
    await machine.kill();
    return { machine, facts: facts['secure-boot']?.out ?? '' };
  }

  const onCd = (): Partial<MachineSpec> => ({ cdrom: iso });
  const onStick = (): Partial<MachineSpec> => ({
    disks: [{ image: iso, serial: 'stick', bus: 'usb', throwAway: true }],
  });
  test.each([
    ['CD', 'bios', onCd, 120],
    ['CD', 'uefi', onCd, 121],
    ['CD', 'secure', onCd, 122],
    ['USB stick', 'bios', onStick, 123],
    ['USB stick', 'uefi', onStick, 124],
    ['USB stick', 'secure', onStick, 125],
  ] as const)(
    'a machine starts from a %s by firmware %s, is known by the pinned key, and lets the director in',
    async (_medium, firmware, medium, number) => {
      const { machine, facts } = await boots({ name: `boot-${number}`, number, firmware, disks: [], ...medium() });
      expect(machine.console).toContain('(pinned when this image was built)');
      // The last byte of the variable: whether Secure Boot is on.
      if (firmware === 'secure') expect(facts.trim()).toMatch(/ 01$/);
      else expect(facts.trim()).not.toMatch(/ 01$/);
    },
    BOOT_MS + 120_000,
  );

  test.each([
    ['bios', 130],
    ['uefi', 131],
  ] as const)(
    'a machine starts by network by firmware %s, with a key of its own and a code to confirm',
    async (firmware, number) => {
      served.length = 0;
      const { machine } = await boots({ name: `boot-${number}`, number, firmware, disks: [], byNetwork: true });
      expect(machine.console).toMatch(/ code +[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}/);
      expect(served.map(({ path: asked, status, whole }) => `${asked} ${status} ${whole}`)).toEqual([
        '/boot.ipxe 200 true',
        `/mac-${machine.mac.replaceAll(':', '-')}.ipxe 200 true`,
        '/vmlinuz 200 true',
        '/initramfs.img 200 true',
      ]);
    },
    BOOT_MS + 120_000,
  );
});

/** Gives these machines addresses on the fleet's network, and leads what starts by network to the server. It goes with the test. */
function startDnsmasq({ fleet, macs }: { fleet: Fleet; macs: string[] }): ChildProcess {
  const folder = path.join('/run/resurgo-lab', fleet.name, 'dnsmasq');
  mkdirSync(folder, { recursive: true });
  const address = fleet.directorAddress;
  const at = Object.entries(networkInterfaces()).flatMap(([card, list = []]) =>
    list.filter((each) => each.address === address).map(({ netmask }) => ({ card, netmask })),
  )[0];
  if (at === undefined) throw new Error(`this machine has no card with ${address}`);
  const last = (number: number): string => address.replace(/\d+$/, String(number));
  const range = { from: last(140), to: last(179) };
  const file = path.join(folder, 'conf');
  writeFileSync(file, dnsmasqConfig({ macs, ...at, address, port: PORT, range, ipxeFolder: '/usr/lib/ipxe' }));
  const log = openSync(path.join(folder, 'log'), 'a');
  const words = ['--keep-in-foreground', `--conf-file=${file}`, '--user=root', '--log-facility=-'];
  words.push(`--dhcp-leasefile=${folder}/leases`, `--pid-file=${folder}/pid`);
  return spawn('dnsmasq', words, { stdio: ['ignore', log, log] });
}

/** One request of the director's key, without any keys of its own. sshd starts a moment after the machine says that it is ready. */
async function ask({ fleet, address, verb }: { fleet: Fleet; address: string; verb: string }): Promise<string> {
  const words = ['-i', fleet.adminKey, '-o', 'BatchMode=yes', '-o', 'ConnectTimeout=20', '-o', 'ConnectionAttempts=10'];
  // What pins hosts is tested elsewhere.
  words.push('-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', '-o', 'LogLevel=ERROR');
  const { stdout } = await runProgram({
    command: ['ssh', ...words, `resurgo@${address}`],
    input: `resurgo 1 ${verb}\n.\n`,
    timeoutMs: 240_000,
  });
  return stdout;
}
