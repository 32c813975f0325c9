/**
 * YAML to plain data that still knows where each value stands. Aliases are expanded here, under a bound, so that a small file can't
 * grow into a huge one; a cycle, a custom tag or YAML 1.1 (where `no` is false) is refused.
 */
import {
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  parseDocument,
  type Document,
  type Node,
  type YAMLError,
} from 'yaml';

/** Where something stands in a file; both count from 1. */
export interface Position {
  line: number;
  column: number;
}

/** Names in maps and places in lists, from the outermost. */
type Place = (string | number)[];

export interface DocumentIssue extends Position {
  path: Place;
  message: string;
  suggestion?: string;
}

export interface ReadDocument {
  value: unknown;
  issues: DocumentIssue[];
  /** Position of the value at a path, or of its key; of the nearest parent where the path leads nowhere. */
  locate: (place: { path: readonly PropertyKey[]; key?: boolean }) => Position;
}

export type ForeignTag = (tagged: { tag: string; value: unknown }) => unknown;

/** How many values a file may hold once its aliases are expanded. */
export const MAX_VALUES = 50_000;
/** How deep values may lie in each other; a runbook needs eight. */
export const MAX_DEPTH = 32;

/** Words and signs of the text; reading them takes the parser about a second. */
const MAX_TOKENS = 500_000;
/** One slip can make the parser complain about all that follows. */
const MAX_SYNTAX_ISSUES = 20;

interface Walk {
  document: Document;
  counter: LineCounter;
  open: Set<Node>;
  /** The anchors seen so far; the parser's own look-up searches the whole document for each alias. */
  anchors: Map<string, Node>;
  aliasDepth: number;
  values: number;
  issues: DocumentIssue[];
  positions: Map<string, { key?: number; value: number }>;
  foreignTag: ForeignTag | undefined;
}

/** A refusal that ends the walk: reading on would cost more than the file is worth. */
class Stop extends Error {}

/**
 * Reads the text of one YAML document. Never throws: whatever is wrong is in `issues`.
 *
 * @param foreignTag the value of a text with an unknown tag (`!vault`), read as if it had none; without it such tags are refused
 */
export function readDocument({ text, foreignTag }: { text: string; foreignTag?: ForeignTag }): ReadDocument {
  const counter = new LineCounter();
  const deep = tooMuch({ text });
  if (deep) return { value: undefined, issues: [deep], locate: () => ({ line: deep.line, column: deep.column }) };
  const document = parseDocument(text, {
    lineCounter: counter,
    prettyErrors: false,
    stringKeys: true,
    // The walk below looks for them: the parser compares each name with each other one.
    uniqueKeys: false,
    logLevel: 'error',
  });
  const walk: Walk = {
    document,
    counter,
    open: new Set(),
    anchors: new Map(),
    aliasDepth: 0,
    values: 0,
    issues: [],
    positions: new Map(),
    foreignTag,
  };
  walk.issues.push(
    ...[...document.errors, ...(foreignTag ? [] : document.warnings)]
      .slice(0, MAX_SYNTAX_ISSUES)
      .map((error) => syntaxIssue({ error, counter })),
  );
  const { explicit, version } = document.directives.yaml;
  if (explicit && version !== '1.2') {
    walk.issues.push({
      line: 1,
      column: 1,
      path: [],
      message: `YAML ${version} is not read: remove the %YAML line`,
    });
  }
  let value: unknown;
  if (walk.issues.length === 0) {
    try {
      value = toPlain({ node: document.contents, path: [], walk });
    } catch (error) {
      if (!(error instanceof Stop)) throw error;
    }
  }
  return { value, issues: walk.issues, locate: (place) => locate({ ...place, walk }) };
}

function toPlain({ node, path, walk }: { node: unknown; path: Place; walk: Walk }): unknown {
  if (node === null || node === undefined) return null;
  if (path.length > MAX_DEPTH)
    stop({ walk, node, path, message: `values lie more than ${MAX_DEPTH} deep in each other` });
  if (++walk.values > MAX_VALUES) {
    stop({
      walk,
      node,
      path,
      message: `too much once its aliases (\`*name\`) are expanded: more than ${MAX_VALUES} values`,
    });
  }
  if (isAlias(node)) {
    const source = walk.anchors.get(node.source);
    if (!source) return stop({ walk, node, path, message: `no anchor \`&${node.source}\` stands before this alias` });
    if (walk.open.has(source)) stop({ walk, node, path, message: `the alias \`*${node.source}\` contains itself` });
    walk.aliasDepth++;
    const value = toPlain({ node: source, path, walk });
    walk.aliasDepth--;
    return value;
  }
  if (!isNode(node)) return null;
  if (walk.aliasDepth === 0 && 'anchor' in node && node.anchor !== undefined) walk.anchors.set(node.anchor, node);
  walk.open.add(node);
  const value = plainValue({ node, path, walk });
  walk.open.delete(node);
  return value;
}

