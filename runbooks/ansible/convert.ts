/** From an inventory in the SBDI manner to the fields of a runbook. */
import { shortName } from '../names';
import { nameJumps, type ImportedHost, type Jump } from './jumps';
import { membersOf, variablesOf, type Inventory, type NotCarried } from './inventory';
import { sourcesOf, type ImportedSource } from './sources';
import { valuesOf, type Values } from './values';

export interface Imported {
  deployment?: string;
  hosts: Record<string, ImportedHost>;
  stores: Record<string, { host: string; kind: string; place: string; compression?: string }>;
  groups: Record<string, unknown>;
}

/** Groups by the part that their hosts have; several spellings are in use. */
const ROLES = {
  source: ['backup_sources', 'backup_source', 'backup_source_nodes'],
  target: ['backup_targets', 'backup_target', 'backup_target_node', 'backup_target_nodes'],
  remote: [
    'backup_remote',
    'backup_remotes',
    'remote_backup',
    'backup_remote_server',
    'remote_backup_server',
    'remote_backup_servers',
  ],
  paused: ['docker_swarm', 'swarm', 'docker', 'docker_hosts'],
  manager: ['swarm_managers', 'swarm_manager', 'docker_swarm_manager', 'docker_swarm_managers', 'managers'],
};

/** Variables that are carried, or that say by themselves that there is nothing to carry. */
export const HANDLED = new Set([
  ...['ansible_host', 'ansible_ssh_host', 'ansible_port', 'ansible_ssh_port', 'ansible_user', 'ansible_ssh_user'],
  ...['ansible_ssh_common_args', 'ansible_ssh_extra_args', 'deployment_prefix', 'deployment'],
  ...['gluster_backup_source', 'lvm_backup_source', 'btrfs_backup_source', 'zfs_backup_source'],
  ...['gluster_backup_source_path', 'lvm_backup_source_path', 'btrfs_backup_source_path', 'zfs_backup_source_path'],
  ...['backup_source_path', 'backup_source_paths', 'backup_source_snapshot', 'backup_source_exclude'],
  ...['backup_store_kind', 'backup_store_place', 'backup_store_compression'],
]);

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
/** Prefixes that can only be a deployment's, where no variable says it. */
const DEPLOYMENTS = /^(prod|production|staging|stage|test|testing|dev|devel|uat|qa|demo)-[A-Za-z]/;

interface Conversion {
  inventory: Inventory;
  values: Map<string, Values>;
  report: (entry: NotCarried) => void;
}

/** The runbook's fields; everything that has no place in it goes to `report`, variables that templates used to `seen`. */
export function convert({
  inventory,
  report,
  seen,
}: {
  inventory: Inventory;
  report: (entry: NotCarried) => void;
  seen: (name: string) => void;
}): Imported {
  const names = [...inventory.hosts.values()].filter((host) => {
    if (NAME.test(host.name)) return true;
    report({ file: host.file, line: host.line, text: host.name, reason: 'is no host name that a runbook can have' });
    return false;
  });
  const values = new Map(
    names.map(({ name: host }) => [host, valuesOf({ host, vars: variablesOf({ inventory, host }), report, seen })]),
  );
  const conversion: Conversion = { inventory, values, report };
  const deployment = deploymentOf(conversion);
  const hosts = hostsOf(conversion);
  const stores = storesOf({ conversion, deployment });
  return { ...(deployment !== undefined && { deployment }), hosts, stores, groups: groupsOf({ conversion, stores }) };
}

function deploymentOf({ values }: Conversion): string | undefined {
  const stated = new Set([...values.values()].map((host) => host.text('deployment_prefix', 'deployment')));
  const [only] = stated;
  if (stated.size === 1 && only !== undefined) return only.replace(/-+$/, '');
  const prefixes = new Set([...values.keys()].map((name) => DEPLOYMENTS.exec(name)?.[1]));
  const [inferred] = prefixes;
  return prefixes.size === 1 ? inferred : undefined;
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

/** The hosts that have a part in the backup, by any of the spellings. */
function withRole({ conversion, role }: { conversion: Conversion; role: keyof typeof ROLES }): string[] {
  const { inventory, values } = conversion;
  const groups = [...inventory.groups.keys()].filter((name) => ROLES[role].includes(name.replaceAll('-', '_')));
  const members = new Set(groups.flatMap((group) => membersOf({ inventory, group })));
  return [...values.keys()].filter((host) => members.has(host));
}

function storesOf({ conversion, deployment }: { conversion: Conversion; deployment?: string }): Imported['stores'] {
  const targets = withRole({ conversion, role: 'target' });
  const remotes = withRole({ conversion, role: 'remote' });
  const all = [...new Set([...targets, ...remotes])];
  return Object.fromEntries(
    all.map((host, index) => {
      const value = conversion.values.get(host);
      const kind = value?.text('backup_store_kind') ?? 'zfs';
      const place = value?.text('backup_store_place') ?? (kind === 'zfs' ? 'backup' : '/backup');
      const compression = value?.text('backup_store_compression') ?? (kind === 'zfs' ? 'gzip-7' : undefined);
      const at = conversion.inventory.hosts.get(host);
      if (at && value?.origin('backup_store_place') === undefined) {
        const reason = `the inventory does not say where its store lies: kind ${kind} at \`${place}\` is assumed, check it`;
        conversion.report({ file: at.file, line: at.line, text: host, reason });
      }
      const name = index === 0 && targets.length > 0 ? 'main' : shortName({ host, deployment: deployment ?? null });
      return [name, { host, kind, place, ...(compression !== undefined && { compression }) }];
    }),
  );
}

function groupsOf({
  conversion,
  stores,
}: {
  conversion: Conversion;
  stores: Imported['stores'];
}): Record<string, unknown> {
  const hosts = withRole({ conversion, role: 'source' });
  const { inventory, values, report } = conversion;
  const sources: ImportedSource[] = [];
  for (const [host, value] of values) {
    const at = inventory.hosts.get(host);
    if (at) sources.push(...sourcesOf({ host: at, value, isSource: hosts.includes(host), report }));
  }
  const nowhere = (reason: string) => {
    const [first] = inventory.hosts.values();
    report({ file: first?.file ?? inventory.file, line: 1, text: '', reason });
    return {};
  };
  if (sources.length === 0)
    return nowhere('no host of a group [backup_sources] has a source: the runbook has no group yet');
  const storeOf = (list: string[]) => Object.entries(stores).find(([, store]) => list.includes(store.host))?.[0];
  const targets = withRole({ conversion, role: 'target' });
  const target = storeOf(targets);
  if (target === undefined)
    return nowhere('there is no group [backup_targets]: the sources are not carried without a target');
  const remotes = withRole({ conversion, role: 'remote' });
  for (const host of [...targets.slice(1), ...remotes.slice(1)]) {
    const at = inventory.hosts.get(host);
    const reason = 'a group of a runbook has one target and one remote: this store is written, but nothing goes there';
    if (at) report({ file: at.file, line: at.line, text: host, reason });
  }
  const remote = storeOf(remotes.filter((host) => host !== stores[target]?.host));
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
