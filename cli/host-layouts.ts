/** Layouts of a host: as it is now, and as one of its backups holds it, checked against the signed manifest. No engine needed. */
import { genuineSigners } from '../hosts/adopted-signers';
import { isGenuine, isWhole, readBackups, unknownKey, type StoreEntry } from '../hosts/backups';
import { readLayout as readSealed } from '../hosts/layouts';
import { layoutFacts } from '../hosts/verbs/reading';
import { readLayout } from '../planning/layout-read';
import type { Layout } from '../planning/layout-schema';
import { fleetHost, type GroupSetup } from '../planning/run-input';
import type { CliContext } from './context';
import { CliError, EXIT } from './exit';

/** What the host says now. @throws HostError */
export async function presentLayout(context: CliContext, asked: string): Promise<Layout> {
  const { runbook } = context.runbook();
  const host = fleetHost({ runbook, name: asked });
  const facts = await layoutFacts({ hosts: await context.hosts(), host, step: 'layout' });
  return readLayout({ facts, host: host.short, capturedAt: new Date() });
}

/** The same layout. @throws CliError where the host could not tell its disks: that they are gone would be no true answer */
export function comparable(layout: Layout): Layout {
  const unknown = layout.limits.find(({ what }) => what === 'the disks');
  if (unknown === undefined) return layout;
  throw new CliError(
    `${layout.host} does not tell which disks it has (${unknown.why}), so there is nothing to compare`,
  );
}

export interface StoredLayout {
  layout: Layout;
  /** The backup, and the group that it is of. */
  id: string;
  group: string;
}

/** A backup that says that it holds a layout of the host. */
interface Candidate {
  entry: StoreEntry;
  setup: GroupSetup;
  sha256: string;
}

/**
 * The layout in the backup `id`, or with `latest` in the newest that holds one of this host, whichever of its groups that is of; of whole
 * backups alone where `whole` says so.
 * @throws CliError where none does, or where it is not the one that was signed; HostError
 */
export async function storedLayout(
  context: CliContext,
  asked: { host: string; id: string; whole?: true },
): Promise<StoredLayout> {
  const { runbook } = context.runbook();
  const known = runbook.hosts[asked.host];
  const host = known?.short ?? asked.host;
  const groups = Object.entries(runbook.groups).filter(
    ([, { hosts }]) => known === undefined || hosts.includes(asked.host),
  );
  if (groups.length === 0)
    throw new CliError(`${asked.host} is in no group of the runbook: nothing of it is backed up`);
  const hosts = await context.hosts();
  const found: Candidate[] = [];
  const lacking: string[] = [];
  for (const [name] of groups) {
    const { setup } = await context.group(name);
    const { storeHost, store } = setup;
    const { backups } = await readBackups({ hosts, storeHost, store: store.name, group: name, step: 'read layout' });
    for (const entry of backups.filter((each) => asked.id === 'latest' || each.id === asked.id)) {
      if (asked.whole === true && !isWhole(entry)) continue;
      const sha256 = entry.manifest?.layouts.find((each) => each.host === host)?.sha256;
      if (typeof sha256 === 'string') found.push({ entry, setup, sha256 });
      else lacking.push(`${entry.id} of ${name}: ${whyNone(entry, host)}`);
    }
  }
  const genuine = await genuineSigners({ stateDir: context.stateDir });
  const usable = found.filter(({ entry }) => entry.problem === undefined && isGenuine(entry, genuine));
  const newest = usable.reduce<Candidate | undefined>(
    (best, each) => (best === undefined || each.entry.id > best.entry.id ? each : best),
    undefined,
  );
  if (newest === undefined) throw none({ host: asked.host, id: asked.id, found, lacking });
  const { entry, setup, sha256 } = newest;
  const group = setup.group.name;
  const from = { hosts, storeHost: setup.storeHost, store: setup.store.name, group, id: entry.id, host };
  const read = await readSealed(from);
  if (read.sha256 !== sha256)
    throw new CliError(
      `the layout of ${asked.host} in backup ${entry.id} is not the one that was signed: it was changed in the store, or is damaged. Take another backup's with --backup ID`,
    );
  return { layout: read.layout, id: entry.id, group };
}

function whyNone({ manifest, problem }: StoreEntry, host: string): string {
  if (manifest === undefined) return problem ?? 'it can’t be read';
  const entry = manifest.layouts.find((each) => each.host === host);
  return entry?.reasons.join('; ') ?? 'it holds none of this host';
}

function none(about: { host: string; id: string; found: readonly Candidate[]; lacking: readonly string[] }): CliError {
  const { host, id, found, lacking } = about;
  const unusable = found.map(({ entry }) => `${entry.id}: ${entry.problem ?? unknownKey(entry.signedBy ?? '')}`);
  const why = [...unusable, ...lacking].slice(-3).join('; ');
  const what = id === 'latest' ? `no backup holds a layout of ${host}` : `backup ${id} gives no layout of ${host}`;
  const next =
    'Backups keep layouts since the hostkits of host and target know them: resurgo enroll HOST --update, then a backup';
  return new CliError(`${what}${why === '' ? '' : ` (${why})`}. ${next}`, EXIT.failed);
}
