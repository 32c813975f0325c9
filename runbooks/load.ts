/** Reads a runbook. Whatever is wrong is collected and thrown as one {@link RunbookError} with file, line and column for each. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { crossCheck, lastCheck } from './checks';
import { checkReferences } from './checks-names';
import { type KnownNames } from './checks-shared';
import { readDocument } from './document';
import {
  expectedWords,
  formatPath,
  RunbookError,
  schemaFindings,
  valueAt,
  type Finding,
  type RunbookIssue,
} from './issues';
import { runbookJsonSchema } from './json-schema';
import { resolveRunbook } from './resolve';
import { runbookSchema, type WrittenRunbook } from './schema';
import { type Runbook } from './types';
import { warningsOf } from './warnings';

/** Bytes; a runbook of a thousand hosts has about a quarter of it. */
export const MAX_FILE_BYTES = 1024 * 1024;

/**
 * The runbook in a text.
 *
 * @param file its name, for the errors alone
 * @throws RunbookError with every issue that could be found
 */
export function parseRunbook({ text, file }: { text: string; file: string }): Runbook {
  return examineRunbook({ text, file }).runbook;
}

/**
 * As {@link parseRunbook}, with what is allowed in it and hardly meant.
 *
 * @throws RunbookError with every issue that could be found
 */
export function examineRunbook({ text, file }: { text: string; file: string }): {
  runbook: Runbook;
  warnings: RunbookIssue[];
} {
  if (Buffer.byteLength(text) > MAX_FILE_BYTES) throw tooLarge({ file, bytes: Buffer.byteLength(text) });
  const document = readDocument({ text });
  const issues: RunbookIssue[] = document.issues.map(({ path, ...issue }) => ({
    file,
    ...issue,
    path: formatPath(path),
  }));
  const { findings, written } = check({ value: document.value, skip: document.value === undefined });
  const placed = ({ path, atKey, ...finding }: Finding): RunbookIssue => ({
    file,
    ...document.locate({ path, key: atKey }),
    path: formatPath(path),
    ...finding,
  });
  issues.push(...unique(findings).map(placed));
  if (issues.length > 0 || !written) {
    throw new RunbookError({ issues: inOrder(issues) });
  }
  return { runbook: resolveRunbook({ written }), warnings: inOrder(warningsOf({ written }).map(placed)) };
}

function inOrder(issues: RunbookIssue[]): RunbookIssue[] {
  return issues.sort((a, b) => a.line - b.line || a.column - b.column);
}

/**
 * The runbook in a file.
 *
 * @throws RunbookError also when the file can't be read
 */
export function loadRunbook({ file }: { file: string }): Runbook {
  return parseRunbook({ text: readText({ file }), file });
}

/** A text file of at most {@link MAX_FILE_BYTES}; a larger one is refused unread. */
export function readText({
  file,
  missing = NO_RUNBOOK,
}: {
  file: string;
  /** What to do where it is not there. */ missing?: string;
}): string {
  let handle: number | undefined;
  try {
    handle = openSync(file, 'r');
    const stat = fstatSync(handle);
    if (stat.isDirectory()) throw fileError({ file, message: 'is a folder: name the YAML file in it' });
    if (stat.size > MAX_FILE_BYTES) throw tooLarge({ file, bytes: stat.size });
    const bytes = readBounded({ handle });
    if (bytes.length > MAX_FILE_BYTES) throw tooLarge({ file, bytes: bytes.length });
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    if (error instanceof RunbookError) throw error;
    throw fileError({ file, message: whyUnread(error, missing) });
  } finally {
    if (handle !== undefined) closeSync(handle);
  }
}

/** At most one byte more than allowed, so that a pipe or a growing file can't fill the memory. */
function readBounded({ handle }: { handle: number }): Buffer {
  const buffer = Buffer.alloc(MAX_FILE_BYTES + 1);
  let length = 0;
  for (let got = -1; got !== 0 && length < buffer.length; length += got) {
    got = readSync(handle, buffer, length, buffer.length - length, null);
  }
  return buffer.subarray(0, length);
}

const NO_RUNBOOK = 'name one with --runbook FILE, or `resurgo init` writes a first one';

function whyUnread(error: unknown, missing: string): string {
  const code = valueAt({ value: error, path: ['code'] });
  if (code === 'ENOENT') return `can't be read: no such file; ${missing}`;
  if (code === 'EACCES') return "can't be read: permission denied";
  if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return 'is not UTF-8 text';
  return `can't be read: ${String(error)}`;
}

function fileError({ file, message }: { file: string; message: string }): RunbookError {
  return new RunbookError({ issues: [{ file, line: 1, column: 1, path: '', message }] });
}

