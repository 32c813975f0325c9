/** The figures of the rounds that were measured: rows for whatever is there, ratios for rounds in which both sides are. */
import { type Figure, type Row, row, type Unit } from '../support/figures';
import type { Part, Result, Round } from './results';
import { DISK_MB } from './source';
import type { Took } from './stopwatch';

const MIB = 1024 * 1024;
/** Of ReaR's. */
const GOALS = { build: 0.15, size: 0.35, ready: 0.7, recovered: 0.5 };
/** The steps that somebody by hand does too. */
const BY_HAND = ['wipe disks', 'partition', 'make file systems', 'mount', 'restore data'];

const MACHINE = `A machine without hardware help (QEMU's TCG, 2 processors, 2 GiB, BIOS, virtio), a disk of ${DISK_MB / 1024} GiB: Debian 12 and 20,000 small files with some large ones, one ext4 of about 0.8 GB. CPU: that of the virtual machine; everything else: CPU seconds of all else on this computer in the same time, where many the seconds are worth little`;

interface Line<P extends Part> {
  part: P;
  what: string;
  unit: Unit;
  of: (result: Result<P>) => number;
  goal?: number;
}

export function metalFigures(rounds: readonly Round[]): Figure[] {
  const all = [image(rounds), wayBack(rounds), shares(rounds), floor(rounds)];
  return all.filter(({ rows }) => rows.length > 0);
}

function image(rounds: readonly Round[]): Figure {
  const took = (result: { build: Took }) => result.build;
  const jobs = [...new Set(rounds.flatMap((round) => round.read('rescue-image')?.jobs.map(({ job }) => job) ?? []))];
  return {
    title: 'Rescue image',
    how: `${MACHINE}. \`resurgo rescue build\` with \`modules: common\`, from the command to the image in the store, without its start in a virtual machine, beside \`rear mkrescue\` (ReaR ${version(rounds)}, tuned) to a second disk. Both the first of their machine. Director: its worker and server.`,
    rows: [
      ...tookRows(rounds, { part: 'rescue-image', what: 'resurgo', of: took }),
      ...jobs.flatMap((job) =>
        lines(rounds, {
          part: 'rescue-image',
          what: `resurgo: of it job ${job}`,
          unit: 's',
          of: (each) => each.jobs.filter((one) => one.job === job).reduce((sum, { seconds }) => sum + seconds, 0),
        }),
      ),
      ...lines(rounds, {
        part: 'rescue-image',
        what: 'resurgo: director, CPU',
        unit: 's',
        of: (each) => each.directorCpu,
      }),
      ...tookRows(rounds, { part: 'rear-image', what: 'ReaR', of: took }),
      ...against(
        rounds,
        { what: 'time', ours: (each) => each.build.seconds, theirs: (each) => each.build.seconds, goal: GOALS.build },
        IMAGES,
      ),
      ...against(rounds, { what: 'CPU', ours: (each) => each.build.cpu, theirs: (each) => each.build.cpu }, IMAGES),
      ...lines(rounds, {
        part: 'rescue-image',
        what: 'resurgo: image',
        unit: 'MiB',
        of: (each) => each.isoBytes / MIB,
      }),
      ...lines(rounds, { part: 'rear-image', what: 'ReaR: image', unit: 'MiB', of: (each) => each.isoBytes / MIB }),
      ...against(
        rounds,
        { what: 'size', ours: (each) => each.isoBytes, theirs: (each) => each.isoBytes, goal: GOALS.size },
        IMAGES,
      ),
    ],
  };
}

function wayBack(rounds: readonly Round[]): Figure {
  type Back = Result<'recovery'> | Result<'rear-recovery'>;
  const sides = [
    { part: 'recovery', who: 'resurgo' },
    { part: 'rear-recovery', who: 'ReaR' },
  ] as const;
  const phases: { what: string; of: (result: Back) => Took; goal?: number }[] = [
    { what: 'power-on to ready', of: ({ ready }) => ready, goal: GOALS.ready },
    { what: 'power-on to recovered', of: ({ ready, recover }) => together(ready, recover), goal: GOALS.recovered },
    { what: 'recovered disk to ssh', of: ({ ssh }) => ssh },
    { what: 'power-on to ssh', of: ({ ready, recover, ssh }) => together(together(ready, recover), ssh) },
  ];
  return {
    title: 'From power-on to the machine that was',
    how: "A CD in a machine with a blank disk of the same size; nobody is asked (`recover.approve: identical-disks`; `unattended`). Ready: sshd of our rescue system answers; ReaR begins to recover. Recovered: our rescue system restarts, all unmounted; ReaR says that it has finished, before the 30 s that it waits and its restart. Our data come by network through the jail, ReaR's from a disk in the machine. What differs: entries of /srv, /usr, /opt and /home, by content, owner, mode, time in whole seconds, links and attributes.",
    rows: [
      ...phases.flatMap(({ what, of, goal }) => [
        ...sides.flatMap(({ part, who }) => tookRows(rounds, { part, what: `${who}: ${what}`, of })),
        ...against(
          rounds,
          {
            what,
            ours: (each) => of(each).seconds,
            theirs: (each) => of(each).seconds,
            ...(goal === undefined ? {} : { goal }),
          },
          BACKS,
        ),
        ...against(
          rounds,
          { what: `${what}, CPU`, ours: (each) => of(each).cpu, theirs: (each) => of(each).cpu },
          BACKS,
        ),
      ]),
      ...sides.flatMap(({ part, who }) =>
        lines(rounds, {
          part,
          what: `${who}: entries that differ`,
          unit: 'count',
          of: ({ differing }: Back) => differing,
          goal: 0,
        }),
      ),
    ],
  };
}

