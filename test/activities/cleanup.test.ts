/** What a run leaves on a host that is out of reach for a moment, and on one that stays so. */
import { HostError } from '../../hosts/errors';
import { again, bench, FENCE, host, run } from './support/run';

const steps = ['dropSnapshots', 'closeGrants', 'forgetRun'] as const;
const codes = ['unreachable', 'timeout', 'connection-lost'] as const;

test.each(steps.flatMap((step) => codes.map((code) => [step, code] as const)))(
  '%s is tried again while a host restarts, and names the one that stays away (%s); the others are tidied each time',
  async (step, code) => {
    const tidied: string[] = [];
    const it = bench({
      intercept: (call) => {
        if (call.host === 'app-2')
          throw new HostError({ host: call.host, verb: call.verb, code, message: 'said the test' });
        tidied.push(call.host);
        return undefined;
      },
    });
    const input = { fence: FENCE, hosts: [host('app-2'), host('app-1')] };
    for (const attempt of [1, 2, 3])
      await expect(run(again(attempt), it.activities[step], input)).rejects.toThrow(`[${code}]`);
    expect(await run(again(4), it.activities[step], input)).toEqual({ unreachable: ['app-2'] });
    expect(tidied).toEqual(['app-1', 'app-1', 'app-1', 'app-1']);
  },
);

test('a host that refuses is not taken for one that is away', async () => {
  const it = bench({
    intercept: (call) => {
      throw new HostError({ host: call.host, verb: call.verb, code: 'failed', message: 'said the test' });
    },
  });
  const input = { fence: FENCE, hosts: [host('app-1')] };
  await expect(run(again(6), it.activities.forgetRun, input)).rejects.toThrow('[failed]');
});
