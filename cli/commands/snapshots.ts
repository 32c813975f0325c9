/** `resurgo snapshots`: what exists on a group's hosts now, whose it is, how old and how large; no engine needed. */
import type { Command } from '@commander-js/extra-typings';
import { z } from 'zod';
import { HostError } from '../../hosts/errors';
import type { HostRef, Hosts } from '../../hosts/hosts';
import type { SnapshotOnHost } from '../../hosts/replies';
import { snapshots as listSnapshots, status } from '../../hosts/verbs/reading';
import { run as inContext } from '../context';
import type { CliContext } from '../context';
import { EXIT } from '../exit';
import { bytes, duration, table } from '../output';

export function registerSnapshots(program: Command): void {
  program
    .command('snapshots')
    .argument('[group]', 'the protection group')
    .description("the group's snapshots on its hosts: of which run, how old, how large")
    .addHelpText(
      'after',
      '\nbtrfs does not know the size of a snapshot cheaply; zfs does. A snapshot of no living run is a leftover.\n\nExample:\n  $ resurgo snapshots portal',
    )
    .action((group, _options, command) => inContext(command, (context) => snapshots(context, group)));
}

interface Found {
  host: string;
  snapshots: (SnapshotOnHost & { leftover: boolean })[];
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
      each.run ?? 'not of a run',
      each.createdMs === undefined ? '' : `${duration(Math.max(0, nowMs - each.createdMs))} old`,
      each.usedBytes === undefined ? '' : bytes(each.usedBytes),
      each.leftover ? 'LEFTOVER' : '',
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
        ? `no snapshot of ${group} on ${found.length - problems.length} of ${found.length} hosts`
        : table([['host', 'source', 'kind', 'run', 'age', 'size', ''], ...rows]),
      ...(leftovers ? ['leftovers are of runs that ended; take them away with: resurgo doctor --fix'] : []),
    ].join('\n'),
  });
  for (const { host, problem = '' } of problems) context.out.warn(`${host}: ${problem}`);
  if (problems.length === 0) return EXIT.ok;
  return problems.length === found.length ? EXIT.failed : EXIT.incomplete;
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
    const marked = list.map((each) => ({
      ...each,
      leftover: living !== undefined && !living.some((run) => run === each.run),
    }));
    return { host: host.name, snapshots: marked, problem: undefined };
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    return { host: host.name, snapshots: [], problem: error.message };
  }
}
