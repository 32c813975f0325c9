/** What a backup looks at before it touches anything: the store's host as well as those that the data come from. */
import { createHash } from 'node:crypto';
import { HostError } from '../../hosts/errors';
import type { FakeCall } from '../../hosts/fake';
import { rescueFindings, sourceFindings } from '../../hosts/host-findings';
import { check } from '../../hosts/replies/reading';
import { encodeValue } from '../../hosts/request';
import type { Group } from '../../runbooks/types';
import { bench, host, run } from './support/run';

const hosts = ['app-1', 'app-2'].map(host);
const storeHost = host('target');
const sources = ['app-1', 'app-2'].map((name) => ({
  host: name,
  name: 'data',
  path: '/srv/data',
  snapshot: 'btrfs',
})) as never;
const input = { group: 'portal', hosts, sources, storeHost, partial: false };

/** A group that names nothing on app-1, and the sums of its lines there. */
const GROUP = {
  sources: [],
  quiesce: { containers: { mode: 'all' }, exempt: [], units: [], hooks: { before: [], after: [] }, maxPauseS: 30 },
  restore: { stop: 'containers', health: [] },
};
const sumOf = (text: string) => createHash('sha256').update(text).digest('hex');
const SAME = {
  ...Object.fromEntries(['source', 'exclude', 'unit', 'hook', 'health'].map((word) => [word, sumOf('')])),
  containers: sumOf('containers portal all\n'),
  workload: sumOf('workload portal containers\n'),
  'max-pause': sumOf('max-pause portal 30\n'),
};

/** What each host's `probe` says besides. */
function saying(over: Record<string, Record<string, unknown>>) {
  const probed: string[] = [];
  const at = bench({
    intercept: ({ verb, host: name }: FakeCall) => {
      if (verb !== 'probe') return undefined;
      probed.push(name);
      return over[name];
    },
  });
  return { at, probed };
}

const behindS = (s: number) => ({ timeMs: Date.now() + s * 1000 });

test.each([
  [300, 'ahead of'],
  [-1200, 'behind'],
])('a target whose clock is %i s off fails as a source does', async (skewS, words) => {
  for (const partial of [false, true]) {
    const { at } = saying({ target: behindS(skewS) });
    const checks = await run(at, at.activities.checkHosts, { ...input, partial });
    expect(checks.findings).toMatchObject([
      { host: 'target', check: 'clock', level: 'fail', message: expect.stringContaining(words) as string },
    ]);
    expect(checks.unreachable).toEqual([]);
  }
});

test('a target whose hostkit is not as installed is told of', async () => {
  const { at } = saying({ target: { hash: 'loose' } });
  const { findings } = await run(at, at.activities.checkHosts, input);
  expect(findings).toMatchObject([{ host: 'target', check: 'hostkit', level: 'warn' }]);
});

test('a target that is a source too is asked once, and told of once', async () => {
  const { at, probed } = saying({ 'app-2': behindS(300) });
  const checks = await run(at, at.activities.checkHosts, { ...input, storeHost: host('app-2') });
  expect(probed.sort()).toEqual(['app-1', 'app-2']);
  const told = [...checks.hosts.flatMap((each) => each.findings), ...(checks.findings ?? [])];
  expect(told.filter(({ check }) => check === 'clock')).toHaveLength(1);
});

test('S18 a target that is away is never left out: the checks fail', async () => {
  const at = bench({
    intercept: (call) => {
      if (call.host !== 'target') return undefined;
      throw new HostError({ host: call.host, verb: call.verb, code: 'unreachable', message: 'said the test' });
    },
  });
  await expect(run(at, at.activities.checkHosts, { ...input, partial: true })).rejects.toThrow(/said the test/);
});

test('a run of a former version names no store: nothing more is asked', async () => {
  const { at, probed } = saying({});
  const former = { ...input, storeHost: undefined };
  expect((await run(at, at.activities.checkHosts, former)).findings).toEqual([]);
  expect(probed.sort()).toEqual(['app-1', 'app-2']);
});

test('S28 source and target that know another identity of each other fail; who tells nothing does not', async () => {
  const target = { identity: 'T', peers: { 'app-1': 'A1', 'app-2': 'old' } };
  const { at } = saying({ 'app-1': { identity: 'A1' }, 'app-2': { identity: 'A2', peers: {} }, target });
  const { findings } = await run(at, at.activities.checkHosts, input);
  expect(findings?.map((each) => [each.host, each.level, each.message, each.mend])).toEqual([
    ['target', 'fail', 'knows another identity of app-2 than it has now', 'run `resurgo enroll target --update`'],
    ['app-2', 'fail', 'knows no identity of target', 'run `resurgo enroll app-2 --update`'],
  ]);
});

