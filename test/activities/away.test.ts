/** S18 A host that hangs is away as one that is off is: it is named, and the others go on. */
import { HostError } from '../../hosts/errors';
import type { HostErrorCode } from '../../hosts/errors';
import type { FakeCall } from '../../hosts/fake';
import { again, bench, FENCE, host, run } from './support/run';

const hosts = ['app-1', 'app-2'].map(host);
const lease = {
  group: 'portal',
  run: FENCE.run,
  owner: 'd/r',
  store: { name: 'main', host: host('target') },
  ttlS: 60,
};
const freeze = { fence: FENCE, hosts, maxPauseS: 5, instants: 1 };

/** What fails on app-2, the first `times` times. */
function failing(verb: FakeCall['verb'], code: HostErrorCode, times = Infinity) {
  let left = times;
  return bench({
    intercept: (call) => {
      if (call.verb !== verb || call.host !== 'app-2' || left <= 0) return undefined;
      left -= 1;
      const detail = { exit: null };
      throw new HostError({ host: call.host, verb: call.verb, code, detail, message: 'said the test' });
    },
  });
}

const AWAY: HostErrorCode[] = ['unreachable', 'timeout', 'connection-lost'];

test.each(AWAY)('S18 %s: the fence is raised on the others', async (code) => {
  const at = failing('lease.take', code);
  const { unreachable } = await run(at, at.activities.raiseFences, { ...lease, term: 1, hosts, partial: false });
  expect(unreachable.map((each) => each.host)).toEqual(['app-2']);
});

test.each(AWAY)('S18 %s: the others are checked', async (code) => {
  const at = failing('check', code);
  const checks = await run(at, at.activities.checkHosts, { group: 'portal', hosts, sources: [], partial: false });
  expect(checks.hosts.map((each) => each.host)).toEqual(['app-1']);
  expect(checks.unreachable.map((each) => each.host)).toEqual(['app-2']);
});

test.each([...AWAY, 'session-lost' as const])(
  'S18 %s: the others are frozen where the runbook allows it',
  async (code) => {
    const partial = failing('freeze', code);
    const frozen = await run(partial, partial.activities.freeze, { ...freeze, onUnreachable: 'partial' });
    expect(frozen.missing).toMatchObject([{ host: 'app-2', code }]);
    expect(frozen.snapshots.map((each) => each.host)).toEqual(['app-1']);
    const all = failing('freeze', code);
    await expect(run(all, all.activities.freeze, { ...freeze, onUnreachable: 'fail' })).rejects.toThrow(/app-2/);
  },
);

test('a host that refuses is not away: the freeze fails', async () => {
  const it = failing('freeze', 'failed');
  await expect(run(it, it.activities.freeze, { ...freeze, onUnreachable: 'partial' })).rejects.toThrow(/said the test/);
});

test('a connection that broke once is asked again: the host is not left out for it', async () => {
  const it = failing('check', 'connection-lost', 1);
  const checks = await run(it, it.activities.checkHosts, { group: 'portal', hosts, sources: [], partial: false });
  expect(checks.unreachable).toEqual([]);
  expect(checks.hosts).toHaveLength(2);
});

const SHUT: HostErrorCode[] = [
  'host-key-unknown',
  'host-key-changed',
  'auth-refused',
  'sudo-refused',
  'hostkit-missing',
];

test.each(SHUT)(
  'S18 %s: a host that lets nobody in is left out where the runbook allows it, and only there',
  async (code) => {
    for (const [verb, call] of [
      [
        'lease.take',
        (at: ReturnType<typeof failing>, partial: boolean) =>
          run(at, at.activities.raiseFences, { ...lease, term: 1, hosts, partial }),
      ],
      [
        'check',
        (at: ReturnType<typeof failing>, partial: boolean) =>
          run(at, at.activities.checkHosts, { group: 'portal', hosts, sources: [], partial }),
      ],
    ] as const) {
      const { unreachable } = await call(failing(verb, code), true);
      expect(unreachable).toMatchObject([{ host: 'app-2', message: expect.stringContaining(`[${code}]`) as string }]);
      await expect(call(failing(verb, code), false)).rejects.toThrow(/said the test/);
    }
  },
);

test('S2 a later try tells what earlier ones held, and of one that ended without a word that it was cut off', async () => {
  const it = bench();
  const told = [{ freeze: 10, stillMs: 900, reason: 'torn' }];
  const third = again(3, { step: 'freeze', earlier: told });
  const { earlier } = await run(third, it.activities.freeze, { ...freeze, onUnreachable: 'fail' });
  expect(earlier).toMatchObject([...told, { freeze: 20, stillMs: 5_000 }]);
});

test('a try that could not arm its hosts has held nothing, and says so to the next', async () => {
  const it = failing('freeze', 'failed');
  const heartbeats: unknown[] = [];
  it.env.on('heartbeat', (details: unknown) => heartbeats.push(details));
  await expect(run(it, it.activities.freeze, { ...freeze, onUnreachable: 'fail' })).rejects.toThrow();
  expect(heartbeats.at(-1)).toMatchObject({ earlier: [{ freeze: 10, stillMs: 0 }] });
});
