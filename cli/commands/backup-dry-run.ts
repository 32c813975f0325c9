/** `resurgo backup --dry-run`: sizes, what would be sent, the space it needs, the pause to expect. Changes nothing, needs no engine. */
import { isWhole, newestWhole, readBackups } from '../../hosts/backups';
import type { StoreEntry } from '../../hosts/backups';
import type { Check } from '../../hosts/replies';
import { reserveBytes, roomFinding, roomVerdict, storeFinding } from '../../hosts/store-findings';
import { check } from '../../hosts/verbs/reading';
import { storeSpace } from '../../hosts/verbs/store';
import { counted } from '../../planning/counted';
import { pauseEstimate } from '../../planning/estimate';
import type { GroupSetup } from '../../planning/run-input';
import type { CliContext } from '../context';
import { EXIT } from '../exit';
import { bytes, duration, printable, table } from '../output';

/** Exit 1 where a backup could not go through as things are; what a backup would only warn of is a warning here too. */
export async function dryRun(context: CliContext, setup: GroupSetup): Promise<number> {
  const { group, store, storeHost } = setup;
  const hosts = await context.hosts();
  const step = 'dry run';
  const [listing, space, ...checks] = await Promise.all([
    readBackups({ hosts, storeHost, store: store.name, group: group.name, step }),
    storeSpace({ hosts, host: storeHost, step, store: store.name, group: group.name }),
    ...setup.hosts.map(async (host) => ({
      host: host.name,
      ...(await check({ hosts, host, step, group: group.name })),
    })),
  ]);
  const sources = sourceLines({ setup, checks, last: newestWhole(listing.backups) });
  const verdict = roomVerdict({ group, store, shown: checks, space, listing });
  const open = { group: group.name, incomplete: listing.incomplete };
  const disk = storeFinding({ store, space, ...open });
  const found = disk.level === 'fail' ? [disk] : [disk, roomFinding({ store, verdict, ...open })];
  const told = (level: 'warn' | 'fail') =>
    found
      .filter((each) => each.level === level)
      .map(({ host, message, mend }) => `${host}: store ${store.name} ${message}: ${mend}`);
  const problems = [
    ...checks.flatMap(({ host, problems }) => problems.map((problem) => `${host}: ${problem}`)),
    ...sources.flatMap(({ tree, problems }) => problems.map((problem) => `${tree}: ${problem}`)),
    ...told('fail'),
  ];
  const warnings = told('warn');
  const reserve = reserveBytes({ store, space });
  const { level, mostBytes, roomBytes, first } = verdict;
  const basis = `${first} of ${counted(sources.length, 'source')} whole, of the others a tenth; without compression`;
  const pause = pauseEstimate({
    history: listing.backups
      .filter(isWhole)
      .flatMap((each) => each.manifest?.pauseMs ?? [])
      .reverse(),
    hosts: checks.map((each) => ({ containers: each.containers.length, sources: each.sources.length })),
  });
  const room = { level, sentBytes: mostBytes, basis, freeBytes: space.freeBytes, reserveBytes: reserve, roomBytes };
  context.out.result({
    json: { group: group.name, sources, space: room, pause: { ...pause }, warnings, problems },
    text: [
      table([
        ['source', 'in use there', 'at the last backup'],
        ...sources.map((each) => [
          each.tree,
          bytes(each.usedBytes),
          each.lastBytes === undefined ? 'never' : bytes(each.lastBytes),
        ]),
      ]),
      `would send about ${bytes(mostBytes)}, an estimate (${basis})`,
      `the store has ${bytes(space.freeBytes)} free and keeps ${bytes(reserve)}${warnings.length + problems.length === 0 ? ': it fits' : ''}`,
      `expected pause ${duration(pause.ms)} (${pause.basis})`,
      ...warnings.map((each) => printable(`WARNING ${each}`)),
      ...problems.map((each) => printable(`PROBLEM ${each}`)),
    ].join('\n'),
  });
  return problems.length === 0 ? EXIT.ok : EXIT.failed;
}

/** Each source with what its host shows of it. Of sources that share a file system each has all that is in use there, at most. */
function sourceLines(options: {
  setup: GroupSetup;
  checks: readonly { host: string; sources: Check['sources'] }[];
  last: StoreEntry | undefined;
}) {
  const { setup, checks, last } = options;
  return setup.group.sources.map((source) => {
    const shown = checks.find((each) => each.host === source.host)?.sources.find((each) => each.name === source.name);
    const before = last?.manifest?.sources.find((each) => each.tree === source.tree);
    return {
      tree: source.tree,
      usedBytes: shown?.usedBytes ?? 0,
      ...(before?.state === 'ok' ? { lastBytes: before.bytes } : {}),
      problems: shown === undefined ? ['its host does not show it: enrol the host again'] : shown.problems,
    };
  });
}
