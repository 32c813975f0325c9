/** A rescue system of any age gets the hostkit of the director that recovers, and nothing where it has that already. */
import { gunzipSync } from 'node:zlib';
import { asRescue, readHostkit } from '../../hosts/enroll/hostkit-tree';
import { HostError } from '../../hosts/errors';
import { FakeHosts, type FakeCall } from '../../hosts/fake';
import { probe } from '../../hosts/verbs/reading';
import { probeWithOwnKit } from '../../hosts/verbs/rescue-kit';

const host = { name: 'web-1.rescue', short: 'web-1', address: '192.0.2.7', port: 22, user: 'resurgo' };

/** The calls, and what came of it: a rescue system that has that hash until it is given parts, and the other then. */
async function given({ before, after, fails }: { before?: string; after?: string; fails?: HostError }) {
  const calls: FakeCall[] = [];
  const hosts = new FakeHosts({
    latencyMs: 0,
    intercept: (call) => {
      calls.push(call);
      if (call.verb === 'kit.put' && fails !== undefined) throw fails;
      if (call.verb !== 'probe') return undefined;
      const hash = calls.some(({ verb }) => verb === 'kit.put') ? after : before;
      return hash === undefined ? undefined : { hash };
    },
  });
  const found = await probe({ hosts, host });
  const outcome = await probeWithOwnKit({ hosts, host, step: 'rescue system', found }).catch((error: unknown) => error);
  return { outcome, puts: calls.filter(({ verb }) => verb === 'kit.put') };
}

test('the same one is left as it is', async () => {
  const { outcome, puts } = await given({});
  expect(puts).toEqual([]);
  expect(outcome).toMatchObject({ hash: asRescue(await readHostkit()).hash });
});

test('another one is replaced, by all parts in values that a request holds', async () => {
  const kit = asRescue(await readHostkit());
  const { outcome, puts } = await given({ before: 'damaged' });
  expect(outcome).toMatchObject({ hash: kit.hash });
  const [args] = puts.map((put) => put.args as { version: string; sum: string; tree: string; rest?: string });
  expect(puts).toHaveLength(1);
  expect(args).toMatchObject({ version: kit.version, sum: kit.hash });
  const tar = gunzipSync(Buffer.from(`${args?.tree}${args?.rest ?? ''}`, 'base64')).toString('latin1');
  for (const path of ['hostkit', 'jobs/disk-wipe.sh', 'verbs/kit.put.sh'])
    expect(tar).toContain(`\n${path}\0`.slice(1));
});

test('one that takes none, and one that has another all the same, end it before anything was written', async () => {
  const fails = new HostError({ host: host.name, verb: 'kit.put', code: 'hostkit-old', message: 'no such verb' });
  const old = (await given({ before: 'aa', fails })).outcome as HostError;
  expect(old).toMatchObject({ code: 'hostkit-old', step: 'rescue system' });
  expect(old.next).toMatch(/--live/);
  const other = (await given({ before: 'aa', after: 'bb' })).outcome as HostError;
  expect(other).toMatchObject({ code: 'bad-reply', message: expect.stringContaining('has another') as unknown });
});
