/** What a run leaves on a host that is out of reach for a moment, and on one that stays so. */
import { HostError } from '../../hosts/errors';
import { again, bench, FENCE, host, run } from './support/run';

test.each(['dropSnapshots', 'closeGrants', 'forgetRun'] as const)(
  '%s is tried again while a host restarts, and names the one that stays away',
  async (step) => {
    const it = bench({
      intercept: (call) => {
        if (call.host !== 'app-2') return undefined;
        throw new HostError({ host: call.host, verb: call.verb, code: 'unreachable', message: 'said the test' });
      },
    });
    const input = { fence: FENCE, hosts: [host('app-1'), host('app-2')] };
    for (const attempt of [1, 2, 3])
      await expect(run(again(attempt), it.activities[step], input)).rejects.toThrow(/unreachable/);
    expect(await run(again(4), it.activities[step], input)).toEqual({ unreachable: ['app-2'] });
  },
);
