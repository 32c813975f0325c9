/** Reads an inventory in INI form. */
import { define, emptyInventory, groupNamed, hostNamed, type Inventory } from './inventory';
import { literal } from './literal';
import { expandRange } from './ranges';
import { withoutSecrets } from './secrets';

interface Section {
  name: string;
  kind: 'hosts' | 'children' | 'vars' | 'unknown';
}

interface Line {
  file: string;
  line: number;
  text: string;
}

/** The inventory in a text of INI form; what could not be understood is in its `notCarried`. */
export function readIni({ text, file }: { text: string; file: string }): Inventory {
  const inventory = emptyInventory({ file });
  const children: { at: Line; name: string }[] = [];
  const defined = new Set(['all', 'ungrouped']);
  let section: Section = { name: 'ungrouped', kind: 'hosts' };
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const at: Line = { file, line: index + 1, text: raw.replace(/^\ufeff/, '').trim() };
    if (at.text === '' || /^[#;]/.test(at.text)) continue;
    const header = /^\[([^\]:]+)(?::([^\]]+))?\]\s*(?:[#;].*)?$/.exec(at.text);
    if (header) {
      section = sectionOf({ header, at, inventory });
      if (section.kind === 'hosts' || section.kind === 'children') defined.add(section.name);
    } else if (isBrokenHeader(at.text)) {
      inventory.notCarried.push({
        ...at,
        reason: 'begins like a section and is none: what follows is read as no part of any',
      });
      section = { name: '', kind: 'unknown' };
    } else if (section.kind === 'vars') {
      readVariable({ at, section, inventory });
    } else if (section.kind === 'unknown') {
      inventory.notCarried.push({ ...at, reason: `stands in a section that is not understood` });
    } else {
      const child = readMember({ at, section, inventory });
      if (child !== undefined) children.push({ at, name: child });
    }
  }
  // A section may stand below the line that names it.
  for (const { at, name } of children) {
    if (!defined.has(name)) inventory.notCarried.push({ ...at, reason: `there is no group [${name}]: it has no host` });
  }
  return inventory;
}

function sectionOf({ header, at, inventory }: { header: RegExpExecArray; at: Line; inventory: Inventory }): Section {
  const name = (header[1] ?? '').trim();
  const kind = header[2]?.trim() ?? 'hosts';
  if (kind !== 'hosts' && kind !== 'children' && kind !== 'vars') {
    inventory.notCarried.push({ ...at, reason: `\`:${kind}\` is not a kind of section` });
    return { name, kind: 'unknown' };
  }
  groupNamed({ inventory, name });
  return { name, kind };
}

function readVariable({ at, section, inventory }: { at: Line; section: Section; inventory: Inventory }): void {
  const match = /^([^=\s]+)\s*=\s*(.*)$/.exec(at.text);
  if (!match) {
    inventory.notCarried.push({ ...at, reason: 'is no `name=value`' });
    return;
  }
  const [, name = '', rest = ''] = match;
  const whole = literal(rest);
  const value = whole === rest ? literal(rest.replace(/\s+#.*$/, '')) : whole;
  define({ inventory, owner: groupNamed({ inventory, name: section.name }), name, variable: { value, ...at } });
}

/** `[web` or `[web] x`; `[a:c].example.org` is a range of hosts, which begins so too. */
function isBrokenHeader(text: string): boolean {
  const pattern = split(text)?.[0] ?? text;
  return text.startsWith('[') && expandRange(pattern.replace(/:\d+$/, '')) === null;
}

/** Reads a line of a section of hosts or of groups; resolves to the group's name of the latter. */
function readMember({
  at,
  section,
  inventory,
}: {
  at: Line;
  section: Section;
  inventory: Inventory;
}): string | undefined {
  const words = split(at.text);
  const pattern = words?.[0];
  if (!words || pattern === undefined) {
    inventory.notCarried.push({ ...at, reason: 'has a quote that is not closed' });
    return undefined;
  }
  if (section.kind === 'children') {
    groupNamed({ inventory, name: section.name }).children.add(pattern);
    groupNamed({ inventory, name: pattern });
    for (const word of words.slice(1))
      inventory.notCarried.push({
        ...at,
        reason: `${wordOf({ at, word })} stands after a group's name, where nothing may`,
      });
    return pattern;
  }
  const legacyPort = /^([^:]+|.*\]):(\d+)$/.exec(pattern);
  const names = expandRange(legacyPort?.[1] ?? pattern);
  if (!names) {
    inventory.notCarried.push({ ...at, reason: 'has a range that makes no sense' });
    return undefined;
  }
  const pairs = words.slice(1).map((word) => /^([^=]+)=([^]*)$/.exec(word));
  for (const [index, pair] of pairs.entries()) {
    if (!pair)
      inventory.notCarried.push({ ...at, reason: `${wordOf({ at, word: words[index + 1] })} is no \`name=value\`` });
  }
  for (const name of names) {
    const host = hostNamed({ inventory, name, file: at.file, line: at.line });
    groupNamed({ inventory, name: section.name }).hosts.add(name);
    const set = (key: string, value: unknown) => {
      define({ inventory, owner: host, name: key, variable: { value, ...at } });
    };
    if (legacyPort) set('ansible_port', Number(legacyPort[2]));
    for (const pair of pairs) if (pair) set(pair[1] ?? '', literal(pair[2] ?? ''));
  }
  return undefined;
}

/** How a word is called in a report; on a line with a secret it may be a part of that. */
function wordOf({ at, word = '' }: { at: Line; word?: string }): string {
  return withoutSecrets(at.text) === at.text ? `\`${word}\`` : 'a word';
}

/** Words as a shell splits them, without the quotes; ends at a comment. Null where a quote stays open. */
function split(text: string): string[] | null {
  const words: string[] = [];
  let word = '';
  let inWord = false;
  let quote = '';
  for (let i = 0; i < text.length; i++) {
    const char = text[i] ?? '';
    const next = text[i + 1];
    // Between double quotes a backslash stays one before anything but itself and the quote.
    if (char === '\\' && next !== undefined && (quote === '' || (quote === '"' && /["\\]/.test(next)))) {
      word += text[++i] ?? '';
      inWord = true;
    } else if (quote !== '') {
      if (char === quote) quote = '';
      else word += char;
    } else if (char === '"' || char === "'") {
      quote = char;
      inWord = true;
    } else if (/\s/.test(char)) {
      if (inWord) words.push(word);
      word = '';
      inWord = false;
    } else if (char === '#') {
      break;
    } else {
      word += char;
      inWord = true;
    }
  }
  if (quote !== '') return null;
  if (inWord) words.push(word);
  return words;
}
