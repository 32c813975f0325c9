/** The product's side: rescue media built on the source, and the source recovered from them onto a blank disk, nobody being asked. */
import { appendFileSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { CurrentHosts } from '../../../hosts/current-hosts';
import { bootMedia } from '../../../hosts/rescue-boot';
import { pinMachine, pinOnly, pinRescue } from '../../../hosts/rescue-ref';
import type { Fleet } from '../../lab/support/fleet';
import { hostLines, raiseProduct } from '../../lab/support/product';
import type { Product } from '../../lab/support/product';
import { runProgram } from '../../lab/support/program';
import { blankDisk } from '../../lab/vm/support/install';
import { Machine, machineAddress } from '../../lab/vm/support/machine';
import { startRecordedWorker } from '../support/recorded-worker';
import type { RecordedWorker } from '../support/recorded-worker';
import { covered } from '../support/recording';
import { differing, entries } from './compare';
import type { Result, Task } from './results';
import { DISK_MB, HOST, KIND, NUMBER, startSource } from './source';
import { directorCpu, timed } from './stopwatch';

const BACKUP_MS = 1_200_000;
const BUILD_MS = 900_000;
const RECOVERY_MS = 2_400_000;
const READY_MS = 120_000;

const ended = z.looseObject({
  type: z.literal('ended'),
  state: z.literal('Completed'),
  phases: z.array(z.object({ phase: z.string(), seconds: z.number() })),
});

interface Side {
  product: Product;
  worker: RecordedWorker;
  source: Machine;
  say: Task['say'];
}

export async function measureOurs({ wanted, round, source, say }: Task): Promise<void> {
  const side = await raise({ source, say });
  try {
    const { image, iso } = await buildMedia(side);
    if (wanted.includes('rescue-image')) round.keep('rescue-image', image);
    if (wanted.includes('recovery')) round.keep('recovery', await recovery(side, iso));
  } finally {
    await side.worker.stop();
    await side.product.down();
  }
}

async function raise({ source: disk, say }: Pick<Task, 'source' | 'say'>): Promise<Side> {
  let source: Machine | undefined;
  const product = await raiseProduct({
    name: 'bench-metal',
    hosts: [{ name: 'target', disk: 'btrfs', docker: false, store: 'btrfs', storeSize: '20G' }],
    runbook,
    prepare: async (fleet) => {
      source = await startSource({ fleet, source: disk });
      const { stdout } = await source.ssh('cat /etc/ssh/ssh_host_ed25519_key.pub');
      appendFileSync(fleet.knownHosts, `${source.address} ${stdout.split(' ').slice(0, 2).join(' ')}\n`);
    },
  });
  try {
    if (source === undefined) throw new Error('no source was started');
    const { stateDir } = product;
    const worker = await startRecordedWorker({
      stateDir,
      hosts: new CurrentHosts({ stateDir }),
      rescue: {
        pin: ({ host, hostKey }) => pinRescue({ stateDir, host, hostKey }),
        pinMachine: (machine) => pinMachine({ stateDir, ...machine }),
        pinOnly: (machine) => pinOnly({ stateDir, ...machine }),
        boot: (media) => bootMedia({ stateDir, media }),
      },
      cpu: () => 0,
    });
    return { product, worker, source, say };
  } catch (error) {
    await product.down();
    throw error;
  }
}

function runbook(fleet: Fleet): string {
  return `version: 1
${hostLines(fleet)}
  ${HOST}: { address: ${machineAddress({ fleet, number: NUMBER })} }
stores:
  main: { host: target, kind: btrfs, place: /backup }
groups:
  machines:
    sources:
      - { host: ${HOST}, path: /, name: system, snapshot: system }
    quiesce: { containers: none }
    target: main
    transfer: { io: normal }
    recover: { approve: identical-disks }
`;
}

/** The whole command, from the question to media in the store's list; the start in a virtual machine that may follow it is left out. */
async function buildMedia(side: Side): Promise<{ image: Result<'rescue-image'>; iso: string }> {
  const { product, worker, source, say } = side;
  const { env, hosts, serverPid } = worker;
  hosts.spans.length = 0;
  const cpu = directorCpu(serverPid);
  const cpuBefore = cpu();
  const words = ['rescue', 'build', HOST, '--no-boot-check', '--output', 'iso', '--modules', 'common'];
  const build = await timed(source, () => product.run(words, { env, timeoutMs: BUILD_MS }));
  const taken = cpu() - cpuBefore;
  const jobs = hosts.spans.flatMap(({ what, from, to }) => {
    const [, job] = /^job .*(rescue-[a-z]+)/.exec(what) ?? [];
    return job === undefined ? [] : [{ job, seconds: (to - from) / 1000 }];
  });
  const iso = path.join(path.dirname(product.runbookFile), 'rescue.iso');
  await product.run(['rescue', 'fetch', HOST, '--output', 'iso', '--to', iso], { env });
  const isoBytes = statSync(iso).size;
  say(`rescue-image: ${build.seconds.toFixed(1)} s, CPU ${build.cpu.toFixed(1)} s, ${isoBytes} bytes`);
  return { image: { build, jobs, directorCpu: taken, isoBytes }, iso };
}

async function recovery({ product, worker, source, say }: Side, iso: string): Promise<Result<'recovery'>> {
  const { env, hosts, serverPid } = worker;
  const { fleet } = product;
  const before = await entries(source);
  const backup = await timed(source, () => product.backup([], { env, timeoutMs: BACKUP_MS }));
  say(`recovery: backed up in ${backup.seconds.toFixed(1)} s, ${before.length} entries`);
  await source.kill();

  const disks = [{ serial: 'NEW', image: blankDisk({ fleet, name: 'new', sizeMb: DISK_MB }) }];
  const rescue = new Machine({ ...{ fleet, name: 'rescue', ...KIND }, disks, cdrom: iso });
  const ready = await timed(rescue, async () => {
    await rescue.start();
    await rescue.shows('RESURGO-RESCUE-READY');
    await sshAnswers(rescue);
  });
  say(`recovery: ready in ${ready.seconds.toFixed(1)} s`);
  hosts.spans.length = 0;
  const cpu = directorCpu(serverPid);
  const [from, cpuBefore] = [Date.now(), cpu()];
  const command = ['recover', HOST, '--at', rescue.address, '--key', fleet.adminKey, '--json'];
  const running = product.run(command, { env, timeoutMs: RECOVERY_MS });
  const restarted = rescue.gone(RECOVERY_MS);
  const recover = await timed(rescue, () => Promise.race([restarted, running.then(endedTooEarly(rescue))]));
  const [to, cpuAfter] = [Date.now(), cpu()];
  say(`recovery: restarts after ${recover.seconds.toFixed(1)} s more, CPU ${recover.cpu.toFixed(1)} s`);
  const receivedBytes = await bytesInto(rescue);

  const recovered = new Machine({ ...{ fleet, name: 'recovered', ...KIND }, disks });
  const ssh = await timed(recovered, async () => {
    await recovered.start();
    await recovered.answers();
  });
  const { events } = await running;
  const { phases } = ended.parse(events.find(({ type }) => type === 'ended'));
  const differs = differing(before, await entries(recovered));
  for (const line of differs.slice(0, 20)) say(`recovery: ${line}`);
  const orchestration = (to - from - covered(hosts.spans, { from, to })) / 1000;
  return {
    ...{ ready, recover, ssh, backup, phases, receivedBytes },
    director: { seconds: orchestration, cpu: cpuAfter - cpuBefore },
    differing: differs.length,
  };
}

/** The command ends after the machine was seen to answer, and so never before it restarts. */
function endedTooEarly(rescue: Machine): (said: { stdout: string }) => never {
  return ({ stdout }) => {
    throw new Error(`the recovery has ended before a restart: ${stdout.slice(-3000)}\n${rescue.console.slice(-1500)}`);
  };
}

/** The mark on the console comes a moment before its sshd. */
async function sshAnswers(machine: Machine): Promise<void> {
  const end = Date.now() + READY_MS;
  while (!(await greets(machine.address))) {
    await sleep(50);
    if (Date.now() > end) throw new Error(`${machine.address} was ready, and no sshd answered within ${READY_MS} ms`);
  }
}

function greets(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port: 22, timeout: 5_000 });
    const done = (is: boolean) => {
      socket.destroy();
      resolve(is);
    };
    socket.once('data', () => {
      done(true);
    });
    for (const end of ['error', 'close', 'timeout'])
      socket.once(end, () => {
        done(false);
      });
  });
}

const counters = z.array(z.looseObject({ stats64: z.looseObject({ tx: z.looseObject({ bytes: z.number() }) }) }));

/** What was sent to a machine since it was powered on: its cable outlives it. */
async function bytesInto(machine: Machine): Promise<number> {
  const { fleet, number } = machine.spec;
  const command = ['ip', '-n', fleet.lan, '-j', '-s', 'link', 'show', 'dev', `v${number}`] as const;
  const [cable] = counters.parse(JSON.parse((await runProgram({ command })).stdout));
  if (cable === undefined) throw new Error(`no cable of machine ${machine.spec.name}`);
  return cable.stats64.tx.bytes;
}
