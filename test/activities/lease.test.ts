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
