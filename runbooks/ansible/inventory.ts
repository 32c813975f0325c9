/** An Ansible inventory in memory: who is in which group, and each variable with the line it came from. */

/** Something that was read but has no place in a runbook. */
export interface NotCarried {
  file: string;
  line: number;
  /** The line, or the part of it. */
  text: string;
  reason: string;
}

export interface Variable {
  value: unknown;
  file: string;
  line: number;
  /** How the definition reads in its file. */
  text: string;
}

export type Variables = Map<string, Variable>;

export interface InventoryHost {
  name: string;
  vars: Variables;
  file: string;
  line: number;
}

export interface InventoryGroup {
  name: string;
  hosts: Set<string>;
  children: Set<string>;
  vars: Variables;
}

/** A variable with whose it is. */
export interface Definition {
  name: string;
  owner: InventoryHost | InventoryGroup;
  variable: Variable;
}

export interface Inventory {
  /** The file that it was read from. */
  file: string;
  hosts: Map<string, InventoryHost>;
  groups: Map<string, InventoryGroup>;
  /** Every variable that was set anywhere, also where a later line sets it again. */
  definitions: Definition[];
  notCarried: NotCarried[];
}

const VAULT = '$ANSIBLE_VAULT';

/** Whether a file's text or a variable's value is ciphertext of ansible-vault. */
export function isEncrypted(value: unknown): boolean {
  return typeof value === 'string' && value.trimStart().startsWith(VAULT);
}

/** A value of YAML by its tag: one of `!vault` is ciphertext even where it does not look so, any other is as if it had no tag. */
export function untagged({ tag, value }: { tag: string; value: unknown }): unknown {
  return tag.startsWith('!vault') && !isEncrypted(value) ? `${VAULT};` : value;
}

export function emptyInventory({ file }: { file: string }): Inventory {
  return { file, hosts: new Map(), groups: new Map(), definitions: [], notCarried: [] };
}

/** The host of that name, made where it is new. */
export function hostNamed({
  inventory,
  name,
  file,
  line,
}: { inventory: Inventory } & Pick<InventoryHost, 'name' | 'file' | 'line'>): InventoryHost {
  const host = inventory.hosts.get(name) ?? { name, vars: new Map(), file, line };
  inventory.hosts.set(name, host);
  return host;
}

/** The group of that name, made where it is new. */
export function groupNamed({ inventory, name }: { inventory: Inventory; name: string }): InventoryGroup {
  const group = inventory.groups.get(name) ?? { name, hosts: new Set(), children: new Set(), vars: new Map() };
  inventory.groups.set(name, group);
  return group;
}

/** Sets a variable of a host or group, and remembers that this line did. */
export function define({ inventory, owner, name, variable }: { inventory: Inventory } & Definition): void {
  owner.vars.set(name, variable);
  inventory.definitions.push({ name, owner, variable });
}

/** The hosts of a group and of all groups below it, in the inventory's order. */
export function membersOf({ inventory, group }: { inventory: Inventory; group: string }): string[] {
  if (group === 'all') return [...inventory.hosts.keys()];
  const seen = new Set<string>();
  const found = new Set<string>();
  const visit = (name: string) => {
    if (seen.has(name)) return;
    seen.add(name);
    const at = inventory.groups.get(name);
    at?.hosts.forEach((host) => found.add(host));
    at?.children.forEach(visit);
  };
  visit(group);
  return [...inventory.hosts.keys()].filter((host) => found.has(host));
}

/**
 * The variables that hold for a host, as Ansible ranks them: of `all`, then of its groups from the outermost to the innermost
 * (by name where they are equally far in), then its own.
 */
export function variablesOf({ inventory, host }: { inventory: Inventory; host: string }): Variables {
  const depth = depths(inventory);
  const groups = [...inventory.groups.values()]
    .filter(({ name }) => name === 'all' || membersOf({ inventory, group: name }).includes(host))
    .sort((a, b) => (depth.get(a.name) ?? 1) - (depth.get(b.name) ?? 1) || (a.name < b.name ? -1 : 1));
  const own = inventory.hosts.get(host)?.vars ?? new Map<string, Variable>();
  return new Map([...groups.flatMap(({ vars }) => [...vars]), ...own]);
}

/** How far below `all` each group lies; a circle of groups ends where it began. */
function depths(inventory: Inventory): Map<string, number> {
  const depth = new Map<string, number>([['all', 0]]);
  for (const name of inventory.groups.keys()) if (!depth.has(name)) depth.set(name, 1);
  for (let round = 0; round < inventory.groups.size; round++) {
    for (const { name, children } of inventory.groups.values()) {
      for (const child of children) {
        const below = (depth.get(name) ?? 1) + 1;
        if (below <= inventory.groups.size && (depth.get(child) ?? 1) < below) depth.set(child, below);
      }
    }
  }
  return depth;
}
