import fc from 'fast-check';
import { buildManifest, runVerdict } from '../../planning/build-manifest';
import { canonicalJson } from '../../planning/canonical';
import { parseManifest } from '../../planning/manifest-schema';
import { APP_2, backedUp, FROZEN, manifestInput, sampleManifest } from './samples';

const MISSING = { ...APP_2, reason: 'unreachable' };

describe('buildManifest', () => {
  it('gives the id of the freeze, sorted sources and the weakest label', () => {
    const live = backedUp({ ...APP_2, consistency: { label: 'none', evidence: ['live copy'] } });
    const manifest = sampleManifest({ backedUp: [live, backedUp()] });
    expect(manifest).toMatchObject({
      resurgoManifest: 1,
      id: '20261121_013000',
      state: 'Completed',
      frozenAt: '2026-11-21T01:30:00.250Z',
      label: 'none',
      evidence: ['weakest of 2 sources: app-2:data (not consistent (live copy))', 'live copy'],
    });
    expect(manifest.sources.map((each) => each.tree)).toEqual(['app-1@+srv+data', 'app-2@+srv+data']);
    expect(manifest.hosts[0]).toMatchObject({ pausedAt: '2026-11-21T01:30:00.250Z', pausedMs: 90 });
    expect(manifest.hosts[0]).not.toHaveProperty('pausedAtMs');
  });

  it('S18 is partial where the runbook allows it, and says what is missing', () => {
    const manifest = sampleManifest({ backedUp: [backedUp()], missing: [MISSING], onUnreachable: 'partial' });
    expect(manifest.state).toBe('Partial');
    expect(manifest.sources[1]).toEqual({ ...MISSING, state: 'missing' });
  });

  it('S18 is refused where the runbook does not', () => {
    expect(() => sampleManifest({ backedUp: [backedUp()], missing: [MISSING] })).toThrow(
      'must not be sealed: 1 of 2 sources is missing',
    );
    expect(() => sampleManifest({ backedUp: [], missing: [MISSING], onUnreachable: 'partial' })).toThrow(
      'no source was backed up',
    );
  });

  it('S17 is refused when its id is not newer than the newest', () => {
    expect(() => sampleManifest({ previous: '20261121_013000' })).toThrow('not newer than 20261121_013000');
    expect(() => sampleManifest({ previous: '20261121_013001' })).toThrow('clock');
    expect(sampleManifest({ previous: '20261121_012959' }).previous).toBe('20261121_012959');
    expect(sampleManifest({ previous: null }).previous).toBeNull();
  });

  it('S16 is refused when two sources share a folder', () => {
    expect(() => sampleManifest({ backedUp: [backedUp(), backedUp({ hostName: 'staging-app-1' })] })).toThrow(
      'share the folder app-1@+srv+data',
    );
  });
});

