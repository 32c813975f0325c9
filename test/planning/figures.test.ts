import fc from 'fast-check';
import { ASSUMED_CHANGE, pauseEstimate, spaceEstimate } from '../../planning/estimate';
import type { ProgressRow } from '../../planning/progress';
import {
  detailsTable,
  etaS,
  formatBytes,
  formatSeconds,
  nextSample,
  sumProgress,
  TABLE_ROWS,
} from '../../planning/progress';

describe('spaceEstimate', () => {
  const store = { freeBytes: 1000, totalBytes: 2000, reservePercent: 10 };

  it('counts a first backup whole, a later one by its growth and an assumed change', () => {
    expect(spaceEstimate({ sources: [{ usedBytes: 500 }, { usedBytes: 300, lastBytes: 200 }], store })).toMatchObject({
      neededBytes: 500 + 100 + 200 * ASSUMED_CHANGE,
      reserveBytes: 200,
      fits: true,
      missingBytes: 0,
    });
  });

  it('keeps the reserve free', () => {
    expect(spaceEstimate({ sources: [{ usedBytes: 800 }], store }).fits).toBe(true);
    expect(spaceEstimate({ sources: [{ usedBytes: 801 }], store })).toMatchObject({ fits: false, missingBytes: 1 });
    expect(spaceEstimate({ sources: [], store: { ...store, freeBytes: 100 } }).missingBytes).toBe(100);
  });

  it('never needs more than there is, nor less than the growth', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), (usedBytes, lastBytes) => {
        const { neededBytes } = spaceEstimate({ sources: [{ usedBytes, lastBytes }], store });
        expect(neededBytes).toBeLessThanOrEqual(usedBytes);
        expect(neededBytes).toBeGreaterThanOrEqual(Math.max(0, usedBytes - lastBytes));
      }),
    );
  });
});

describe('pauseEstimate', () => {
  it('is the median of the last five', () => {
    expect(pauseEstimate({ history: [900, 100, 300, 200, 400, 99_999], hosts: [] })).toEqual({
      ms: 300,
      worstMs: 900,
      basis: 'median of the last 5 backups',
    });
    expect(pauseEstimate({ history: [10, 20], hosts: [] }).ms).toBe(10);
  });

  it('without a history is that of the slowest host', () => {
    const hosts = [
      { containers: 3, sources: 1 },
      { containers: 0, sources: 1, roundTripMs: 200 },
    ];
    expect(pauseEstimate({ history: [], hosts }).ms).toBe(615);
    expect(pauseEstimate({ history: [], hosts: hosts.slice(0, 1) }).ms).toBe(60 + 120 + 75 + 15);
    expect(pauseEstimate({ history: [], hosts: [] }).ms).toBe(0);
  });
});

const row: ProgressRow = {
  host: 'app-1',
  source: 'data',
  step: 'copy',
  state: 'running',
  bytes: 50,
  totalBytes: 100,
  bytesPerS: 10,
};

describe('sumProgress', () => {
  it('adds up, and takes the later of both ETAs', () => {
    const rows = [
      row,
      { ...row, source: 'b', bytesPerS: 1 },
      { ...row, source: 'c', state: 'done' as const, bytes: 100, bytesPerS: 0 },
    ];
    expect(sumProgress(rows)).toEqual({
      bytes: 200,
      totalBytes: 300,
      bytesPerS: 11,
      percent: 66,
      etaS: 50,
      done: 1,
      rows: 3,
    });
    expect(sumProgress([{ ...row, state: 'waiting', bytes: 0 }, row]).etaS).toBe(15);
  });

  it('does not pretend to know', () => {
    expect(sumProgress([{ ...row, totalBytes: 0, bytesPerS: 0, bytes: 0 }])).toMatchObject({
      percent: null,
      etaS: null,
    });
    expect(etaS({ bytes: 5, totalBytes: 0, bytesPerS: 1 })).toBeNull();
    expect(sumProgress([])).toMatchObject({ percent: null, etaS: null, rows: 0 });
  });

  it('says 100 only when all is there', () => {
    expect(sumProgress([{ ...row, bytes: 999_999, totalBytes: 1_000_000 }]).percent).toBe(99);
    expect(sumProgress([{ ...row, bytes: 200, totalBytes: 100 }]).percent).toBe(100);
  });
});

describe('nextSample', () => {
  it('smooths, starts anew after a fall, and ignores a clock that stands', () => {
    const first = nextSample({ previous: undefined, atMs: 0, bytes: 0 });
    const second = nextSample({ previous: first, atMs: 1000, bytes: 100 });
    expect(second.bytesPerS).toBe(100);
    const third = nextSample({ previous: second, atMs: 2000, bytes: 1100 });
    expect(third.bytesPerS).toBeGreaterThan(100);
    expect(third.bytesPerS).toBeLessThan(300);
    expect(nextSample({ previous: third, atMs: 2000, bytes: 5000 })).toBe(third);
    expect(nextSample({ previous: third, atMs: 3000, bytes: 10 })).toEqual({ atMs: 3000, bytes: 10, bytesPerS: 0 });
  });
});

describe('detailsTable', () => {
  it('reads as a table, the urgent first', () => {
    expect(
      detailsTable([
        { ...row, state: 'done', bytes: 100 },
        { ...row, host: 'app-2' },
        { ...row, host: 'app-3', state: 'needs operator', note: 'no | space\nleft' },
      ]),
    ).toBe(
      [
        '| source | step | state | bytes |  | rate | ETA |',
        '|---|---|---|---:|---:|---:|---:|',
        '| app-3:data | copy | needs operator: no \\| space left | 50 B of 100 B | 50 % |  |  |',
        '| app-2:data | copy | running | 50 B of 100 B | 50 % | 10 B/s | 5 s |',
        '| app-1:data | copy | done | 100 B of 100 B | 100 % |  |  |',
        '| **1 of 3 done** |  |  | 200 B of 300 B | 66 % | 10 B/s | 5 s |',
      ].join('\n'),
    );
  });

  it('stays small for a thousand sources', () => {
    const rows = Array.from({ length: 1000 }, (_, i) => ({ ...row, host: `h${i}`, note: 'x'.repeat(5000) }));
    const table = detailsTable(rows);
    expect(table.length).toBeLessThan(TABLE_ROWS * 600);
    expect(table).toContain(`… and ${1000 - TABLE_ROWS} more`);
  });

  it('S29 no text ends a cell or a line', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (note) => {
        const lines = detailsTable([{ ...row, note }]).split('\n');
        expect(lines).toHaveLength(4);
        expect(lines[2]?.replace(/\\./g, '').split('|')).toHaveLength(9);
      }),
    );
  });
});

it.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1.0 KiB'],
  [1_048_575, '1.0 MiB'],
  [1_610_612_736, '1.5 GiB'],
  [2 ** 60, '1024.0 PiB'],
])('formatBytes(%d) is %p', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

it.each([
  [null, ''],
  [0, '0 s'],
  [59.2, '1 min 0 s'],
  [200, '3 min 20 s'],
  [7500, '2 h 5 min'],
])('formatSeconds(%p) is %p', (seconds, text) => {
  expect(formatSeconds(seconds)).toBe(text);
});
