/** What a restore must not delete: what the backup left out, and what else is mounted in the destination (S20). */

export interface Protection {
  /** An rsync exclude pattern, relative to the destination. */
  pattern: string;
  why: string;
}

export interface ProtectionInput {
  /** Patterns that the backup left out. */
  excluded: readonly string[];
  /** Patterns that the runbook leaves out now. */
  excludedNow: readonly string[];
  /** Paths below the source that the backup left out (nested subvolumes, mounts), relative to it. */
  skipped: readonly { path: string; reason: string }[];
  /** Mounts nested in the destination now: patterns that fit each alone, relative to it. */
  nestedNow: readonly string[];
  /** The part of the source that is restored; null is all of it. */
  subpath: string | null;
}

export interface Protections {
  protect: Protection[];
  /** Patterns that can't be told for a part of a source: a restore that deletes must not go on. */
  unclear: string[];
}

/** All protections of one destination, each pattern once. `nestedNow` is relative to the destination, the rest to the source. */
export function protections(input: ProtectionInput): Protections {
  const unclear: string[] = [];
  const found: Protection[] = [];
  const add = (pattern: string, why: string): void => {
    const moved = rebasePattern({ pattern, subpath: input.subpath });
    if (moved === undefined) unclear.push(pattern);
    else for (const each of moved) found.push({ pattern: each, why });
  };
  for (const pattern of input.excluded) add(pattern, 'excluded from the backup');
  for (const pattern of input.excludedNow) add(pattern, 'excluded by the runbook');
  for (const { path, reason } of input.skipped) add(literalPattern(path), `not in the backup: ${reason}`);
  for (const pattern of input.nestedNow) found.push({ pattern, why: 'mounted in the destination' });
  const seen = new Set<string>();
  const protect = found.filter(({ pattern }) => !seen.has(pattern) && seen.add(pattern));
  return { protect, unclear: [...new Set(unclear)] };
}

/** A path as an rsync pattern that fits it alone. rsync reads a backslash only where the pattern has a wildcard. */
export function literalPattern(path: string): string {
  const clean = path
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/');
  return `/${/[*?[]/.test(clean) ? clean.replace(/[\\*?[]/g, '\\$&') : clean}`;
}

/**
 * A pattern of a source as it must read in a restore of one folder of it. Without a leading slash it fits anywhere and stays; an
 * anchored one loses the folder's names. Returns none where it can't fit inside, and undefined where that can't be told.
 */
export function rebasePattern({ pattern, subpath }: { pattern: string; subpath: string | null }): string[] | undefined {
  if (subpath === null || !pattern.startsWith('/')) return [pattern];
  const names = subpath.split('/').filter((part) => part !== '');
  const parts = pattern.slice(1).split('/');
  if (parts.some((part) => part.includes('**') && part !== '**' && part !== '***')) return undefined;
  return [...new Set(remainders(parts, names))].map((rest) => `/${rest}`);
}

/** What is left of the pattern's parts once the folder's names are used up, in every way that they can be. */
function remainders(parts: readonly string[], names: readonly string[]): string[] {
  const [name, ...deeper] = names;
  const [part, ...rest] = parts;
  // The pattern names the restored folder itself, or one above it: nothing of it is in the backup, and all of it is kept.
  if (part === undefined || (part === '' && rest.length === 0)) return ['**'];
  if (name === undefined) return [parts.join('/')];
  if (part === '***' && rest.length === 0) return ['**'];
  if (part === '**' || part === '***') {
    // It stands for at least one name. At the pattern's end it also takes all that lies below.
    return rest.length === 0 ? ['**'] : [...remainders(rest, deeper), ...remainders(parts, deeper)];
  }
  return partFits(part, name) ? remainders(rest, deeper) : [];
}

/** Whether a part of a pattern (no slashes) fits a name as rsync's wildcards do. */
function partFits(part: string, name: string): boolean {
  if (!/[*?[]/.test(part)) return part === name;
  const source = part.replace(/\\(.)|\[(!|\^)?(\]?[^\]]*)\]|([*?])|([^\w])/gu, (all: string, ...groups: unknown[]) => {
    const [escaped, negated, members, wildcard] = groups as (string | undefined)[];
    if (escaped !== undefined) return literal(escaped);
    if (members !== undefined) return `[${negated === undefined ? '' : '^'}${members.replace(/[\\\][^]/g, '\\$&')}]`;
    if (wildcard !== undefined) return wildcard === '*' ? '.*' : '.';
    return literal(all);
  });
  try {
    return new RegExp(`^${source}$`, 'su').test(name);
  } catch {
    return true;
  }
}

function literal(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}
