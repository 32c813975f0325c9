/** The runbook's reference in Markdown (docs/runbook.md), made from the descriptions in the schema. */
import { runbookJsonSchema } from './json-schema';
import { starterRunbook } from './init';

interface Node {
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
}

/** The whole page. */
export function runbookReference(): string {
  const root: Node = runbookJsonSchema();
  return [
    '# The runbook',
    '',
    '<!-- Made from the schema by `node scripts/runbook-reference.js`; change the descriptions in `runbooks/schema*.ts`. -->',
    '',
    `${root.description ?? ''} \`resurgo init\` writes a first one, \`resurgo runbook validate\` says what is wrong by line and column,`,
    '`resurgo runbook show` prints it with every default filled in, and `resurgo runbook schema` prints the JSON Schema for editors.',
    '',
    'Durations are written `30s`, `5m`, `1h30m`, `7d`; shares `50%`; bandwidths `50MB/s` in bytes or `400Mbit/s` in bits. Times are UTC.',
    'Unknown fields are errors. Secrets never stand in a runbook, only the place where they lie.',
    '',
    ...section({ title: 'The file', node: root }),
    ...children({ node: root, path: [] }).flatMap(({ path, node }) =>
      section({ title: `\`${path.join('.')}\``, node }),
    ),
    '## What else is checked',
    '',
    '- Every host, store and label that is named exists; `via` never runs in a circle.',
    '- No two hosts have the same name without the prefix; no two stores lie at one place or one inside the other.',
    '- Within a group no source is there twice or inside another, and none overlaps its own store.',
    '- A folder of a backup is named after host and path, `app-1@+srv+data`: `/` becomes `+`, and a byte that is `+`, `%` or',
    '  outside `A-Za-z0-9._-` becomes `%XX`, so no two sources share one.',
    '- Units that must keep running (sshd, docker, systemd’s and our own) are not quiesced.',
    '',
    '## A first runbook',
    '',
    '```yaml',
    starterRunbook().trimEnd(),
    '```',
    '',
  ].join('\n');
}

function section({ title, node }: { title: string; node: Node }): string[] {
  const rows = Object.entries(node.properties ?? {}).map(([name, field]) => {
    const must = (node.required ?? []).includes(name);
    return `| \`${name}\` | ${kindOf(field)} | ${must ? '**required**' : defaultOf(field)} | ${cell(field.description ?? '')} |`;
  });
  if (rows.length === 0) return [];
  const text = title === 'The file' ? [] : [node.description ?? '', ''];
  return [`## ${title}`, '', ...text, '| field | what | default | meaning |', '|---|---|---|---|', ...rows, ''];
}

/** Every map with fields of its own below a node, each with its path. */
function children({ node, path }: { node: Node; path: string[] }): { path: string[]; node: Node }[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, field]) => {
    const inner = innerOf({ field, path: [...path, name] });
    return inner === undefined ? [] : [inner, ...children(inner)];
  });
}

function innerOf({ field, path }: { field: Node; path: string[] }): { path: string[]; node: Node } | undefined {
  if (field.properties) return { path, node: field };
  const last = path.at(-1) ?? '';
  const inList = field.items;
  if (inList?.properties) return { path: [...path.slice(0, -1), `${last}[]`], node: inList };
  const inMap = field.additionalProperties;
  if (typeof inMap === 'object' && inMap.properties) return { path: [...path, 'NAME'], node: inMap };
  const branch = field.anyOf?.find((one) => one.properties);
  return branch === undefined ? undefined : { path, node: branch };
}

function kindOf(field: Node): string {
  if (field.const !== undefined) return `\`${JSON.stringify(field.const)}\``;
  if (field.enum) return field.enum.map((word) => `\`${String(word)}\``).join(', ');
  if (field.anyOf) return [...new Set(field.anyOf.map(kindOf))].join(' or ');
  if (field.type === 'array') return `list of ${field.items ? plural(kindOf(field.items)) : 'values'}`;
  if (field.type === 'object') return 'map';
  if (field.type === 'integer') return `${field.minimum ?? 0} to ${field.maximum ?? '…'}`;
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
