/** Tables of a JSON Schema's fields in Markdown: of the runbook's reference, and of the layout's (scripts/layout-reference.ts). */

export interface Node {
  type?: string;
  description?: string;
  default?: unknown;
  const?: unknown;
  enum?: unknown[];
  minimum?: number;
  maximum?: number;
  properties?: Record<string, Node>;
  required?: string[];
  additionalProperties?: Node | boolean;
  items?: Node;
  anyOf?: Node[];
  oneOf?: Node[];
  $ref?: string;
}

/** One table of a map's fields; nothing where it has none. `whole` is the title of the file itself, whose text stands above. */
export function section({ title, node }: { title: string; node: Node }): string[] {
  const rows = Object.entries(node.properties ?? {}).map(([name, field]) => {
    const must = (node.required ?? []).includes(name);
    return `| \`${name}\` | ${kindOf(field)} | ${must ? '**required**' : defaultOf(field)} | ${cell(field.description ?? field.items?.description ?? '')} |`;
  });
  if (rows.length === 0) return [];
  const text = title === 'The file' ? [] : [node.description ?? '', ''];
  return [`## ${title}`, '', ...text, '| field | what | default | meaning |', '|---|---|---|---|', ...rows, ''];
}

/** Every map with fields of its own below a node, each with its path. */
export function children({ node, path }: { node: Node; path: string[] }): { path: string[]; node: Node }[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, field]) =>
    innersOf({ field, path: [...path, name] }).flatMap((inner) => [inner, ...children(inner)]),
  );
}

function innersOf({ field, path }: { field: Node; path: string[] }): { path: string[]; node: Node }[] {
  const last = path.at(-1) ?? '';
  if (field.properties) return [{ path, node: field }];
  if (field.items) return innersOf({ field: field.items, path: [...path.slice(0, -1), `${last}[]`] });
  const inMap = field.additionalProperties;
  if (typeof inMap === 'object' && inMap.properties) return [{ path: [...path, 'NAME'], node: inMap }];
  const branches = (field.oneOf ?? field.anyOf ?? []).filter((one) => one.properties);
  // Of several forms that a word of theirs tells apart, each has its table; of others the fullest stands first.
  if (branches.length > 1 && branches.every((one) => markOf(one) !== ''))
    return branches.map((node) => ({ path: [...path.slice(0, -1), `${last} (${markOf(node)})`], node }));
  return branches.slice(0, 1).map((node) => ({ path, node }));
}

/** The words of the field that tells a form from the others: `gpt`, `ext2, ext3, ext4`. */
function markOf({ properties = {} }: Node): string {
  const mark = properties.kind ?? properties.type;
  return (mark?.enum ?? (mark?.const === undefined ? [] : [mark.const])).join(', ');
}

function kindOf(field: Node): string {
  if (field.const !== undefined) return `\`${JSON.stringify(field.const)}\``;
  if (field.enum) return field.enum.map((word) => `\`${String(word)}\``).join(', ');
  // Beside a type `oneOf` only says which fields go together.
  const forms = field.anyOf ?? (field.type === undefined ? field.oneOf : undefined);
  if (forms) return [...new Set(forms.map(kindOf))].join(' or ');
  if (field.type === 'array') return `list of ${field.items ? plural(kindOf(field.items)) : 'values'}`;
  if (field.type === 'object' || field.$ref !== undefined) return 'map';
  if (field.type === 'null') return '`null`';
  if (field.type === 'integer') {
    const most = field.maximum === undefined || field.maximum === Number.MAX_SAFE_INTEGER ? '…' : field.maximum;
    return `${field.minimum === Number.MIN_SAFE_INTEGER ? '…' : (field.minimum ?? 0)} to ${most}`;
  }
  return field.type === 'boolean' ? '`true`, `false`' : 'text';
}

function plural(kind: string): string {
  return kind === 'map' ? 'maps' : kind === 'text' ? 'texts' : kind;
}

function defaultOf(field: Node): string {
  if (field.default === undefined) return '–';
  const written = JSON.stringify(field.default).replaceAll(',', ', ');
  return written === '""' || written === '{}' || written === '[]' ? '–' : `\`${written.replaceAll('"', '')}\``;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
