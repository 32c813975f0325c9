/** What a restore reads of a backup before anything else: its manifest, and what a path of it is. From the store alone. */
import { readBackups } from '../hosts/backups';
import { HostError } from '../hosts/errors';
import { listingLines } from '../hosts/listings';
import { escapePath, readListing } from '../planning/listing';
import type { Manifest } from '../planning/manifest';
import type { FleetHost } from '../planning/run-input';
import type { ActivityDeps } from './context';
import { asActivity, heartbeating } from './context';
import type { RestoreItemRef } from './restore-item';

interface BackupRef {
  group: string;
  store: { name: string; host: FleetHost };
  id: string;
}

interface PathRef {
  store: RestoreItemRef['store'];
  id: string;
  tree: string;
  subpath: string;
}

/** Makes the activities `readBackup` and `lookUp`. */
export function restoreReading({ hosts, genuineSigners }: Pick<ActivityDeps, 'hosts' | 'genuineSigners'>) {
  /** One backup's manifest. @throws a failure `not-found` or `damaged`; a bad signature is never passed over (S19) */
  async function readBackup(input: BackupRef): Promise<{ manifest: Manifest; signedBy: string }> {
    const { backups } = await readBackups({
      hosts,
      storeHost: input.store.host,
      store: input.store.name,
      group: input.group,
    });
    const found = backups.find((each) => each.id === input.id);
    const at = { host: input.store.host.name, verb: 'store.list', step: 'read backup' };
    if (found === undefined)
      throw new HostError({ ...at, code: 'not-found', message: `there is no backup ${input.id} of ${input.group}` });
    if (found.manifest === undefined || found.signedBy === undefined || found.problem !== undefined) {
      throw new HostError({
        ...at,
        code: 'identity-changed',
        message: `backup ${input.id}: ${found.problem ?? 'not signed'}`,
        next: 'restore another backup, or look at the store by hand (docs/stores.md)',
      });
    }
    if (!(await genuineSigners()).includes(found.signedBy)) {
      throw new HostError({
        ...at,
        code: 'not-allowed',
        message: `backup ${input.id} is signed by a key that this director does not know, ${found.signedBy}`,
        next: `restore it from the director that made it, or look whose it is with \`resurgo adopt ${input.group}\` and retry this step`,
      });
    }
    return { manifest: found.manifest, signedBy: found.signedBy };
  }

  /** Whether a path of a backup is a folder, or a single file; told by the listing that was sealed. */
  async function lookUp(input: PathRef): Promise<{ single: boolean }> {
    const { store, id, tree, subpath } = input;
    const step = 'look up path';
    const wanted = escapePath(subpath);
    const ref = { storeHost: store.host, store: store.name, group: store.group, id, tree };
    for await (const line of readListing(listingLines({ hosts, ref, step }))) {
      if (line.kind === 'entry' && line.entry.path === wanted) return { single: line.entry.type !== 'd' };
    }
    throw new HostError({
      host: store.host.name,
      verb: 'store.listing',
      step,
      code: 'not-found',
      message: `backup ${id} holds no ${subpath} in ${tree}`,
      next: 'look for it with `resurgo find`',
    });
  }

  return {
    lookUp: (input: PathRef) => asActivity(() => heartbeating({ body: () => lookUp(input) })),
    readBackup: (input: BackupRef) => asActivity(() => heartbeating({ body: () => readBackup(input) })),
  };
}
