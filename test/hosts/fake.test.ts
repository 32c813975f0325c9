/** The fake fleet behaves as a fleet does, a thousand hosts at once, and the doctor reads it. */
import { doctor } from '../../hosts/doctor';
import { readHostkit } from '../../hosts/enroll/hostkit-tree';
import { HostError } from '../../hosts/errors';
import { FakeHosts } from '../../hosts/fake';
import { runJob } from '../../hosts/jobs';
import { parseRunbook } from '../../runbooks/load';

const refs = Array.from({ length: 1000 }, (_, index) => ({ name: `h${index}`, address: `10.0.0.${index}` }));
const fence = { group: 'portal', run: 'run-00000001', term: 1, step: 'freeze', attempt: 1 };

test('a barrier over a thousand hosts takes about as long as its phases', async () => {
  const hosts = new FakeHosts();
  const from = performance.now();
  const sessions = await Promise.all(refs.map((host) => hosts.openFreeze({ host, fence, freeze: 0, maxPauseS: 5 })));
  await Promise.all(sessions.map((session) => session.pause()));
  expect(refs.every(({ name }) => hosts.host(name).paused === 1)).toBe(true);
  await Promise.all(sessions.map((session) => session.snapshot()));
  const thawed = await Promise.all(sessions.map((session) => session.thaw()));
  expect(thawed.every(({ torn }) => torn === '')).toBe(true);
  expect(refs.every(({ name }) => hosts.host(name).paused === 0)).toBe(true);
  expect(hosts.counts.get('freeze:snapshot')).toBe(1000);
  expect(performance.now() - from).toBeLessThan(3_000);
});

test('a job runs to its result, and any call can be told to fail', async () => {
  const [host = { name: '', address: '' }] = refs;
  const hosts = new FakeHosts({
    latencyMs: 1,
    jobMs: 20,
    intercept: ({ verb, host: at }) => {
      if (verb === 'probe') throw new HostError({ host: at, verb, code: 'unreachable', message: 'gone' });
      return undefined;
    },
  });
  const seal = { store: 'main', id: '20261121_013000', manifest: 'e30=', manifestSig: 'AA==' };
  const options = {
    hosts,
    host,
    job: 'seal',
    kind: 'store-seal' as const,
    args: seal,
    fence,
    pollMs: { first: 5, longest: 10 },
  };
  expect((await runJob(options)).result).toEqual({ id: seal.id });
  const list = await hosts.call({ host, verb: 'store.list', args: { store: 'main', group: 'portal' } });
  expect(list.backups).toMatchObject([{ id: seal.id, state: 'sealed' }]);
  await expect(hosts.call({ host, verb: 'probe', args: {} })).rejects.toThrow(/gone/);
});

