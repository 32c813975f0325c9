import fc from 'fast-check';
import { pauseEstimate } from '../../planning/estimate';
import { boardTable, formatBytes, TABLE_ROWS } from '../../planning/progress';
import type { BoardRow } from '../../planning/progress';

describe('pauseEstimate', () => {
  it('is the median of the last five', () => {
    expect(pauseEstimate({ history: [900, 100, 300, 200, 400, 99_999], hosts: [] })).toEqual({
      ms: 300,
      worstMs: 900,
      basis: 'median of the last 5 backups',
    });
    expect(pauseEstimate({ history: [10, 20], hosts: [] }).ms).toBe(10);
    expect(pauseEstimate({ history: [30], hosts: [] }).basis).toBe('that of the last backup');
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

describe('boardTable', () => {
  const row: BoardRow = { step: 'copy app-1:data', state: 'running', note: '' };

  it('reads as a table, in the order of the steps', () => {
    expect(
      boardTable([
        { step: 'lease', state: 'done', note: '' },
        { step: 'copy app-3:data', state: 'needs operator', note: 'no | space\nleft' },
        row,
      ]),
    ).toBe(
      [
        '| step | state |  |',
        '|---|---|---|',
        '| lease | done |  |',
        '| copy app-3:data | needs operator | no \\| space left |',
        '| copy app-1:data | running |  |',
      ].join('\n'),
    );
  });

  it('stays small for a thousand rows, what a person must see first, the others counted', () => {
    const rows = Array.from({ length: 1000 }, (_, i): BoardRow => ({
      step: `copy h${i}:data`,
      state: i === 999 ? 'needs operator' : i < 900 ? 'done' : 'running',
      note: 'x'.repeat(5000),
    }));
    const table = boardTable(rows);
    expect(table.length).toBeLessThan(TABLE_ROWS * 400);
    expect(table.split('\n')[2]).toContain('copy h999:data');
    expect(table).toContain(`| and ${1000 - TABLE_ROWS} more | 900 done, 40 running |`);
  });

  it('S29 no text ends a cell or a line', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (note) => {
        const lines = boardTable([{ ...row, note }]).split('\n');
        expect(lines).toHaveLength(3);
        expect(lines[2]?.replace(/\\./g, '').split('|')).toHaveLength(5);
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
