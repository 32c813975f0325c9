import type { PresentSource } from '../../planning/identity';
import { identityProblems, pinsOf } from '../../planning/identity';
import { APP_2, backedUp, FROZEN, sampleManifest } from './samples';

const pinned = pinsOf({ manifests: [sampleManifest({ backedUp: [backedUp()] })] });
const now: PresentSource = {
  host: 'app-1',
  name: 'data',
  kind: 'btrfs',
  realPath: '/srv/data',
  fsType: 'btrfs',
  fsUuid: 'aaaa',
  subvolume: 'data',
  mounted: true,
  usedBytes: 1000,
  files: 10,
  shrinkLimitPercent: 50,
};

function kinds(change: Partial<PresentSource>): string[] {
  return identityProblems({ pinned, present: [{ ...now, ...change }] }).map((each) => each.kind);
}

describe('identityProblems', () => {
  it.each<[string, Partial<PresentSource>, string[]]>([
    ['nothing changed', {}, []],
    ['it grew', { usedBytes: 9999, files: 999 }, []],
    ['a symlink leads elsewhere', { realPath: '/mnt/other' }, ['path']],
    ['another file system', { fsUuid: 'bbbb' }, ['filesystem']],
    ['another kind of file system', { fsType: 'ext4' }, ['filesystem']],
    ['another subvolume', { subvolume: 'data.old' }, ['subvolume']],
    ['no subvolume any more', { subvolume: undefined }, ['subvolume']],
    [
      'a dataset instead',
      { subvolume: undefined, dataset: 'tank/data', kind: 'zfs' },
      ['subvolume', 'dataset', 'kind'],
    ],
    ['the disk is not mounted', { mounted: false, fsUuid: 'root' }, ['unmounted', 'filesystem']],
    ['exactly the limit', { usedBytes: 500, files: 5 }, []],
    ['more than the limit lost', { usedBytes: 499 }, ['shrunk']],
    ['more files than the limit lost', { files: 4 }, ['shrunk']],
    ['emptied', { usedBytes: 0, files: 0 }, ['emptied']],
    ['emptied, files alone known', { usedBytes: undefined, files: 0 }, ['emptied']],
    ['sizes are not known', { usedBytes: undefined, files: undefined }, []],
  ])('S14 %s', (_, change, expected) => {
    expect(kinds(change)).toEqual(expected);
  });

  it.each([
    ['nothing changed', ['root-a', 'home-b'], []],
    ['a disk that is not mounted', ['root-a'], ['unmounted']],
    ['another disk at its place', ['root-a', 'home-c'], ['filesystem']],
    ['one more', ['root-a', 'home-b', 'data-d'], []],
  ])('S14 of a whole machine each file system is pinned: %s', (_, uuids, expected) => {
    const parts = (all: readonly string[]) =>
      all.map((fsUuid) => ({ path: `/${fsUuid.split('-')[0] ?? ''}`, fsType: 'ext4', fsUuid }));
    const identity = { realPath: '/', fsType: 'ext4', fsUuid: 'root-a', parts: parts(['root-a', 'home-b']) };
    const pins = pinsOf({ manifests: [sampleManifest({ backedUp: [backedUp({ kind: 'system', identity })] })] });
    const shown = { ...now, kind: 'system', realPath: '/', fsType: 'ext4', fsUuid: 'root-a', subvolume: undefined };
    const found = identityProblems({ pinned: pins, present: [{ ...shown, parts: parts(uuids) }] });
    expect(found.map(({ kind }) => kind)).toEqual(expected);
  });

  it('S14 a source that is gone is named, with the backup it is compared with', () => {
    const problems = identityProblems({ pinned, present: [], expected: ['app-1:data'] });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({ source: 'app-1:data', kind: 'gone' });
    expect(problems[0]?.message).toContain('20261121_013000');
  });

  it('S14 a source that left the runbook, or is new to it, is no problem', () => {
    expect(identityProblems({ pinned, present: [] })).toEqual([]);
    expect(identityProblems({ pinned: [], present: [now] })).toEqual([]);
  });
});

describe('what identityProblems expects', () => {
  const both = pinsOf({ manifests: [sampleManifest({ backedUp: [backedUp(), backedUp(APP_2)] })] });
  const gone = (expected: readonly string[], present: readonly PresentSource[] = [now]) =>
    identityProblems({ pinned: both, present, expected }).map(({ source, kind }) => `${source} ${kind}`);

  it('S14 a source that the runbook names and its host does not show is gone', () => {
    expect(gone(['app-1:data', 'app-2:data'])).toEqual(['app-2:data gone']);
    expect(gone(['app-1:data', 'app-2:data'], [])).toEqual(['app-1:data gone', 'app-2:data gone']);
  });

  it('S18 one whose host is left out of this backup is not asked about', () => {
    expect(gone(['app-1:data'])).toEqual([]);
  });

  it('S14 what is not expected is not compared either, though its host shows it', () => {
    const moved = { ...now, realPath: '/mnt/other' };
    expect(gone(['app-1:data'], [moved])).toEqual(['app-1:data path']);
    expect(gone(['app-2:data'], [moved])).toEqual(['app-2:data gone']);
  });
});

describe('pinsOf', () => {
  it('S14 takes each source from the newest backup that holds it', () => {
    const older = sampleManifest({
      previous: null,
      frozenAtMs: FROZEN - 86_400_000,
      backedUp: [backedUp({ bytes: 1 }), backedUp({ ...APP_2, bytes: 2 })],
    });
    const newer = sampleManifest({
      backedUp: [backedUp({ bytes: 3 })],
      missing: [{ ...APP_2, reason: 'gone' }],
      onUnreachable: 'partial',
    });
    expect(pinsOf({ manifests: [older, newer] }).map(({ host, bytes, backup }) => ({ host, bytes, backup }))).toEqual([
      { host: 'app-1', bytes: 3, backup: '20261121_013000' },
      { host: 'app-2', bytes: 2, backup: '20261120_013000' },
    ]);
    expect(pinsOf({ manifests: [] })).toEqual([]);
  });
});