describe('the doctor', () => {
  const runbook = parseRunbook({
    file: 'x.yaml',
    text: `version: 1
hosts:
  app-1: { address: 10.0.0.1 }
  target: { address: 10.0.0.2 }
stores:
  main: { host: target, kind: hardlink, place: /backup }
groups:
  portal:
    sources: [{ host: app-1, path: /srv/data, name: data, snapshot: btrfs }]
    target: main
`,
  });
  const examine = async (over: Record<string, Record<string, unknown>>) => {
    const { hash } = await readHostkit();
    const hosts = new FakeHosts({
      latencyMs: 1,
      intercept: ({ verb, host }) => ({
        ...(verb === 'probe' ? { hash, groups: ['portal'] } : {}),
        ...over[`${host} ${verb}`],
      }),
    });
    const findings = await doctor({ runbook, group: 'portal', hosts });
    return findings.filter(({ level }) => level !== 'ok').map(({ host, check, level }) => `${host} ${check} ${level}`);
  };

  test.each([
    ['nothing', {}, []],
    ['a clock far behind', { 'app-1 probe': { timeMs: Date.now() - 600_000 } }, ['app-1 clock fail']],
    ['hostkit drift', { 'target probe': { hash: 'old' } }, ['target hostkit warn']],
    ['a group that is not configured', { 'app-1 probe': { groups: [] } }, ['app-1 configuration fail']],
    [
      'a store that lies elsewhere',
      { 'target probe': { stores: [{ name: 'main', kind: 'hardlink', place: '/old' }] } },
      ['target store main fail'],
    ],
    [
      'a source that can not reach its target',
      { 'app-1 reach': { reached: false, said: 'refused' } },
      ['app-1 way of the data fail'],
    ],
    [
      'a store that a dead run has filled',
      { 'target store.space': { freeBytes: 0 }, 'target store.list': { incomplete: 'run-0001' } },
      ['target store main warn', 'target room in main warn'],
    ],
    ['a full store', { 'target store.space': { freeBytes: 0 } }, ['target store main fail']],
    [
      'a first copy that can not fit',
      {
        'target store.space': { freeBytes: 2 ** 30, totalBytes: 2 ** 31, fsType: 'xfs' },
        'app-1 check': {
          sources: [{ name: 'data', path: '/srv/data', kind: 'btrfs', usedBytes: 2 ** 32, leastBytes: 2 ** 32 }],
        },
      },
      ['target room in main fail'],
    ],
    [
      'a first copy that may not fit',
      {
        'target store.space': { freeBytes: 2 ** 30, totalBytes: 2 ** 31 },
        'app-1 check': { sources: [{ name: 'data', path: '/srv/data', kind: 'btrfs', usedBytes: 2 ** 32 }] },
      },
      ['target room in main warn'],
    ],
    [
      'leftovers',
      { 'target sweep': { found: [{ kind: 'grant', name: 'g' }] } },
      // Of the group, and of its rescue media.
      ['target leftovers warn', 'target leftovers warn'],
    ],
    [
      'an unprotected volume',
      {
        'app-1 check': { sources: [{ name: 'data', path: '/srv/data', kind: 'btrfs' }], unprotected: ['/var/lib/pg'] },
      },
      ['app-1 not protected warn'],
    ],
    [
      'a restore that is not finished',
      {
        'app-1 check': {
          sources: [{ name: 'data', path: '/srv/data', kind: 'btrfs' }],
          problems: ['run r1 stopped it'],
        },
      },
      ['app-1 group fail'],
    ],
    [
      'S28 a target that knows a former identity of a source',
      {
        'app-1 probe': { identity: 'new', peers: { target: 'T' } },
        'target probe': { identity: 'T', peers: { 'app-1': 'old', target: 'T' } },
      },
      ['target identity fail'],
    ],
    [
      'S28 a target that does not know itself, for restores into a folder of its own',
      {
        'app-1 probe': { identity: 'A', peers: { target: 'T' } },
        'target probe': { identity: 'T', peers: { 'app-1': 'A' } },
      },
      ['target identity warn'],
    ],
    ['a source that is not allowed', { 'app-1 check': { sources: [] } }, ['app-1 source data fail']],
  ])('finds %s', async (_name, over, expected) => {
    expect(await examine(over)).toEqual(expected);
  });

  test('a store that a dead run has filled is emptied of that by the next backup, which prune does not do: the advice says so', async () => {
    const over: Record<string, Record<string, unknown>> = {
      'store.space': { freeBytes: 0, totalBytes: 2 ** 30 },
      'store.list': { incomplete: 'run-0001' },
      check: { sources: [{ name: 'data', path: '/srv/data', kind: 'btrfs', usedBytes: 2 ** 32 }] },
    };
    const hosts = new FakeHosts({
      latencyMs: 1,
      intercept: ({ verb }) => ({ ...(verb === 'probe' ? { groups: ['portal'] } : {}), ...over[verb] }),
    });
    const findings = await doctor({ runbook, group: 'portal', hosts });
    const told = findings.filter(({ check }) => ['store main', 'room in main'].includes(check));
    expect(told).toEqual([
      expect.objectContaining({ check: 'store main', level: 'warn' }),
      expect.objectContaining({ check: 'room in main', level: 'warn' }),
    ]);
    for (const { mend } of told)
      expect(mend).toMatch(
        /^once run run-0001 is over, `resurgo backup portal` takes away first what it has received there, which no prune does; if that is too little: .*resurgo prune/,
      );
  });

  test('a host out of reach is one finding, and the others are examined', async () => {
    const hosts = new FakeHosts({
      latencyMs: 1,
      intercept: ({ verb, host }) => {
        if (host === 'app-1') throw new HostError({ host, verb, code: 'unreachable', message: 'gone' });
        return { groups: ['portal'] };
      },
    });
    const findings = await doctor({ runbook, group: 'portal', hosts });
    expect(findings.filter(({ host }) => host === 'app-1')).toMatchObject([
      { check: 'reach', level: 'fail', message: 'gone' },
    ]);
    expect(findings.some(({ host, check }) => host === 'target' && check === 'store main')).toBe(true);
  });
});
