/** What `status` says of a group that a restore has stopped and not started again. Its hosts know, whatever became of the run since (S21). */
import { HostError } from '../../hosts/errors';
import type { Hosts } from '../../hosts/hosts';
import { status } from '../../hosts/verbs/reading';
import type { GroupSetup } from '../../planning/run-input';

/** One that is away holds up what the store says by so much, ms. */
const HOST_MS = 10_000;

/** A run, and where it keeps the group stopped. */
export interface Stopped {
  run: string;
  hosts: string[];
}

/** Asks the group's hosts. One that is away tells nothing here; `doctor` names it. */
export async function stoppedByRestores({ hosts, setup }: { hosts: Hosts; setup: GroupSetup }): Promise<Stopped[]> {
  const told = await Promise.all(
    setup.hosts.map(async (host) => {
      try {
        const now = await status({ hosts, host, group: setup.group.name, step: 'status', timeoutMs: HOST_MS });
        return now.restore === undefined ? [] : [{ run: now.restore, host: host.name }];
      } catch (error) {
        if (!(error instanceof HostError)) throw error;
        return [];
      }
    }),
  );
  const found = told.flat();
  return [...new Set(found.map(({ run }) => run))].map((run) => ({
    run,
    hosts: found.filter((each) => each.run === run).map(({ host }) => host),
  }));
}

/** In words. Of a run that the engine knows to be under way, or to wait, that is said already. */
export function stoppedWords(options: {
  group: string;
  stopped: readonly Stopped[];
  underWay: readonly string[];
}): string[] {
  const { group, stopped, underWay } = options;
  return stopped
    .filter(({ run }) => !underWay.includes(run))
    .map(
      ({ run, hosts }) =>
        `STOPPED on ${hosts.join(', ')} by restore ${run}, which is not finished, no backup begins: restore again, or start it as it is with resurgo start ${group} --as-it-is`,
    );
}
