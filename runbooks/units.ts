/** Durations, bandwidths and shares as an operator writes them, to plain numbers and back. */

const SECONDS = { w: 604_800, d: 86_400, h: 3600, m: 60, s: 1 };
const BYTES = { B: 1, kB: 1e3, MB: 1e6, GB: 1e9, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };
const BITS = { kbit: 1e3, Mbit: 1e6, Gbit: 1e9 };

/** `30s`, `5m`, `24h`, `7d`, `2w`, or larger to smaller together: `1h30m`. */
export const DURATION_PATTERN = /^(?=.)(?:\d{1,6}w)?(?:\d{1,6}d)?(?:\d{1,6}h)?(?:\d{1,6}m)?(?:\d{1,8}s)?$/;
/** `50MB/s` in bytes, `400Mbit/s` in bits; `none` is no limit. */
export const BANDWIDTH_PATTERN = /^(?:none|\d{1,15}(?:\.\d{1,3})? ?(?:B|kB|MB|GB|KiB|MiB|GiB|kbit|Mbit|Gbit)\/s)$/;
export const PERCENT_PATTERN = /^(?:100|[1-9]?\d)%$/;

/** Seconds of a duration that {@link DURATION_PATTERN} has let through. */
export function parseDuration(text: string): number {
  let seconds = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)([wdhms])/g)) {
    seconds += Number(count) * SECONDS[unit as keyof typeof SECONDS];
  }
  return seconds;
}

/** The shortest duration that parses back to the same seconds: 5400 gives `1h30m`. */
export function formatDuration(seconds: number): string {
  let rest = seconds;
  let text = '';
  for (const [unit, size] of Object.entries(SECONDS)) {
    const count = Math.floor(rest / size);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * size;
  }
  return text || '0s';
}

/** Bytes per second of a bandwidth that {@link BANDWIDTH_PATTERN} has let through, rounded down; `none` and 0 give 0. */
export function parseBandwidth(value: string | number): number {
  const match = /^([\d.]+) ?(\w+)\/s$/.exec(String(value));
  if (!match) return 0;
  const [, count = '0', unit = 'B'] = match;
  const factor = unit in BITS ? BITS[unit as keyof typeof BITS] / 8 : BYTES[unit as keyof typeof BYTES];
  return Math.floor(Number(count) * factor);
}

/** A bandwidth that parses back to the same bytes per second, in the largest decimal unit that is exact; 0 is `none`. */
export function formatBandwidth(bytesPerS: number): string {
  if (bytesPerS === 0) return 'none';
  const unit = (['GB', 'MB', 'kB'] as const).find((name) => bytesPerS % BYTES[name] === 0) ?? 'B';
  return `${bytesPerS / BYTES[unit]}${unit}/s`;
}

/** The number in a share such as `50%`. */
export function parsePercent(text: string): number {
  return Number(text.slice(0, -1));
}
