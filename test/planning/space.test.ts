import fc from 'fast-check';
import { sourcesOf, spaceInWords, spaceVerdict } from '../../planning/space';
import type { SourceSpace, StoreRoom } from '../../planning/space';
import { backedUp, sampleManifest } from './samples';

const GIB = 2 ** 30;
const source = (over: Partial<SourceSpace> = {}): SourceSpace => ({
  ...{
    host: 'app-1',
    device: '/dev/sdb',
    usedBytes: 100 * GIB,
    leastBytes: 100 * GIB,
    isPartly: false,
    lastBytes: undefined,
  },
  ...over,
});
const store = (over: Partial<StoreRoom> = {}): StoreRoom => ({
  ...{
    kind: 'hardlink',
    compression: 'off',
    fsType: 'ext2/ext3',
    freeBytes: 60 * GIB,
    reserveBytes: 20 * GIB,
    isOpen: false,
  },
  ...over,
});
const level = (sources: SourceSpace[], room: StoreRoom) => spaceVerdict({ sources, store: room }).level;

test('a first copy that surely does not fit fails', () => {
  expect(spaceVerdict({ sources: [source()], store: store() })).toEqual({
    level: 'fail',
    leastBytes: 50 * GIB,
    mostBytes: 100 * GIB,
    roomBytes: 40 * GIB,
    first: 1,
  });
  expect(level([source()], store({ kind: 'zfs', fsType: 'zfs' }))).toBe('fail');
  expect(level([source()], store({ kind: 'btrfs', compression: 'zstd', freeBytes: 21 * GIB, fsType: 'btrfs' }))).toBe(
    'fail',
  );
});

test.each<[string, SourceSpace[], StoreRoom]>([
  ['compression may make it fit', [source()], store({ kind: 'btrfs', compression: 'zstd' })],
  ['the file system may compress whatever the runbook says', [source()], store({ fsType: 'btrfs' })],
  ['the host does not say how much the source itself has', [source({ leastBytes: 0 })], store()],
  ['parts are left out', [source({ isPartly: true })], store()],
  ['two sources share one file system', [source({ leastBytes: 70 * GIB }), source({ leastBytes: 70 * GIB })], store()],
  ['a dead run left what its successor takes away', [source()], store({ isOpen: true })],
  ['the usual change may be too much', [source({ lastBytes: 500 * GIB })], store()],
])('it only warns where %s', (_, sources, room) => {
  expect(level(sources, room)).toBe('warn');
});

test('nothing is said of what fits, nor of a grown file system below a source that was copied before', () => {
  expect(level([source({ usedBytes: 40 * GIB, leastBytes: 40 * GIB })], store())).toBe('ok');
  expect(level([source({ lastBytes: 90 * GIB })], store())).toBe('ok');
  expect(level([], store({ freeBytes: 0 }))).toBe('ok');
});

test('what fits by the most that it can need never fails by the least', () => {
  const bytes = fc.nat({ max: 2 ** 40 });
  fc.assert(
    fc.property(bytes, bytes, bytes, fc.constantFrom('sda', 'sdb', ''), (usedBytes, least, freeBytes, device) => {
      const one = source({ usedBytes, leastBytes: Math.min(least, usedBytes), device });
      const verdict = level([one, { ...one }], store({ freeBytes, reserveBytes: 0 }));
      if (2 * usedBytes <= freeBytes) expect(verdict).toBe('ok');
    }),
  );
});

test('the words say what is missing and what to do', () => {
  const { message, mend } = spaceInWords(spaceVerdict({ sources: [source()], store: store() }));
  expect(message).toBe(
    'has 40.0 GiB above its reserve, and the first copies need 50.0 GiB at the very least: 1 source has never been copied there',
  );
  expect(mend).toContain('resurgo prune');
});

test('a source that has been copied before counts with a tenth; of sources on one file system the largest counts', () => {
  const verdict = (...sources: SourceSpace[]) => spaceVerdict({ sources, store: store() });
  expect(verdict(source({ lastBytes: 30 }), source({ host: 'app-2', lastBytes: 1 }))).toMatchObject({ mostBytes: 4 });
  expect(verdict(source({ usedBytes: 7 }), source({ usedBytes: 9 }))).toMatchObject({ mostBytes: 9, first: 2 });
  expect(verdict(source({ usedBytes: 7 }), source({ usedBytes: 9, device: '/dev/sdc' })).mostBytes).toBe(16);
  expect(verdict(source({ usedBytes: 7 }), source({ usedBytes: 9, host: 'app-2' })).mostBytes).toBe(16);
});

test('what hosts show is set beside what the store has: whole, or only in the newest partial backup, or not at all', () => {
  const { device, usedBytes, leastBytes } = source();
  const sources = ['a', 'b', 'c', 'd'].map((name) => ({ host: 'app-1', name, tree: `app-1@+${name}`, exclude: [] }));
  const shown = ['a', 'b', 'c'].map((name) => ({ name, device, usedBytes, leastBytes }));
  const last = sampleManifest({ backedUp: [backedUp({ tree: 'app-1@+a', bytes: 70 })] });
  const found = sourcesOf({
    sources,
    shown: [{ host: 'app-1', sources: shown }],
    last,
    there: new Set(['app-1@+a', 'app-1@+b']),
  });
  expect(found.map((each) => each.lastBytes)).toEqual([70, 0, undefined]);
});
