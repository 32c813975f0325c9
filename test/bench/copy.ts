/** Copying: from the unfreeze until all data is there; first, unchanged, and with one percent changed; beside what others need for it. */
import { freemem } from 'node:os';
import type { Fleet } from '../lab/support/fleet';
import { hostLines, local } from '../lab/support/product';
import { changeData, DATA, describeData, makeData } from './support/data';
import { type BenchOptions, type Figure, ratios, row, type Row } from './support/figures';
import { FLOOR, prepareRivals, type Rival, RIVALS, runRival } from './support/rivals';
import { lastOf, raiseStand, type Stand } from './support/stand';

const FROM = '/srv/data';
/** What the others copy: a snapshot taken just before, as ours is. The kernel reads a new snapshot's files anew, whatever it has of the source. */
const INSTANT = '/srv/instant';
const KINDS = ['first', 'unchanged', '1 % changed'] as const;
type Kind = (typeof KINDS)[number];
const OURS = 'resurgo' as const;
type Who = Rival | typeof OURS;
const WHO: readonly Who[] = [OURS, ...RIVALS];

/** What one copy took. */
interface Took {
  wall: number;
  /** CPU seconds of both hosts. */
  cpu: number;
  /** The comparison of the listings after it, which the others don't do. */
  compare?: number;
}
type Results = Map<string, Took[]>;

/** A group a round: each has its own folder in the store, so that each round has a first copy. */
function runbook(fleet: Fleet, rounds: number): string {
  const group = (round: number) => `  round-${round}:
    sources: [{ host: app, path: ${FROM}, name: data, snapshot: btrfs }]
    quiesce: { containers: none }
    target: main
    transfer: { io: normal }`;
  const groups = Array.from({ length: rounds }, (_, i) => group(i + 1));
  return `version: 1
${hostLines(fleet)}
stores:
  main: { host: target, kind: btrfs, place: /backup }
groups:
${groups.join('\n')}
`;
}

export async function benchCopy(options: BenchOptions): Promise<Figure> {
  const { rounds, say } = options;
  const size = DATA[options.size];
  const stand = await raiseStand({
    name: 'bench-copy',
    hosts: [
      { name: 'app', disk: 'btrfs', docker: false, size: '8G' },
      { name: 'target', disk: 'ext4', docker: false, store: 'btrfs', storeSize: '40G' },
    ],
    runbook: (fleet) => runbook(fleet, rounds),
    prepare: async (fleet) => {
      await prepareRivals(fleet, 'app');
      await makeData(fleet, 'app', FROM, size);
    },
  });
  const results: Results = new Map();
  try {
    const { fleet } = stand.product;
    for (let round = 1; round <= rounds; round += 1) {
      for (const kind of KINDS) {
        if (kind === '1 % changed') await changeData({ fleet, host: 'app', place: FROM, size, round });
        for (const who of inOrder(round)) {
          // Of no use for anything but a first copy.
          if (who === FLOOR && kind !== 'first') continue;
          if (who !== OURS && !options.against.includes(who)) continue;
          await settle(fleet);
          const took = who === OURS ? await ours(stand, round) : await theirs(stand, who, round);
          keep(results, kind, who, took);
          say(`copy round ${round}, ${kind}, ${who}: ${took.wall.toFixed(2)} s, CPU ${took.cpu.toFixed(2)} s`);
        }
      }
      await fleet.exec('target', `rm -rf /backup/rivals-${round}`, { timeoutMs: 120_000 });
    }
  } finally {
    await stand.down();
  }
  return figure(results, describeData(size));
}

/** Each round begins with another one, and every second goes the other way round, so that nobody always follows the same one. */
function inOrder(round: number): Who[] {
  const at = (round * 2) % WHO.length;
  const order = [...WHO.slice(at), ...WHO.slice(0, at)];
  return round % 2 === 0 ? order.reverse() : order;
}

/**
 * The same for each: the source's disk read once, so that this machine has it in memory; nothing left to be written, by this machine below the
 * hosts' disks neither, as what the programs before have written would else be written while a later one is measured; and memory that is there.
 */
