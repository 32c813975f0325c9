/**
 * A fault campaign on LVM with a real device mapper: in each round a random fault at a random moment of a backup. Whatever happens, what is
 * listed is whole and as it was when it was frozen, no snapshot stays, and the volumes live on.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { describeLab } from '../support/describe-lab';
import { takeDown } from '../support/product';
import { pick, seeded } from '../../faults/random';
import { FILL_POOL, LEAVE_LITTLE, LvmHost, MAKE_BALLAST } from './support/lvm';

const ROUNDS = Number(process.env['RESURGO_LVM_ROUNDS'] ?? 8);
const SEED = Number(process.env['RESURGO_CRASH_SEED'] ?? Date.now() % 65_536);
/** How long a backup of this size takes on a machine without hardware help: a fault strikes within it, ms. */
const WINDOW_MS = 40_000;
/** A run with its tries, and what it asks in between, ms. */
const RUN_MS = 600_000;
const RETRIES = 3;
const VOLUMES = ['ext', 'x', 'thin'];
jest.setTimeout(ROUNDS * 1_200_000);

interface Fault {
  kind: string;
  strike: (host: LvmHost) => Promise<unknown>;
  heal: (host: LvmHost) => Promise<unknown>;
}

const FAULTS: readonly Fault[] = [
  {
    kind: 'overflow',
    strike: (host) =>
      host.on(`${LEAVE_LITTLE}; dd if=/dev/urandom of=/srv/ext/ballast bs=1M count=120 status=none; sync`),
    heal: (host) => host.on('rm -f /srv/ext/ballast; lvremove -qq -y vg0/ballast; sync'),
  },
  {
    kind: 'pool full',
    strike: (host) => host.on(FILL_POOL),
    heal: (host) => host.on('fstrim /srv/thin; sync'),
  },
  {
    kind: 'power',
    strike: (host) => host.cutPower(),
    heal: (host) => host.powerOn(),
  },
  {
    kind: 'sessions',
    strike: (host) =>
      host.on('for s in $(pgrep -f "^sshd: ") ; do [ "$s" = "$PPID" ] || kill -9 $s; done; true').catch(String),
    heal: () => Promise.resolve(),
  },
  {
    kind: 'target hangs',
    strike: ({ product }) => product.fleet.hangHost('target', true),
    heal: ({ product }) => product.fleet.hangHost('target', false),
  },
];

describeLab('faults on LVM', () => {
  let host: LvmHost;
  beforeAll(async () => {
    host = await LvmHost.raise({ name: 'vmlvmf', number: 121 });
  }, 1_200_000);
  afterAll(async () => {
    await takeDown(host.product);
  }, 120_000);

  const sums = (folder: (volume: string) => string): string =>
    VOLUMES.map((volume) => `cd ${folder(volume)} && find . -type f -exec sha256sum {} + | sort`).join('; ');

  /** Answers what the run asks, gives up in the end, and says how it ended: its exit code. */
  async function attend(run: string): Promise<number> {
    const end = Date.now() + RUN_MS;
    for (let retries = 0; Date.now() < end; retries += 1) {
      const asked = await host.product.settled(run, RUN_MS);
      if (asked === undefined) return (await host.product.run(['watch', run], { allow: [0, 1, 3, 130] })).code;
      const words = retries < RETRIES && asked.allowed.includes('retry') ? ['retry', run] : ['abort', run];
      await host.product.run(words, { allow: [0, 1] });
      await sleep(2_000);
    }
    throw new Error(`run ${run} did not end`);
  }

  test(`${ROUNDS} rounds, seed ${SEED}`, async () => {
    const random = seeded(SEED);
    const { product } = host;
    const known = new Map<string, string>();
    const rounds: string[] = [];
    const listed = async () =>
      JSON.parse((await product.run(['list', '--json'])).stdout) as { backups: { id: string; problem?: string }[] };
    for (let round = 1; round <= ROUNDS; round += 1) {
      const fault = pick(random, FAULTS);
      const atMs = Math.round(random() * WINDOW_MS);
      for (const volume of VOLUMES)
        await host.on(
          `head -c ${8 + Math.floor(random() * 8)}000000 /dev/urandom >/srv/${volume}/data/churn; echo ${round} >/srv/${volume}/data/round`,
        );
      await host.on(MAKE_BALLAST);
      const frozen = await host.on(sums((volume) => `/srv/${volume}/data`));
      const run = await product.detached(['backup']);
      await sleep(atMs);
      await fault.strike(host);
      await sleep(5_000);
      await fault.heal(host);
      const code = await attend(run);
      rounds.push(`${round}: ${fault.kind} after ${atMs} ms, exit ${code}`);
      const { backups } = await listed();
      for (const { id } of backups) if (!known.has(id)) known.set(id, frozen);
      expect({ rounds, isListed: backups.length === known.size }).toEqual({ rounds, isListed: true });
      // Whatever became of it: what is listed holds what was there at its freeze.
      for (const { id, problem } of backups) {
        expect({ rounds, id, problem }).toEqual({ rounds, id, problem: undefined });
        const there = await product.fleet.exec(
          'target',
          sums((volume) => `/backup/portal/backups/${id}/db-1@+srv+${volume}+data`),
        );
        expect({ rounds, id, files: there.stdout }).toEqual({ rounds, id, files: known.get(id) });
      }
      await host.on(`for v in ${VOLUMES.join(' ')}; do echo alive >/srv/$v/lives; done; sync`);
    }
    await product.backup();
    expect({ rounds, left: await host.snapshots() }).toEqual({ rounds, left: [] });
    expect({ rounds, left: await product.leftovers('portal') }).toEqual({ rounds, left: [] });
    console.log(rounds.join('\n'));
  });
});
