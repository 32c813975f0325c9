import { parseManifest } from '../../planning/manifest-schema';
import { canonicalJson } from '../../planning/canonical';
import {
  notRecoverable,
  notRecoverableText,
  recoverability,
  unkept,
  type LayoutEntry,
} from '../../planning/recoverable';
import { APP_2, backedUp, sampleManifest } from './samples';

const kept = (host: string, change: Partial<LayoutEntry> = {}): LayoutEntry => ({
  ...{ host, sha256: 'c'.repeat(64), recoverable: true, reasons: [] },
  ...change,
});
const limit = (what: string, weight: 'fatal' | 'part') => ({ what, why: 'so', weight });
const system = backedUp({ kind: 'system' });

describe('what of a layout forbids a recovery', () => {
  it('only what the system itself lies on', () => {
    expect(recoverability({ limits: [] })).toEqual({ recoverable: true, reasons: [] });
    expect(recoverability({ limits: [limit('sdb', 'part')] })).toEqual({ recoverable: true, reasons: [] });
    expect(recoverability({ limits: [limit('sda', 'fatal'), limit('sdb', 'part')] })).toEqual({
      recoverable: false,
      reasons: ['sda: so'],
    });
  });

  it('many and long reasons stay short, and say so', () => {
    const limits = Array.from({ length: 13 }, (_, i) => limit(`${i}${'x'.repeat(1000)}`, 'fatal'));
    const { reasons } = recoverability({ limits });
    expect(reasons).toHaveLength(11);
    expect(reasons[0]).toHaveLength(300);
    expect(reasons[10]).toBe('and 3 more');
  });
});

describe('which hosts a backup could not make again', () => {
  const of = (layouts: LayoutEntry[], backed = [backedUp(APP_2), system]) =>
    notRecoverable(sampleManifest({ backedUp: backed, layouts }));

  it('none whose system is not in it', () => {
    const bad = kept('app-2', { recoverable: false, reasons: ['x'] });
    expect(of([kept('app-1'), bad])).toEqual([]);
  });

  it('those that their layouts forbid, that have none, and that nobody looked at', () => {
    const why = (layouts: LayoutEntry[]) => of(layouts).map(({ reasons }) => reasons.join());
    expect(why([kept('app-1', { recoverable: false, reasons: ['sda: so', 'md0: so'] })])).toEqual(['sda: so,md0: so']);
    expect(why([unkept({ host: 'app-1', why: 'it was away' })])).toEqual(['it was away']);
    expect(why([])).toEqual(['its layout is not in the backup']);
    expect(notRecoverableText({ host: 'app-1', reasons: ['a', 'b'] })).toBe(
      'app-1 is not recoverable from bare metal, because a; b',
    );
  });

  it('none that is missing from the backup: that is told already', () => {
    const { host, hostName, name, path, tree, kind } = system;
    const manifest = sampleManifest({
      ...{ backedUp: [backedUp(APP_2)], layouts: [], onUnreachable: 'partial' as const },
      missing: [{ host, hostName, name, path, tree, kind, reason: 'off' }],
    });
    expect(notRecoverable(manifest)).toEqual([]);
  });
});

describe('layouts in the manifest', () => {
  it('stand sorted, and are read back', () => {
    const manifest = sampleManifest({ layouts: [unkept({ host: 'app-2', why: 'off' }), kept('app-1')] });
    expect(manifest.layouts.map(({ host }) => host)).toEqual(['app-1', 'app-2']);
    expect(parseManifest(canonicalJson(manifest))).toEqual(manifest);
  });

  it('a manifest of before has none', () => {
    const { layouts, ...before } = sampleManifest();
    expect(layouts).toEqual([]);
    expect(parseManifest(canonicalJson(before))).toEqual(sampleManifest());
  });

  it.each([
    ['a sum that is none', kept('app-1', { sha256: 'x' })],
    ['a host that is none', kept('../app-1')],
  ])('%s is refused', (_, entry) => {
    expect(parseManifest(canonicalJson({ ...sampleManifest(), layouts: [entry] }))).toMatch(/damaged: layouts\.0/);
  });
});
