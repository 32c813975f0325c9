/** `resurgo backup --dry-run`: sizes, what would be sent, the space it needs, the pause to expect. Changes nothing, needs no engine. */
import { readBackups } from '../../hosts/backups';
import { check } from '../../hosts/verbs/reading';
import { storeSpace } from '../../hosts/verbs/store';
import { pauseEstimate, spaceEstimate } from '../../planning/estimate';
import type { GroupSetup } from '../../planning/run-input';
import type { CliContext } from '../context';
import { EXIT } from '../exit';
import { bytes, duration, table } from '../output';

/** Exit 1 where a backup could not go through as things are. */
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
  const good = listing.backups
    .flatMap((each) => (each.problem === undefined && each.manifest?.state === 'Completed' ? [each.manifest] : []))
    .reverse();
  const sources = group.sources.map((source) => {
    const shown = checks.find((each) => each.host === source.host)?.sources.find((each) => each.name === source.name);
    const last = good[0]?.sources.find((each) => each.tree === source.tree);
    return {
      tree: source.tree,
      usedBytes: shown?.usedBytes ?? 0,
      ...(last?.state === 'ok' ? { lastBytes: last.bytes } : {}),
      problems: shown === undefined ? ['its host does not show it: enrol the host again'] : shown.problems,
    };
  });
  const estimate = spaceEstimate({
    sources,
    store: {
      freeBytes: space.freeBytes,
      totalBytes: space.totalBytes ?? space.freeBytes,
      reservePercent: store.reservePercent,
    },
  });
  const pause = pauseEstimate({
    history: good.map((each) => each.pauseMs),
    hosts: checks.map((each) => ({ containers: each.containers.length, sources: each.sources.length })),
  });
  const problems = sources.flatMap((each) => each.problems.map((problem) => `${each.tree}: ${problem}`));
  context.out.result({
    json: { group: group.name, sources, space: { ...estimate }, pause: { ...pause }, problems },
    text: [
      table([
        ['source', 'in use at most', 'at the last backup'],
        ...sources.map((each) => [
          each.tree,
          bytes(each.usedBytes),
          each.lastBytes === undefined ? 'never' : bytes(each.lastBytes),
        ]),
      ]),
      `would send about ${bytes(estimate.sentBytes)} (${estimate.basis})`,
      `the store has ${bytes(estimate.freeBytes)} free and keeps ${bytes(estimate.reserveBytes)}: ${estimate.fits ? 'it fits' : `${bytes(estimate.missingBytes)} MISSING`}`,
      `expected pause ${duration(pause.ms)} (${pause.basis})`,
      ...problems.map((each) => `PROBLEM ${each}`),
    ].join('\n'),
  });
  return estimate.fits && problems.length === 0 ? EXIT.ok : EXIT.failed;
}
