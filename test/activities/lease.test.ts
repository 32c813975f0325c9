/** S4 S8 The lease is prolonged wherever somebody could take its run for dead. */
import { HostError } from '../../hosts/errors';
import type { FakeCall } from '../../hosts/fake';
import { bench, FENCE, host } from './support/run';

const names = ['app-1', 'app-2', 'app-3', 'target'];
const lease = {
  group: 'portal',
  run: FENCE.run,
  owner: 'd/r',
  store: { name: 'main', host: host('target') },
  ttlS: 3600,
  term: 1,
  hosts: names.map(host),
};

test('every host and the store prolong it, each once; one that is away or lost to another run is passed over', async () => {
  const asked: FakeCall[] = [];
  const it = bench({
    intercept: (call) => {
      asked.push(call);
      const code = { 'app-1': 'unreachable' as const, 'app-3': 'fenced' as const }[call.host];
      if (code !== undefined) throw new HostError({ host: call.host, verb: call.verb, code, message: 'said the test' });
      return undefined;
    },
  });
  await it.env.run(it.activities.renewLease, lease);
  expect(asked.map((call) => [call.host, call.verb]).sort()).toEqual(names.map((name) => [name, 'lease.renew']));
  expect(asked.find((call) => call.host === 'target')?.args).toMatchObject({ store: 'main', term: 1, ttl: 3600 });
  expect(asked.find((call) => call.host === 'app-2')?.args).toEqual({
    group: 'portal',
    run: FENCE.run,
    owner: 'd/r',
    term: 1,
    ttl: 3600,
  });
});

test("the store's refusal is the step's: nobody goes on under a lease that is another's", async () => {
  const it = bench({
    intercept: (call) => {
      if (call.host !== 'target') return undefined;
      throw new HostError({ host: call.host, verb: call.verb, code: 'fenced', message: 'said the test' });
    },
  });
  await expect(it.env.run(it.activities.renewLease, lease)).rejects.toThrow(/said the test/);
  expect(it.fleet.counts.get('lease.renew')).toBe(4);
});

describe('giving the group back', () => {
  const released = (code: 'unreachable' | 'timeout' | 'connection-lost' | 'failed') => {
    const asked: string[] = [];
    const it = bench({
      intercept: (call) => {
        asked.push(`${call.host}${call.args['store'] === undefined ? '' : ' store'}`);
        if (call.host !== 'app-2') return undefined;
        throw new HostError({ host: call.host, verb: call.verb, code, message: 'said the test' });
      },
    });
    return { asked, done: it.env.run(it.activities.releaseLease, lease) };
  };

  test.each(['unreachable', 'timeout', 'connection-lost'] as const)(
    'is done by whoever is there; a host that is away (%s) is left to its lease that runs out',
    async (code) => {
      const { asked, done } = released(code);
      await done;
      // What broke in the middle is asked once more.
      const again = code === 'unreachable' ? [] : ['app-2'];
      expect(asked.sort()).toEqual([...names, ...again, 'target store'].sort());
    },
  );

  test('tells of a host that refuses, once the store has it back', async () => {
    const { asked, done } = released('failed');
    await expect(done).rejects.toThrow('[failed]');
    expect(asked.at(-1)).toBe('target store');
  });
});

describe('a group that is held', () => {
  const held = (holder: Record<string, unknown> | undefined): Promise<unknown> => {
    const it = bench({
      intercept: ({ host: name, verb }) => {
        const message = 'group portal is held; wait for it, or end it where it was started';
        throw new HostError({ host: name, verb, code: 'lease-held', message, detail: { holder } });
      },
    });
    return it.env.run(it.activities.takeLease, lease);
  };

  test('by a run of this director names the commands that end it, and is not tried again', async () => {
    await expect(held({ run: 'r-7', owner: 'd/r-7' })).rejects.toMatchObject({
      type: 'lease-held',
      nonRetryable: true,
      message: expect.stringMatching(
        /it was started: that is here\..*`resurgo abort r-7`.*`resurgo cancel r-7`.*ended already .*`resurgo doctor portal --fix`$/,
      ) as string,
    });
  });

  test.each([
    ['hand-7', /: somebody works on it by hand; a pause ends with `resurgo unpause portal`$/],
    ['hold-7', /: somebody holds or releases a backup of it: .*try again$/],
  ])('by a hand, %s, is not said to be a run', async (run, message) => {
    await expect(held({ run, owner: `d/anna/${run}` })).rejects.toMatchObject({
      message: expect.stringMatching(message) as string,
    });
  });

  test.each([
    ["another director's run", { run: 'r-7', owner: 'other/r-7' }],
    ['somebody who is not told', undefined],
  ])('by %s is not said to be ended here', async (_, holder) => {
    await expect(held(holder)).rejects.toMatchObject({
      message: expect.stringMatching(/it was started \(`resurgo runs` shows it there\)$/) as string,
    });
  });
});
