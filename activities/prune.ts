/** Removing backups from a store: what is there, as retention sees it, and the removal of one. */
import { z } from 'zod';
import { readPrunable } from '../hosts/prunable';
import type { Prunable } from '../hosts/prunable';
import { runJob } from '../hosts/jobs';
import { jobName } from '../planning/ids';
import type { ActivityDeps } from './context';
import { asActivity, fenceFor, heartbeating, jobSignal } from './context';
import type { StoreInput } from './store';

/** Makes the activities `listPrunable` and `removeBackup`. */
export function pruneActivities({ hosts, genuineSigners }: ActivityDeps) {
  async function listPrunable(input: { group: string; store: StoreInput['store'] }): Promise<Prunable> {
    const { group, store } = input;
    const genuine = await genuineSigners();
    return readPrunable({ hosts, storeHost: store.host, store: store.name, group, genuine });
  }

  /** Removes one sealed backup; the host refuses what its own floor, a hold or a reader keeps. Idempotent. */
  async function removeBackup(input: StoreInput & { id: string }): Promise<{ removed: boolean }> {
    const { fence, store, id } = input;
    const step = `remove ${id}`;
    const { result } = await runJob({
      hosts,
      host: store.host,
      job: jobName({ run: fence.run, step: 'store-remove', key: id }),
      kind: 'store-remove',
      args: { store: store.name, id },
      fence: fenceFor({ fence, step }),
      step,
      signal: jobSignal(),
    });
    return { removed: z.looseObject({ removed: z.boolean().default(true) }).parse(result).removed };
  }

  return {
    listPrunable: (input: { group: string; store: StoreInput['store'] }) =>
      asActivity(() => heartbeating({ body: () => listPrunable(input) })),
    removeBackup: (input: StoreInput & { id: string }) =>
      asActivity(() => heartbeating({ body: () => removeBackup(input) })),
  };
}