describe('parseManifest', () => {
  const read = (text: string) => {
    const manifest = parseManifest(text);
    if (typeof manifest === 'string') throw new Error(manifest);
    return manifest;
  };

  it('reads what was built, byte for byte', () => {
    const text = canonicalJson(
      sampleManifest({ backedUp: [backedUp()], missing: [MISSING], onUnreachable: 'partial' }),
    );
    expect(canonicalJson(read(text))).toBe(text);
  });

  it('S19 one value has one text, whatever the order it was gathered in', () => {
    const [a, b] = [backedUp(), backedUp({ ...APP_2 })];
    expect(canonicalJson(sampleManifest({ backedUp: [a, b] }))).toBe(
      canonicalJson(sampleManifest({ backedUp: [b, a] })),
    );
  });

  it('names a newer version as such, whatever its form, and what to do', () => {
    for (const newer of [
      { ...sampleManifest(), resurgoManifest: 2 },
      { resurgoManifest: 2, id: 7 },
    ])
      expect(parseManifest(JSON.stringify(newer))).toMatch(
        /^it was made by a newer Resurgo, whose manifests are of version 2 \(this one reads 1\): update Resurgo/,
      );
  });

  it.each<[string, (m: Record<string, unknown>) => unknown, string]>([
    ['no version', (m) => ({ ...m, resurgoManifest: undefined }), 'resurgoManifest'],
    ['an id that is none', (m) => ({ ...m, id: '20260231_000000' }), 'id: not the UTC'],
    [
      'a traversal in a tree',
      (m) => ({ ...m, sources: [{ ...sampleManifest().sources[0], tree: '../../etc' }] }),
      'sources.0.tree',
    ],
    [
      'a missing source in a complete backup',
      (m) => ({ ...m, sources: [sampleManifest().sources[0], { ...MISSING, state: 'missing' }] }),
      'state: Completed, and yet',
    ],
    [
      'no source that is there',
      (m) => ({ ...m, state: 'Partial', sources: [{ ...MISSING, state: 'missing' }] }),
      'not one of them',
    ],
    [
      'one tree twice',
      (m) => ({ ...m, sources: [sampleManifest().sources[0], sampleManifest().sources[0]] }),
      'two sources share',
    ],
    ['a previous one that is newer', (m) => ({ ...m, previous: '20270101_000000' }), 'not older'],
    [
      'a hash that is none',
      (m) => ({ ...m, sources: [{ ...sampleManifest().sources[0], listingSha256: 'x' }] }),
      'listingSha256',
    ],
    ['negative bytes', (m) => ({ ...m, sources: [{ ...sampleManifest().sources[0], bytes: -1 }] }), 'bytes'],
    ['a list', () => [], 'manifest'],
  ])('refuses %s', (_, spoil, message) => {
    const text = JSON.stringify(spoil({ ...sampleManifest() }));
    expect(parseManifest(text)).toContain(message);
  });

  it('refuses a text that was cut off anywhere', () => {
    const text = canonicalJson(sampleManifest());
    for (let cut = 0; cut < text.length; cut += 97) expect(parseManifest(text.slice(0, cut))).toContain('not JSON');
  });

  it('takes a field that a later version of this format added', () => {
    expect(read(JSON.stringify({ ...sampleManifest(), later: 1 })).id).toBe('20261121_013000');
  });
});

describe('runVerdict', () => {
  it('S18 only a sealed run with every source is a success', () => {
    const input = fc.record({
      ok: fc.nat({ max: 3 }),
      missing: fc.nat({ max: 3 }),
      sealed: fc.boolean(),
      onUnreachable: fc.constantFrom('fail' as const, 'partial' as const),
      failure: fc.constantFrom('', 'broken'),
    });
    fc.assert(
      fc.property(input, (run) => {
        const { state, exitCode, reason } = runVerdict(run);
        const success = run.sealed && run.failure === '' && run.ok > 0 && run.missing === 0;
        expect(exitCode === 0).toBe(success);
        expect({ Completed: 0, Partial: 3, Failed: 1 }[state]).toBe(exitCode);
        if (state === 'Partial')
          expect(run.onUnreachable === 'partial' && run.missing > 0 && run.ok > 0 && run.sealed).toBe(true);
        expect(reason).not.toBe('');
      }),
    );
  });

  it('gives 0, 3 and 1', () => {
    expect(runVerdict({ ok: 2, missing: 0, sealed: true, onUnreachable: 'fail' }).exitCode).toBe(0);
    expect(runVerdict({ ok: 1, missing: 1, sealed: true, onUnreachable: 'partial' }).exitCode).toBe(3);
    expect(runVerdict({ ok: 1, missing: 1, sealed: true, onUnreachable: 'fail' }).exitCode).toBe(1);
    expect(runVerdict({ ok: 2, missing: 0, sealed: true, onUnreachable: 'fail', failure: 'x' })).toMatchObject({
      exitCode: 1,
      reason: 'x',
    });
  });
});

it('a manifest of a moment before 1970 is refused', () => {
  expect(() => buildManifest(manifestInput({ frozenAtMs: -FROZEN }))).toThrow('1970');
});