function plainValue({ node, path, walk }: { node: unknown; path: Place; walk: Walk }): unknown {
  if (isSeq(node)) {
    return node.items.map((item, index) => {
      const place = [...path, index];
      note({ walk, path: place, value: startOf(item) });
      return toPlain({ node: item, path: place, walk });
    });
  }
  if (isMap(node)) {
    const result: Record<string, unknown> = {};
    for (const pair of node.items) {
      const name = isScalar(pair.key) ? String(pair.key.value) : '';
      const place = [...path, name];
      if (Object.hasOwn(result, name)) complain({ walk, node: pair.key, path: place, message: TWICE });
      // What reads the maps later passes over this one in silence, and so would its entry be.
      if (name === '__proto__') {
        complain({ walk, node: pair.key, path: place, message: 'can be no name: choose another' });
        continue;
      }
      note({ walk, path: place, key: startOf(pair.key), value: startOf(pair.value) });
      const value = toPlain({ node: pair.value, path: place, walk });
      Object.defineProperty(result, name, { value, enumerable: true, configurable: true, writable: true });
    }
    return result;
  }
  if (isScalar(node)) {
    const { tag } = node;
    const value = tag?.startsWith('!') && walk.foreignTag ? walk.foreignTag({ tag, value: node.value }) : node.value;
    if (value === null || ['string', 'number', 'boolean'].includes(typeof value)) return value;
  }
  return stop({ walk, node, path, message: 'only text, numbers, true, false, lists and maps may stand here' });
}

function stop({ walk, node, path, message }: { walk: Walk; node: unknown; path: Place; message: string }): never {
  walk.issues.push({ ...positionOf({ offset: startOf(node) ?? 0, walk }), path, message });
  throw new Stop(message);
}

const TWICE = 'is written twice in this map: remove or rename one';

function complain({ walk, node, path, message }: { walk: Walk; node: unknown; path: Place; message: string }): void {
  walk.issues.push({ ...positionOf({ offset: startOf(node) ?? 0, walk }), path, message });
}

function note({ walk, path, key, value }: { walk: Walk; path: Place; key?: number; value?: number }): void {
  const offset = value ?? key;
  if (offset !== undefined) walk.positions.set(JSON.stringify(path.map(String)), { key, value: offset });
}

function startOf(node: unknown): number | undefined {
  if (typeof node !== 'object' || node === null || !('range' in node)) return undefined;
  const { range } = node;
  return Array.isArray(range) && typeof range[0] === 'number' ? range[0] : undefined;
}

function positionOf({ offset, walk }: { offset: number; walk: Walk }): Position {
  const { line, col } = walk.counter.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col) };
}

function locate({ path, key, walk }: { path: readonly PropertyKey[]; key?: boolean; walk: Walk }): Position {
  const names = path.map(String);
  for (let length = names.length; length > 0; length--) {
    const found = walk.positions.get(JSON.stringify(names.slice(0, length)));
    if (!found) continue;
    const atKey = length < names.length || key === true;
    return positionOf({ offset: atKey ? (found.key ?? found.value) : found.value, walk });
  }
  return positionOf({ offset: startOf(walk.document.contents) ?? 0, walk });
}

function syntaxIssue({ error, counter }: { error: YAMLError; counter: LineCounter }): DocumentIssue {
  const { line, col } = counter.linePos(error.pos[0]);
  const place = { line: Math.max(1, line), column: Math.max(1, col), path: [] };
  if (error.code === 'MULTIPLE_DOCS') {
    return { ...place, message: 'a second YAML document begins here: a runbook is one document' };
  }
  return { ...place, message: `not valid YAML: ${error.message.split('\n', 1)[0] ?? ''}` };
}

/**
 * The parser calls itself for each level of nesting, so a file made of brackets could end the whole process. The lexer does not:
 * its tokens are counted first. In block style a level costs a column or a sign of its own on its line.
 */
function tooMuch({ text }: { text: string }): DocumentIssue | null {
  let offset = 0;
  let flow = 0;
  let block = 0;
  let tokens = 0;
  for (const token of new Lexer().lex(text)) {
    if (++tokens > MAX_TOKENS) return { line: 1, column: 1, path: [], message: 'holds more than any runbook needs' };
    if (token === '[' || token === '{') flow++;
    else if (token === ']' || token === '}') flow = Math.max(0, flow - 1);
    else if (token === '-' || token === '?') block++;
    // Within brackets a colon opens no level: a runbook written as one line of JSON has hundreds of them.
    else if (token === ':') block += flow === 0 ? 1 : 0;
    else if (token.endsWith('\n')) block = 0;
    else if (block === 0 && flow === 0 && /^ +$/.test(token)) block = token.length / 4;
    if (flow > MAX_DEPTH || block > MAX_DEPTH) {
      const before = text.slice(0, offset);
      const line = before.split('\n').length;
      const column = offset - before.lastIndexOf('\n');
      return { line, column, path: [], message: `values lie more than ${MAX_DEPTH} deep in each other` };
    }
    if (!/^[\x02\x18\x1f\ufeff]$/.test(token)) offset += token.length;
  }
  return null;
}