function shares(rounds: readonly Round[]): Figure {
  const names = [...new Set(rounds.flatMap((round) => round.read('recovery')?.phases.map(({ phase }) => phase) ?? []))];
  const seconds = (result: Result<'recovery'>, phase: string) =>
    result.phases.filter((each) => each.phase === phase).reduce((sum, each) => sum + each.seconds, 0);
  const part = 'recovery' as const;
  return {
    title: 'What a recovery of ours consists of',
    how: 'Phases as its report has them, whole seconds. Director: the time between the start of `resurgo recover` and the restart in which none of its remote commands ran, so with the start of the command itself, its look at the target, and the 2 s before the restart; its CPU is that of worker and server. Network: what came in through the cable since power-on, at the speed at which plain TCP fills the same kind of machine.',
    rows: [
      ...names.flatMap((phase) => lines(rounds, { part, what: phase, unit: 's', of: (each) => seconds(each, phase) })),
      ...lines(rounds, { part, what: 'director', unit: 's', of: ({ director }) => director.seconds }),
      ...lines(rounds, { part, what: 'director, CPU', unit: 's', of: ({ director }) => director.cpu }),
      ...lines(rounds, { part, what: 'received', unit: 'MiB', of: ({ receivedBytes }) => receivedBytes / MIB }),
      ...(pairs(rounds, { ours: 'recovery', theirs: 'floor' }).length === 0
        ? []
        : [
            row({
              what: 'network: that at the speed of plain TCP',
              unit: 's',
              samples: pairs(rounds, { ours: 'recovery', theirs: 'floor' }).map(
                ([{ receivedBytes }, { network }]) => (receivedBytes / network.bytes) * network.seconds,
              ),
            }),
          ]),
    ],
  };
}

function floor(rounds: readonly Round[]): Figure {
  const part = 'floor' as const;
  const both = pairs(rounds, { ours: 'recovery', theirs: part });
  const like = (result: Result<'recovery'>) =>
    result.phases.filter(({ phase }) => BY_HAND.includes(phase)).reduce((sum, { seconds }) => sum + seconds, 0);
  return {
    title: 'Floor: by hand',
    how: `sfdisk, mkfs.ext4, and one tar of the source's root through plain TCP, in a machine with all tools that has already booted (1 GiB of memory): no encryption, no look at what was sent, nothing that makes it boot. Beside it our phases ${BY_HAND.join(', ')}.`,
    rows: [
      ...tookRows(rounds, { part, what: 'by hand', of: ({ byHand }) => byHand }),
      ...lines(rounds, {
        part,
        what: 'plain TCP into the machine',
        unit: 'MiB/s',
        of: ({ network }) => network.bytes / MIB / network.seconds,
      }),
      ...(both.length === 0
        ? []
        : [
            row({ what: 'resurgo, the same phases', unit: 's', samples: both.map(([ours]) => like(ours)) }),
            row({
              what: 'resurgo / by hand',
              unit: '×',
              samples: both.map(([ours, hand]) => like(ours) / hand.byHand.seconds),
            }),
          ]),
    ],
  };
}

const IMAGES = { ours: 'rescue-image', theirs: 'rear-image' } as const;
const BACKS = { ours: 'recovery', theirs: 'rear-recovery' } as const;

/** The results of both parts, of each round that has them. */
function pairs<A extends Part, B extends Part>(
  rounds: readonly Round[],
  of: { ours: A; theirs: B },
): [Result<A>, Result<B>][] {
  return rounds.flatMap((round): [Result<A>, Result<B>][] => {
    const [ours, theirs] = [round.read(of.ours), round.read(of.theirs)];
    return ours === undefined || theirs === undefined ? [] : [[ours, theirs]];
  });
}

function against<A extends Part, B extends Part>(
  rounds: readonly Round[],
  by: { what: string; ours: (result: Result<A>) => number; theirs: (result: Result<B>) => number; goal?: number },
  of: { ours: A; theirs: B },
): Row[] {
  const samples = pairs(rounds, of).map(([ours, theirs]) => by.ours(ours) / by.theirs(theirs));
  return samples.length === 0 ? [] : [row({ what: `resurgo / ReaR: ${by.what}`, unit: '×', samples, goal: by.goal })];
}

function lines<P extends Part>(rounds: readonly Round[], { part, what, unit, of, goal }: Line<P>): Row[] {
  const samples = rounds.flatMap((round) => {
    const result = round.read(part);
    return result === undefined ? [] : [of(result)];
  });
  return samples.length === 0 ? [] : [row({ what, unit, samples, goal })];
}

function tookRows<P extends Part>(
  rounds: readonly Round[],
  { part, what, of }: { part: P; what: string; of: (result: Result<P>) => Took },
): Row[] {
  return [
    ...lines(rounds, { part, what, unit: 's', of: (result) => of(result).seconds }),
    ...lines(rounds, { part, what: `${what}, CPU`, unit: 's', of: (result) => of(result).cpu }),
    ...lines(rounds, { part, what: `${what}, everything else`, unit: 's', of: (result) => of(result).rest }),
  ];
}

function together(a: Took, b: Took): Took {
  return { seconds: a.seconds + b.seconds, cpu: a.cpu + b.cpu, rest: a.rest + b.rest };
}

function version(rounds: readonly Round[]): string {
  return rounds.map((round) => round.read('rear-image')?.version).find((each) => each !== undefined) ?? 'not measured';
}
