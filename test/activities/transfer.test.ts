/** The passes of a copy: what each of them trusts, by which names the hosts know it, and when there is another one. */
import type { CopyInput } from '../../activities/transfer';
import type { FakeCall } from '../../hosts/fake';
import type { Bench } from './support/run';
import { again, bench, FENCE, host, run } from './support/run';

const TREE = 'app-1@+srv+data';
const BASE = { listing: 'a'.repeat(64) };

interface Options {
  direction?: CopyInput['transfer']['direction'];
  round?: number;
  live?: boolean;
  base?: CopyInput['base'];
}

function input({ direction = 'push', round = 0, live = false, base }: Options): CopyInput {
  return {
    fence: { ...FENCE, round },
    source: { host: host('app-1'), name: 'data', tree: TREE, live },
    store: { name: 'main', host: host('target') },
    transfer: { direction, bandwidthBytesPerS: 0, io: 'normal', streams: 1 },
    checksum: false,
    base,
  };
}

/** A fleet whose comparisons differ in these passes (`''`, `-all`, …), and what was asked of it. */
function copying(differing: readonly string[]) {
  const asked: string[] = [];
  const sends: Record<string, unknown>[] = [];
  const intercept = (call: FakeCall): Record<string, unknown> | undefined => {
    const { verb, args } = call;
    if (verb === 'grant.add' || verb === 'grant.close') asked.push(`${verb} ${stepOf(args['grant'])}`);
    if (verb === 'job.start') {
      const attached = it.fleet.host(call.host).jobs.has(String(args['job'])) ? ' again' : '';
      // A dialling job is named by its grant: two of the same name would be one job.
      const what = args['kind'] === 'dial' ? `dial for ${stepOf(args['grant'])}` : stepOf(args['job']);
      asked.push(`${what}${attached}`);
      if (args['kind'] === 'send' && attached === '') sends.push(args);
    }
    const differs = verb === 'job.poll' && differing.some((pass) => stepOf(args['job']) === `compare${pass}`);
    return differs ? { result: { entries: 101, differences: ['f ./large: size'] } } : undefined;
  };
  const it: Bench = bench({ intercept });
  const copy = (options: Options) => {
    asked.length = 0;
    sends.length = 0;
    return run(again(), it.activities.copySource, input(options));
  };
  return { asked, sends, copy };
}

/** The second part of a grant's or a job's name. */
function stepOf(name: unknown): string {
  return String(name).split('.')[1] ?? '';
}

/** What one pass asks for when it is made for the first time. */
function whole({ direction, pass }: { direction: 'push' | 'pull'; pass: string }): string[] {
  const dial = direction === 'pull' ? [`dial for grant${pass}`] : [];
  return [`grant.add grant${pass}`, ...dial, `send${pass}`, `grant.close grant${pass}`, `compare${pass}`];
}

/** The source's listing is made once, beside the line. */
function withoutList(asked: readonly string[]): string[] {
  return asked.filter((each) => !/^list( again)?$/.test(each));
}

/** What was asked for last: as much as one pass asks for. */
function lastPass({ direction, asked }: { direction: 'push' | 'pull'; asked: readonly string[] }): string[] {
  return withoutList(asked).slice(-whole({ direction, pass: '' }).length);
}

describe.each(['push', 'pull'] as const)('a copy by %s', (direction) => {
  test('that is right at once is one pass, which trusts what is known of the target', async () => {
    const { asked, sends, copy } = copying([]);
    await copy({ direction, base: BASE });
    expect(withoutList(asked)).toEqual(whole({ direction, pass: '' }));
    expect(sends).toMatchObject([{ base: BASE.listing, fresh: false }]);
  });

  test('that differs goes over all of it, trusting nothing, by a line and jobs of their own', async () => {
    const { asked, sends, copy } = copying(['']);
    const { bytes, sentBytes } = await copy({ direction, base: BASE });
    expect(sentBytes).toBe(2 * bytes);
    expect(withoutList(asked)).toEqual([...whole({ direction, pass: '' }), ...whole({ direction, pass: '-all' })]);
    expect(sends.map(({ base, fresh, grant }) => [base, fresh, stepOf(grant)])).toEqual([
      [BASE.listing, false, 'grant'],
      [undefined, false, 'grant-all'],
    ]);
  });

  test('that differs into an empty place goes over all of it too', async () => {
    const { sends, copy } = copying(['']);
    await copy({ direction, base: 'nothing' });
    expect(sends.map(({ fresh }) => fresh)).toEqual([true, false]);
  });

  test('is sent again by each retry of the operator, while what earlier tries did goes by', async () => {
    const { asked, copy } = copying(['', '-all', '-all-1']);
    const differs = /the copy of app-1@\+srv\+data differs from its snapshot: f \.\/large: size/;
    // Only a person's retry sends again, so that is asked for at once.
    await expect(copy({ direction, base: BASE })).rejects.toMatchObject({
      nonRetryable: true,
      message: expect.stringMatching(differs) as string,
    });
    expect(asked).not.toContain('send-all-1');
    await expect(copy({ direction, base: BASE, round: 1 })).rejects.toThrow(differs);
    expect(asked).toEqual(expect.arrayContaining(['send again', 'compare again', 'send-all again']));
    expect(lastPass({ direction, asked })).toEqual(whole({ direction, pass: '-all-1' }));
    await copy({ direction, base: BASE, round: 2 });
    expect(asked).toContain('send-all-1 again');
    expect(lastPass({ direction, asked })).toEqual(whole({ direction, pass: '-all-2' }));
  });

  test('that trusted nothing differs at once, and is sent again by a retry', async () => {
    const { asked, copy } = copying(['']);
    await expect(copy({ direction })).rejects.toThrow(/differs from its snapshot/);
    expect(withoutList(asked)).toEqual(whole({ direction, pass: '' }));
    await copy({ direction, round: 1 });
    expect(asked).not.toContain('send-all');
    expect(lastPass({ direction, asked })).toEqual(whole({ direction, pass: '-all-1' }));
  });

  test('that is retried for another reason and is right is not sent once more', async () => {
    const { asked, copy } = copying([]);
    await copy({ direction, base: BASE, round: 2 });
    expect(withoutList(asked)).toEqual(whole({ direction, pass: '' }));
  });

  test('of a live source is one pass, whatever differs and however often it was retried', async () => {
    const { asked, sends, copy } = copying(['']);
    await copy({ direction, base: BASE, live: true, round: 2 });
    expect(asked).toEqual(whole({ direction, pass: '' }));
    expect(sends).toMatchObject([{ base: undefined, fresh: false }]);
  });
});

test('a tree whose listing lies at the target is compared, not sent; when it differs it is', async () => {
  const listing = { entries: 101, files: 100, bytes: 1, sha256: BASE.listing };
  const sends: unknown[] = [];
  const it = bench({
    intercept: ({ verb, args }) => {
      if (verb === 'job.start' && args['kind'] === 'send') sends.push(stepOf(args['job']));
      const step = stepOf(args['job']);
      if (verb === 'job.poll' && step === 'list') return { result: listing };
      return verb === 'job.poll' && step === 'compare' && differs
        ? { result: { entries: 1, differences: ['x'] } }
        : undefined;
    },
  });
  let differs = false;
  expect(await run(it, it.activities.copySource, input({ base: BASE }))).toMatchObject({ files: 100, sentBytes: 0 });
  expect(sends).toEqual([]);
  differs = true;
  await run(again(), it.activities.copySource, input({ base: BASE }));
  expect(sends).toEqual(['send-all']);
});
