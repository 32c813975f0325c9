/** A server with awkward data, backed up by the product, and its recovery onto other disks: the whole way that an operator goes. */
import { appendFileSync } from 'node:fs';
import * as path from 'node:path';
import { z } from 'zod';
import { awkwardScript, factsCommand } from '../../support/awkward';
import type { Fleet } from '../../support/fleet';
import { hostLines, raiseProduct } from '../../support/product';
import type { Director, Product } from '../../support/product';
import { blankDisk, installServer, liveMachine } from './install';
import { Machine, machineAddress } from './machine';
import type { MachineSpec, VirtualDisk } from './machine';
import { layoutSchema } from '../../../../planning/layout-schema';
import type { Layout as CapturedLayout } from '../../../../planning/layout-schema';
import { layoutChanges } from '../../../../planning/layout-diff';
import type { Layout } from './layouts';

const HOST = 'web-1';
/** Without hardware help, on a busy machine: several times what a quiet one takes. */
const BACKUP_MS = 900_000;
const BUILD_MS = 600_000;
/** The old machine is asked, the rescue system looked at, the plan made. */
const ASK_MS = 300_000;
export const RECOVERY_MS = 1_500_000;
/** Folders whose files are all compared. What a booted system writes anew lies elsewhere (`/var/log`, `/boot/initrd`). */
const COMPARED = ['/srv', '/etc', '/usr', '/root', '/opt', '/home', '/var/lib/dpkg'];

const planned = z.looseObject({
  type: z.literal('plan'),
  hash: z.string(),
  plan: z.looseObject({ blockers: z.array(z.string()), warnings: z.array(z.string()) }),
});
const refusal = z.looseObject({ code: z.string(), message: z.string() });
const started = z.looseObject({ run: z.string() });
export interface Asked extends z.infer<typeof planned> {
  /** The run that waits for the approval. */
  run: string;
}
const outcome = z.looseObject({
  type: z.literal('ended'),
  state: z.string(),
  phases: z.array(z.looseObject({ phase: z.string(), seconds: z.number() })).default([]),
});
export type Outcome = z.infer<typeof outcome>;

export interface ServerCase {
  /** Unique, for the fleet's name. */
  name: string;
  layout: Layout;
  /** Of the server on the fleet's network. Its rescue system has the same. */
  number: number;
  /** The media that are built; the first that is not `pxe` boots. */
  output?: 'iso' | 'usb';
  /** Shell that is run in the server before it is backed up. */
  fill?: string;
}

/** What is known of a server before its death, and compared after its recovery. */
export interface Portrait {
  files: string;
  layout: CapturedLayout;
}

/** What a recovery itself adds: a card's name is tied to its MAC, as its connector may be another now. */
const OURS = /^10-resurgo-.*\.link$/;

export class Recovery {
  /** Who recovers; the one that made the backup, unless a test gives another. */
  director: Director;

  private constructor(
    readonly product: Product,
    readonly spec: ServerCase,
    private machine: Machine,
  ) {
    this.director = product;
  }

  /** Installs the server, boots it by its firmware, fills it and enrols it. */
  static async raise(spec: ServerCase): Promise<Recovery> {
    const { name, layout, number } = spec;
    let machine: Machine | undefined;
    const product = await raiseProduct({
      name,
      hosts: [{ name: 'target', disk: 'btrfs', docker: false, store: 'btrfs' }],
      runbook: (fleet) => runbookOf({ fleet, number }),
      prepare: async (fleet) => {
        ({ machine } = await installServer({ fleet, name: HOST, number, ...layout }));
        await machine.start();
        await machine.answers();
        await machine.ssh(
          `set -e; mkdir -p /srv/awkward; ${awkwardScript({ dir: '/srv/awkward', holds: 'full' })}\n${spec.fill ?? ''}`,
          { timeoutMs: 300_000 },
        );
        const { stdout } = await machine.ssh('cat /etc/ssh/ssh_host_ed25519_key.pub');
        appendFileSync(fleet.knownHosts, `${machine.address} ${stdout.split(' ').slice(0, 2).join(' ')}\n`);
      },
    });
    if (machine === undefined) throw new Error('no machine was made');
    return new Recovery(product, spec, machine);
  }

