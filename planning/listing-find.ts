/** Finding in a listing (exact path, folder, glob) and summing it up. */
import { PlanningError } from './errors';
import type { Lines, ListingEntry } from './listing-format';
import { escapePath, readListing } from './listing-format';

export interface FindOptions {
  listing: Lines;
  /**
   * Relative to the source, as a person types it. Without wildcards: that path, and all below it. With `*` and `?` (within one
   * name), `**` (over folders) or `[a-z]`: every path that fits as a whole; a pattern without a slash fits the last name.
   */
  pattern: string;
}

/** The entries that fit, in the listing's order. @throws PlanningError for a pattern or a listing that can't be read */
export async function* findInListing({ listing, pattern }: FindOptions): AsyncGenerator<ListingEntry> {
  const fits = pathMatcher(pattern);
  for await (const line of readListing(listing)) {
    if (line.kind === 'xattr') return;
    if (fits(line.entry.path)) yield line.entry;
  }
}

/** A test for escaped paths. @throws PlanningError for an empty pattern, or one with too many wildcards */
export function pathMatcher(pattern: string): (escapedPath: string) => boolean {
  const clean = pattern.replace(/^(?:\.?\/)+/, '').replace(/\/+$/, '');
  if (clean === '' || clean === '.') return () => true;
  if (clean.length > 4096 || (clean.match(/\*+/g) ?? []).length > 12) {
    throw new PlanningError({
      code: 'not-found',
      message: `the pattern ${JSON.stringify(pattern.slice(0, 80))} is too long or has more than 12 stars`,
      next: 'Search for a folder of it',
    });
  }
  if (!/[*?[]/.test(clean)) {
    const exact = escapePath(clean);
    return (path) => path === exact || path.startsWith(`${exact}/`);
  }
  const whole = clean.includes('/');
  const regex = compile(clean);
  return (path) => regex.test(whole ? path : path.slice(path.lastIndexOf('/') + 1));
}

/** One character of an escaped path, not a slash: a UTF-8 sequence, a lone byte, or itself. */
const ONE = '(?:%[C-F][0-9A-F](?:%[89AB][0-9A-F])+|%[0-9A-F]{2}|[^/%])';

function compile(pattern: string): RegExp {
  try {
    return new RegExp(`^${globSource(pattern)}$`, 'u');
  } catch {
    throw new PlanningError({
      code: 'not-found',
      message: `the pattern ${JSON.stringify(pattern)} can't be read`,
      next: 'Check its brackets: a range runs upward, as in [a-z]',
    });
  }
}

function globSource(pattern: string): string {
  let source = '';
  const chars = Array.from(pattern);
  for (let i = 0; i < chars.length; i += 1) {
    const char = chars[i] ?? '';
    if (char === '*') {
      const stars = chars.slice(i).findIndex((each) => each !== '*');
      const count = stars === -1 ? chars.length - i : stars;
      const folders = count > 1 && chars[i + count] === '/' && (i === 0 || chars[i - 1] === '/');
      source += folders ? '(?:.*/)?' : count > 1 ? '.*' : '[^/]*';
      i += count - 1 + (folders ? 1 : 0);
    } else if (char === '?') {
      source += ONE;
    } else if (char === '[') {
      const end = chars.indexOf(']', i + 2);
      if (end === -1) {
        source += '\\[';
      } else {
        source += classSource(chars.slice(i + 1, end));
        i = end;
      }
    } else {
      source += literal(char);
    }
  }
  return source;
}

/** `[a-c!]`, `[!a]`: over plain characters alone; a range of escaped ones would not be a range of bytes. */
function classSource(chars: readonly string[]): string {
  const negated = chars[0] === '!' || chars[0] === '^';
  const members = (negated ? chars.slice(1) : chars).join('').replace(/[\\\]^[]/g, '\\$&');
  return negated ? `(?![${members}])${ONE}` : `[${members}]`;
}

function literal(char: string): string {
  return escapePath(char).replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}