function tooLarge({ file, bytes }: { file: string; bytes: number }): RunbookError {
  const message = `is ${bytes} bytes long, and a runbook has at most ${MAX_FILE_BYTES}: is this the right file?`;
  return fileError({ file, message });
}

/** A value that breaks two rules with the same words is told once. */
function unique(findings: Finding[]): Finding[] {
  const seen = new Map(findings.map((finding) => [JSON.stringify([finding.path, finding.message]), finding]));
  return [...seen.values()];
}

function check({ value, skip }: { value: unknown; skip: boolean }): { findings: Finding[]; written?: WrittenRunbook } {
  if (skip) return { findings: [] };
  const newer = newerVersion(value);
  if (newer) return { findings: [newer] };
  const result = runbookSchema.safeParse(value, { error: expectedWords });
  if (!result.success) {
    const findings = schemaFindings({ issues: result.error.issues, value, known: knownFields });
    const sound = prune({ value });
    const known = namesOf(value);
    const cross = sound ? crossCheck({ written: sound, known }) : [];
    // A word that is no name at all has been told already.
    const told = new Set(findings.map(({ path }) => formatPath(path)));
    const references = checkReferences({ value, known }).filter(({ path }) => !told.has(formatPath(path)));
    return { findings: [...findings, ...cross, ...references] };
  }
  const written = result.data;
  const findings = crossCheck({ written, known: namesOf(value) });
  return { findings: findings.length > 0 ? findings : lastCheck({ written }), written };
}

function newerVersion(value: unknown): Finding | undefined {
  const version = valueAt({ value, path: ['version'] });
  if (typeof version !== 'number' || !Number.isInteger(version) || version <= 1) return undefined;
  const message = `this runbook is of version ${version} and this Resurgo reads version 1: update Resurgo`;
  return { path: ['version'], message, expected: '1' };
}

function namesOf(value: unknown): KnownNames {
  const keys = (field: string) => {
    const map = valueAt({ value, path: [field] });
    return typeof map === 'object' && map !== null && !Array.isArray(map) ? Object.keys(map) : [];
  };
  return { hosts: keys('hosts'), stores: keys('stores') };
}

/**
 * What is left of a faulty runbook when everything that does not pass the schema is taken away: a wrong value, or the thing that
 * misses one. Of a list all goes, so that the places of what stays are right. Undefined when nothing sound is left.
 */
function prune({ value }: { value: unknown }): WrittenRunbook | undefined {
  const copy = structuredClone(value);
  for (let round = 0; round < 8; round++) {
    const result = runbookSchema.safeParse(copy);
    if (result.success) return result.data;
    for (const issue of result.error.issues) {
      const places = issue.code === 'unrecognized_keys' ? issue.keys.map((key) => [...issue.path, key]) : [issue.path];
      if (!places.every((path) => removeAt({ value: copy, path }))) return undefined;
    }
  }
  return undefined;
}

/** Removes what stands at a path, or the list that it is in, or what misses it; false when that would be everything. */
function removeAt({ value, path }: { value: unknown; path: PropertyKey[] }): boolean {
  const list = path.findIndex((part) => typeof part === 'number');
  const place = list < 0 ? path : path.slice(0, list);
  const there = valueAt({ value, path: place }) === undefined && list < 0 ? place.slice(0, -1) : place;
  const last = there.at(-1);
  const parent = valueAt({ value, path: there.slice(0, -1) });
  if (last === undefined) return false;
  return typeof parent !== 'object' || parent === null || Reflect.deleteProperty(parent, last);
}

/** The fields that may stand in the map at a path, found by walking the JSON Schema. */
function knownFields(path: readonly PropertyKey[]): string[] {
  let nodes: unknown[] = [runbookJsonSchema()];
  for (const part of path) nodes = nodes.flatMap((node) => childrenOf({ node, part })).flatMap(branchesOf);
  return nodes.flatMap((node) => {
    const properties = valueAt({ value: node, path: ['properties'] });
    return typeof properties === 'object' && properties !== null ? Object.keys(properties) : [];
  });
}

function childrenOf({ node, part }: { node: unknown; part: PropertyKey }): unknown[] {
  const places = typeof part === 'number' ? [['items']] : [['properties', part], ['additionalProperties']];
  const found = places.map((path) => valueAt({ value: node, path })).find((child) => typeof child === 'object');
  return found === undefined ? [] : [found];
}

function branchesOf(node: unknown): unknown[] {
  const branches = valueAt({ value: node, path: ['anyOf'] });
  return Array.isArray(branches) ? branches : [node];
}
