/** A virtual machine on a simulated fleet's network: QEMU without hardware help, disks with serials, real firmware. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, closeSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Fleet } from '../../support/fleet';
import { processCpu } from '../../support/process-cpu';
import { runProgram } from '../../support/program';
import type { CommandOptions, Output } from '../../support/program';

/** What a bootable machine is waited for at the most, in milliseconds: several times what a quiet one takes. */
const BOOT_MS = 600_000;
/** What QEMU's monitor is waited for: it answers at once, or not at all. */
const MONITOR_MS = 60_000;

export interface VirtualDisk {
  /** Raw image, sparse. */
  image: string;
  /** What the disk says of itself; up to 20 characters. */
  serial: string;
  /** It says nothing of itself, as many disks of virtual machines: `serial` is the tests' name of it alone. On virtio. */
  nameless?: boolean;
  /** Default virtio. */
  bus?: 'virtio' | 'nvme' | 'scsi' | 'usb';
  /** 4096 for a disk with large sectors. Default 512. */
  sectorBytes?: 512 | 4096;
  /** Changes are kept apart in memory and lost with the machine. */
  throwAway?: boolean;
}

export interface MachineSpec {
  fleet: Fleet;
  /** Unique within the fleet, up to 12 small letters, digits and `-`. */
  name: string;
  /** The last part of its address on the fleet's network, 100 to 199; its MAC follows from it. */
  number: number;
  /** Default 768. */
  memoryMb?: number;
  /** Default `bios`. */
  firmware?: 'bios' | 'uefi' | 'secure';
  /** EFI variables are kept in this file, made on first use. */
  efiVariables?: string;
  disks: readonly VirtualDisk[];
  /** An ISO in a CD drive. */
  cdrom?: string;
  /** Starts this kernel in the place of what firmware would find. */
  kernel?: { image: string; initrd: string; append: string };
  /** Its MAC, where it shall not follow from the number. */
  mac?: string;
  /** Starts by network, from whoever answers there. */
  byNetwork?: boolean;
  /** Has a graphics card, which some boot loaders want, though nobody looks at it. */
  screen?: boolean;
}

/** The address of a machine of that number. */
export function machineAddress({ fleet, number }: Pick<MachineSpec, 'fleet' | 'number'>): string {
  return fleet.directorAddress.replace(/\d+$/, String(number));
}

export class Machine {
  readonly address: string;
  readonly folder: string;
  private pid: number | undefined;

  constructor(readonly spec: MachineSpec) {
    this.address = machineAddress(spec);
    this.folder = path.join('/run/resurgo-lab', spec.fleet.name, 'vm', spec.name);
  }

  get mac(): string {
    const { mac, fleet, number } = this.spec;
    const subnet = Number(fleet.directorAddress.split('.')[2]);
    const hex = (value: number): string => value.toString(16).padStart(2, '0');
    return mac ?? `52:54:00:${hex(subnet)}:00:${hex(number)}`;
  }

  /** All that it wrote to its serial console so far. */
  get console(): string {
    const file = path.join(this.folder, 'console');
    return existsSync(file) ? readFileSync(file, 'latin1') : '';
  }

  get running(): boolean {
    return this.pid !== undefined && existsSync(`/proc/${this.pid}`);
  }

  /** Seconds of this computer's processors that it has taken since it was powered on; undefined when it does not run. */
  get cpuSeconds(): number | undefined {
    return this.pid === undefined ? undefined : processCpu(this.pid);
  }

  /** Powers it on. It runs in the fleet's network namespace, so it ends with the fleet even when the test was killed. */
  async start(): Promise<void> {
    if (this.running) throw new Error(`machine ${this.spec.name} runs already`);
    rmSync(this.folder, { recursive: true, force: true });
    mkdirSync(this.folder, { recursive: true });
    const { fleet, number } = this.spec;
    const tap = `v${number}`;
    const inLan = (...command: string[]): Promise<Output> =>
      runProgram({ command: ['ip', '-n', fleet.lan, ...command] });
    await runProgram({ command: ['ip', '-n', fleet.lan, 'link', 'del', tap], mayFail: true });
    await inLan('tuntap', 'add', 'dev', tap, 'mode', 'tap');
    await inLan('link', 'set', tap, 'master', 'br0', 'up');
    const log = openSync(path.join(this.folder, 'qemu.log'), 'a');
    const child = spawn(
      'nsenter',
      [`--net=/run/netns/${fleet.lan}`, 'qemu-system-x86_64', ...(await this.arguments(tap))],
      {
        stdio: ['ignore', log, log],
        detached: true,
      },
    );
    closeSync(log);
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    this.pid = child.pid;
    child.unref();
  }

