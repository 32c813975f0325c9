/** The rescue system in a virtual machine, and its jobs asked as the director asks them. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import * as path from 'node:path';
import { z } from 'zod';
import { encodeRequest } from '../../../../hosts/request';
import type { Fleet } from '../../support/fleet';
import { runProgram } from '../../support/program';
import { built } from './install';
import { Machine, machineAddress } from './machine';
import type { MachineSpec, VirtualDisk } from './machine';

const BUILD = path.join(__dirname, 'rescue-build.sh');
const HOSTKIT = path.join(__dirname, '../../../../hostkit');
const BUILD_MS = 600_000;
/** An initramfs takes a machine without hardware help some minutes. */
const JOB_MS = 1_200_000;

export interface RescueImage {
  kernel: string;
  initrd: string;
}

/** The rescue system of the lab's server, or of one with OpenZFS, with the fleet's administrator as its director. Made once a fleet. */
export async function buildRescue({
  fleet,
  hostkit = HOSTKIT,
  of = 'server',
}: {
  fleet: Fleet;
  hostkit?: string;
  of?: 'server' | 'zfs';
}): Promise<RescueImage> {
  const folder = path.join('/var/tmp/resurgo-lab', fleet.name, 'rescue');
  const image = { kernel: path.join(folder, 'vmlinuz'), initrd: path.join(folder, 'initramfs.img') };
  if (existsSync(image.kernel)) return image;
  const command = [BUILD, await built(of, of), hostkit, `${fleet.adminKey}.pub`, folder] as const;
  await runProgram({ command, timeoutMs: BUILD_MS });
  return image;
}

/** A machine that has started the rescue system and lets its director in. */
export async function rescueMachine({
  image,
  disks,
  ...spec
}: Pick<MachineSpec, 'fleet' | 'name' | 'number' | 'firmware' | 'efiVariables'> & {
  image: RescueImage;
  disks: readonly VirtualDisk[];
}): Promise<Machine> {
  const address = machineAddress(spec);
  const append = `console=ttyS0 quiet resurgo.ip=${address}/24,${spec.fleet.directorAddress}`;
  const machine = new Machine({
    ...spec,
    memoryMb: 1024,
    disks,
    kernel: { image: image.kernel, initrd: image.initrd, append },
  });
  await machine.start();
  await machine.shows('RESURGO-RESCUE-READY');
  await machine.answers();
  return machine;
}

const reply = z.looseObject({ ok: z.boolean(), code: z.string().optional(), message: z.string().optional() });
const polled = z.looseObject({
  ok: z.boolean(),
  state: z.string(),
  exit: z.number().optional(),
  tail: z.string().default(''),
  result: z.record(z.string(), z.unknown()).default({}),
});
export type RescueArgs = Record<string, string | number | boolean | undefined>;

/** One request of the director's key. */
async function ask(machine: Machine, verb: string, args: RescueArgs): Promise<unknown> {
  const { fleet } = machine.spec;
  const words = ['-i', fleet.adminKey, '-o', 'BatchMode=yes', '-o', 'LogLevel=ERROR'];
  words.push('-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null');
  const { stdout } = await runProgram({
    command: ['ssh', ...words, `resurgo@${machine.address}`],
    input: encodeRequest({ verb, args }),
    mayFail: true,
    timeoutMs: 120_000,
  });
  return JSON.parse(stdout);
}

/** One verb of the rescue system. @throws for a refusal */
export async function rescueVerb(machine: Machine, verb: string, args: RescueArgs): Promise<void> {
  const said = reply.parse(await ask(machine, verb, args));
  if (!said.ok) throw new Error(`${verb}: ${said.code ?? ''}: ${said.message ?? ''}`);
}

/** The jobs of one recovery: each asked for under a name of its own, so that one that is asked for again is run again. */
export class RescueJobs {
  private readonly run = `r20260101t000000z-${randomBytes(3).toString('hex')}`;
  private count = 0;

  constructor(readonly machine: Machine) {}

  /** Runs it to its end. @throws with what it says where it fails */
  async do(kind: string, args: RescueArgs): Promise<Record<string, unknown>> {
    const { exit, result, tail } = await this.end(kind, args);
    if (exit !== 0) throw new Error(`job ${kind}: ${String(result['code'])}: ${String(result['message'])} ${tail}`);
    return result;
  }

  /** The code with which it refuses. @throws where it does not */
  async refused(kind: string, args: RescueArgs): Promise<unknown> {
    const { exit, result } = await this.end(kind, args);
    if (exit === 0) throw new Error(`job ${kind} was done, and should have been refused`);
    return result['code'];
  }

  private async end(kind: string, args: RescueArgs): Promise<z.output<typeof polled>> {
    const job = `${this.run}.${kind}.${++this.count}`;
    const fence = { group: 'portal', run: this.run, term: 1, step: job, attempt: 1 };
    const started = reply.parse(await ask(this.machine, 'job.start', { ...fence, job, kind, ...args }));
    if (!started.ok) throw new Error(`job ${kind} was not started: ${started.message ?? ''}`);
    const end = Date.now() + JOB_MS;
    for (;;) {
      const now = polled.parse(await ask(this.machine, 'job.poll', { job, waitMs: 10_000 }));
      if (now.state !== 'running') return now;
      if (Date.now() > end) throw new Error(`job ${kind} has not ended within ${JOB_MS} ms`);
    }
  }
}
