/** Which cases of a matrix run: all of them with RESURGO_CRASH_CHOICE=all, else a few that follow from a number. */

const DAY_MS = 86_400_000;

interface Choice {
  /** `all`, or how many of each matrix. */
  wanted: string;
  /** What the choice follows from, so that it can be repeated. */
  seed: number;
}

/** `RESURGO_CRASH_CHOICE`: `all`, or how many of a matrix (default 2). `RESURGO_CRASH_SEED`: a whole number; default the UTC day. */
export function choiceOf(env: NodeJS.ProcessEnv = process.env, nowMs = Date.now()): Choice {
  const wanted = env['RESURGO_CRASH_CHOICE'] ?? '2';
  if (wanted !== 'all' && !/^[1-9]\d*$/.test(wanted))
    throw new Error(`RESURGO_CRASH_CHOICE is "${wanted}": a number from 1, or all`);
  const seed = Number(env['RESURGO_CRASH_SEED'] ?? Math.floor(nowMs / DAY_MS));
  if (!Number.isSafeInteger(seed) || seed < 0) throw new Error('RESURGO_CRASH_SEED is a whole number');
  return { wanted, seed };
}

/** Those cases that the choice takes: spread over the matrix, and with each next number the next ones, so that every case comes round. */
export function chosen<T>(cases: readonly T[], { wanted, seed }: Choice = choiceOf()): T[] {
  if (wanted === 'all') return [...cases];
  const count = Math.min(Number(wanted), cases.length);
  const stride = Math.ceil(cases.length / count);
  const picked = Array.from({ length: count }, (_, nth) => (seed + nth * stride) % cases.length);
  return cases.filter((_, index) => picked.includes(index));
}

/** The cases of a suite, of which only the chosen ones become tests. */
export class Matrix {
  private readonly cases: { name: string; body: () => Promise<void> }[] = [];

  add(name: string, body: () => Promise<void>): void {
    this.cases.push({ name, body });
  }

  /** Makes the tests. */
  register(): void {
    const choice = choiceOf();
    const few = chosen(this.cases, choice);
    const rest = choice.wanted === 'all' ? '' : ` of ${this.cases.length}, RESURGO_CRASH_SEED=${choice.seed}`;
    describe(`${few.length} cases${rest}`, () => {
      for (const { name, body } of few) it(name, body);
    });
  }
}
