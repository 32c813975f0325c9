/** What a host allows, from the runbook: `/etc/resurgo/host.conf` and the other files of its root. Pure. */
import { createHash } from 'node:crypto';
import type { ContainerChoice, Group, Runbook, Source } from '../../runbooks/types';
import { encodeValue } from '../request';

export interface HostConfigInput {
  runbook: Runbook;
  /** The host's name in the runbook. */
  host: string;
  /** The director's raw public signing key, hex. */
  signerHex: string;
}

/** The whole of `host.conf` for one host, in a fixed order. @throws RangeError for a host that the runbook does not know */
export function hostConfig({ runbook, host, signerHex }: HostConfigInput): string {
  const entry = runbook.hosts[host];
  if (entry === undefined) throw new RangeError(`the runbook has no host ${host}`);
  const groups = Object.values(runbook.groups).sort(byName);
  const stores = Object.values(runbook.stores)
    .filter((store) => store.host === host)
    .sort(byName);
  const lines = [
    line('host', host),
    ...groups.flatMap((group) => groupLines(group, host)),
    ...[...entry.restoreTo].sort().map((path) => line('restore-to', path)),
    ...stores.map(({ name, kind, place, compression, reservePercent }) =>
      line('store', name, kind, place, compression, reservePercent),
    ),
    ...stores.flatMap(({ name }) =>
      groups.filter((group) => group.target === name).flatMap((group) => taken(name, group)),
    ),
    ...(stores.length > 0 ? [line('signer', signerHex)] : []),
    ...exemptLabels(groups.filter((group) => group.hosts.includes(host))).map((label) => line('exempt-label', label)),
  ];
  return `# Written by \`resurgo enroll\`; what it allows is changed in the runbook. Lines \`arm-system PATH\` are this root's own and stay.\n${lines.join('\n')}\n`;
}

function groupLines(group: Group, host: string): string[] {
  const { name, quiesce, restore } = group;
  const sources = group.sources.filter((source) => source.host === host).sort(byName);
  const takesPart = group.hosts.includes(host);
  const here = <T extends { host: string }>(entries: readonly T[]) => entries.filter((entry) => entry.host === host);
  return [
    ...sources.map((source) => sourceLine(name, source)),
    ...sources.flatMap((source) => source.exclude.map((pattern) => line('exclude', name, source.name, pattern))),
    ...(takesPart ? [line('containers', name, containerWord(quiesce.containers))] : []),
    ...here(quiesce.units).map((unit) => line('unit', name, unit.by, unit.name)),
    ...(['before', 'after'] as const).flatMap((phase) =>
      here(quiesce.hooks[phase]).map((hook) => line('hook', name, phase, hook.name, hook.timeoutS, hook.command)),
    ),
    ...(takesPart ? [line('workload', name, restore.stop), line('max-pause', name, quiesce.maxPauseS)] : []),
    ...here(restore.health).map((check) => line('health', name, check.name, check.timeoutS, check.command)),
  ];
}

/** The words that lines of a group begin with, and what a person calls them. */
const GROUP_WORDS = [
  ['source', 'sources'],
  ['exclude', 'excludes'],
  ['containers', 'containers'],
  ['unit', 'units'],
  ['hook', 'hooks'],
  ['workload', 'how a restore stops it'],
  ['max-pause', 'the longest pause'],
  ['health', 'health checks'],
] as const;

/**
 * What the host's configuration and the runbook do not say the same of a group.
 * @param at.sums as verb `check` tells them: SHA-256, hex, of the group's lines by their first word
 */
export function configDrift(at: { group: Group; host: string; sums: Readonly<Record<string, string>> }) {
  const lines = groupLines(at.group, at.host);
  const differing = GROUP_WORDS.filter(([word]) => {
    const own = lines.filter((each) => each.startsWith(`${word} `)).map((each) => `${each}\n`);
    return at.sums[word] !== sumOf(own.join(''));
  });
  return differing.map(([word, called]) => ({ word, called }));
}

/**
 * Labels whose containers the runbook wants never paused, and that the host does not know.
 * @param at.sums as verb `check` tells them
 */
