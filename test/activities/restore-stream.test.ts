/** The data of a machine that is made again: one stream first, and rsync for whatever it has left. */
import { ActivityCancellationDetails } from '@temporalio/common';
import { HostError } from '../../hosts/errors';
import type { FakeCall } from '../../hosts/fake';
import { again, bench, FENCE, restoreItem, run } from './support/run';
import type { Bench } from './support/run';

type Reply = Record<string, unknown>;
const FAILED = (code: string): Reply => ({ state: 'exited', exit: 1, result: { code, message: 'as told' } });
const DIFFERS: Reply = {
  state: 'exited',
  exit: 0,
  result: { differences: ['-s\t0755\t0\t0\t-\t1\t-\t-\t-\tsock'], kept: [] },
};

/** A fleet in which these jobs end so, by their steps, and what was done in it. */
function streaming(answers: Record<string, Reply> = {}, also: (call: FakeCall) => Reply | undefined = () => undefined) {
  const done: string[] = [];
  const streams: Record<string, unknown>[] = [];
  const rsyncs: Record<string, unknown>[] = [];
  const intercept = (call: FakeCall): Reply | undefined => {
    const { verb, args } = call;
    const [, step = ''] = String(args['job'] ?? args['grant']).split('.');
    const told = also(call);
    if (told !== undefined) return told;
    if (args['stream'] === true) streams.push(args);
    else if (verb === 'job.start' && args['kind'] === 'restore-send') rsyncs.push(args);
    if (['job.start', 'job.stop', 'grant.close'].includes(verb)) done.push(`${verb.replace(/.*\./, '')} ${step}`);
    return verb === 'job.poll' ? answers[step] : undefined;
  };
  return { ...bench({ intercept }), done, streams, rsyncs };
}

describe.each(['in', 'out'] as const)('where the connection goes %s', (dial) => {
  const fresh = {
    ...restoreItem({ dial }),
    deletes: false,
    fresh: true as const,
  };
  const input = { fence: FENCE, item: fresh, fsUuid: '' };
  const restored = (it: ReturnType<typeof streaming>, at: Pick<Bench, 'env'> = it) =>
    run(at, it.activities.restoreSource, input);
  /** Where the receiver dials, its job is stopped too. */
  const dials = (line: string) => (dial === 'in' ? [line] : []);

  test('all comes as a stream: the receiver takes it, it is compared, and rsync is not asked', async () => {
    const it = streaming();
    expect(await restored(it)).toEqual(expect.not.objectContaining({ afterStream: expect.anything() as never }));
    expect(it.done).toEqual([
      ...dials('start dial'),
      'start stream',
      ...dials('stop dial'),
      'close stream',
      'start verify-stream',
    ]);
    // One that receives, one that sends.
    expect(it.streams.map((args) => args['kind'] ?? args['purpose'])).toEqual(
      dial === 'in' ? ['dial', 'restore-send'] : ['receive', 'restore-send'],
    );
  });

  test.each([
    ['interrupted', false],
    ['failed', true],
    ['no-space', true],
    ['missing-tool', false],
    ['bad-request', false],
  ])('one that ends with %s is taken back before rsync goes on, by content: %s', async (code, byContent) => {
    const it = streaming({ stream: FAILED(code) });
    expect(await restored(it)).toMatchObject({ afterStream: 'as told', files: 100, byContent });
    expect(it.rsyncs.map(({ checksum }) => checksum)).toEqual([byContent]);
    const end = it.done.indexOf('start restore');
    expect(it.done.slice(0, end)).toEqual([
      ...dials('start dial'),
      'start stream',
      'stop stream',
      ...dials('stop dial'),
      'close stream',
      ...dials('start dial'),
    ]);
    expect(it.done.at(-1)).toBe('start verify');
  });

  test('an older hostkit that knows no streams gets rsync', async () => {
    const it = streaming({}, ({ verb, args }) => {
      if (args['stream'] !== true || (verb !== 'grant.add' && args['kind'] !== 'dial')) return undefined;
      const message = 'stream is no key of this';
      throw new HostError({ host: 'h', verb, code: 'bad-request', message });
    });
    expect(await restored(it)).toMatchObject({ afterStream: expect.stringMatching(/no key/) as never });
    expect(it.done).toEqual(expect.arrayContaining(['start restore', 'start verify']));
    expect(it.done).not.toContain('start stream');
  });

  test('what a stream leaves out comes by rsync, and is compared once more', async () => {
    const it = streaming({ 'verify-stream': DIFFERS });
    // Both are counted.
    expect(await restored(it)).toMatchObject({ afterStream: expect.stringMatching(/sock/) as never, files: 200 });
    expect(it.done.filter((each) => each.startsWith('start') && !each.endsWith('dial'))).toEqual([
      'start stream',
      'start verify-stream',
      'start restore',
      'start verify',
    ]);
  });

  test('what still differs then is no success', async () => {
    const it = streaming({ 'verify-stream': DIFFERS, verify: DIFFERS });
    await expect(restored(it)).rejects.toMatchObject({
      type: 'failed',
      message: expect.stringMatching(/is not the backup/) as never,
    });
  });

  test.each([
    ['runs', { state: 'running' }, true, false],
    ['has come to its good end', { state: 'exited', exit: 0 }, true, false],
    ['was interrupted', FAILED('interrupted'), false, false],
    ['has failed', FAILED('failed'), false, true],
    ['has died', { state: 'died' }, false, true],
    ['was never begun', { state: 'unknown' }, false, false],
  ] as const)('a later attempt, of a stream that %s', async (_, state, follows, byContent) => {
    let asked = 0;
    const it = streaming({}, ({ verb, args }) => {
      const isIts = verb === 'job.poll' && String(args['job']).split('.')[1] === 'stream';
      return isIts && (asked += 1) === 1 ? { ...state } : undefined;
    });
    const came = await restored(it, again(2));
    expect(came.byContent).toBe(byContent);
    expect(came.afterStream === undefined).toBe(follows);
    expect(it.done.includes('start stream')).toBe(follows);
    expect(it.done.includes('start restore')).toBe(!follows);
    expect(it.done.includes('stop stream')).toBe(!follows);
  });

  test('a try that an operator asked for begins with rsync, by content', async () => {
    const it = streaming();
    const later = { ...input, fence: { ...FENCE, round: 1 } };
    expect(await run(it, it.activities.restoreSource, later)).toMatchObject({ byContent: true });
    expect(it.done).not.toContain('start stream');
    // It may still run, where the director could not be told of it.
    expect(it.done.indexOf('stop stream')).toBeGreaterThanOrEqual(0);
    expect(it.done.indexOf('stop stream')).toBeLessThan(it.done.indexOf('start restore'));
  });

  test.each([
    ['a cancel', new ActivityCancellationDetails({ cancelRequested: true })],
    ['the end of the worker', new ActivityCancellationDetails({ workerShutdown: true })],
  ])('%s while it comes starts no rsync', async (_, details) => {
    const it = streaming({}, ({ verb, args }) => {
      if (verb === 'job.poll' && String(args['job']).split('.')[1] === 'stream') it.env.cancel('CANCELLED', details);
      return undefined;
    });
    await expect(restored(it)).rejects.toThrow();
    expect(it.done).not.toContain('start restore');
  });
});
