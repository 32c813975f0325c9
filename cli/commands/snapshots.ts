/** `resurgo snapshots`: what exists on a group's hosts now, whose it is, how old and how large, until when; no engine needed. */
import type { Command } from '@commander-js/extra-typings';
import { z } from 'zod';
import { HostError } from '../../hosts/errors';
import type { HostRef, Hosts } from '../../hosts/hosts';
import type { SnapshotOnHost } from '../../hosts/replies';
import { snapshots as listSnapshots, status } from '../../hosts/verbs/reading';
import { run as inContext } from '../context';
import type { CliContext } from '../context';
import { CliError, EXIT } from '../exit';
import { bytes, duration, table } from '../output';
import { releaseHand, takeHand } from './hand-lease';

export function registerSnapshots(program: Command): void {
  program
    .command('snapshots')
    .argument('[group]', 'the protection group')
    .description("the group's snapshots on its hosts: of which run, how old, how large")
    .addHelpText(
      'after',
      '\nbtrfs does not know the size of a snapshot cheaply; zfs does. A restore keeps what it overwrote as a safety snapshot for 7 days; any other snapshot of no living run is a leftover.\n\nExample:\n  $ resurgo snapshots portal\n  $ resurgo snapshots portal --drop r20261121t073145z-f26c39',
    )
    .option('--drop <run>', 'remove the safety snapshots of that restore now')
    .action((group, options, command) =>
      inContext(command, (context) =>
        options.drop === undefined ? snapshots(context, group) : drop(context, group, options.drop),
      ),
    );
}

interface Found {
  host: string;
  snapshots: (SnapshotOnHost & { leftover: boolean })[];
  /** Begins with the host's name. */
  problem: string | undefined;
}

async function snapshots(context: CliContext, asked: string | undefined): Promise<number> {
  const { setup } = await context.group(asked);
  const hosts = await context.hosts();
  const group = setup.group.name;
  const found = await Promise.all(setup.hosts.map((host) => onHost({ hosts, host, group })));
  const nowMs = Date.now();
  const rows = found.flatMap(({ host, snapshots: list }) =>
    list.map((each) => [
      host,
      each.source,
      each.kind ?? '',
      whose(each),
      each.createdMs === undefined ? '' : `${duration(Math.max(0, nowMs - each.createdMs))} old`,
      each.usedBytes === undefined ? '' : bytes(each.usedBytes),
      each.leftover ? 'LEFTOVER' : untilText(each),
    ]),
  );
  const problems = found.filter((each) => each.problem !== undefined);
  const leftovers = found.some((each) => each.snapshots.some((one) => one.leftover));
  context.out.result({
    json: {
      group,
      hosts: found.map(({ host, snapshots: list, problem }) => ({
        host,
        problem,
        snapshots: list.map((each) => ({ ...each })),
      })),
    },
    text: [
      rows.length === 0
        ? none({ group, asked: found.length, away: problems.length })
        : table([['host', 'source', 'kind', 'run', 'age', 'size', ''], ...rows]),
      ...(leftovers ? ['leftovers are of runs that ended; take them away with: resurgo doctor --fix'] : []),
    ].join('\n'),
  });
  for (const { problem = '' } of problems) context.out.warn(problem);
  if (problems.length === 0) return EXIT.ok;
  return problems.length === found.length ? EXIT.failed : EXIT.incomplete;
}

/** What an empty table means: of a host that did not answer nothing is known. */
function none({ group, asked, away }: { group: string; asked: number; away: number }): string {
  if (away === asked) return `no host of ${group} answered: its snapshots are not known`;
  return `no snapshot of ${group} on ${away === 0 ? '' : 'those that answered, '}${asked - away} of ${asked} hosts`;
}

function whose({ run, safety }: SnapshotOnHost): string {
  if (run === undefined) return 'not of a run';
  return safety === true ? `safety snapshot of restore ${run}` : run;
}

function untilText({ keepUntilMs }: SnapshotOnHost): string {
  return keepUntilMs === undefined
    ? ''
    : `kept until ${new Date(keepUntilMs).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

/** Removes one restore's safety snapshots before their time; of other runs nothing. */
async function drop(context: CliContext, asked: string | undefined, run: string): Promise<number> {
  const { setup } = await context.group(asked);
  const hosts = await context.hosts();
  const group = setup.group.name;
  const found = await Promise.all(setup.hosts.map((host) => onHost({ hosts, host, group })));
  const holding = setup.hosts.filter((host) =>
    found.some(
      (each) => each.host === host.name && each.snapshots.some((one) => one.run === run && one.safety === true),
    ),
  );
  for (const { problem } of found) if (problem !== undefined) context.out.warn(problem);
  if (holding.length === 0)
    throw new CliError(`there is no safety snapshot of ${run}; \`resurgo snapshots ${group}\` lists them`);
  const step = 'hand-drop';
  const hand = await takeHand({ hosts, setup, step, withoutStore: false });
  try {
    for (const host of holding)
      await hosts.call({
        host,
        verb: 'snapshot.drop',
        step,
        args: { ...hand.fenceAt(host), targetRun: run, freeze: -1 },
        timeoutMs: 300_000,
      });
  } finally {
    await releaseHand({ hosts, setup, hand });
  }
  const names = holding.map((host) => host.name);
  context.out.result({
    json: { group, run, dropped: names },
    text: `the safety snapshots of restore ${run} are gone from ${names.join(', ')}`,
  });
  return found.some((each) => each.problem !== undefined) ? EXIT.incomplete : EXIT.ok;
}

const leases = z.object({ leases: z.array(z.looseObject({ run: z.string(), live: z.boolean().default(false) })) });

async function onHost({ hosts, host, group }: { hosts: Hosts; host: HostRef; group: string }): Promise<Found> {
  try {
    const on = { hosts, host, group, step: 'snapshots' };
    const [list, held] = await Promise.all([listSnapshots(on), status(on)]);
    const living = leases
      .safeParse(held)
      .data?.leases.filter((each) => each.live)
      .map((each) => each.run);
    const nowMs = Date.now();
    const marked = list.map((each) => ({
      ...each,
      leftover: living !== undefined && !living.some((run) => run === each.run) && (each.keepUntilMs ?? 0) < nowMs,
    }));
    return { host: host.name, snapshots: marked, problem: undefined };
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    return { host: host.name, snapshots: [], problem: error.message };
  }
}
