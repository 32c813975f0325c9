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

export interface StoppedSide {
  stopped: Stopped[];
  /** Hosts that gave no answer, so that nobody knows of them. */
  away: string[];
}

/** Asks the group's hosts. */
export async function stoppedByRestores({ hosts, setup }: { hosts: Hosts; setup: GroupSetup }): Promise<StoppedSide> {
  const away: string[] = [];
  const told = await Promise.all(
    setup.hosts.map(async (host) => {
      try {
        const now = await status({ hosts, host, group: setup.group.name, step: 'status', timeoutMs: HOST_MS });
        return now.restore === undefined ? [] : [{ run: now.restore, host: host.name }];
      } catch (error) {
        if (!(error instanceof HostError)) throw error;
        away.push(host.name);
        return [];
      }
    }),
  );
  const found = told.flat();
  const runs = [...new Set(found.map(({ run }) => run))];
  const hostsOf = (run: string) => found.filter((each) => each.run === run).map(({ host }) => host);
  return { stopped: runs.map((run) => ({ run, hosts: hostsOf(run) })), away: away.sort() };
}

/** In words. Of a run that the engine knows to be under way, or to wait, that is said already; `underWay` is undefined where it can't be asked. */
export function stoppedWords(options: {
  group: string;
  stopped: readonly Stopped[];
  underWay: readonly string[] | undefined;
}): string[] {
  const { group, stopped, underWay } = options;
  const again = `restore again, or start it as it is with resurgo start ${group} --as-it-is`;
  const next =
    underWay === undefined
      ? `if it waits for an answer, the engine knows (resurgo engine start, then resurgo runs); if not, ${again}`
      : again;
  return stopped
    .filter(({ run }) => underWay?.includes(run) !== true)
    .map(
      ({ run, hosts }) =>
        `STOPPED on ${hosts.join(', ')} by restore ${run}, which is not finished, no backup begins: ${next}`,
    );
}

/** What nobody knows, in words. */
export function notAskedWords({ away }: { away: readonly string[] }): string[] {
  return away.length === 0 ? [] : [`whether a restore keeps it stopped is not known of ${away.join(', ')}: no answer`];
}
