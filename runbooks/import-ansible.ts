/** Writes a runbook from an Ansible inventory in the SBDI manner. Nothing is dropped silently: see `notCarried`. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { stringify } from 'yaml';
import { convert, HANDLED } from './ansible/convert';
import { readIni } from './ansible/ini';
import { define, groupNamed, hostNamed, type Inventory, type NotCarried, type Variables } from './ansible/inventory';
import { readVariables, readYaml } from './ansible/yaml';
import { RunbookError } from './issues';
import { readText } from './load';
import { LATER_SNAPSHOT_KINDS } from './types';

export { type NotCarried } from './ansible/inventory';

/** A file of `group_vars` or `host_vars`, with the group or host that it is of. */
export interface VariableFile {
  file: string;
  text: string;
  scope: 'group' | 'host';
  name: string;
}

export interface AnsibleImport {
  yaml: string;
  /** What was read and is not in the runbook, or was assumed, in the order of files and lines. */
  notCarried: NotCarried[];
}

/**
 * The runbook of an inventory file, with the `group_vars` and `host_vars` folders beside it.
 *
 * @throws RunbookError where a file can't be read or is no inventory
 */
export function importAnsibleFile({ file }: { file: string }): AnsibleImport {
  const folder = dirname(file);
  const variables = [
    ...variableFiles({ folder: join(folder, 'group_vars'), scope: 'group' }),
    ...variableFiles({ folder: join(folder, 'host_vars'), scope: 'host' }),
  ];
  return importAnsible({ text: readText({ file }), file, variables });
}

/**
 * The runbook of an inventory in INI or YAML form.
 *
 * @param file its name, for the report and to tell YAML by
 * @throws RunbookError where the text is no inventory
 */
export function importAnsible({
  text,
  file,
  variables = [],
}: {
  text: string;
  file: string;
  variables?: VariableFile[];
}): AnsibleImport {
  if (text.startsWith('#!')) throw noInventory({ file, reason: 'is a program' });
  const inventory = isYaml({ text, file }) ? readYaml({ text, file }) : readIni({ text, file });
  if (inventory.groups.has('plugin'))
    throw noInventory({ file, reason: 'is the configuration of an inventory plugin' });
  const notCarried = inventory.notCarried;
  for (const one of variables) addVariables({ inventory, file: one });
  const seen = new Set<string>(HANDLED);
  const report = (entry: NotCarried) => notCarried.push(entry);
  const imported = convert({ inventory, report, seen: (name) => seen.add(name) });
  notCarried.push(...leftOver({ inventory, handled: seen }));
  const body = stringify({ version: 1, ...imported }, { aliasDuplicateObjects: false, lineWidth: 0 });
  const list = inOrder(notCarried);
  return { yaml: header({ file, body, lines: list.length }) + body, notCarried: list };
}

function header({ file, body, lines }: { file: string; body: string; lines: number }): string {
  const later = LATER_SNAPSHOT_KINDS.filter((kind) => new RegExp(`snapshot: ${kind}$`, 'm').test(body));
  return [
    `# Imported from the Ansible inventory ${JSON.stringify(file)}. Check each path and place, then: resurgo runbook validate`,
    ...(lines > 0
      ? [`# ${lines} thing(s) of it are not carried over or were assumed; the import listed them by line.`]
      : []),
    ...(later.length > 0
      ? [
          `# The snapshot kinds ${later.join(', ')} are carried as they are; they arrive with later work, and validate refuses them till then.`,
        ]
      : []),
    '',
  ].join('\n');
}

function noInventory({ file, reason }: { file: string; reason: string }): RunbookError {
  const message = `${reason}, not an inventory: import what \`ansible-inventory -i ${file} --list --yaml\` prints`;
  return new RunbookError({ issues: [{ file, line: 1, column: 1, path: '', message }] });
}

function isYaml({ text, file }: { text: string; file: string }): boolean {
  if (/\.(?:ya?ml|json)$/i.test(file)) return true;
  const first = text.split('\n').find((line) => line.trim() !== '' && !/^\s*[#;]/.test(line)) ?? '';
  return /^(?:---|\{|[A-Za-z0-9_-]+:\s*$)/.test(first);
}

/** The files of one folder; `group_vars/all.yml`, `group_vars/all` and all files of the folder `group_vars/all/` count alike. */
function variableFiles({ folder, scope }: { folder: string; scope: 'group' | 'host' }): VariableFile[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .sort()
    .flatMap((entry) => {
      const place = join(folder, entry);
      if (entry.startsWith('.')) return [];
      if (statSync(place).isDirectory()) {
        return readdirSync(place)
          .sort()
          .map((inner) => join(place, inner))
          .filter((inner) => statSync(inner).isFile())
          .map((inner) => ({ file: inner, text: readText({ file: inner }), scope, name: entry }));
      }
      const name = /^\.(?:ya?ml|json)$/.test(extname(entry)) ? entry.slice(0, -extname(entry).length) : entry;
      return [{ file: place, text: readText({ file: place }), scope, name }];
    });
}

function addVariables({
  inventory,
  file: { file, text, scope, name },
}: {
  inventory: Inventory;
  file: VariableFile;
}): void {
  const { vars, notCarried } = readVariables({ text, file });
  inventory.notCarried.push(...notCarried);
  const known = scope === 'host' ? inventory.hosts.has(name) : name === 'all' || inventory.groups.has(name);
  if (!known) {
    const reason = `the inventory has no ${scope} of this name: nothing of the file is carried`;
    inventory.notCarried.push({ file, line: 1, text: name, reason });
    return;
  }
  const owner: { vars: Variables } =
    scope === 'host' ? hostNamed({ inventory, name, file, line: 1 }) : groupNamed({ inventory, name });
  for (const [key, variable] of vars) define({ inventory, owner, name: key, variable });
}

/** Every variable that nothing has used, one entry for each line. */
function leftOver({ inventory, handled }: { inventory: Inventory; handled: Set<string> }): NotCarried[] {
  const lines = new Map<string, NotCarried & { names: Set<string> }>();
  for (const { name, file, line, text } of inventory.definitions) {
    if (handled.has(name)) continue;
    const key = `${file}:${line}`;
    const entry = lines.get(key) ?? { file, line, text, reason: '', names: new Set() };
    entry.names.add(name);
    lines.set(key, entry);
  }
  return [...lines.values()].map(({ file, line, text, names }) => ({
    file,
    line,
    text,
    reason: reasonFor([...names]),
  }));
}

function reasonFor(names: string[]): string {
  const snapshot = names.includes('backup_snapshot_storage')
    ? ['`backup_snapshot_storage` (the room for a snapshot is found by checks, not set)']
    : [];
  const others = names.filter((name) => name !== 'backup_snapshot_storage').map((name) => `\`${name}\``);
  return `no counterpart in a runbook: ${[...snapshot, ...others].join(', ')}`;
}

function inOrder(entries: NotCarried[]): NotCarried[] {
  const unique = new Map(
    entries.map((entry) => [JSON.stringify([entry.file, entry.line, entry.text, entry.reason]), entry]),
  );
  return [...unique.values()].sort((a, b) => (a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1));
}
