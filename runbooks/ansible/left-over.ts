/** The variables that a conversion made nothing of. */
import {
  membersOf,
  type Definition,
  type Inventory,
  type NotCarried,
  type Variable,
  type Variables,
} from './inventory';

/** What became of the variables. */
export interface Usage {
  /** The hosts that are carried, each with the variables that hold for it. */
  hosts: Map<string, Variables>;
  /** The variables that the runbook was made with. */
  used: Set<Variable>;
}

/** Hosts that are named for one variable of a line at most. */
const MAX_NAMES = 5;

const ON_SOURCE = 'it counts only on a host of [backup_sources]';
/** Where the two become its `snapshot_room` together. */
const ON_LVM = `${ON_SOURCE} where \`lvm_backup_source\` is true, for the \`snapshot_room\` of that source`;
const ON_STORE = 'it counts only on a host of [backup_targets] or [backup_remote]';
/** The variables that a runbook has a place for, with the reason why one that holds for a host was not used. */
const KNOWN = new Map<string, string>([
  ...['ansible_host', 'ansible_port', 'ansible_user', 'ansible_ssh_common_args', 'ansible_ssh_extra_args'].map(always),
  ...['host', 'port', 'user'].map((part) => [`ansible_ssh_${part}`, `\`ansible_${part}\` goes before it`] as const),
  always('deployment_prefix'),
  ['deployment', '`deployment_prefix` goes before it'],
  ...['gluster', 'lvm', 'btrfs', 'zfs'].flatMap((kind) => [
    always(`${kind}_backup_source`),
    [`${kind}_backup_source_path`, `${ON_SOURCE} where \`${kind}_backup_source\` is true`] as const,
  ]),
  ['backup_source_path', ON_SOURCE],
  ['backup_source_paths', `${ON_SOURCE} that has no \`backup_source_path\``],
  ['backup_source_snapshot', `${ON_SOURCE} that has a \`backup_source_path\``],
  ['backup_source_exclude', `${ON_SOURCE} that has a source`],
  ['backup_snapshot_storage', ON_LVM],
  ['local_docker_storage', ON_LVM],
  ['backup_store_kind', ON_STORE],
  ['backup_store_place', ON_STORE],
  ['backup_store_compression', ON_STORE],
]);

/** Of a variable that is used wherever it holds. */
function always(name: string): readonly [string, string] {
  return [name, 'it holds for no host'];
}

/** Every variable that nothing has used, one entry for each line. */
export function leftOver({ inventory, usage }: { inventory: Inventory; usage: Usage }): NotCarried[] {
  const visible = new Set([...usage.hosts.values()].flatMap((vars) => [...vars.values()]));
  const lines = new Map<string, Definition[]>();
  for (const definition of inventory.definitions) {
    const { file, line } = definition.variable;
    const key = JSON.stringify([file, line]);
    const there = lines.get(key) ?? [];
    there.push(definition);
    lines.set(key, there);
  }
  return [...lines.values()].flatMap((definitions) => {
    const unused = definitions.filter(({ variable }) => !usage.used.has(variable));
    const [first] = unused;
    if (!first) return [];
    const reasons = new Map<string, Map<string, Definition[]>>();
    for (const definition of unused) {
      const reason = reasonFor({ definition, inventory, usage, visible });
      const names = reasons.get(reason) ?? new Map<string, Definition[]>();
      const some = names.get(definition.name) ?? [];
      some.push(definition);
      names.set(definition.name, some);
      reasons.set(reason, names);
    }
    const { file, line, text } = first.variable;
    const words = [...reasons].map(([reason, names]) => {
      const labels = [...names].map(([name, some]) => {
        const all = definitions.filter((other) => other.name === name);
        return `\`${name}\`${some.length < all.length ? ` of ${hostsOf(some)}` : ''}`;
      });
      return `${reason}: ${labels.join(', ')}`;
    });
    return [{ file, line, text, reason: words.join('; ') }];
  });
}

function reasonFor({
  definition: { name, owner, variable },
  inventory,
  usage,
  visible,
}: {
  definition: Definition;
  inventory: Inventory;
  usage: Usage;
  visible: Set<Variable>;
}): string {
  const known = KNOWN.get(name);
  if (known === undefined) return 'no counterpart in a runbook';
  if (visible.has(variable)) return `not carried, as ${known}`;
  if (!('children' in owner)) {
    return usage.hosts.has(owner.name) ? 'not carried, as it is set again later' : 'not carried, as its host is not';
  }
  return membersOf({ inventory, group: owner.name }).some((host) => usage.hosts.has(host))
    ? 'not carried, as it is set again where it counts more'
    : `not carried, as no host is in [${owner.name}]`;
}

function hostsOf(definitions: Definition[]): string {
  const names = [...new Set(definitions.map(({ owner }) => owner.name))];
  const more = names.length - MAX_NAMES;
  return names.slice(0, MAX_NAMES).join(', ') + (more > 0 ? ` and ${more} more` : '');
}
