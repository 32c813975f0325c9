/** `resurgo layout check`: whether hosts are still what their last backups and rescue media say. For a timer: the exit code tells. */
import { genuineSigners } from '../../hosts/adopted-signers';
import { isUsable, readRescueMedia } from '../../hosts/rescue-media';
import { layoutChanges, layoutSum, type LayoutChange } from '../../planning/layout-diff';
import type { Layout } from '../../planning/layout-schema';
import type { CliContext } from '../context';
import { CliError, EXIT } from '../exit';
import { changeLines } from '../layout-changes';
import { comparable, presentLayout, storedLayout } from '../host-layouts';
import { printable } from '../output';

/** The newest media of a host that can be used, and whether they were built for another layout; null where none are kept. */
type Media = { id: string; group: string; changed: boolean } | { unknown: string } | null;

/** What is known of one host: the changes since a backup, or why nothing can be told. Without `media` where the host did not tell its layout. */
type Checked = { host: string; media?: Media } & (
  { since: { id: string; group: string }; changes: LayoutChange[] } | { unknown: string }
);

/** Changed weighs more than unknown: a host that has changed is certain. */
export async function checkLayouts(context: CliContext, asked: { hosts: string[]; all?: true }): Promise<number> {
  const { runbook } = context.runbook();
  const backedUp = new Set(Object.values(runbook.groups).flatMap(({ hosts }) => hosts));
  if (asked.all === true && asked.hosts.length > 0) throw new CliError('name hosts, or give --all', EXIT.usage);
  const names = asked.all === true ? Object.keys(runbook.hosts).filter((name) => backedUp.has(name)) : asked.hosts;
  if (names.length === 0) throw new CliError('name the hosts to look at, or give --all', EXIT.usage);
  const strange = names.filter((name) => !Object.hasOwn(runbook.hosts, name));
  if (strange.length > 0)
    throw new CliError(`the runbook has no host ${strange.map((name) => `"${name}"`).join(', ')}`, EXIT.usage);
  const all = await Promise.all([...new Set(names)].map((host) => checkOne(context, host)));
  context.out.result({
    json: {
      hosts: all.map((each) =>
        'unknown' in each ? { ...each } : { ...each, changes: each.changes.map((change) => ({ ...change })) },
      ),
    },
    text: all.flatMap(lines).join('\n'),
  });
  if (all.some(hasChanged)) return EXIT.failed;
  return all.some(({ media, ...each }) => 'unknown' in each || isUnknown(media)) ? EXIT.incomplete : EXIT.ok;
}

function hasChanged(checked: Checked): boolean {
  const { media } = checked;
  return ('changes' in checked && checked.changes.length > 0) || isOld(media);
}

function isOld(media: Media | undefined): media is { id: string; group: string; changed: true } {
  return media !== undefined && media !== null && 'changed' in media && media.changed;
}

function isUnknown(media: Media | undefined): media is { unknown: string } {
  return media !== undefined && media !== null && 'unknown' in media;
}

async function checkOne(context: CliContext, host: string): Promise<Checked> {
  // Exit 1 says that something has changed: what could not be looked at must not say it.
  const [stored, present] = await Promise.allSettled([
    storedLayout(context, { host, id: 'latest' }),
    presentLayout(context, host).then(comparable),
  ]);
  if (present.status === 'rejected')
    return { host, unknown: messageOf(stored.status === 'rejected' ? stored.reason : present.reason) };
  const now = present.value;
  const media = await mediaSince(context, { host, now }).catch((error: unknown) => ({ unknown: messageOf(error) }));
  if (stored.status === 'rejected') return { host, unknown: messageOf(stored.reason), media };
  const { layout, id, group } = stored.value;
  return { host, since: { id, group }, changes: layoutChanges({ before: layout, after: now }), media };
}

async function mediaSince(context: CliContext, { host, now }: { host: string; now: Layout }): Promise<Media> {
  const { runbook } = context.runbook();
  const groups = Object.values(runbook.groups).filter(({ sources }) => sources.some((each) => each.host === host));
  const genuine = await genuineSigners({ stateDir: context.stateDir });
  const hosts = await context.hosts();
  let newest: { id: string; group: string; changed: boolean } | null = null;
  for (const { name: group } of groups) {
    const { setup } = await context.group(group);
    const at = { hosts, storeHost: setup.storeHost, store: setup.store.name, group };
    const entries = await readRescueMedia({ ...at, of: runbook.hosts[host]?.short, step: 'layout check' });
    const build = entries.findLast((each) => isUsable(each, genuine))?.build;
    if (build !== undefined && (newest === null || build.id > newest.id))
      newest = { id: build.id, group, changed: build.layoutSha256 !== layoutSum(now) };
  }
  return newest;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function lines(checked: Checked): string[] {
  const { host, media } = checked;
  const image = mediaLines({ host, media });
  if ('unknown' in checked) return [printable(`${host}: NOT KNOWN: ${checked.unknown}`), ...image];
  const { since, changes } = checked;
  const backup = `backup ${since.id} of ${since.group}`;
  if (changes.length === 0) return [`${host}: as in ${backup}`, ...image];
  return [`${host}: CHANGED since ${backup}`, ...changeLines(changes).map((line) => `  ${line}`), ...image];
}

function mediaLines({ host, media }: { host: string; media: Media | undefined }): string[] {
  if (media === undefined) return [];
  if (media === null) return [`${host}: no rescue media of it are kept`];
  if ('unknown' in media) return [printable(`${host}: NOT KNOWN of its rescue media: ${media.unknown}`)];
  const { id, group, changed } = media;
  return [
    changed
      ? `${host}: CHANGED since rescue media ${id} of ${group}, which were built for another layout: build them again (resurgo rescue build ${host})`
      : `${host}: as when rescue media ${id} of ${group} were built`,
  ];
}
