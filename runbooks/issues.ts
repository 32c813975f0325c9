/** What is wrong with a runbook, and the error that carries all of it. */
import { type z } from 'zod';
import { nearest } from './suggest';
import { LATER_SNAPSHOT_KINDS, SNAPSHOT_KINDS } from './types';

/** One fault; line and column count from 1. */
export interface RunbookIssue {
  file: string;
  line: number;
  column: number;
  /** Such as `groups.portal.sources[0].host`; empty for the file as a whole. */
  path: string;
  message: string;
  /** What may stand there. */
  expected?: string;
  /** The nearest known word. */
  suggestion?: string;
}

/** A fault before its place in the file has been looked up. */
export interface Finding {
  path: PropertyKey[];
  message: string;
  expected?: string;
  suggestion?: string;
  /** The fault is the name itself, not what stands behind it. */
  atKey?: boolean;
}

/** A runbook that can't be used. `message` lists every issue as `file:line:column: path: message`. */
export class RunbookError extends Error {
  override readonly name = 'RunbookError';
  readonly issues: RunbookIssue[];

  constructor({ issues }: { issues: RunbookIssue[] }) {
    super(issues.map(formatIssue).join('\n'));
    this.issues = issues;
  }
}

/** One line for a person, with places that editors can jump to. */
export function formatIssue({ file, line, column, path, message, suggestion }: RunbookIssue): string {
  const hint = suggestion === undefined ? '' : `; did you mean \`${suggestion}\`?`;
  return `${file}:${line}:${column}: ${path === '' ? '' : `${path}: `}${message}${hint}`;
}

/** `['groups', 'portal', 'sources', 0]` as `groups.portal.sources[0]`; odd names are quoted, so nothing odd reaches a terminal. */
export function formatPath(path: readonly PropertyKey[]): string {
  return path
    .map((part, index) => {
      if (typeof part === 'number') return `[${part}]`;
      const name = String(part);
      if (/^[A-Za-z0-9_-]{1,64}$/.test(name)) return index === 0 ? name : `.${name}`;
      return `[${quote(name)}]`;
    })
    .join('');
}

/** The login of a URL. A password may hold anything, so all up to the last `@` counts. */
const URL_LOGIN = /(:\/\/)[^]*@/;

/** A text with `[redacted]` for the login of a URL in it. */
export function withoutLogins(text: string): string {
  return text.replace(URL_LOGIN, '$1[redacted]@');
}

