/** The last look at a layout: what a hostile or broken host told too long, too large or malformed is left out and said, never kept. */
import { layoutSchema, type Layout } from './layout-schema';
import type { Reading } from './layout-facts';

/** All but the limits, which say what was left out. */
type Body = Omit<Layout, 'limits'>;
const body = layoutSchema.omit({ limits: true });

/** Of any text but a file's, in characters: what the schema takes. */
const MOST = 4096;

export function onlyValid({ layout, reading }: { layout: Body; reading: Reading }): Body {
  // Files are bounded by the hostkit, and longer than words.
  const { configs, ...rest } = layout;
  let candidate: unknown = Object.assign({ configs }, clipped(rest));
  for (;;) {
    const read = body.safeParse(candidate);
    if (read.success) return read.data;
    const bad = new Map<string, PropertyKey[]>();
    for (const { path, message } of read.error.issues) {
      const last = path.findLastIndex((step) => typeof step === 'number');
      // A part that stands in no list is read by us of nothing that could be malformed.
      if (last < 0) throw read.error;
      const element = path.slice(0, last + 1);
      const key = element.join('.');
      if (!bad.has(key))
        reading.limit({ what: key, why: `what the host told of it can’t be (${message})`, weight: 'fatal' });
      bad.set(key, element);
    }
    candidate = without({ value: candidate, at: '', bad: new Set(bad.keys()) });
  }
}

function clipped(value: unknown): unknown {
  if (typeof value === 'string') return value.length > MOST ? value.slice(0, MOST) : value;
  if (Array.isArray(value)) return value.map(clipped);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key.slice(0, MOST), clipped(each)]));
}

function without({ value, at, bad }: { value: unknown; at: string; bad: ReadonlySet<string> }): unknown {
  const inner = (each: unknown, key: string | number) =>
    without({ value: each, at: at === '' ? String(key) : `${at}.${key}`, bad });
  if (Array.isArray(value)) return value.flatMap((each: unknown, i) => (bad.has(`${at}.${i}`) ? [] : [inner(each, i)]));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, inner(each, key)]));
}