  get server(): Machine {
    return this.machine;
  }

  async portrait(): Promise<Portrait> {
    const files: string[] = [];
    for (const folder of COMPARED) {
      const { stdout } = await this.machine.ssh(`[ ! -d ${folder} ] || ${factsCommand(folder)}`, {
        timeoutMs: 600_000,
      });
      files.push(`# ${folder}\n${stdout}`);
    }
    const { stdout } = await this.director.run(['layout', 'show', HOST, '--json'], { timeoutMs: 120_000 });
    return { files: files.join(''), layout: z.looseObject({ layout: layoutSchema }).parse(JSON.parse(stdout)).layout };
  }

  /** Powers the recovered machine off and boots it with those of its disks alone; what it writes then is lost. */
  async bootsWith(serials: readonly string[]): Promise<void> {
    await this.machine.kill();
    const { spec } = this.machine;
    const disks = spec.disks
      .filter(({ serial }) => serials.includes(serial))
      .map((disk) => ({ ...disk, throwAway: true }));
    this.machine = new Machine({ ...spec, name: `${HOST}-part`, disks });
    await this.machine.start();
    await this.machine.answers();
    await this.machine.kill();
    this.machine = new Machine(spec);
  }

  /** @throws unless the running machine's firmware says that it enforces signatures */
  async bootedSecurely(): Promise<void> {
    const { stdout } = await this.machine.ssh('od -An -tu1 /sys/firmware/efi/efivars/SecureBoot-*');
    if (stdout.trim().split(/\s+/).at(-1) !== '1') throw new Error(`Secure Boot is not in force: ${stdout}`);
  }

  /** Lines of one portrait that the other lacks, and what of the layouts differs; empty when nothing does. */
  differences(before: Portrait, after: Portrait): string[] {
    const [was, is] = [before, after].map(({ files }) => new Set(files.split('\n').filter((line) => !isOurs(line))));
    const lines = [...(was ?? [])].filter((line) => is?.has(line) !== true).map((line) => `gone: ${line}`);
    const come = [...(is ?? [])].filter((line) => was?.has(line) !== true).map((line) => `come: ${line}`);
    const changes = layoutChanges({ before: before.layout, after: after.layout })
      .filter(({ what }) => !OURS.test(path.basename(what)))
      .map((each) => JSON.stringify(each));
    return [...lines, ...come, ...changes];
  }

  backup(): Promise<unknown> {
    return this.product.backup([], { timeoutMs: BACKUP_MS });
  }

  /** Builds the rescue medium and fetches it; resolves with its path. */
  async medium(): Promise<string> {
    const { output = 'iso' } = this.spec;
    await this.product.run(['rescue', 'build', HOST, '--no-boot-check'], { timeoutMs: BUILD_MS });
    const file = path.join(path.dirname(this.product.runbookFile), `${HOST}.${output}`);
    await this.product.run(['rescue', 'fetch', HOST, '--output', output, '--to', file], { timeoutMs: 120_000 });
    return file;
  }

  /** The server's power fails for good; the replacement boots the medium. */
  async replace(
    options: {
      /** Of ours; `live` is a rescue Linux of somebody else's make. */
      medium: string;
      /** Blank ones; or the server's own, with all that is on them. */
      disks: readonly (Omit<VirtualDisk, 'image'> & { sizeMb: number })[] | 'own';
      /** What is done to the disks before it is powered on. */
      prepare?: (disks: readonly VirtualDisk[]) => Promise<void>;
    } & Pick<MachineSpec, 'mac'>,
  ): Promise<Machine> {
    await this.machine.kill();
    const { fleet } = this.product;
    const { number, layout } = this.spec;
    const blank = ({ sizeMb, ...disk }: Exclude<typeof options.disks, 'own'>[number]): VirtualDisk => ({
      ...disk,
      image: blankDisk({ fleet, name: `new-${disk.serial}`, sizeMb }),
    });
    const disks = options.disks === 'own' ? this.machine.spec.disks : options.disks.map(blank);
    const shared = {
      fleet,
      number,
      firmware: layout.firmware,
      disks,
      ...(options.mac === undefined ? {} : { mac: options.mac }),
    };
    await options.prepare?.(disks);
    const isLive = options.medium === 'live';
    const rescue = isLive
      ? await liveMachine(shared)
      : new Machine({ ...shared, name: 'rescue', cdrom: options.medium });
    await rescue.start();
    await rescue.shows(isLive ? 'LAB-READY' : 'RESURGO-RESCUE-READY');
    this.machine = new Machine({ ...shared, name: `${HOST}-new` });
    return rescue;
  }

