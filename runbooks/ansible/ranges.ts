/** Host ranges of Ansible: `web[01:10]`, `db-[a:c]`, with a step `[0:10:2]`, several in one name. */

/** More hosts than this from one pattern is taken for a slip. */
const MAX_HOSTS = 10_000;

/** The host names that a pattern means; null where a range makes no sense. A name without a range is returned as it is. */
export function expandRange(pattern: string): string[] | null {
  const match = /^(.*?)\[([^\]]*)\](.*)$/.exec(pattern);
  if (!match) return /[[\]]/.test(pattern) ? null : [pattern];
  const [, before = '', range = '', after = ''] = match;
  const items = itemsOf(range);
  const rest = expandRange(after);
  if (!items || !rest || items.length * rest.length > MAX_HOSTS) return null;
  return items.flatMap((item) => rest.map((tail) => `${before}${item}${tail}`));
}

function itemsOf(range: string): string[] | null {
  const match = /^(\d*|[A-Za-z]):(\d+|[A-Za-z])(?::(\d+))?$/.exec(range);
  if (!match) return null;
  const [, begin = '', end = '', stepText] = match;
  const step = stepText === undefined ? 1 : Number(stepText);
  const letters = /[A-Za-z]/.test(end);
  if (step < 1 || (begin !== '' && letters !== /[A-Za-z]/.test(begin))) return null;
  const [first, last] = letters ? [begin.charCodeAt(0), end.charCodeAt(0)] : [Number(begin), Number(end)];
  if (!(first <= last) || last - first > MAX_HOSTS * step) return null;
  // A first number with a zero before it gives the width of all, which then can't differ.
  const padded = !letters && begin.length > 1 && begin.startsWith('0');
  if (padded && begin.length !== end.length) return null;
  return Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, index) => {
    const value = first + index * step;
    return letters ? String.fromCharCode(value) : String(value).padStart(padded ? begin.length : 0, '0');
  });
}
