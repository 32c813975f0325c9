/** What a run leaves behind is taken away again: its jobs, grants and snapshots, on every host that can be reached. */
import { activityInfo } from '@temporalio/activity';
import { isAway } from '../hosts/errors';
import type { HostRef } from '../hosts/hosts';
import type { ActivityDeps, RunFence } from './context';
import { asActivity, fenceFor, forEachLimited, heartbeating } from './context';

export interface CleanupInput {
  fence: RunFence;
  hosts: HostRef[];
}

/** The attempt from which a host that is away is left to others; the ones before take some ten seconds, where it is said at once. */
const LAST_TRY = 4;

/** Makes the activities `closeGrants`, `dropSnapshots` and `forgetRun`. */
export function cleanupActivities({ hosts }: ActivityDeps) {
  /**
   * Visits every host; the ones that are away, in whatever way, are named, since the next run or `doctor --fix` must mend them. Not at
   * the first tries: an sshd that restarts must not leave a snapshot behind.
   */
  async function everywhere(
    input: CleanupInput,
    each: (host: HostRef) => Promise<unknown>,
  ): Promise<{ unreachable: string[] }> {
    const unreachable: string[] = [];
    await forEachLimited({
      items: input.hosts,
      limit: 64,
      each: async (host) => {
        try {
          await each(host);
        } catch (error) {
          if (!isAway(error) || activityInfo().attempt < LAST_TRY) throw error;
          unreachable.push(host.name);
        }
      },
    });
    return { unreachable };
  }

  const dropSnapshots = (input: CleanupInput) =>
    everywhere(input, (host) => {
      const args = {
        ...fenceFor({ fence: input.fence, step: 'drop snapshots' }),
        targetRun: input.fence.run,
        freeze: -1,
      };
      return hosts.call({ host, verb: 'snapshot.drop', step: 'drop snapshots', args, timeoutMs: 300_000 });
    });
  const closeGrants = (input: CleanupInput) =>
    everywhere(input, (host) =>
      hosts.call({
        host,
        verb: 'grant.close',
        step: 'close grants',
        args: fenceFor({ fence: input.fence, step: 'close grants' }),
      }),
    );
  /** Stops and forgets the run's jobs and removes its folder on the host. */
  const forgetRun = (input: CleanupInput) =>
    everywhere(input, (host) => {
      const args = { ...fenceFor({ fence: input.fence, step: 'forget run' }), targetRun: input.fence.run };
      return hosts.call({ host, verb: 'job.forget', step: 'forget run', args });
    });

  return {
    dropSnapshots: (input: CleanupInput) => asActivity(() => heartbeating({ body: () => dropSnapshots(input) })),
    closeGrants: (input: CleanupInput) => asActivity(() => heartbeating({ body: () => closeGrants(input) })),
    forgetRun: (input: CleanupInput) => asActivity(() => heartbeating({ body: () => forgetRun(input) })),
  };
}
