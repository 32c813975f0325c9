import fc from 'fast-check';
import type { BackedUpSource } from '../../planning/manifest';
import type { DestinationCheck, RestoreItemInput, RestorePlanInput, TargetGroup } from '../../planning/restore';
import { mapInto, refuseMachines, restorePlan, sameStore, selectSources } from '../../planning/restore';
import { approves, deletionLimit, planHash } from '../../planning/restore-approval';
import { literalPattern, protections, rebasePattern } from '../../planning/restore-protect';
import { APP_2, backedUp, sampleManifest } from './samples';

const logs = backedUp({ name: 'logs', path: '/var/log', tree: 'app-1@+var+log' });
/** A source as the manifest has it. */
function inManifest(change: Parameters<typeof backedUp>[0]): BackedUpSource {
  const [source] = sampleManifest({ backedUp: [backedUp(change)] }).sources;
  if (source?.state !== 'ok') throw new Error('the sample has no source');
  return source;
}

const nested = backedUp({ name: 'db', path: '/srv/data/db', tree: 'app-1@+srv+data+db' });
const manifest = sampleManifest({ backedUp: [backedUp(), backedUp({ ...APP_2 }), logs, nested] });
const partial = sampleManifest({
  backedUp: [backedUp()],
  missing: [{ ...APP_2, reason: 'unreachable' }],
  onUnreachable: 'partial',
});

const target: TargetGroup = {
  name: 'portal',
  sources: ['app-1', 'app-2'].flatMap((short) => [
    { host: `staging-${short}`, hostShort: short, name: 'data', path: '/srv/data', exclude: ['/cache/'] },
  ]),
  restore: { stop: 'containers', stopOrder: ['staging-app-2', 'staging-app-1'] },
};

const check: DestinationCheck = {
  allowed: true,
  mounted: true,
  fsType: 'btrfs',
  fsUuid: 'aaaa',
  freeBytes: 10_000,
  holds: null,
  nested: [],
  safety: 'btrfs',
};

function planInput(change: Partial<RestorePlanInput> = {}, item: Partial<RestoreItemInput> = {}): RestorePlanInput {
  const { selected } = selectSources({ manifest, source: 'data' });
  const { mapped } = mapInto({ selected, runbook: target });
  return {
    manifest,
    mode: 'in-place',
    target,
    selection: { missing: [], whole: true },
    items: mapped.map((each) => ({ ...each, check, dryRun: { files: 5, bytes: 100, deletions: 2 }, ...item })),
    stopWaves: [['staging-app-2'], ['staging-app-1']],
    deletes: true,
    newDisk: false,
    ...change,
  };
}

describe('selectSources', () => {
  const chosen = (options: Omit<Parameters<typeof selectSources>[0], 'manifest'>): string[] =>
    selectSources({ manifest, ...options }).selected.map(
      (each) => `${each.source.host}:${each.source.name} ${each.subpath ?? '*'}`,
    );

  it.each([
    [{}, ['app-1:data *', 'app-1:db *', 'app-1:logs *', 'app-2:data *']],
    [{ host: 'app-2' }, ['app-2:data *']],
    [{ host: 'prod-app-2' }, ['app-2:data *']],
    [{ source: 'data' }, ['app-1:data *', 'app-2:data *']],
    [{ host: 'app-1', path: '/srv/data/x/y' }, ['app-1:data x/y']],
    [{ host: 'app-1', path: '/srv//data/./x/' }, ['app-1:data x']],
    [{ host: 'app-1', path: '/srv/data/db/x' }, ['app-1:db x']],
    [{ host: 'app-1', path: '/srv/data' }, ['app-1:data *', 'app-1:db *']],
    [{ path: '/var' }, ['app-1:logs *']],
    [{ path: '/var/log/a' }, ['app-1:logs a']],
    [{ path: '/' }, ['app-1:data *', 'app-1:db *', 'app-1:logs *', 'app-2:data *']],
  ])('%j', (options, expected) => {
    expect(chosen(options)).toEqual(expected);
  });

  it('asks for the host where a path lies on several', () => {
    expect(() => chosen({ path: '/srv/data/x' })).toThrow('Name the host');
    expect(() => chosen({ path: '/srv/data/db/x' })).toThrow('app-1:db and app-2:data');
  });

  it.each([{ host: 'app-9' }, { path: '/srv/dat' }, { path: '/srv/database' }, { host: 'app-2', source: 'logs' }])(
    '%j is not there',
    (options) => {
      expect(() => chosen(options)).toThrow('holds nothing for');
    },
  );

  it.each(['srv/data', '/srv/../etc', ''])('refuses the path %p', (path) => {
    expect(() => chosen({ path })).toThrow('absolute');
  });

  it('S18 says what a partial backup lacks', () => {
    const selection = selectSources({ manifest: partial });
    expect(selection.whole).toBe(false);
    expect(selection.missing.map((each) => each.host)).toEqual(['app-2']);
    expect(() => selectSources({ manifest: partial, host: 'app-2' })).toThrow('lacks app-2:data (unreachable)');
  });

  it('knows the whole from a part', () => {
    expect(selectSources({ manifest }).whole).toBe(true);
    expect(selectSources({ manifest, host: 'app-1' }).whole).toBe(false);
  });
});

