/** Bytes on the wire that are sent again after a SIGKILL of everything (worker, server, all processes of both hosts) amid a first copy. */
import { engineStatus } from '../../workers/engine';
import type { Fleet } from '../lab/support/fleet';
import { eventually, hostLines, type Product, raiseProduct } from '../lab/support/product';
import { DATA, describeData, makeData, partOf } from './support/data';
import { type BenchOptions, type Figure, row } from './support/figures';

const MOST_PERCENT = 1;
const FROM = '/srv/data';
const MIB = 1024 * 1024;
/** Where the kill strikes, as a share of what a whole copy sends; other places each round. */
const STRIKES = [0.5, 0.25, 0.75];
const RUN_MS = 300_000;

/** `whole` is copied without a break; the others are killed. */
function runbook(fleet: Fleet, rounds: number): string {
  const names = ['whole', ...Array.from({ length: rounds }, (_, i) => `killed-${i + 1}`)];
  const group = (name: string) => `  ${name}:
    sources: [{ host: app, path: ${FROM}, name: data, snapshot: btrfs }]
    quiesce: { containers: none }
    target: main
    transfer: { io: normal }`;
  return `version: 1
${hostLines(fleet)}
stores:
  main: { host: target, kind: btrfs, place: /backup }
groups:
${names.map(group).join('\n')}
`;
}

export async function benchResend(options: BenchOptions): Promise<Figure> {
  const { rounds, say } = options;
  const size = partOf(DATA[options.size], 0.5);
  const product = await raiseProduct({
    name: 'bench-resend',
    hosts: [
      { name: 'app', disk: 'btrfs', docker: false, size: '8G' },
      { name: 'target', disk: 'ext4', docker: false, store: 'btrfs', storeSize: '30G' },
    ],
    runbook: (fleet) => runbook(fleet, rounds),
    prepare: (fleet) => makeData(fleet, 'app', FROM, size),
  });
  const totals: number[] = [];
  let whole = 0;
  try {
    whole = await wholeCopy(product);
    for (let round = 1; round <= rounds; round += 1) {
      const strike = STRIKES[(round - 1) % STRIKES.length] ?? 0.5;
      const total = await killedCopy(product, { group: `killed-${round}`, strikeAt: whole * strike });
      totals.push(total);
      say(
        `resend round ${round}, killed at ${strike * 100} %: ${(total / MIB).toFixed(1)} MiB, whole ${(whole / MIB).toFixed(1)} MiB`,
      );
    }
  } finally {
    await product.down();
  }
  return {
    title: 'Sent again after a SIGKILL of everything',
    how: `First copies of ${describeData(size)}; killed at ${STRIKES.map((each) => `${each * 100} %`).join(', ')} of the way. Bytes that left the source's network interface, everything counted, against a copy without a break.`,
    rows: [
      row({ what: 'sent without a break', unit: 'MiB', samples: [whole / MIB] }),
      row({ what: 'sent with a kill', unit: 'MiB', samples: totals.map((each) => each / MIB) }),
      row({
        what: 'sent again',
        unit: '%',
        samples: totals.map((each) => Math.max(0, ((each - whole) / whole) * 100)),
        goal: MOST_PERCENT,
      }),
    ],
  };
}

async function wholeCopy(product: Product): Promise<number> {
  const before = await sent(product.fleet);
  await product.backup(['whole'], { timeoutMs: RUN_MS });
  return (await sent(product.fleet)) - before;
}

async function killedCopy(product: Product, options: { group: string; strikeAt: number }): Promise<number> {
  const { fleet, stateDir } = product;
  const before = await sent(fleet);
  const run = await product.detached(['backup', options.group]);
  await eventually('the copy is on its way', async () => (await sent(fleet)) - before >= options.strikeAt, RUN_MS);
  // Held still first, so that the count is what had been sent when they died.
  await Promise.all([fleet.hangHost('app', true), fleet.hangHost('target', true)]);
  const broken = (await sent(fleet)) - before;
  await killEngine(stateDir);
  await Promise.all([fleet.killHost('app'), fleet.killHost('target')]);
  await Promise.all([fleet.bootHost('app'), fleet.bootHost('target')]);
  const booted = await sent(fleet);
  await product.run(['engine', 'start']);
  await product.ended(run, [0], RUN_MS);
  return broken + (await sent(fleet)) - booted;
}

/** SIGKILL for the director's worker and server, the worker first: it would start the server again. */
async function killEngine(stateDir: string): Promise<void> {
  const { worker, serverPid } = await engineStatus({ stateDir });
  for (const pid of [worker?.pid, serverPid]) {
    if (pid !== undefined) process.kill(pid, 'SIGKILL');
  }
  await eventually('the server is gone', async () => (await engineStatus({ stateDir })).serverPid === undefined, 5_000);
}

/** Bytes that the source's network interface has sent since it was plugged in; readable also while the host is held still. */
async function sent(fleet: Fleet): Promise<number> {
  const { stdout } = await fleet.exec('app', "sed -n 's/^ *eth0: *//p' /proc/net/dev");
  return Number(stdout.trim().split(/\s+/)[8]);
}