/** A value of the file in quotes, shortened, without logins of URLs, with control characters escaped. */
export function quote(value: string): string {
  const clean = withoutLogins(value);
  const short = clean.length > 60 ? `${clean.slice(0, 60)}…` : clean;
  return JSON.stringify(short).replace(/[\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g, (char) => {
    return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

/** What stands at a place, in words. */
export function describe(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (typeof value === 'string') return `the text ${quote(value)}`;
  if (typeof value === 'number') return `the number ${value}`;
  if (typeof value === 'boolean') return `\`${String(value)}\``;
  return Array.isArray(value) ? 'a list' : 'a map of fields';
}

/** The words for what zod expected where the schema gives none of its own. */
export function expectedWords(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code === 'invalid_type') {
    const words: Record<string, string> = {
      object: 'a map of fields',
      record: 'a map of names',
      array: 'a list',
      string: 'text',
      boolean: '`true` or `false`',
    };
    return words[issue.expected] ?? issue.expected;
  }
  if (issue.code === 'invalid_value') return issue.values.map((value) => `\`${String(value)}\``).join(', ');
  return undefined;
}

/** The value at a path of plain data; undefined where it leads nowhere. */
export function valueAt({ value, path }: { value: unknown; path: readonly PropertyKey[] }): unknown {
  let at = value;
  for (const part of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, part)) return undefined;
    at = Reflect.get(at, part) as unknown;
  }
  return at;
}

/** Zod's issues as findings; `known` gives the fields that exist at a path. */
export function schemaFindings({
  issues,
  value,
  known,
}: {
  issues: readonly z.core.$ZodIssue[];
  value: unknown;
  known: (path: readonly PropertyKey[]) => string[];
}): Finding[] {
  return issues.flatMap((issue) => findingsOf({ issue, at: issue.path, value, known }));
}

function findingsOf({
  issue,
  at,
  value,
  known,
}: {
  issue: z.core.$ZodIssue;
  at: PropertyKey[];
  value: unknown;
  known: (path: readonly PropertyKey[]) => string[];
}): Finding[] {
  const found = valueAt({ value, path: at });
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => unknownField({ key, at, value: found, fields: known(at) }));
  }
  if (issue.code === 'invalid_key') {
    const expected = issue.issues[0]?.message ?? 'a name';
    return [{ path: at, message: `expected ${expected}, found ${quote(String(at.at(-1)))}`, expected, atKey: true }];
  }
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const isMap = typeof found === 'object' && found !== null && !Array.isArray(found);
    const branch = isMap
      ? issue.errors.find((errors) => errors.every(({ path, code }) => path.length > 0 || code === 'unrecognized_keys'))
      : undefined;
    if (branch)
      return branch.flatMap((inner) => findingsOf({ issue: inner, at: [...at, ...inner.path], value, known }));
    const expected = [...new Set(issue.errors.flatMap((errors) => errors.map(({ message }) => message)))].join(' or ');
    return [
      { path: at, message: `expected ${expected}, found ${describe(found)}`, expected, ...near({ issue, found }) },
    ];
  }
  const expected = issue.message;
  if (found === undefined) {
    return [{ path: at, message: `is missing: expected ${expected}`, expected }];
  }
  const later = laterKind({ at, found });
  if (later) return [later];
  const oneOf = issue.code === 'invalid_value' && issue.values.length > 1 ? 'one of ' : '';
  // What stands there against the rule is the secret itself.
  const stands = at.at(-1) === 'secret' && typeof found === 'string' ? 'a text' : describe(found);
  return [
    {
      path: at,
      message: `expected ${oneOf}${expected}, found ${stands}`,
      expected,
      ...near({ issue, found }),
    },
  ];
}

function unknownField({
  key,
  at,
  value,
  fields,
}: {
  key: string;
  at: PropertyKey[];
  value: unknown;
  fields: string[];
}): Finding {
  const written = typeof value === 'object' && value !== null ? Object.keys(value) : [];
  const free = fields.filter((field) => !written.includes(field));
  const suggestion = nearest({ word: key, known: free });
  const message =
    key === '<<' ? 'merge keys are not read: write the fields, or an alias for the whole' : 'is not a field here';
  const expected = fields.join(', ');
  const list = suggestion === undefined && key !== '<<' ? `; the fields are ${expected}` : '';
  return { path: [...at, key], message: `${message}${list}`, expected, atKey: true, ...(suggestion && { suggestion }) };
}

function laterKind({ at, found }: { at: readonly PropertyKey[]; found: unknown }): Finding | undefined {
  const kind = LATER_SNAPSHOT_KINDS.find((later) => later === found);
  if (at.at(-1) !== 'snapshot' || kind === undefined) return undefined;
  const expected = SNAPSHOT_KINDS.map((name) => `\`${name}\``).join(', ');
  return {
    path: [...at],
    message: `the snapshot kind \`${kind}\` arrives with later work; this version takes ${expected}`,
    expected,
  };
}

function near({ issue, found }: { issue: z.core.$ZodIssue; found: unknown }): { suggestion?: string } {
  if (typeof found !== 'string') return {};
  const values = issue.code === 'invalid_union' ? issue.errors.flat().flatMap(valuesOf) : valuesOf(issue);
  const suggestion = nearest({ word: found, known: values });
  return suggestion === undefined ? {} : { suggestion };
}

function valuesOf(issue: z.core.$ZodIssue): string[] {
  return issue.code === 'invalid_value' ? issue.values.filter((value) => typeof value === 'string') : [];
}
