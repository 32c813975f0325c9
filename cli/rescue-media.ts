/** What the `rescue` commands have in common: which group a host's media belong to, and the build that an id means. */
import { genuineSigners } from '../hosts/adopted-signers';
import { unknownKey } from '../hosts/backups';
import type { Hosts } from '../hosts/hosts';
import { isUsable, readRescueMedia, type RescueEntry, type RescueStore } from '../hosts/rescue-media';
import { pinRescue } from '../hosts/rescue-ref';
import type { RescueBuild } from '../planning/rescue-media';
import type { GroupSetup } from '../planning/run-input';
import type { Host, Runbook } from '../runbooks/types';
import type { CliContext } from './context';
import { CliError, EXIT } from './exit';
import { printable } from './output';

/** The group whose store keeps the media of all these hosts: it has a source on each. @throws CliError for none, or several */
export function groupOfHosts(asked: { runbook: Runbook; names: readonly string[]; group?: string }): string {
  const { runbook, names, group } = asked;
  for (const name of names) {
    if (!Object.hasOwn(runbook.hosts, name))
      throw new CliError(
        `the runbook has no host "${name}"; it knows ${Object.keys(runbook.hosts).join(', ')}`,
        EXIT.usage,
      );
  }
  const of = (name: string) =>
    Object.values(runbook.groups)
      .filter(({ sources }) => sources.some(({ host }) => host === name))
      .map((each) => each.name);
  if (group !== undefined) {
    const without = names.filter((name) => !of(name).includes(group));
    if (without.length === 0) return group;
    throw new CliError(
      `group "${group}" has no source on ${without.join(', ')}: media are kept for hosts that it backs up`,
      EXIT.usage,
    );
  }
  const [first = '', ...more] = names;
  const common = of(first).filter((each) => more.every((name) => of(name).includes(each)));
  const [only] = common;
  if (only !== undefined && common.length === 1) return only;
  throw new CliError(
    only === undefined
      ? `no group has a source on ${names.join(' and on ')}: media are kept in the store that keeps a host's backups`
      : `several groups have sources on ${names.join(', ')}: name one with --group: ${common.join(', ')}`,
    EXIT.usage,
  );
}

/** A group's media as the store shows them. */
export interface Media {
  setup: GroupSetup;
  runbook: Runbook;
  at: RescueStore;
  hosts: Hosts;
  /** The oldest of each host first. */
  entries: RescueEntry[];
  genuine: string[];
}

/** The media of a group, or of one host. */
export async function mediaOf(context: CliContext, asked: { group?: string; host?: Host }): Promise<Media> {
  const { setup, runbook } = await context.group(asked.group);
  const hosts = await context.hosts();
  const at = { hosts, storeHost: setup.storeHost, store: setup.store.name, group: setup.group.name };
  const entries = await readRescueMedia({ ...at, of: asked.host?.short });
  return { setup, runbook, at, hosts, entries, genuine: await genuineSigners({ stateDir: context.stateDir }) };
}

/** One host of the runbook. @throws CliError */
export function hostNamed({ runbook, name }: { runbook: Runbook; name: string }): Host {
  const host = Object.hasOwn(runbook.hosts, name) ? runbook.hosts[name] : undefined;
  if (host !== undefined) return host;
  throw new CliError(
    `the runbook has no host "${name}"; it knows ${Object.keys(runbook.hosts).join(', ')}`,
    EXIT.usage,
  );
}

/** One host's media and the one of them that an id or `latest` means. @throws CliError where there is none that can be used */
export async function buildOf(
  context: CliContext,
  asked: { name: string; id: string; group?: string },
): Promise<Media & { host: Host; build: RescueBuild }> {
  const { runbook } = context.runbook();
  const host = hostNamed({ runbook, name: asked.name });
  const group = groupOfHosts({ runbook, names: [asked.name], group: asked.group });
  const media = await mediaOf(context, { group, host });
  const { entries, genuine } = media;
  const next = `See \`resurgo rescue list ${host.name}\``;
  const found =
    asked.id === 'latest'
      ? entries.findLast((each) => isUsable(each, genuine))
      : entries.find((each) => each.id === asked.id);
  if (found === undefined)
    throw new CliError(
      entries.length === 0
        ? `the store keeps no rescue media of ${host.name}; build some: resurgo rescue build ${host.name}`
        : `the store keeps no ${asked.id === 'latest' ? 'usable rescue media' : `rescue media ${printable(asked.id)}`} of ${host.name}. ${next}`,
    );
  const { build } = found;
  if (build === undefined || !isUsable(found, genuine))
    throw new CliError(
      printable(
        `rescue media ${found.id} of ${host.name} are not to be used: ${troubleOf(found, genuine) ?? ''}. ${next}`,
      ),
    );
  return { ...media, host, build };
}

/** Why media are not to be used; undefined where they are. */
export function troubleOf(entry: RescueEntry, genuine: readonly string[]): string | undefined {
  if (entry.problem !== undefined) return entry.problem;
  const { signedBy } = entry;
  if (signedBy !== undefined && !genuine.includes(signedBy)) return `${unknownKey(signedBy)}, see resurgo adopt`;
  return undefined;
}

/** Notes the host keys that the newest usable media have, as on a director that has not built them itself. */
export async function notePinned(context: CliContext, { runbook, entries, genuine }: Media): Promise<void> {
  for (const { name, short } of Object.values(runbook.hosts)) {
    const hostKey = entries.findLast((each) => each.host === short && isUsable(each, genuine))?.build?.hostKey;
    if (typeof hostKey === 'string') await pinRescue({ stateDir: context.stateDir, host: name, hostKey });
  }
}
