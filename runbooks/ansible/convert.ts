/** From an inventory in the SBDI manner to the fields of a runbook. */
import { nameJumps, type ImportedHost, type Jump } from './jumps';
import { membersOf, variablesOf, type Inventory, type NotCarried, type Variable } from './inventory';
import { type Usage } from './left-over';
import { groupsWithRole, withRole, type Conversion } from './roles';
import { sourcesOf, type ImportedSource } from './sources';
import { storesOf, type ImportedStore } from './stores';
import { valuesOf, type Values } from './values';

export interface Imported {
  deployment?: string;
  hosts: Record<string, ImportedHost>;
  stores: Record<string, ImportedStore>;
  groups: Record<string, unknown>;
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
/** Prefixes that can only be a deployment's, where no variable says it. */
const DEPLOYMENTS = /^(prod|production|staging|stage|test|testing|dev|devel|uat|qa|demo)-[A-Za-z]/;

/** The runbook's fields; everything that has no place in it goes to `report`, and `usage` tells which variables went into it. */
export function convert({ inventory, report }: { inventory: Inventory; report: (entry: NotCarried) => void }): {
  imported: Imported;
  usage: Usage;
} {
  const names = [...inventory.hosts.values()].filter((host) => {
    if (NAME.test(host.name)) return true;
    report({ file: host.file, line: host.line, text: host.name, reason: 'is no host name that a runbook can have' });
    return false;
  });
  const usage: Usage = {
    hosts: new Map(names.map(({ name: host }) => [host, variablesOf({ inventory, host })])),
    used: new Set(),
  };
  const use = (variable: Variable) => usage.used.add(variable);
  const values = new Map([...usage.hosts].map(([host, vars]) => [host, valuesOf({ host, vars, report, use })]));
  const conversion: Conversion = { inventory, values, report };
  const deployment = deploymentOf(conversion);
  const hosts = hostsOf(conversion);
  const stores = storesOf({ conversion, deployment });
  const groups = groupsOf({ conversion, stores });
  return { imported: { ...(deployment !== undefined && { deployment }), hosts, stores, groups }, usage };
}

/** What all hosts state, or what all their names begin with; the latter is told, and what only some of them state. */
function deploymentOf({ inventory, values, report }: Conversion): string | undefined {
  const variables = ['deployment_prefix', 'deployment'];
  const stated = new Map(
    [...values].map(([host, value]) => [host, value.text(...variables)?.replace(/-+$/, '') ?? '']),
  );
  const words = new Set(stated.values());
  const [only = ''] = words;
  if (words.size === 1 && only !== '') return only;
  const prefixes = new Set([...values.keys()].map((name) => DEPLOYMENTS.exec(name)?.[1]));
  const [inferred] = prefixes;
  const [first] = inventory.hosts.values();
  if (
    first &&
    inferred !== undefined &&
    prefixes.size === 1 &&
    [...words].every((word) => ['', inferred].includes(word))
  ) {
    const reason = `not every host states a deployment: \`${inferred}\` is assumed, as all names begin with it; check it`;
    report({ file: first.file, line: first.line, text: first.name, reason });
    return inferred;
  }
  for (const [host, word] of stated) {
    const origin = values.get(host)?.origin(...variables);
    if (word === '' || !origin) continue;
    const reason = `the deployment \`${word}\` is not carried, as not every host states it: a runbook has one, written as \`deployment:\``;
    report({ file: origin.file, line: origin.line, text: origin.text, reason });
  }
  return undefined;
}

function hostsOf({ inventory, values, report }: Conversion): Record<string, ImportedHost> {
  const hosts: Record<string, ImportedHost> = {};
  const jumps: Jump[] = [];
  for (const [name, value] of values) {
    const address = value.text('ansible_host', 'ansible_ssh_host');
    const port = value.int('ansible_port', 'ansible_ssh_port');
    const user = value.text('ansible_user', 'ansible_ssh_user');
    const labels = labelsOf({ name, inventory, hosts: values, report });
    hosts[name] = {
      ...(address !== undefined && address !== name && { address }),
      ...(port !== undefined && port !== 22 && { port }),
      ...(user !== undefined && user !== 'root' && { admin_user: user }),
      ...(labels.length > 0 && { labels }),
    };
    for (const variable of ['ansible_ssh_common_args', 'ansible_ssh_extra_args']) {
      const args = value.text(variable);
      const origin = value.origin(variable);
      if (args !== undefined && origin) jumps.push({ host: name, args, origin });
    }
  }
  nameJumps({ jumps, hosts, report });
  return hosts;
}

function labelsOf({
  name,
  inventory,
  hosts,
  report,
}: {
  name: string;
  inventory: Inventory;
  hosts: Map<string, Values>;
  report: (entry: NotCarried) => void;
}): string[] {
  return [...inventory.groups.keys()].filter((group) => {
    if (group === 'all' || group === 'ungrouped') return false;
    if (!membersOf({ inventory, group }).includes(name)) return false;
    if (NAME.test(group) && !hosts.has(group)) return true;
    const { file, line } = inventory.hosts.get(name) ?? { file: '', line: 1 };
    report({
      file,
      line,
      text: `[${group}]`,
      reason: 'as a label this group would have the name of a host, or is no name',
    });
    return false;
  });
}

function groupsOf({
  conversion,
  stores,
}: {
  conversion: Conversion;
  stores: Record<string, ImportedStore>;
}): Record<string, unknown> {
  const { inventory, values, report } = conversion;
  const tell = (host: string, reason: string) => {
    const at = inventory.hosts.get(host);
    if (at) report({ file: at.file, line: at.line, text: host, reason });
  };
  const nowhere = (reason: string) => {
    report({ file: inventory.file, line: 1, text: '', reason });
    return {};
  };
  const ofSources = withRole({ conversion, role: 'source' });
  const sources: ImportedSource[] = [...values].flatMap(([host, value]) => {
    const at = inventory.hosts.get(host);
    return at ? sourcesOf({ host: at, value, isSource: ofSources.includes(host), report }) : [];
  });
  if (sources.length === 0)
    return nowhere('no host of a group [backup_sources] has a source: the runbook has no group yet');
  const storeOf = (list: string[]) => Object.entries(stores).find(([, store]) => list.includes(store.host))?.[0];
  const targets = withRole({ conversion, role: 'target' });
  const target = storeOf(targets);
  if (target === undefined) {
    for (const { host, path } of sources) tell(host, `its source \`${path}\` is not carried, as there is no target`);
    const [group] = groupsWithRole({ inventory, role: 'target' });
    return nowhere(
      `${group === undefined ? 'there is no group [backup_targets]' : `no host of [${group}] is understood`}: the sources are not carried without a target`,
    );
  }
  const remotes = withRole({ conversion, role: 'remote' });
  const targetHost = stores[target]?.host ?? '';
  const remote = storeOf(remotes.filter((host) => host !== targetHost));
  if (remotes.includes(targetHost)) tell(targetHost, 'is the target already: it is not carried as the remote too');
  for (const [name, { host }] of Object.entries(stores)) {
    if (name !== target && name !== remote)
      tell(host, 'a group of a runbook has one target and one remote: this store is written, but nothing goes there');
  }
  const paused = withRole({ conversion, role: 'paused' });
  const extra = paused.filter((host) => !sources.some((source) => source.host === host));
  const managers = withRole({ conversion, role: 'manager' });
  const everyone = [...values.keys()].filter(
    (host) => paused.includes(host) || sources.some((one) => one.host === host),
  );
  const workers = everyone.filter((host) => !managers.includes(host));
  const isSwarm = managers.length > 0;
  return {
    fleet: {
      sources,
      ...(extra.length > 0 && { quiesce: { hosts: extra } }),
      target,
      ...(remote !== undefined && { remote }),
      ...(isSwarm && {
        restore: { stop: 'engine', order: [...workers, ...managers.filter((host) => everyone.includes(host))] },
      }),
    },
  };
}