describe('refuseMachines', () => {
  it('S23 a whole machine is not written over in place, and the way out is said', () => {
    const machine = backedUp({ kind: 'system', name: 'root', path: '/', tree: 'app-1@+' });
    const { selected } = selectSources({ manifest: sampleManifest({ backedUp: [machine, backedUp(APP_2)] }) });
    expect(() => {
      refuseMachines({ selected });
    }).toThrow(/prod-app-1:root is a whole machine, which is not written over in place.*resurgo recover.*--to FOLDER/);
    refuseMachines({ selected: selected.filter(({ source }) => source.kind !== 'system') });
  });
});

describe('mapInto', () => {
  it('S16 finds hosts without their prefix, sources by name, then by path', () => {
    const other: TargetGroup = {
      ...target,
      sources: [{ host: 'x-app-1', hostShort: 'app-1', name: 'var-log', path: '/var/log', exclude: [] }],
    };
    const { mapped, unmatched } = mapInto({ selected: selectSources({ manifest }).selected, runbook: other });
    expect(mapped.map((each) => `${each.source.name} → ${each.target.host}:${each.target.name}`)).toEqual([
      'logs → x-app-1:var-log',
    ]);
    expect(unmatched.map((each) => each.reason)).toEqual([
      'host "app-1" of group portal has no source "data", only var-log',
      'host "app-1" of group portal has no source "db", only var-log',
      'group portal has no host "app-2"',
    ]);
  });

  it('never sends two sources to one place', () => {
    const one: TargetGroup = {
      ...target,
      sources: [{ host: 'h', hostShort: 'app-1', name: 'logs', path: '/srv/data', exclude: [] }],
    };
    const { mapped, unmatched } = mapInto({
      selected: selectSources({ manifest, host: 'app-1' }).selected,
      runbook: one,
    });
    expect(mapped).toHaveLength(1);
    expect(unmatched).toHaveLength(2);
  });

  it('refuses when nothing fits', () => {
    expect(() =>
      mapInto({ selected: selectSources({ manifest }).selected, runbook: { ...target, sources: [] } }),
    ).toThrow('nothing fits into group portal');
  });
});

describe('sameStore', () => {
  const host = { name: 'target', address: '10.0.0.9', port: 22 };
  const from = { group: 'portal', store: 'main', storeHost: host };
  const into = { group: { name: 'portal' }, store: { name: 'main' }, storeHost: { ...host } };

  it('S3 S4 both runbooks mean one store, or the lease of the one keeps nobody from the backup of the other', () => {
    expect(() => {
      sameStore({ into, from });
    }).not.toThrow();
  });

  it.each([
    ['another group', { ...into, group: { name: 'web' } }],
    ['another store', { ...into, store: { name: 'offsite' } }],
    ['another host', { ...into, storeHost: { ...host, name: 'staging-target' } }],
    ['another address', { ...into, storeHost: { ...host, address: '10.0.0.8' } }],
    ['another port', { ...into, storeHost: { ...host, port: 2222 } }],
  ])('%s is refused, and both places are named', (_, other) => {
    expect(() => {
      sameStore({ into: other, from });
    }).toThrow(/store main on target \(10\.0\.0\.9, port 22\), group portal, and the runbook .* has store/);
  });
});