  /** Resolves when its console has shown the text. @throws when it hasn't in time, or the machine ended */
  async shows(text: string | RegExp, timeoutMs = BOOT_MS): Promise<void> {
    await this.until({
      what: `"${String(text)}" on its console`,
      timeoutMs,
      look: () => Promise.resolve(typeof text === 'string' ? this.console.includes(text) : text.test(this.console)),
    });
  }

  /** Resolves when root gets in by ssh. */
  async answers(timeoutMs = BOOT_MS): Promise<void> {
    await this.until({
      what: 'ssh',
      timeoutMs,
      look: async () =>
        (await this.ssh('true', { mayFail: true, timeoutMs: 20_000 }).catch(() => ({ code: 1 }))).code === 0,
    });
  }

  /** Runs a shell command as its root by ssh, with the fleet's administrator's key. */
  ssh(command: string, options: CommandOptions = {}): Promise<Output> {
    const { fleet } = this.spec;
    const words = ['-i', fleet.adminKey, '-o', 'BatchMode=yes', '-o', 'ConnectTimeout=8', '-o', 'LogLevel=ERROR'];
    // Of a test that was killed nothing waits for a machine that is gone.
    words.push('-o', 'ServerAliveInterval=30', '-o', 'ServerAliveCountMax=10');
    // Its keys change with each installation; what pins hosts is tested elsewhere.
    words.push('-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null');
    return runProgram({ command: ['ssh', ...words, `root@${this.address}`, command], ...options });
  }

  /** The power fails. */
  async kill(): Promise<void> {
    const { pid } = this;
    if (pid === undefined) return;
    if (existsSync(`/proc/${pid}`)) process.kill(pid, 'SIGKILL');
    await this.gone(10_000);
  }

  /** Resolves when the machine has powered itself off, or was rebooted (it ends then). */
  async gone(timeoutMs = 120_000): Promise<void> {
    const end = Date.now() + timeoutMs;
    while (this.running) {
      if (Date.now() > end)
        throw new Error(`machine ${this.spec.name} still runs after ${timeoutMs} ms\n${this.lastWords()}`);
      await sleep(100);
    }
    this.pid = undefined;
  }

  /** Flushes and powers off from inside; for machines whose first process does not shut down. */
  async sync(): Promise<void> {
    await this.ssh('sync; echo 1 >/proc/sys/kernel/sysrq; (sleep 0.2; echo o >/proc/sysrq-trigger) >/dev/null 2>&1 &', {
      timeoutMs: 60_000,
    });
    await this.gone();
  }

  /** While it runs, the disk on its SCSI bus of that serial number is pulled, and another is put in. */
  async swapDisk({ serial, by }: { serial: string; by: VirtualDisk }): Promise<void> {
    const at = this.spec.disks.findIndex((disk) => disk.serial === serial);
    await this.monitor(`device_del disk${at}`);
    await this.monitor(`drive_add 0 if=none,id=new${at},file=${by.image},format=raw,cache=unsafe`);
    await this.monitor(`device_add scsi-hd,bus=scsi0.0,drive=new${at},serial=${by.serial},id=other${at}`);
  }

  /** The cable of its network card is pulled, and put back after a while (ms). */
  async unplugged(ms: number): Promise<void> {
    const { fleet, number } = this.spec;
    const set = (state: string) => runProgram({ command: ['ip', '-n', fleet.lan, 'link', 'set', `v${number}`, state] });
    await set('down');
    await sleep(ms);
    await set('up');
  }

