/** Reads an inventory in YAML form, and the variable files that lie beside one. */
import { readDocument, type ReadDocument } from '../document';
import { describe, RunbookError } from '../issues';
import {
  define,
  emptyInventory,
  groupNamed,
  hostNamed,
  isEncrypted,
  untagged,
  type Inventory,
  type NotCarried,
  type Variables,
} from './inventory';
import { expandRange } from './ranges';
import { withoutSecrets } from './secrets';

type Place = string[];

interface Reading {
  inventory: Inventory;
  document: ReadDocument;
  file: string;
  lines: string[];
}

/**
 * The inventory in a text of YAML form.
 *
 * @throws RunbookError where the text is no YAML at all
 */
export function readYaml({ text, file }: { text: string; file: string }): Inventory {
  const document = readDocument({ text, foreignTag: untagged });
  if (document.value === undefined) {
    throw new RunbookError({ issues: document.issues.map((issue) => ({ file, ...issue, path: '' })) });
  }
  const reading: Reading = { inventory: emptyInventory({ file }), document, file, lines: text.split('\n') };
  tellIssues(reading);
  for (const [name, group] of mapAt({ reading, value: document.value, path: [], what: 'an inventory' }))
    readGroup({ reading, name, group, path: [name] });
  return reading.inventory;
}

/** The variables of one file below `group_vars` or `host_vars`; an encrypted or broken file is listed as not carried. */
export function readVariables({ text, file }: { text: string; file: string }): {
  vars: Variables;
  notCarried: NotCarried[];
} {
  if (isEncrypted(text)) {
    const reason = 'is encrypted by ansible-vault: nothing of it is carried, and secrets never stand in a runbook';
    return { vars: new Map(), notCarried: [{ file, line: 1, text: '$ANSIBLE_VAULT', reason }] };
  }
  const document = readDocument({ text, foreignTag: untagged });
  const reading: Reading = { inventory: emptyInventory({ file }), document, file, lines: text.split('\n') };
  tellIssues(reading);
  return { vars: variables({ reading, value: document.value, path: [] }), notCarried: reading.inventory.notCarried };
}

function readGroup({
  reading,
  name,
  group,
  path,
}: {
  reading: Reading;
  name: string;
  group: unknown;
  path: Place;
}): void {
  const { inventory } = reading;
  const target = groupNamed({ inventory, name });
  for (const [field, value] of mapAt({ reading, value: group, path, what: 'a group' })) {
    const at = [...path, field];
    if (field === 'hosts') {
      for (const [pattern, vars] of mapAt({ reading, value, path: at, what: '`hosts`' }))
        readHost({ reading, group: name, pattern, vars, path: [...at, pattern] });
    } else if (field === 'children') {
      for (const [child, inner] of mapAt({ reading, value, path: at, what: '`children`' })) {
        if (name !== 'all') target.children.add(child);
        readGroup({ reading, name: child, group: inner, path: [...at, child] });
      }
    } else if (field === 'vars') {
      for (const [key, variable] of variables({ reading, value, path: at })) {
        define({ inventory, owner: target, name: key, variable });
      }
    } else {
      const { line } = reading.document.locate({ path: at, key: true });
      drop({ reading, line, reason: `\`${field}\` is no part of a group (hosts, children, vars)` });
    }
  }
}

function readHost({
  reading,
  group,
  pattern,
  vars,
  path,
}: {
  reading: Reading;
  group: string;
  pattern: string;
  vars: unknown;
  path: Place;
}): void {
  const { line } = reading.document.locate({ path, key: true });
  const names = expandRange(pattern);
  if (!names) {
    drop({ reading, line, reason: 'has a range that makes no sense' });
    return;
  }
  for (const name of names) {
    const host = hostNamed({ inventory: reading.inventory, name, file: reading.file, line });
    groupNamed({ inventory: reading.inventory, name: group }).hosts.add(name);
    for (const [key, variable] of variables({ reading, value: vars, path })) {
      define({ inventory: reading.inventory, owner: host, name: key, variable });
    }
  }
}

function variables({ reading, value, path }: { reading: Reading; value: unknown; path: Place }): Variables {
  return new Map(
    mapAt({ reading, value, path, what: 'what holds variables' }).map(([name, inner]) => {
      const { line } = reading.document.locate({ path: [...path, name], key: true });
      return [name, { value: inner, file: reading.file, line, text: lineText({ reading, line }) }];
    }),
  );
}

/** What is wrong with the YAML itself. Of the line only the name: it may be the middle of a secret that is many lines long. */
function tellIssues({ document, file, lines, inventory }: Reading): void {
  for (const { line, message } of document.issues) {
    const [name = ''] = /^\s*[\w.-]+:/.exec(lines[line - 1] ?? '') ?? [];
    const all = document.value === undefined ? ': nothing of the file is carried' : '';
    inventory.notCarried.push({ file, line, text: name.trim(), reason: `${message}${all}` });
  }
}

function drop({ reading, line, reason }: { reading: Reading; line: number; reason: string }): void {
  reading.inventory.notCarried.push({ file: reading.file, line, text: lineText({ reading, line }), reason });
}

function lineText({ reading, line }: { reading: Reading; line: number }): string {
  return (reading.lines[line - 1] ?? '').trim();
}

/** The entries of a map; what is neither a map nor empty is listed, as nothing of it is read. */
function mapAt({
  reading,
  value,
  path,
  what,
}: {
  reading: Reading;
  value: unknown;
  path: Place;
  what: string;
}): [string, unknown][] {
  if (value === undefined || value === null) return [];
  if (typeof value === 'object' && !Array.isArray(value)) return Object.entries(value);
  const { line } = reading.document.locate({ path, key: true });
  drop({
    reading,
    line,
    reason: `${what} is a map (\`name:\` on a line of its own); here is ${describe(typeof value === 'string' ? withoutSecrets(value) : value)}`,
  });
  return [];
}
