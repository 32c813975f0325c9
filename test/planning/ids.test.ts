import fc from 'fast-check';
import {
  backupId,
  isBackupId,
  isNewer,
  isRunId,
  jobName,
  parseBackupId,
  parseWorkflowId,
  runId,
  scheduleId,
  workflowId,
} from '../../planning/ids';

const RUN = 'r20261121t013000z-4f3a2b';
const JOB = /^[a-z0-9][a-z0-9.-]{0,95}$/;

describe('backup ids', () => {
  it('are UTC of the freeze', () => {
    expect(backupId({ frozenAtMs: Date.UTC(2026, 10, 21, 1, 30, 0, 999) })).toBe('20261121_013000');
    expect(backupId({ frozenAtMs: 0 })).toBe('19700101_000000');
  });

  it('come back as the moment, to the second', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 253_402_300_799 }), (seconds) => {
        expect(parseBackupId(backupId({ frozenAtMs: seconds * 1000 }))).toBe(seconds * 1000);
      }),
    );
  });

  it('sort as text the way they lie in time', () => {
    const second = fc.integer({ min: 0, max: 253_402_300_799 });
    fc.assert(
      fc.property(second, second, (a, b) => {
        const [left, right] = [backupId({ frozenAtMs: a * 1000 }), backupId({ frozenAtMs: b * 1000 })];
        expect(isNewer(left, right)).toBe(a > b);
        expect(left > right).toBe(a > b);
      }),
    );
  });

  it.each([
    '20260231_000000',
    '20261301_000000',
    '20261121_240000',
    '20261121_006000',
    '20261121013000',
    '',
    'latest',
    '00000101_000000',
  ])('refuses %p, which never was a moment', (id) => {
    expect(isBackupId(id)).toBe(false);
    expect(() => parseBackupId(id)).toThrow('not a backup');
  });

  it.each([-1, Number.NaN, Infinity, 253_402_300_800_000])('refuses the time %p', (frozenAtMs) => {
    expect(() => backupId({ frozenAtMs })).toThrow('1970 and 9999');
  });
});

describe('run ids', () => {
  it('carry the time and chance', () => {
    expect(runId({ nowMs: Date.UTC(2026, 10, 21, 1, 30), random: 0x4f3a2b / 0x1000000 })).toBe(RUN);
  });

  it('are always what the hosts take', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 253_402_300_799_999 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (nowMs, random) => {
          expect(isRunId(runId({ nowMs, random }))).toBe(true);
        },
      ),
    );
  });
});

describe('job names', () => {
  it('stay readable where they can', () => {
    expect(jobName({ run: RUN, step: 'store-open' })).toBe(`${RUN}.store-open`);
    expect(jobName({ run: RUN, step: 'send', key: 'app-1' })).toBe(`${RUN}.send.app-1`);
    expect(jobName({ run: RUN, step: 'send', key: 'app-1@+srv+data' })).toMatch(
      /^r.*\.send\.app-1-srv-data\.[0-9a-f]{20}$/,
    );
  });

  it('are what the hosts take, and differ where their parts differ', () => {
    const text = fc.oneof(
      fc.string({ minLength: 1 }),
      fc.constantFrom('a', 'A', 'a.b', 'b', 'a-b', 'a--b', '-', '.', 'x'.repeat(200)),
    );
    const key = fc.oneof(text, fc.constant(''));
    const run = fc.constantFrom(RUN, `r${'1'.repeat(47)}`, `r${'1'.repeat(46)}`);
    fc.assert(
      fc.property(fc.tuple(run, text, key), fc.tuple(run, text, key), (a, b) => {
        const [left, right] = [a, b].map(([r, step, k]) => jobName({ run: r, step, key: k }));
        expect(left).toMatch(JOB);
        expect(left === right).toBe(JSON.stringify(a) === JSON.stringify(b));
      }),
      { numRuns: 500 },
    );
  });

  it('S16 tell neighbours apart', () => {
    const names = [
      jobName({ run: RUN, step: 'a.b' }),
      jobName({ run: RUN, step: 'a', key: 'b' }),
      jobName({ run: RUN, step: 'a-b' }),
      jobName({ run: RUN, step: 'A-b' }),
      jobName({ run: RUN, step: 'send', key: '/a+b' }),
      jobName({ run: RUN, step: 'send', key: '/a/b' }),
    ];
    expect(new Set(names).size).toBe(names.length);
  });

  it('refuse a run that is none', () => {
    expect(() => jobName({ run: '../x', step: 'send' })).toThrow('not a run');
  });
});

describe('workflow ids', () => {
  it('read as an operator expects, and come back', () => {
    expect(workflowId({ kind: 'backup', group: 'portal', run: RUN })).toBe(`backup/portal/${RUN}`);
    expect(parseWorkflowId(`restore/portal/${RUN}`)).toEqual({ kind: 'restore', group: 'portal', run: RUN });
    expect(scheduleId({ group: 'portal' })).toBe('schedule/backup/portal');
  });

  it.each([`backup/portal/${RUN}/copy`, 'backup/portal', `brew/portal/${RUN}`, `backup/Portal/${RUN}`, 'lock/portal'])(
    'does not take %p for a run',
    (id) => {
      expect(parseWorkflowId(id)).toBeUndefined();
    },
  );

  it('refuses a group that would change the id', () => {
    expect(() => workflowId({ kind: 'backup', group: 'a/b', run: RUN })).toThrow('group');
    expect(() => scheduleId({ group: '' })).toThrow('group');
    expect(() => scheduleId({ group: 'A' })).toThrow('group');
    expect(() => workflowId({ kind: 'backup', group: 'a', run: 'short' })).toThrow('run');
  });
});
