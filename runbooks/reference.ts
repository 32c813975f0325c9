/** The runbook's reference in Markdown (docs/runbook.md), made from the descriptions in the schema. */
import { runbookJsonSchema } from './json-schema';
import { starterRunbook } from './init';
import { children, section, type Node } from './reference-tables';

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
    '- Within a group no source is there twice or inside another, and none overlaps its own store. A whole machine (`system`)',
    '  is the only source of its host there, has the path `/`, and leaves out what stores lie on it.',
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
