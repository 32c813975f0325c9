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
  return null;
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
