/** Writes a runbook from an Ansible inventory in the SBDI manner. Nothing is dropped silently: see `notCarried`. */
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import { convert } from './ansible/convert';
import { variableFiles, type VariableFile } from './ansible/files';
import { readIni } from './ansible/ini';
import { define, groupNamed, hostNamed, type Inventory, type NotCarried } from './ansible/inventory';
import { leftOver } from './ansible/left-over';
import { withoutSecrets } from './ansible/secrets';
import { readVariables, readYaml } from './ansible/yaml';
import { RunbookError } from './issues';
import { readText } from './load';
import { LATER_SNAPSHOT_KINDS } from './types';

export { type NotCarried } from './ansible/inventory';

export interface AnsibleImport {
  yaml: string;
  /** What was read and is not in the runbook, or was assumed, in the order of files and lines. */
  notCarried: NotCarried[];
}

const NO_INVENTORY = 'give the path of an inventory, as Ansible is given it with -i';

/**
 * The runbook of an inventory file, with the `group_vars` and `host_vars` folders beside it.
 *
 * @throws RunbookError where a file can't be read or is no inventory
 */
export function importAnsibleFile({ file }: { file: string }): AnsibleImport {
  const folder = dirname(file);
  const unread: NotCarried[] = [];
  const report = (entry: NotCarried) => unread.push(entry);
  const variables = [
    ...variableFiles({ folder: join(folder, 'group_vars'), scope: 'group', report }),
    ...variableFiles({ folder: join(folder, 'host_vars'), scope: 'host', report }),
  ];
  return importAnsible({ text: readText({ file, missing: NO_INVENTORY }), file, variables, unread });
}

/**
 * The runbook of an inventory in INI or YAML form.
 *
 * @param file its name, for the report and to tell YAML by
 * @param unread what of the files beside it could not be read, for the report
 * @throws RunbookError where the text is no inventory
 */
export function importAnsible({
  text,
  file,
  variables = [],
  unread = [],
}: {
  text: string;
  file: string;
  variables?: VariableFile[];
  unread?: NotCarried[];
}): AnsibleImport {
  if (text.startsWith('#!')) throw noInventory({ file, reason: 'is a program' });
  const inventory = isYaml({ text, file }) ? readYaml({ text, file }) : readIni({ text, file });
  if (inventory.groups.has('plugin'))
    throw noInventory({ file, reason: 'is the configuration of an inventory plugin' });
  const notCarried = inventory.notCarried;
  notCarried.push(...unread);
  for (const one of variables) addVariables({ inventory, file: one });
  const { imported, usage } = convert({ inventory, report: (entry) => notCarried.push(entry) });
  notCarried.push(...leftOver({ inventory, usage }));
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
  const owner = scope === 'host' ? hostNamed({ inventory, name, file, line: 1 }) : groupNamed({ inventory, name });
  for (const [key, variable] of vars) define({ inventory, owner, name: key, variable });
}

function inOrder(entries: NotCarried[]): NotCarried[] {
  const shown = entries.map(({ file, line, text, reason }) => ({ file, line, text: withoutSecrets(text), reason }));
  const unique = new Map(shown.map((entry) => [JSON.stringify(entry), entry]));
  return [...unique.values()].sort((a, b) => (a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1));
}
