/** Which cases of a matrix run: all of them with RESURGO_CRASH_CHOICE=all, else a few that change by the day. */

/**
 * `RESURGO_CRASH_CHOICE`: `all`, or how many (default 2). The choice is made by the UTC date, so that every case comes round, and is
 * spread over the matrix.
 */
export function chosen<T>(cases: readonly T[], env: NodeJS.ProcessEnv = process.env, nowMs = Date.now()): T[] {
  const wanted = env['RESURGO_CRASH_CHOICE'] ?? '2';
  if (wanted === 'all') return [...cases];
  const count = Math.min(Number(wanted), cases.length);
  if (!Number.isInteger(count) || count < 1)
    throw new Error(`RESURGO_CRASH_CHOICE is "${wanted}": a number from 1, or all`);
  const stride = Math.ceil(cases.length / count);
  const day = Math.floor(nowMs / 86_400_000);
  const picked = Array.from({ length: count }, (_, nth) => (day + nth * stride) % cases.length);
  return cases.filter((_, index) => picked.includes(index));
}
