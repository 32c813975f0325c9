import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { starterRunbook } from '../../runbooks/init';
import { runbookJsonSchema } from '../../runbooks/json-schema';
import { loadRunbook, parseRunbook } from '../../runbooks/load';
import { runbookReference } from '../../runbooks/reference';
import { showRunbook } from '../../runbooks/show';

const root = join(__dirname, '..', '..');
const examples = readdirSync(join(root, 'runbooks', 'examples'));

it('the starting runbook validates, without a change', () => {
  const runbook = parseRunbook({ text: starterRunbook(), file: 'resurgo.yaml' });
  expect(Object.keys(runbook.groups)).toEqual(['portal']);
  expect(runbook.groups.portal?.sources.map(({ tree }) => tree)).toEqual(['app-1@+srv+data', 'app-2@+srv+data']);
});

it('there are examples', () => {
  expect(examples.length).toBeGreaterThanOrEqual(3);
});

it.each(examples)('example %s validates, is commented, and is shown as the same runbook', (name) => {
  const file = join(root, 'runbooks', 'examples', name);
  const runbook = loadRunbook({ file });
  expect(readFileSync(file, 'utf8')).toMatch(/^# /);
  expect(parseRunbook({ text: showRunbook(runbook), file: 'shown' })).toEqual(runbook);
});

it('docs/runbook.md is what the schema says (else: node scripts/runbook-reference.js)', () => {
  expect(readFileSync(join(root, 'docs', 'runbook.md'), 'utf8')).toBe(runbookReference());
});

/** Every schema node of a field, with its path. */
function fieldsOf(node: unknown, path = ''): [string, { description?: unknown }][] {
  if (typeof node !== 'object' || node === null) return [];
  return Object.entries(node).flatMap(([key, value]: [string, unknown]) => {
    if (key !== 'properties') return fieldsOf(value, path);
    return Object.entries(value as Record<string, { description?: unknown }>).flatMap(
      ([name, field]): [string, { description?: unknown }][] => [
        [`${path}.${name}`, field],
        ...fieldsOf(field, `${path}.${name}`),
      ],
    );
  });
}

it('the JSON Schema describes every field, and refuses unknown ones', () => {
  const schema = runbookJsonSchema();
  expect(schema).toMatchObject({ type: 'object', additionalProperties: false, required: ['version', 'hosts'] });
  const fields = fieldsOf(schema);
  expect(fields.length).toBeGreaterThan(70);
  expect(fields.filter(([, field]) => typeof field.description !== 'string' || field.description === '')).toEqual([]);
});

it('the JSON Schema wants one of `webhook` and `ping`, and a secret from one place, for a webhook alone', () => {
  const fields = new Map(fieldsOf(runbookJsonSchema()));
  const required = (...names: string[]) => names.map((name) => ({ required: [name] }));
  expect(fields.get('.groups.notify')).toMatchObject({
    items: { oneOf: required('webhook', 'ping'), dependentRequired: { secret: ['webhook'] } },
  });
  expect(fields.get('.groups.notify.secret')).toMatchObject({ oneOf: required('file', 'env', 'command') });
});