describe('restorePlan', () => {
  it('names destinations, what is stopped in order, and totals', () => {
    const plan = restorePlan(planInput());
    expect(plan.items.map((each) => each.destination)).toEqual([
      { host: 'staging-app-1', path: '/srv/data', source: 'data' },
      { host: 'staging-app-2', path: '/srv/data', source: 'data' },
    ]);
    expect(plan.stops).toEqual([
      { host: 'staging-app-2', what: 'containers', wave: 1 },
      { host: 'staging-app-1', what: 'containers', wave: 2 },
    ]);
    expect(plan.starts).toEqual([['staging-app-1'], ['staging-app-2']]);
    expect(plan.totals).toEqual({ files: 10, bytes: 200, deletions: 4 });
    expect(plan.blockers).toEqual([]);
  });

  it('into a folder stops nothing and goes into a tree of its own', () => {
    const items = planInput().items.map((each) => ({
      ...each,
      target: undefined,
      folder: { host: 'h', path: '/restore' },
    }));
    const plan = restorePlan(planInput({ mode: 'folder', items, deletes: false }));
    expect(plan.stops).toEqual([]);
    expect(plan.items.map((each) => each.destination.path)).toEqual([
      '/restore/app-1@+srv+data',
      '/restore/app-2@+srv+data',
    ]);
    expect(plan.items.every((each) => each.safety === null && each.deletions === 0)).toBe(true);
    expect(plan.warnings).toEqual([]);
  });

  it('into a folder that holds something says that files there are overwritten; in place that is what is meant', () => {
    const full = { ...check, holds: '/restore/app-1@+srv+data' };
    const folder = { target: undefined, folder: { host: 'h', path: '/restore' }, check: full };
    const items = planInput().items.slice(0, 1);
    const into = restorePlan(
      planInput({ mode: 'folder', items: items.map((each) => ({ ...each, ...folder })), deletes: false }),
    );
    expect(into.warnings).toEqual([
      'h:/restore/app-1@+srv+data: exists and is not empty; files of the same names are overwritten, others stay',
    ]);
    const inPlace = restorePlan(planInput({ items: items.map((each) => ({ ...each, check: full })) }));
    expect(inPlace.warnings.join()).not.toMatch(/not empty/);
  });

  it('hosts of a wave stop together and start together, the last wave first', () => {
    const { stops, starts } = restorePlan(planInput({ stopWaves: [['staging-app-1', 'staging-app-2']] }));
    expect(stops.map(({ host, wave }) => `${host} ${wave}`)).toEqual(['staging-app-1 1', 'staging-app-2 1']);
    expect(starts).toEqual([['staging-app-2', 'staging-app-1']]);
  });

  it('a part stops its own host alone, and says that the rest goes on; an engine is stopped everywhere', () => {
    const items = planInput().items.slice(0, 1);
    const part = { items, selection: { missing: [], whole: false } };
    const plan = restorePlan(planInput(part));
    expect(plan.stops.map((each) => each.host)).toEqual(['staging-app-1']);
    expect(plan.warnings.join()).toContain('go on running meanwhile: staging-app-2');
    const engine = { ...target, restore: { ...target.restore, stop: 'engine' as const } };
    expect(restorePlan(planInput({ ...part, target: engine })).stops.map((each) => each.host)).toEqual([
      'staging-app-2',
      'staging-app-1',
    ]);
  });

  it.each<[string, Partial<DestinationCheck>, string]>([
    ['S23 a destination that its host does not allow', { allowed: false, reason: 'not a source' }, 'not a source'],
    ['a destination that is not mounted', { mounted: false }, 'not mounted'],
    ['too little space', { freeBytes: 99 }, '100 bytes come, 99 are free'],
    ['another disk than the one that was backed up', { fsUuid: 'bbbb' }, 'say so with --new-disk'],
  ])('is blocked by %s', (_, change, message) => {
    const plan = restorePlan(planInput({}, { check: { ...check, ...change } }));
    expect(plan.blockers.join()).toContain(message);
  });

  it.each<[string, Partial<RestorePlanInput>, Partial<RestoreItemInput>, string]>([
    ['no safety snapshot', {}, { check: { ...check, safety: null } }, 'no safety snapshot'],
    ['a replaced disk', { newDisk: true }, { check: { ...check, fsUuid: 'bbbb' } }, 'another file system (bbbb)'],
    [
      'one deletion',
      {},
      { dryRun: { files: 5, bytes: 100, deletions: 1 } },
      '1 entry that the backup does not hold is deleted',
    ],
    ['deletions', {}, {}, '2 entries that the backup does not hold are deleted'],
    ['a partial backup', { manifest: partial }, {}, 'is partial'],
    [
      'a missing source',
      { selection: { missing: [{ ...APP_2, state: 'missing', reason: 'gone' }], whole: false } },
      {},
      'stays as it is',
    ],
    ['another group', { manifest: { ...manifest, group: 'shop' } }, {}, 'of group shop'],
    ['a live copy', { manifest: { ...manifest, label: 'none' } }, {}, 'live copy'],
  ])('warns of %s', (_, input, item, message) => {
    expect(restorePlan(planInput(input, item)).warnings.join('\n')).toContain(message);
  });

  it('two sources into one place are blocked', () => {
    const items = planInput().items.map((each) => ({ ...each, target: target.sources[0] }));
    expect(restorePlan(planInput({ items })).blockers).toContain('staging-app-1:/srv/data: two sources would go there');
  });

  it('nothing chosen is blocked, and an item without a place is an error', () => {
    expect(restorePlan(planInput({ items: [] })).blockers).toEqual(['nothing is chosen']);
    expect(() => restorePlan(planInput({}, { target: undefined }))).toThrow('no destination');
  });

  it('S20 of a whole machine the mount points come back as the empty folders that they were', () => {
    const skipped = [{ path: '/proc', reason: 'the kernel’s' }];
    const source = inManifest({
      kind: 'system',
      name: 'root',
      path: '/',
      tree: 'app-1@+',
      excluded: ['/tmp/*'],
      skipped,
    });
    const folder = { host: 'app-1', path: '/var/restore' };
    const [item] = restorePlan(planInput({ mode: 'folder' }, { source, target: undefined, folder })).items;
    expect(item?.protect.map(({ pattern }) => pattern)).toEqual(['/tmp/*']);
  });

  it('S20 protects what was excluded, is excluded now, was skipped, or is mounted there', () => {
    const source = inManifest({
      excluded: ['*.tmp'],
      skipped: [{ path: 'mnt/nfs', reason: 'another file system' }],
      nested: ['sub'],
    });
    const [item] = planInput().items;
    const plan = restorePlan(
      planInput({ items: [{ ...item!, source, check: { ...check, nested: ['/sub', '/later'] } }] }),
    );
    expect(plan.items[0]?.protect).toEqual([
      { pattern: '*.tmp', why: 'excluded from the backup' },
      { pattern: '/cache/', why: 'excluded by the runbook' },
      { pattern: '/mnt/nfs', why: 'not in the backup: another file system' },
      { pattern: '/later', why: 'mounted in the destination' },
    ]);
  });

  it('S20 a mount is known by its pattern, as its host told it, also in a part of a source', () => {
    const source = inManifest({ nested: ['a/x[1]', 'b'] });
    const [item] = planInput().items;
    const nested = ['/x\\[1]', '/b', '/y\\*', '/back\\slash', '/line?feed'];
    const [planned] = restorePlan(
      planInput({ items: [{ ...item!, source, subpath: 'a', check: { ...check, nested } }] }),
    ).items;
    const mounted = planned?.protect.filter(({ why }) => why === 'mounted in the destination');
    expect(mounted?.map(({ pattern }) => pattern)).toEqual(['/b', '/y\\*', '/back\\slash', '/line?feed']);
  });

  it('a comparison by content is part of what is approved', () => {
    const plain = restorePlan(planInput());
    const byContent = restorePlan(planInput({ checksum: true }));
    expect(plain).not.toHaveProperty('checksum');
    expect(byContent).toMatchObject({ checksum: true });
    expect(planHash(byContent)).not.toBe(planHash(plain));
  });

  it('S20 a part that deletes is blocked when a pattern can not be told', () => {
    const [item] = planInput().items;
    const source = inManifest({ excluded: ['/a**b/c'] });
    const items = [{ ...item!, source, subpath: 'x' }];
    expect(restorePlan(planInput({ items })).blockers.join()).toContain("can't tell what /a**b/c protects");
    expect(restorePlan(planInput({ items, deletes: false })).blockers).toEqual([]);
  });
});