export function exemptUnknown(at: { group: Group; sums: readonly string[] }): string[] {
  const known = new Set(at.sums);
  return at.group.quiesce.exempt.filter((label) => !known.has(sumOf(encodeValue(label))));
}

function sumOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** A kind's word there is a part of shell functions' names. */
function sourceLine(group: string, source: Source): string {
  const { name, snapshot, path, tree, snapshotRoomPercent, luksHeaders } = source;
  const room = snapshot === 'lvm' || snapshot === 'system' ? [snapshotRoomPercent] : [];
  const headers = snapshot === 'system' && !luksHeaders ? ['no-headers'] : [];
  return line('source', group, name, snapshot.replaceAll('-', '_'), path, tree, ...room, ...headers);
}

/** What a store takes, from which host, and the floor of what it keeps (S27). */
function taken(store: string, group: Group): string[] {
  const { last, daily, weekly, monthly, yearly } = group.keep;
  return [
    ...[...group.sources]
      .sort((one, other) => (one.tree < other.tree ? -1 : 1))
      .map((source) => line('accept', store, group.name, source.tree, source.host)),
    line('keep', store, group.name, last, daily, weekly, monthly, yearly),
  ];
}

function containerWord(choice: ContainerChoice): string {
  return choice.mode === 'label' ? `label:${choice.label}` : choice.mode;
}

function exemptLabels(groups: readonly Group[]): string[] {
  return [...new Set(groups.flatMap((group) => group.quiesce.exempt))].sort();
}

/** One fact; every field is percent-encoded, so no value can become another line or field. */
function line(kind: string, ...fields: (string | number)[]): string {
  return [kind, ...fields.map((field) => encodeValue(String(field)))].join(' ');
}

function byName(one: { name: string }, other: { name: string }): number {
  return one.name < other.name ? -1 : one.name > other.name ? 1 : 0;
}

/**
 * The hosts whose identity a host must know: data goes between a source and its target, in either direction, and from the target into
 * the folders that `restore_to` names on the group's hosts or on the target itself, which then is its own peer.
 */
export function peersOf({ runbook, host }: { runbook: Runbook; host: string }): string[] {
  const peers = new Set<string>();
  for (const group of Object.values(runbook.groups)) {
    const target = runbook.stores[group.target]?.host;
    if (target === undefined) continue;
    const folders = [...group.hosts, target].filter((name) => runbook.hosts[name]?.restoreTo.length);
    const others = [...group.sources.map((source) => source.host), ...folders];
    if (target === host) for (const other of others) peers.add(other);
    if (others.includes(host)) peers.add(target);
  }
  return [...peers].sort();
}

/** `/etc/resurgo/peers`: allowed signers of grants, and of nothing else. */
export function peersFile(identities: ReadonlyMap<string, string>): string {
  const lines = [...identities].sort(([one], [other]) => (one < other ? -1 : 1));
  return lines.map(([name, key]) => `${name} namespaces="resurgo-grant" ${key}\n`).join('') || '# no peers\n';
}

/** The sudoers fragment: one command without arguments for this user, one kept variable (S26). */
export function sudoers({ user }: { user: string }): string {
  return `# Written by \`resurgo enroll\`.
Defaults!/usr/local/lib/resurgo/hostkit env_keep += "RESURGO_GRANT"
Defaults!/usr/local/lib/resurgo/hostkit !requiretty
${user} ALL=(root) NOPASSWD: /usr/local/lib/resurgo/hostkit ""
`;
}

/** The jump's key file: it may forward to the hosts behind this one, and do nothing else. Empty when none is. */
export function jumpFile({ runbook, host, jumpKey }: { runbook: Runbook; host: string; jumpKey: string }): string {
  const behind = Object.values(runbook.hosts)
    .filter((entry) => entry.via === host)
    .sort(byName);
  if (behind.length === 0) return '';
  const permits = behind.map(({ address, port }) => `permitopen="${bracketed(address)}:${port}"`);
  // Port 1 can't be listened on by this user: forwarding back is not wanted.
  return `restrict,port-forwarding,permitlisten="127.0.0.1:1",${permits.join(',')},command="exit 1" ${jumpKey}\n`;
}

function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}
