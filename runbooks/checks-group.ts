/** Cross-checks of one group: its sources against each other and against the store, and everything it names. */
import { overlaps, storeFolder, unknownName, type KnownNames } from './checks-shared';
import { cronProblem } from './cron';
import { quote, type Finding } from './issues';
import { shortName, treeName } from './names';
import { cleanPath, groupHosts, hostsOf, sourceName } from './resolve';
import { type WrittenRunbook } from './schema';
import { type WrittenGroup } from './schema-group';

interface GroupCheck {
  name: string;
  group: WrittenGroup;
  written: WrittenRunbook;
  known: KnownNames;
}

/** A folder's name is at most 255 bytes long on every Linux file system. */
const MAX_TREE = 255;
/** Units that must keep running for us to reach the host, or for the freeze itself to end. */
const NEEDED_UNITS = /^(?:sshd?|docker|containerd|dbus|systemd-.*|resurgo.*)\.(?:service|socket)$/;

/** Every fault of one group that the schema alone can't see. */
export function checkGroup(check: GroupCheck): Finding[] {
  return [
    ...checkSources(check),
    ...checkTarget(check),
    ...checkNames(check),
    ...checkUnits(check),
    ...checkSchedule(check),
    ...checkNotify(check),
    ...checkPassphrases(check),
  ];
}

function checkSources({ name, group, written, known }: GroupCheck): Finding[] {
  return group.sources.flatMap((source, index) => {
    const path = ['groups', name, 'sources', index];
    const findings = unknownName({ path: [...path, 'host'], word: source.host, what: 'host', known: known.hosts });
    if (source.snapshot === 'system' && cleanPath(source.path) !== '/') {
      const message = `a source of kind ${quote('system')} is the whole machine: its path is ${quote('/')}. For this folder alone choose another kind`;
      findings.push({ path: [...path, 'path'], message, expected: quote('/') });
    }
    const tree = treeOf({ source, written });
    if (Buffer.byteLength(tree) > MAX_TREE) {
      const message = `gives a folder name of more than ${MAX_TREE} bytes in the backup: choose a folder with a shorter path`;
      findings.push({ path: [...path, 'path'], message });
    }
    const own = sourceName(source);
    for (const [before, other] of group.sources.slice(0, index).entries()) {
      if (other.host !== source.host) continue;
      if (sourceName(other) === own) {
        const hint = source.name === undefined ? 'give one of them a `name`' : 'rename one';
        const message = `source ${quote(own)} of host ${quote(source.host)} is there twice (also sources[${before}]): ${hint}`;
        findings.push({ path: source.name === undefined ? path : [...path, 'name'], message });
      }
      const [mine, theirs] = [cleanPath(source.path), cleanPath(other.path)];
      if (mine === theirs) {
        findings.push({
          path: [...path, 'path'],
          message: `${quote(mine)} is already sources[${before}] (${quote(sourceName(other))})`,
        });
      } else if (overlaps(mine, theirs)) {
        const whole = source.snapshot === 'system' || other.snapshot === 'system' ? ' (one is the whole machine)' : '';
        const message = `${quote(mine)} and ${quote(theirs)} (sources[${before}]) lie one inside the other${whole}: keep one of them`;
        findings.push({ path: [...path, 'path'], message });
      }
    }
    return findings;
  });
}

function treeOf({ source, written }: { source: WrittenGroup['sources'][number]; written: WrittenRunbook }): string {
  const host = shortName({ host: source.host, deployment: written.deployment ?? null });
  return treeName({ host, path: cleanPath(source.path) });
}

function checkTarget({ name, group, written, known }: GroupCheck): Finding[] {
  const path = ['groups', name];
  const findings = unknownName({ path: [...path, 'target'], word: group.target, what: 'store', known: known.stores });
  if (group.remote !== undefined) {
    const places = [...known.stores, ...known.hosts];
    findings.push(
      ...unknownName({ path: [...path, 'remote'], word: group.remote, what: 'store or host', known: places }),
    );
    if (group.remote === group.target) {
      findings.push({ path: [...path, 'remote'], message: 'is the target itself: an off-site copy lies elsewhere' });
    }
  }
  const store = Object.hasOwn(written.stores, group.target) ? written.stores[group.target] : undefined;
  if (!store) return findings;
  const folder = storeFolder(store);
  for (const [index, source] of group.sources.entries()) {
    // A whole machine leaves out what stores lie on it.
    if (source.snapshot === 'system' || source.host !== store.host || !overlaps(cleanPath(source.path), folder))
      continue;
    const message = `is on the target host and overlaps its own store (${quote(folder)}): a backup would copy itself`;
    findings.push({ path: [...path, 'sources', index, 'path'], message });
  }
  return findings;
}