describe('approval', () => {
  it('is of exactly one plan, whatever the order it was made in', () => {
    const plan = restorePlan(planInput());
    const turned = restorePlan(planInput({ items: [...planInput().items].reverse() }));
    expect(planHash(turned)).toBe(planHash(plan));
    expect(planHash(plan)).toMatch(/^[0-9a-f]{64}$/);
    expect(planHash(JSON.parse(JSON.stringify(plan)) as typeof plan)).toBe(planHash(plan));
    expect(planHash(restorePlan(planInput({}, { dryRun: { files: 5, bytes: 100, deletions: 3 } })))).not.toBe(
      planHash(plan),
    );
  });

  it('takes the hash or its first twelve digits, nothing less and nothing else', () => {
    const hash = planHash(restorePlan(planInput()));
    for (const right of [hash, hash.slice(0, 12).toUpperCase(), hash.slice(0, 40)])
      expect([right, approves({ approval: right, hash })]).toEqual([right, true]);
    for (const wrong of ['', hash.slice(0, 11), `${hash}0`, '0'.repeat(64), 'yes'])
      expect([wrong, approves({ approval: wrong, hash })]).toEqual([wrong, false]);
  });
});

describe('deletionLimit', () => {
  it.each([
    [0, 100],
    [900, 1_000],
    [1_000, 1_100],
    [50_001, 55_002],
  ])('of %d counted, %d may go', (counted, limit) => {
    expect(deletionLimit(counted)).toBe(limit);
  });
});

