/** One text for one value: what is signed, and what a plan's hash is taken over. */
import { PlanningError } from './errors';

/**
 * The value as JSON on one line: keys sorted by code unit, no spaces, members that are `undefined` left out.
 * @throws PlanningError for what JSON would lose or change without a word: NaN, infinities, bigint, functions, holes, class instances.
 */
export function canonicalJson(value: unknown): string {
  return write(value, '$');
}

function write(value: unknown, at: string): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw refuse(at, String(value));
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) {
    return `[${Array.from(value, (item: unknown, i) => write(item, `${at}[${i}]`)).join(',')}]`;
  }
  if (typeof value !== 'object' || !isPlain(value)) throw refuse(at, typeof value);
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(key)}:${write(member, `${at}.${key}`)}`);
  return `{${members.join(',')}}`;
}

/** By tag, not by prototype: a value from a workflow's sandbox has that sandbox's own `Object`. */
function isPlain(value: object): boolean {
  return Object.prototype.toString.call(value) === '[object Object]';
}

function refuse(at: string, what: string): PlanningError {
  return new PlanningError({
    code: 'bad-plan',
    message: `${at} holds ${what}, which JSON cannot carry`,
    next: 'Use plain JSON values only',
  });
}
