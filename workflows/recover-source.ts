/** What a recovery takes from the backup: the machine's whole system, its layout, and the place that the data goes to. Pure glue. */
import { ApplicationFailure } from '@temporalio/workflow';
import type { LayoutRef } from '../activities/recover-look';
import type { RestoreItemRef } from '../activities/restore-item';
import { LUKS_FOLDER, type LuksHeader } from '../planning/luks-headers';
import type { Manifest } from '../planning/manifest';
import type { RecoverInput } from '../planning/run-input';

/** Where the new system is put together on the rescue system; its tree's name is a folder below. */
const PLACE = '/mnt/new';
/** Where headers of encrypted volumes wait there until they are put back. */
const HEADERS_PLACE = '/mnt/headers';

export interface RecoverySource {
  layout: LayoutRef;
  tree: string;
  /** The mount points that the backup holds; null where its manifest does not tell. */
  held: string[] | null;
  /** The headers of its encrypted volumes that the backup holds. */
  headers: LuksHeader[];
  /** The data's way from the store to the rescue system. */
  item: RestoreItemRef;
  warnings: string[];
}

/** The way of the headers alone, into the rescue system's memory. */
export function headersItem({ backup, store, destination, dial }: RestoreItemRef): RestoreItemRef {
  return {
    backup: { ...backup, subpath: LUKS_FOLDER },
    store,
    destination: { ...destination, folder: HEADERS_PLACE },
    ...{ single: false, dial, protect: [], deletes: false },
  };
}

/** @throws a failure `not-recoverable` that says what the backup lacks */
export function recoverySource({ input, manifest }: { input: RecoverInput; manifest: Manifest }): RecoverySource {
  const { setup, host, rescue, id } = input;
  const refuse = (why: string): never => {
    throw ApplicationFailure.nonRetryable(
      `backup ${id} of ${setup.group.name} can't make ${host.name} again from bare metal: ${why}. Take another backup (--backup ID); single data come back with \`resurgo restore\``,
      'not-recoverable',
    );
  };
  const source = manifest.sources.find((each) => each.host === host.short && each.kind === 'system');
  if (source === undefined)
    return refuse(
      `it holds no whole system of it. Give the group a source \`{ host: ${host.name}, path: /, snapshot: system }\` and back it up`,
    );
  if (source.state === 'missing') return refuse(`the system of it is missing there: ${source.reason}`);
  const layout = manifest.layouts.find((each) => each.host === host.short);
  if (layout === undefined) return refuse('it holds no layout of its disks');
  const { sha256, recoverable, reasons } = layout;
  if (!recoverable || sha256 === null) return refuse(reasons.join('; '));
  const { luksHeaders: headers = [] } = source;
  const store = { name: setup.store.name, group: setup.group.name, host: setup.storeHost };
  return {
    layout: { store, id, host: host.short, sha256 },
    tree: source.tree,
    held: source.identity.parts?.map(({ path }) => path) ?? null,
    headers,
    item: {
      backup: { id, tree: source.tree, subpath: null },
      store,
      destination: { host: rescue, source: null, folder: PLACE },
      single: false,
      // Who may connect to whom is a matter of firewalls, so it is the same for a backup and its recovery.
      dial: setup.group.transfer.direction === 'push' ? 'in' : 'out',
      protect: [],
      // What the file systems themselves put there (lost+found) stays.
      deletes: false,
      fresh: true,
      // They have gone back to where they came from.
      ...(headers.length === 0 ? {} : { withoutHeaders: true as const }),
    },
    warnings: reasons,
  };
}