describe('S20 patterns', () => {
  it.each<[string, string | null, string[] | undefined]>([
    ['*.tmp', 'a', ['*.tmp']],
    ['/a/b', null, ['/a/b']],
    ['/a/b', 'a', ['/b']],
    ['/a/b/', 'a', ['/b/']],
    ['/a/b', 'c', []],
    ['/a', 'a/b', ['/**']],
    ['/a/', 'a/b', ['/**']],
    ['/*/b', 'a', ['/b']],
    ['/a?/b', 'ab', ['/b']],
    ['/[ab]/x', 'b', ['/x']],
    ['/[!ab]/x', 'b', []],
    ['/a\\*[b]/x', 'a*b', ['/x']],
    ['/a.c/x', 'abc', []],
    ['/a/***', 'a', ['/***']],
    ['/a/***', 'a/b', ['/**']],
    ['/**/c', 'a/b', ['/**/c', '/c']],
    ['/a/**', 'a/b', ['/**']],
    ['/a/**', 'a', ['/**']],
    ['/a/**/c', 'a', ['/**/c']],
    ['/a/**/c', 'a/c', ['/**/c', '/c']],
    ['/a/**/c', 'a/b/c/d', ['/**', '/**/c', '/c']],
    ['/a**b/c', 'x', undefined],
  ])('%p in %p is %j', (pattern, subpath, expected) => {
    const moved = rebasePattern({ pattern, subpath });
    expect(moved?.sort()).toEqual(expected?.sort());
  });

  it('a path as a pattern fits itself alone', () => {
    expect(literalPattern('a/b')).toBe('/a/b');
    expect(literalPattern('./a//b/')).toBe('/a/b');
    expect(literalPattern('a*[x]\\')).toBe('/a\\*\\[x]\\\\');
    expect(literalPattern('a\\b')).toBe('/a\\b');
  });

  it('each pattern is told once', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('*.o', '/x', '/y/', 'z')),
        fc.array(fc.constantFrom('*.o', '/x')),
        (excluded, excludedNow) => {
          const { protect } = protections({ excluded, excludedNow, skipped: [], nestedNow: ['/x'], subpath: null });
          const patterns = protect.map((each) => each.pattern);
          expect(new Set(patterns).size).toBe(patterns.length);
          expect(patterns).toEqual(expect.arrayContaining([...excluded, ...excludedNow, '/x']));
        },
      ),
    );
  });
});