/** Words of `order` that mean no host of the group. Only of a file without other faults: a host that one has hidden would be missed. */
export function checkOrder({ name, group, written }: Omit<GroupCheck, 'known'>): Finding[] {
  const hosts = groupHosts({ group, written });
  return group.restore.order.flatMap((word, index) => {
    if (hostsOf({ words: [word], hosts: written.hosts }).some((host) => hosts.includes(host))) return [];
    const meant = Object.hasOwn(written.hosts, word) ? 'this host is not' : 'no host with this label is';
    const message = `${meant} part of the group (${hosts.join(', ')}), and nothing would be stopped there: remove it, or name it in \`quiesce.hosts\` as well`;
    return [{ path: ['groups', name, 'restore', 'order', index], message, expected: hosts.join(', ') }];
  });
}

/** Hosts of units, hooks and health checks; words of `order` and `quiesce.hosts`; names that are there twice. */
function checkNames({ name, group, written, known }: GroupCheck): Finding[] {
  const path = ['groups', name];
  const { quiesce, restore } = group;
  const lists = [
    { at: [...path, 'quiesce', 'units'], items: quiesce.units, what: 'unit' },
    { at: [...path, 'quiesce', 'hooks', 'before'], items: quiesce.hooks.before, what: 'hook' },
    { at: [...path, 'quiesce', 'hooks', 'after'], items: quiesce.hooks.after, what: 'hook' },
    { at: [...path, 'restore', 'health'], items: restore.health, what: 'health check' },
  ];
  const findings = lists.flatMap(({ at, items, what }) =>
    items.flatMap((item, index) => [
      ...unknownName({ path: [...at, index, 'host'], word: item.host, what: 'host', known: known.hosts }),
      ...(items.slice(0, index).some((other) => other.host === item.host && other.name === item.name)
        ? [
            {
              path: [...at, index, 'name'],
              message: `${what} ${quote(item.name)} of host ${quote(item.host)} is there twice`,
            },
          ]
        : []),
    ]),
  );
  const labels = Object.values(written.hosts).flatMap((host) => host.labels);
  const words = [...new Set([...known.hosts, ...labels])];
  for (const [at, list] of [
    [[...path, 'restore', 'order'], restore.order],
    [[...path, 'quiesce', 'hosts'], quiesce.hosts],
  ] as const) {
    for (const [index, word] of list.entries()) {
      findings.push(...unknownName({ path: [...at, index], word, what: 'host or label', known: words }));
    }
  }
  return findings;
}

function checkUnits({ name, group }: GroupCheck): Finding[] {
  const path = ['groups', name, 'quiesce', 'units'];
  const findings: Finding[] = group.quiesce.units.flatMap((unit, index) =>
    NEEDED_UNITS.test(unit.name)
      ? [
          {
            path: [...path, index, 'name'],
            message: `${quote(unit.name)} must keep running: without it nobody could end the freeze`,
          },
        ]
      : [],
  );
  for (const [index, unit] of group.quiesce.units.entries()) {
    if (unit.by !== 'freeze' || /\.(?:service|slice|scope)$/.test(unit.name)) continue;
    const message = `${quote(unit.name)} has no processes to freeze: use \`by: stop\``;
    findings.push({ path: [...path, index, 'by'], message });
  }
  if (group.restore.stop === 'units' && group.quiesce.units.length === 0) {
    const message = 'is `units`, but `quiesce.units` names none: a restore would write under running services';
    findings.push({ path: ['groups', name, 'restore', 'stop'], message });
  }
  return findings;
}

function checkSchedule({ name, group }: GroupCheck): Finding[] {
  const problem = group.schedule ? cronProblem(group.schedule.cron) : null;
  if (problem === null) return [];
  const expected = 'five fields such as `30 1 * * *`';
  return [{ path: ['groups', name, 'schedule', 'cron'], message: `${problem}; expected ${expected}`, expected }];
}

function checkNotify({ name, group }: GroupCheck): Finding[] {
  return group.notify.flatMap(({ webhook, ping, secret }, index) => {
    const path = ['groups', name, 'notify', index];
    const findings: Finding[] = [];
    if ((webhook === undefined) === (ping === undefined)) {
      findings.push({ path, message: 'expected either `webhook` or `ping`', expected: 'webhook, ping' });
    }
    if (!secret) return findings;
    if (webhook === undefined)
      findings.push({ path: [...path, 'secret'], message: 'signs a `webhook`; a ping carries none' });
    findings.push(...checkSecret([...path, 'secret'], secret));
    return findings;
  });
}

function checkSecret(path: PropertyKey[], secret: object): Finding[] {
  if (Object.keys(secret).length === 1) return [];
  return [{ path, message: 'expected one of `file`, `env` and `command`', expected: 'file, env, command' }];
}

function checkPassphrases({ name, group, known }: GroupCheck): Finding[] {
  const { passphrases } = group.recover;
  return passphrases.flatMap(({ host, volume, secret }, index) => {
    const path = ['groups', name, 'recover', 'passphrases', index];
    const isTwice = passphrases.slice(0, index).some((other) => other.host === host && other.volume === volume);
    const twice = `the passphrase of ${quote(volume)} of host ${quote(host)} is there twice`;
    return [
      ...unknownName({ path: [...path, 'host'], word: host, what: 'host', known: known.hosts }),
      ...checkSecret([...path, 'secret'], secret),
      ...(isTwice ? [{ path: [...path, 'volume'], message: twice }] : []),
    ];
  });
}
