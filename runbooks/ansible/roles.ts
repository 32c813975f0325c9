/** Which hosts have which part in the backup, by the names of their groups. */
import { membersOf, type Inventory, type NotCarried } from './inventory';
import { type Values } from './values';

/** What a conversion works on. */
export interface Conversion {
  inventory: Inventory;
  /** Of each host that is carried. */
  values: Map<string, Values>;
  report: (entry: NotCarried) => void;
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

type Role = keyof typeof ROLES;

/** The inventory's groups whose hosts have a part, by any of the spellings. */
export function groupsWithRole({ inventory, role }: { inventory: Inventory; role: Role }): string[] {
  return [...inventory.groups.keys()].filter((name) => ROLES[role].includes(name.replaceAll('-', '_')));
}

/** The hosts that have a part in the backup, in the inventory's order. */
export function withRole({ conversion, role }: { conversion: Conversion; role: Role }): string[] {
  const { inventory, values } = conversion;
  const members = new Set(groupsWithRole({ inventory, role }).flatMap((group) => membersOf({ inventory, group })));
  return [...values.keys()].filter((host) => members.has(host));
}