  /** One command to QEMU's monitor. @throws when it has not taken it in time, as a QEMU that hangs */
  async monitor(command: string, timeoutMs = MONITOR_MS): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const socket = connect(path.join(this.folder, 'monitor'), () => {
        socket.end(`${command}\n`);
      });
      const bound = setTimeout(() => {
        socket.destroy(
          new Error(`machine ${this.spec.name}: no answer to "${command}" within ${timeoutMs} ms\n${this.lastWords()}`),
        );
      }, timeoutMs);
      socket.on('error', reject);
      socket.on('close', () => {
        clearTimeout(bound);
        resolve();
      });
      socket.resume();
    });
  }

  private async until(options: { what: string; timeoutMs: number; look: () => Promise<boolean> }): Promise<void> {
    const end = Date.now() + options.timeoutMs;
    while (!(await options.look())) {
      if (!this.running)
        throw new Error(`machine ${this.spec.name} ended before it showed ${options.what}\n${this.lastWords()}`);
      if (Date.now() > end)
        throw new Error(
          `machine ${this.spec.name}: no ${options.what} within ${options.timeoutMs} ms\n${this.lastWords()}`,
        );
      await sleep(250);
    }
  }

  private lastWords(): string {
    const log = path.join(this.folder, 'qemu.log');
    return `${existsSync(log) ? readFileSync(log, 'utf8') : ''}\n${this.console.slice(-2000)}`;
  }

  private async arguments(tap: string): Promise<string[]> {
    const { memoryMb = 768, firmware = 'bios', disks, cdrom, kernel, name, screen = false } = this.spec;
    // The machine types that work without hardware help here: `-cpu max` hangs.
    const machine = firmware === 'secure' ? 'q35,smm=on' : 'q35';
    return [
      ...[
        '-name',
        name,
        '-accel',
        'tcg,thread=multi',
        '-M',
        machine,
        '-cpu',
        'qemu64',
        '-smp',
        '2',
        '-m',
        String(memoryMb),
      ],
      ...['-nodefaults', '-display', 'none', '-no-reboot', '-device', 'virtio-rng-pci'],
      ...(screen ? ['-vga', 'std'] : []),
      ...['-serial', `file:${path.join(this.folder, 'console')}`],
      ...['-monitor', `unix:${path.join(this.folder, 'monitor')},server,nowait`],
      ...['-netdev', `tap,id=n0,ifname=${tap},script=no,downscript=no`],
      ...[
        '-device',
        `virtio-net-pci,netdev=n0,mac=${this.mac}${this.spec.byNetwork === true ? ',bootindex=0' : ',romfile='}`,
      ],
      ...(await this.firmware(firmware)),
      ...['-device', 'virtio-scsi-pci,id=scsi0'],
      // Before what hangs on it.
      ...(disks.some(({ bus }) => bus === 'usb') ? ['-device', 'qemu-xhci,id=usb0'] : []),
      ...disks.flatMap((disk, i) => diskArguments({ disk, id: `d${i}`, bootIndex: i + 2 })),
      ...(cdrom === undefined
        ? []
        : [
            ...['-drive', `file=${cdrom},if=none,id=cd,format=raw,readonly=on`],
            ...['-device', 'scsi-cd,bus=scsi0.0,drive=cd,bootindex=1'],
          ]),
      ...(kernel === undefined ? [] : ['-kernel', kernel.image, '-initrd', kernel.initrd, '-append', kernel.append]),
    ];
  }

  private async firmware(kind: 'bios' | 'uefi' | 'secure'): Promise<string[]> {
    if (kind === 'bios') return [];
    const code = kind === 'secure' ? 'OVMF_CODE_4M.secboot.fd' : 'OVMF_CODE_4M.fd';
    const empty = kind === 'secure' ? 'OVMF_VARS_4M.ms.fd' : 'OVMF_VARS_4M.fd';
    const variables = this.spec.efiVariables ?? path.join(this.folder, 'efivars');
    if (!existsSync(variables)) await runProgram({ command: ['cp', `/usr/share/OVMF/${empty}`, variables] });
    return [
      ...(kind === 'secure' ? ['-global', 'driver=cfi.pflash01,property=secure,value=on'] : []),
      ...['-drive', `if=pflash,format=raw,unit=0,file=/usr/share/OVMF/${code},readonly=on`],
      ...['-drive', `if=pflash,format=raw,unit=1,file=${variables}`],
    ];
  }
}

function diskArguments({ disk, id, bootIndex }: { disk: VirtualDisk; id: string; bootIndex: number }): string[] {
  const { image, serial, nameless = false, bus = 'virtio', sectorBytes = 512, throwAway = false } = disk;
  const driver = { virtio: 'virtio-blk-pci', nvme: 'nvme', scsi: 'scsi-hd,bus=scsi0.0', usb: 'usb-storage,bus=usb0.0' }[
    bus
  ];
  const sectors = sectorBytes === 512 ? '' : `,logical_block_size=${sectorBytes},physical_block_size=${sectorBytes}`;
  const said = nameless ? '' : `,serial=${serial}`;
  const kept = throwAway ? ',snapshot=on' : '';
  return [
    ...['-drive', `file=${image},if=none,id=${id},format=raw,cache=unsafe,discard=unmap,detect-zeroes=unmap${kept}`],
    ...['-device', `${driver},drive=${id},id=disk${id.slice(1)}${said},bootindex=${bootIndex}${sectors}`],
  ];
}
