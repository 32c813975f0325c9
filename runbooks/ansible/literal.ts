/** Python literals, which the values of an inventory in INI form are read as. */

interface Reader {
  text: string;
  at: number;
}

/** A value that was read; undefined stands for a text that is no literal. */
type Found = { value: unknown } | undefined;

/** A value as Ansible reads it: a Python literal where it is one, else text. A list's items may stand without quotes. */
export function literal(text: string): unknown {
  if (!/^["'[]/.test(text)) return bare(text);
  const reader: Reader = { text, at: 0 };
  const found = readItem(reader);
  return found && reader.at === text.length ? found.value : text;
}

function readItem(reader: Reader): Found {
  const char = reader.text[reader.at];
  if (char === '[') return readList(reader);
  if (char === '"' || char === "'") return readQuoted(reader);
  const [item = ''] = /^[^,\]]*/.exec(reader.text.slice(reader.at)) ?? [];
  reader.at += item.length;
  return { value: bare(item.trim()) };
}

function readList(reader: Reader): Found {
  const items: unknown[] = [];
  reader.at++;
  for (;;) {
    skipSpace(reader);
    if (reader.text[reader.at] !== ',' && reader.text[reader.at] !== ']') {
      const item = reader.at < reader.text.length ? readItem(reader) : undefined;
      if (!item) return undefined;
      items.push(item.value);
      skipSpace(reader);
    }
    const end = reader.text[reader.at++];
    if (end === ']') return { value: items };
    if (end !== ',') return undefined;
  }
}

function readQuoted(reader: Reader): Found {
  const quote = reader.text[reader.at++];
  let value = '';
  while (reader.at < reader.text.length) {
    const char = reader.text[reader.at++] ?? '';
    if (char === quote) return { value };
    const next = reader.text[reader.at] ?? '';
    if (char === '\\' && /["'\\]/.test(next)) {
      value += next;
      reader.at++;
    } else value += char;
  }
  return undefined;
}

function skipSpace(reader: Reader): void {
  while (/\s/.test(reader.text[reader.at] ?? '')) reader.at++;
}

function bare(text: string): unknown {
  if (text === 'True') return true;
  if (text === 'False') return false;
  if (text === 'None') return null;
  return /^-?(?:0|[1-9]\d{0,14})$/.test(text) ? Number(text) : text;
}
