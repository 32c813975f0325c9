/** Where the receiver dials, its dialling is a job that can fail while the sender waits for a connection: that failure is what is told. */
import { CancelledFailure } from '@temporalio/common';
import { HostError } from '../../hosts/errors';
import type { FakeCall } from '../../hosts/fake';
import { bench, FENCE, host, restoreItem, run } from './support/run';

const item = restoreItem({ dial: 'in' });
const restore = { fence: FENCE, item };
const copy = {
  fence: FENCE,
  source: { host: host('target'), name: 'data', tree: 'target@+srv+data', live: false },
  store: { name: 'main', host: host('app-1') },
  transfer: { direction: 'pull' as const, bandwidthBytesPerS: 0, io: 'normal' as const, streams: 1 },
  checksum: false,
};

type Reply = Record<string, unknown>;
const RUNNING = { state: 'running' };
const UNSIGNED = 'the ssh host key of target is not signed by the identity that this host knows';

function ended(code: string, message = 'as told'): Reply {
  return { state: 'exited', exit: 1, result: { code, message } };
}

/** `app-1` dials, `target` sends; what each answers when it is asked how its job is. A job of the fake ends well where it is not told else. */
function answering(answers: {
  dial?: (look: number) => Reply | undefined;
  send?: (look: number) => Reply | undefined;
}) {
  const looks = { dial: 0, send: 0 };
  const started = new Set<unknown>();
  const intercept = ({ verb, args }: FakeCall): Reply | undefined => {
    const [, step = ''] = String(args['job']).split('.');
    if (verb === 'job.start') started.add(args['job']);
    // Whether it dialled before is asked before it is told to.
    if (verb !== 'job.poll' || !started.has(args['job'])) return undefined;
    if (step === 'list' || step === 'compare' || step === 'verify') return undefined;
    const who = step === 'dial' ? 'dial' : 'send';
    return answers[who]?.((looks[who] += 1));
  };
  return { looks, ...bench({ intercept, jobMs: 100 }) };
}

describe('a dial job that has failed', () => {
  test.each(['not-allowed', 'identity-changed', 'bad-request'])(
    'with %s ends the wait for the sender at once, and is not tried again',
    async (code) => {
      const it = answering({ dial: () => ended(code, UNSIGNED), send: () => RUNNING });
      await expect(run(it, it.activities.countRestore, restore)).rejects.toMatchObject({
        type: code,
        nonRetryable: true,
        message: expect.stringMatching(/^app-1: job run-00000001\.dial\.\S+ .*of target is not signed/) as string,
        details: [{ code, host: 'app-1' }],
      });
    },
  );

  test('ends a pulled copy too', async () => {
    const it = answering({ dial: () => ended('not-allowed', UNSIGNED), send: () => RUNNING });
    await expect(run(it, it.activities.copySource, copy)).rejects.toMatchObject({
      type: 'not-allowed',
      nonRetryable: true,
      details: [{ host: 'app-1' }],
    });
  });

  test('with what may pass is tried again', async () => {
    const it = answering({ dial: () => ended('failed'), send: () => RUNNING });
    await expect(run(it, it.activities.countRestore, restore)).rejects.toMatchObject({
      type: 'failed',
      nonRetryable: false,
    });
  });

  test('is the cause when the sender loses its connection before anybody has looked', async () => {
    const it = answering({ dial: () => ended('not-allowed', UNSIGNED), send: () => ended('interrupted') });
    await expect(run(it, it.activities.countRestore, restore)).rejects.toMatchObject({ type: 'not-allowed' });
    expect(it.looks).toEqual({ dial: 1, send: 1 });
  });

  test('on each try, and goes on trying, is told with the connection that never came', async () => {
    const refused = 'ssh: connect to host 192.0.2.1 port 22: Connection refused';
    const dial = (): Reply => ({ ...RUNNING, result: { code: 'interrupted', message: refused } });
    const it = answering({ dial, send: () => ended('interrupted', 'no connection came from the receiver') });
    await expect(run(it, it.activities.countRestore, restore)).rejects.toMatchObject({
      type: 'connection-lost',
      nonRetryable: false,
      message: expect.stringMatching(
        /^target: .*no connection came.*app-1, which dials, said last: ssh: .*refused/,
      ) as string,
    });
  });

  test("leaves the sender's own verdict alone", async () => {
    const it = answering({ dial: () => ended('failed'), send: () => ended('no-space') });
    await expect(run(it, it.activities.countRestore, restore)).rejects.toMatchObject({
      type: 'no-space',
      details: [{ host: 'target' }],
    });
  });
});

describe('the sender’s connections from before are ended', () => {
  /** What the sender was asked of its grant until its job was started. */
  async function askedOfGrant(state: string): Promise<string[]> {
    const asked: string[] = [];
    const it = bench({
      jobMs: 100,
      intercept: ({ verb }) => {
        if (verb.startsWith('grant.') && verb !== 'grant.key') asked.push(verb);
        if (verb === 'job.start') asked.push(verb);
        return verb === 'job.poll' && !asked.includes('job.start') ? { state } : undefined;
      },
    });
    await run(it, it.activities.countRestore, restore);
    return asked.slice(0, asked.indexOf('job.start'));
  }

  test('where the dialling died with its host, before it dials anew', async () => {
    expect(await askedOfGrant('died')).toEqual(['grant.close', 'grant.add']);
  });

  test.each(['running', 'unknown'])('and not where it is %s', async (state) => {
    expect(await askedOfGrant(state)).toEqual(['grant.add']);
  });
});

describe('the wait for the sender goes on', () => {
  test('while the receiver can not be asked', async () => {
    const it = answering({
      dial: (look) => {
        // What is asked after that is whether it has been hung up.
        if (look > 1) return undefined;
        throw new HostError({ host: 'app-1', verb: 'job.poll', code: 'connection-lost', message: 'cut' });
      },
      send: () => (it.looks.dial === 0 ? RUNNING : undefined),
    });
    expect(await run(it, it.activities.countRestore, restore)).toMatchObject({ deletions: 0 });
    expect(it.looks.dial).toBe(2);
  });

  test('and a short one asks the receiver nothing until it hangs up', async () => {
    const dials: string[] = [];
    const it = bench({
      jobMs: 100,
      intercept: ({ verb, args }) => {
        if (String(args['job']).includes('.dial.')) dials.push(verb);
        return undefined;
      },
    });
    await run(it, it.activities.countRestore, restore);
    expect(dials).toEqual(['job.poll', 'job.start', 'job.stop', 'job.poll']);
  });
});

test('a cancel while the dial is watched stops the sender, and is a cancel', async () => {
  const it = answering({
    dial: () => {
      it.env.cancel();
      return RUNNING;
    },
    send: () => (it.fleet.counts.get('job.stop') === undefined ? RUNNING : { state: 'exited', exit: 143 }),
  });
  await expect(run(it, it.activities.countRestore, restore)).rejects.toBeInstanceOf(CancelledFailure);
  expect([...it.fleet.host('target').jobs.values()]).toMatchObject([{ kind: 'restore-send', stopped: true }]);
});