test.each([
  [
    'push',
    'app-2',
    'app-2: reach (step checks): its data can not go to target: app-2 gets no answer of ssh at 192.0.2.1:22 (no route)',
  ],
  [
    'pull',
    'target',
    'app-1: reach (step checks): its data can not go to target: target gets no answer of ssh at 192.0.2.1:22 (no route)',
  ],
])(
  'a source whose data can not go its way (%s) counts as away: nothing is frozen for it',
  async (direction, dials, message) => {
    const at = bench({
      intercept: ({ verb, host: name, args }: FakeCall) =>
        verb === 'reach' && name === dials && args['peer'] !== 'app-2'
          ? { reached: false, said: 'no route' }
          : undefined,
    });
    const asked = { name: 'portal', hosts: [], ...GROUP, transfer: { direction } } as never;
    const checks = await run(at, at.activities.checkHosts, { ...input, asked });
    expect(checks.unreachable).toEqual([
      { host: message.slice(0, 5), message: expect.stringContaining(message) as string },
    ]);
    expect(checks.hosts).toHaveLength(1);
  },
);

test('where a hostkit knows no way to look, or does not know its peer, data may go', async () => {
  for (const code of ['hostkit-old', 'not-allowed', 'missing-tool'] as const) {
    const at = bench({
      intercept: ({ verb, host: name }: FakeCall) => {
        if (verb === 'reach') throw new HostError({ host: name, verb, code, message: 'said the test' });
        return undefined;
      },
    });
    const asked = { name: 'portal', hosts: [], ...GROUP, transfer: { direction: 'push' } } as never;
    expect((await run(at, at.activities.checkHosts, { ...input, asked })).unreachable).toEqual([]);
  }
});

test.each([
  ['folder', '/srv', 'btrfs'],
  ['kind', '/srv/data', 'none'],
])('S14 a host that has another %s under the name of a source fails, and is told how to mend it', (_, path, kind) => {
  const checked = check.parse({
    sources: [{ name: 'data', path, kind, fsType: 'btrfs', usedBytes: 1, freeBytes: 1 }],
  });
  expect(sourceFindings({ host: 'app-1', sources, checked })).toEqual([
    {
      host: 'app-1',
      check: 'source data',
      level: 'fail',
      message: `its configuration has ${path} (${kind}) for this source, and the runbook /srv/data (btrfs)`,
      mend: expect.stringMatching(/^run `resurgo enroll app-1 --update`; a schedule keeps/) as string,
    },
  ]);
});

test('a whole machine that lacks what rescue media are made of is warned of, with the packages; only for the outputs that are wanted', () => {
  const rescue = {
    any: ['busybox busybox', 'setfacl acl'],
    iso: ['xorriso xorriso'],
    usb: ['xorriso xorriso'],
    pxe: [],
  };
  const checked = check.parse({ sources: [], rescue });
  const at = { host: 'app-1', checked };
  expect(rescueFindings({ ...at, outputs: ['iso', 'usb'] })).toEqual([
    {
      ...{ host: 'app-1', check: 'rescue media', level: 'warn' },
      message: 'none can be built, since it lacks busybox, setfacl, xorriso',
      mend: "install acl busybox xorriso on it (the packages' names in Debian), or choose fewer `rescue.outputs`",
    },
  ]);
  expect(rescueFindings({ ...at, outputs: ['pxe'] })[0]?.message).not.toContain('xorriso');
  const whole = check.parse({ sources: [], rescue: { any: [], iso: [], usb: [], pxe: [] } });
  expect(rescueFindings({ host: 'app-1', checked: whole, outputs: ['iso'] })).toMatchObject([{ level: 'ok' }]);
  // Of a host that is no whole machine, or whose hostkit is older, nothing is said.
  expect(rescueFindings({ host: 'app-1', checked: check.parse({ sources: [] }), outputs: ['iso'] })).toEqual([]);
});