async function settle(fleet: Fleet): Promise<void> {
  await fleet.exec('app', `tar -C ${FROM} -cf - . | cat >/dev/null; sync -f ${FROM}`, { timeoutMs: 120_000 });
  await fleet.exec('target', 'sync -f /backup', { timeoutMs: 120_000 });
  local('sync', []);
  touchMemory();
}

/**
 * A virtual machine may have given its free memory back to its host, and then waits a second or two for each GiB that it takes again. Who
 * comes after a large removal would pay for it, so everybody's is touched before.
 */
function touchMemory(): void {
  const bytes = Math.min(freemem() / 2, 8 * 2 ** 30);
  const program = `const held = []; for (let left = ${bytes}; left > 0; left -= 2 ** 30) held.push(Buffer.alloc(2 ** 30, 1))`;
  local(process.execPath, ['-e', program]);
}

async function ours(stand: Stand, round: number): Promise<Took> {
  const ran = await stand.backup(`round-${round}`);
  const thawed = lastOf(ran, /^freeze thaw$/);
  const [copy] = ran.copies;
  if (copy === undefined) throw new Error(`run ${ran.workflowId} tells of no copy`);
  const sent = lastOf(ran, /^job .*(list|send)/);
  return {
    wall: (copy.endedAtMs - thawed.to) / 1000,
    cpu: sent.cpu - thawed.cpu,
    compare: copy.compareMs / 1000,
  };
}

async function theirs(stand: Stand, rival: Rival, round: number): Promise<Took> {
  const { fleet } = stand.product;
  const to = `/backup/rivals-${round}`;
  await fleet.exec('target', `mkdir -p ${to}`);
  await fleet.exec('app', `btrfs subvolume snapshot -r ${FROM} ${INSTANT}`);
  const before = stand.cpu();
  const wall = await runRival({ fleet, source: 'app', rival, from: INSTANT, to });
  const cpu = stand.cpu() - before;
  await fleet.exec('app', `btrfs subvolume delete ${INSTANT}`);
  return { wall, cpu };
}

function keep(results: Results, kind: Kind, who: Who, took: Took): void {
  const key = `${kind}: ${who}`;
  results.set(key, [...(results.get(key) ?? []), took]);
}

function figure(results: Results, data: string): Figure {
  const of = (kind: Kind, who: Who): Took[] => results.get(`${kind}: ${who}`) ?? [];
  const walls = (kind: Kind, who: Who): number[] => of(kind, who).map(({ wall }) => wall);
  const ran =
    (kind: Kind) =>
    (who: Who): boolean =>
      of(kind, who).length > 0;
  const against = (kind: Kind, rival: Rival): Row =>
    row({
      what: `${kind}: ${OURS} / ${rival}`,
      unit: '×',
      samples: ratios(walls(kind, OURS), walls(kind, rival)),
      goal: goalOf(kind, rival),
    });
  const rows = KINDS.flatMap((kind) => [
    ...WHO.filter(ran(kind)).flatMap((who) => [
      row({ what: `${kind}: ${who}`, unit: 's', samples: walls(kind, who) }),
      row({ what: `${kind}: ${who}, CPU`, unit: 's', samples: of(kind, who).map(({ cpu }) => cpu) }),
    ]),
    row({
      what: `${kind}: comparison before the seal`,
      unit: 's',
      samples: of(kind, OURS).map(({ compare = 0 }) => compare),
    }),
    ...RIVALS.filter(ran(kind)).map((rival) => against(kind, rival)),
  ]);
  return {
    title: 'Copy, from the unfreeze until all data is there',
    how: `${data}, btrfs to btrfs, two streams, all programs in turn within a round (each round begins with another), each from a snapshot taken just before, its disk in memory, nothing left to write. The floor is \`${FLOOR}\`, which can only do first copies. Ciphers: aes128-gcm for all. CPU: both hosts together, the director's machine not.`,
    rows,
  };
}

/** First: near the floor and faster than all three. Afterwards: no slower than rsync. */
function goalOf(kind: Kind, rival: Rival): number | undefined {
  if (kind === 'first') return rival === FLOOR ? 1.25 : 1;
  return rival === 'rsync -a' ? 1 : undefined;
}
