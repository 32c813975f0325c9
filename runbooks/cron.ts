/** Checks a schedule's cron expression before a server refuses it in the night. */

const FIELDS = [
  { name: 'minute', min: 0, max: 59, words: [] },
  { name: 'hour', min: 0, max: 23, words: [] },
  { name: 'day of the month', min: 1, max: 31, words: [] },
  { name: 'month', min: 1, max: 12, words: 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ') },
  { name: 'day of the week', min: 0, max: 7, words: 'sun mon tue wed thu fri sat'.split(' ') },
] as const;

type Field = (typeof FIELDS)[number];

/** What is wrong with a cron expression of five fields, or null. */
export function cronProblem(text: string): string | null {
  const parts = text.trim().split(/\s+/);
  if (parts.length !== FIELDS.length) {
    return `has ${parts.length} field(s) instead of five (minute, hour, day of the month, month, day of the week)`;
  }
  for (const [index, field] of FIELDS.entries()) {
    const part = parts[index] ?? '';
    if (!part.split(',').every((item) => isItem({ item, field }))) {
      return `has "${part}" as ${field.name}, where ${field.min} to ${field.max}, \`*\`, a range or a step may stand`;
    }
  }
  return longestGapS(text) === null ? 'never comes: there is no such day' : null;
}

/** Long enough to hold two 29ths of February on every day of the week. */
const FIRST_DAY_MS = Date.UTC(2024, 0, 1);
const DAYS = 40 * 366;
const DAY_S = 86_400;

/**
 * The longest time between two times of a cron expression that is well formed, s; null when it never comes. As the engine reads it, a
 * day must fit both fields of days.
 */
export function longestGapS(text: string): number | null {
  const sets = text
    .trim()
    .split(/\s+/)
    .map((part, index) => (FIELDS[index] === undefined ? new Set<number>() : valuesOf({ part, field: FIELDS[index] })));
  const [minutes = NONE, hours = NONE, days = NONE, months = NONE, weekdays = NONE] = sets;
  const times = [...hours]
    .flatMap((hour) => [...minutes].map((minute) => (hour * 60 + minute) * 60))
    .sort((a, b) => a - b);
  const [first, last] = [times[0], times.at(-1)];
  if (first === undefined || last === undefined) return null;
  let gap = Math.max(0, ...times.slice(1).map((time, index) => time - (times[index] ?? time)));
  let before: number | undefined;
  for (let day = 0; day < DAYS; day += 1) {
    const date = new Date(FIRST_DAY_MS + day * DAY_S * 1000);
    if (!days.has(date.getUTCDate()) || !months.has(date.getUTCMonth() + 1) || !weekdays.has(date.getUTCDay()))
      continue;
    if (before !== undefined) gap = Math.max(gap, (day - before) * DAY_S + first - last);
    before = day;
  }
  return before === undefined ? null : gap;
}

const NONE: ReadonlySet<number> = new Set();

/** The numbers that a field stands for; Sunday is 0. */
function valuesOf({ part, field }: { part: string; field: Field }): Set<number> {
  const values = part.split(',').flatMap((item) => {
    const [range = '', stepText] = item.split('/');
    const [from = '', to] = range.split('-');
    const first = range === '*' ? field.min : (valueOf({ text: from, field }) ?? field.min);
    const open = range === '*' || (to === undefined && stepText !== undefined);
    const last = open ? field.max : to === undefined ? first : (valueOf({ text: to, field }) ?? first);
    const step = Number(stepText ?? 1);
    return Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, index) => first + index * step);
  });
  return new Set(field.name === 'day of the week' ? values.map((value) => value % 7) : values);
}

function isItem({ item, field }: { item: string; field: Field }): boolean {
  const match = /^(\*|([a-z]+|\d{1,2})(?:-([a-z]+|\d{1,2}))?)(?:\/(\d{1,2}))?$/i.exec(item);
  if (!match) return false;
  const [, range, from, to, step] = match;
  if (step !== undefined && (Number(step) < 1 || Number(step) > field.max)) return false;
  if (range === '*') return true;
  const first = valueOf({ text: from ?? '', field });
  const last = to === undefined ? first : valueOf({ text: to, field });
  return first !== null && last !== null && first <= last;
}

function valueOf({ text, field }: { text: string; field: Field }): number | null {
  const words: readonly string[] = field.words;
  if (!/^\d+$/.test(text)) {
    const index = words.indexOf(text.toLowerCase());
    return index < 0 ? null : index + field.min;
  }
  const value = Number(text);
  return value >= field.min && value <= field.max ? value : null;
}