test('S14 an exclude that the runbook does not have fails; what changes no content is told', () => {
  const group = { name: 'portal', hosts: ['app-1'], ...GROUP } as never;
  const config = { ...SAME, exclude: 'e'.repeat(64), 'max-pause': 'e'.repeat(64), hook: 'e'.repeat(64) };
  expect(sourceFindings({ host: 'app-1', sources: [], checked: check.parse({ sources: [], config }), group })).toEqual([
    {
      ...{ host: 'app-1', check: 'configuration', level: 'fail' },
      message: 'it is not as the runbook has it: excludes',
      mend: expect.stringMatching(/enroll app-1 --update/) as string,
    },
    expect.objectContaining({ level: 'warn', message: 'it is not as the runbook has it: hooks, the longest pause' }),
  ]);
  const asItIs = check.parse({ sources: [], config: SAME });
  expect(sourceFindings({ host: 'app-1', sources: [], checked: asItIs, group })).toEqual([]);
  const older = check.parse({ sources: [] });
  expect(sourceFindings({ host: 'app-1', sources: [], checked: older, group })).toEqual([]);
});

test('an exempt label that the host does not know fails: it would pause what must never be paused', () => {
  const group = { name: 'portal', hosts: ['app-1'], ...GROUP } as never as Group;
  const exempting = { ...group, quiesce: { ...group.quiesce, exempt: ['never=yes', 'a b'] } };
  const finding = (exempt?: string[]) =>
    sourceFindings({
      ...{ host: 'app-1', sources: [], group: exempting },
      checked: check.parse({ sources: [], config: SAME, ...(exempt === undefined ? {} : { exempt }) }),
    });
  const known = ['never=yes', 'a b'].map((label) => sumOf(encodeValue(label)));
  expect(finding(known)).toEqual([]);
  expect(finding(known.slice(1))).toMatchObject([
    { level: 'fail', message: 'it would pause containers with the label never=yes, which the runbook exempts' },
  ]);
  expect(finding([])).toMatchObject([{ message: expect.stringContaining('never=yes, a b') as string }]);
  expect(finding()).toEqual([]);
});

test.each([
  ['place', { kind: 'btrfs', place: '/old' }, '/old (btrfs) for this store, and the runbook /backup (btrfs)'],
  [
    'kind',
    { kind: 'hardlink', place: '/backup' },
    '/backup (hardlink) for this store, and the runbook /backup (btrfs)',
  ],
])('a target that keeps the store in another %s fails: backups would go on there', async (_, enrolled, words) => {
  const store = { name: 'main', host: 'target', kind: 'btrfs', place: '/backup' } as never;
  const { at } = saying({
    target: {
      stores: [
        { name: 'other', kind: 'zfs', place: 't/x' },
        { name: 'main', ...enrolled },
      ],
    },
  });
  const { findings } = await run(at, at.activities.checkHosts, { ...input, store });
  expect(findings).toMatchObject([
    { host: 'target', check: 'store main', level: 'fail', message: expect.stringContaining(words) as string },
  ]);
  const same = saying({ target: { stores: [{ name: 'main', kind: 'btrfs', place: '/backup' }] } }).at;
  expect((await run(same, same.activities.checkHosts, { ...input, store })).findings).toEqual([]);
  const older = saying({ target: { stores: ['main'] } }).at;
  expect((await run(older, older.activities.checkHosts, { ...input, store })).findings).toEqual([]);
});

describe('a whole machine', () => {
  const machine = [{ host: 'app-1', name: 'data', path: '/', snapshot: 'system' }] as never;
  const parts = [
    { path: '/', kind: 'lvm', fsType: 'ext4', fsUuid: 'a' },
    { path: '/boot', kind: 'none', fsType: 'ext4', fsUuid: 'b' },
  ];
  const shown = (more: typeof parts) =>
    check.parse({
      sources: [{ name: 'data', path: '/', kind: 'system', fsType: 'ext4', parts: [...parts, ...more], skipped: [] }],
    });

  test('whose file systems are held is well; what a boot reads is watched instead', () => {
    expect(sourceFindings({ host: 'app-1', sources: machine, checked: shown([]) })).toMatchObject([
      {
        level: 'ok',
        message: expect.stringContaining(': / (lvm), /boot (live); 0 mounts are no part of it') as string,
      },
    ]);
  });

  test('of which one is read live is told, with its place', () => {
    const checked = shown([{ path: '/srv', kind: 'none', fsType: 'ext4', fsUuid: 'c' }]);
    expect(sourceFindings({ host: 'app-1', sources: machine, checked })).toMatchObject([
      { level: 'warn', message: expect.stringMatching(/; \/srv without a snapshot$/) as string },
    ]);
  });
});