  /** Starts a recovery that must not find its way, and says why it has ended. */
  async refused(rescue: Machine): Promise<string> {
    const { events } = await this.director.run(this.words(rescue), { allow: [1], timeoutMs: ASK_MS });
    const { code, message } = refusal.parse(events.find(({ type }) => type === 'ended'));
    return `${code}: ${message}`;
  }

  private words(rescue: Machine): string[] {
    return ['recover', HOST, '--at', rescue.address, '--key', this.product.fleet.adminKey, '--json'];
  }

  /** Starts a recovery, which makes its plan and waits for the approval. @throws with what it says instead */
  async ask(rescue: Machine): Promise<Asked> {
    const said = await this.director.run(this.words(rescue), { allow: [1, 3], timeoutMs: ASK_MS });
    const plan = said.events.find(({ type }) => type === 'plan');
    if (plan === undefined) throw new Error(`no plan: exit ${said.code}\n${said.stderr}\n${said.stdout.slice(-4000)}`);
    const { run } = started.parse(said.events.find(({ type }) => type === 'started'));
    return { ...planned.parse(plan), run };
  }

  /** Lets the target know a rescue system that has booted anew, by its administrator's access. */
  async arm(rescue: Machine): Promise<void> {
    const { product } = this;
    const words = ['recover', HOST, '--at', rescue.address, '--key', product.fleet.adminKey, '--arm-only'];
    await product.run(words, { timeoutMs: ASK_MS });
  }

  /** Plans, approves, and waits for the end; where the rescue system reboots, the recovered machine is powered on. */
  async recover(rescue: Machine, args: readonly string[] = []): Promise<Outcome> {
    const { director } = this;
    const words = [...this.words(rescue), ...args];
    const said = await director.run([...words, '--plan-only'], { timeoutMs: ASK_MS });
    const plan = planned.parse(said.events.find(({ type }) => type === 'plan'));
    if (plan.plan.blockers.length > 0) throw new Error(`the plan is blocked: ${plan.plan.blockers.join('; ')}`);
    const running = director.run([...words, '--approve', plan.hash], {
      timeoutMs: RECOVERY_MS,
      allow: [0, 1, 3],
    });
    const rebooted = rescue.gone(RECOVERY_MS).then(() => this.machine.start());
    const ended = await Promise.race([running, rebooted.then(() => running)]);
    const report = ended.events.find(({ type }) => type === 'ended');
    if (report === undefined)
      throw new Error(
        `no end: exit ${ended.code}\n${ended.stderr}\n${ended.stdout.slice(-4000)}\n${rescue.console.slice(-1500)}`,
      );
    return outcome.parse(report);
  }
}

/** The files that a recovery adds, and the times of the folders that they lie in; and what LVM notes of each snapshot that a backup takes. */
const ADDED = new Set(['./systemd/network', './resurgo', './resurgo/recovered']);
function isOurs(line: string): boolean {
  const [name = ''] = line.split(' ');
  return OURS.test(path.basename(name)) || ADDED.has(name) || name.startsWith('./lvm/archive');
}

function runbookOf({ fleet, number }: { fleet: Fleet; number: number }): string {
  return `version: 1
${hostLines(fleet)}
  ${HOST}: { address: ${machineAddress({ fleet, number })} }
stores:
  main: { host: target, kind: btrfs, place: /backup }
groups:
  portal:
    sources:
      - { host: ${HOST}, path: /, name: system, snapshot: system }
    quiesce: { containers: none }
    target: main
`;
}
