import fc from 'fast-check';
import { backupId } from '../../planning/ids';
import type { RetainedBackup, RetentionInput } from '../../planning/retention';
import { ClockSkewError, isoWeek, planRetention } from '../../planning/retention';

const NOW = Date.UTC(2026, 10, 21, 12);
const NONE = { last: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 };
const HOUR = 3_600_000;

const complete = (id: string): RetainedBackup => ({ id, state: 'Completed' });
const partial = (id: string): RetainedBackup => ({ id, state: 'Partial' });

/** Every night at 01:30 for so many days, newest first. */
function nightly(days: number): RetainedBackup[] {
  return Array.from({ length: days }, (_, i) => complete(backupId({ frozenAtMs: Date.UTC(2026, 10, 21 - i, 1, 30) })));
}

function kept(input: Omit<RetentionInput, 'nowMs'>): string[] {
  return planRetention({ ...input, nowMs: NOW })
    .filter((each) => each.action === 'keep')
    .map((each) => each.id);
}

describe('planRetention, golden', () => {
  it('keeps the newest of each day, week, month and year that has one', () => {
    const plan = planRetention({
      backups: nightly(400),
      keep: { last: 2, daily: 3, weekly: 3, monthly: 3, yearly: 2 },
      nowMs: NOW,
    });
    expect(plan.filter((each) => each.action === 'keep')).toEqual([
      {
        id: '20261121_013000',
        action: 'keep',
        reasons: [
          'among the newest 1',
          'last 2',
          'daily 2026-11-21',
          'weekly 2026-W47',
          'monthly 2026-11',
          'yearly 2026',
        ],
      },
      { id: '20261120_013000', action: 'keep', reasons: ['last 2', 'daily 2026-11-20'] },
      { id: '20261119_013000', action: 'keep', reasons: ['daily 2026-11-19'] },
      { id: '20261115_013000', action: 'keep', reasons: ['weekly 2026-W46'] },
      { id: '20261108_013000', action: 'keep', reasons: ['weekly 2026-W45'] },
      { id: '20261031_013000', action: 'keep', reasons: ['monthly 2026-10'] },
      { id: '20260930_013000', action: 'keep', reasons: ['monthly 2026-09'] },
      { id: '20251231_013000', action: 'keep', reasons: ['yearly 2025'] },
    ]);
    expect(plan.find((each) => each.action === 'remove')?.reasons).toEqual([
      'not among last 2, daily 3, weekly 3, monthly 3, yearly 2',
    ]);
  });

  it('days without a backup do not use up the count', () => {
    const backups = ['20261121_013000', '20261101_013000', '20260901_013000'].map(complete);
    expect(kept({ backups, keep: { ...NONE, daily: 2 } })).toEqual(['20261121_013000', '20261101_013000']);
  });

  it('of several on one day the newest stands for it', () => {
    const backups = ['20261120_060000', '20261120_230000', '20261119_060000'].map(complete);
    expect(kept({ backups, keep: { ...NONE, daily: 2 } })).toEqual(['20261120_230000', '20261119_060000']);
  });

  it('a policy of zeros keeps the newest all the same', () => {
    expect(kept({ backups: nightly(3), keep: NONE })).toEqual(['20261121_013000']);
    expect(kept({ backups: nightly(3), keep: NONE, minNewest: 0 })).toEqual(['20261121_013000']);
    expect(kept({ backups: nightly(3), keep: NONE, minNewest: 2 })).toHaveLength(2);
  });

  it.each<[string, Partial<RetentionInput>, string]>([
    ['held', { holds: ['20261101_013000'] }, 'on hold'],
    ['a replication base', { replicationBases: ['20261101_013000'] }, 'base of a replication'],
    ['in use', { inUse: ['20261101_013000'] }, 'in use'],
    ['the last verified', { lastVerified: '20261101_013000' }, 'the last verified backup'],
  ])('never removes what is %s', (_, input, reason) => {
    const plan = planRetention({ backups: nightly(30), keep: { ...NONE, last: 3 }, nowMs: NOW, ...input });
    expect(plan.find((each) => each.id === '20261101_013000')).toEqual({
      id: '20261101_013000',
      action: 'keep',
      reasons: [reason],
    });
    expect(plan.filter((each) => each.action === 'keep')).toHaveLength(4);
  });

  it('S18 partial and failed backups do not count', () => {
    const backups = [
      partial('20261121_013000'),
      { id: '20261120_013000', state: 'Failed' as const },
      complete('20261119_013000'),
      complete('20261118_013000'),
      partial('20261117_013000'),
    ];
    const plan = planRetention({ backups, keep: { ...NONE, last: 2 }, nowMs: NOW });
    expect(plan.map((each) => `${each.id} ${each.action}`)).toEqual([
      '20261121_013000 keep',
      '20261120_013000 remove',
      '20261119_013000 keep',
      '20261118_013000 keep',
      '20261117_013000 remove',
    ]);
    expect(plan[0]?.reasons).toEqual(['partial, and fewer than 1 complete backups are newer']);
  });

  it('S18 where nothing is complete every partial backup stays', () => {
    const backups = ['20261121_013000', '20261120_013000'].map(partial);
    expect(kept({ backups, keep: NONE })).toHaveLength(2);
  });
});

describe('planRetention refuses', () => {
  it('a backup from the future, and names it', () => {
    const backups = [...nightly(3), complete('20261121_120001'), complete('20270101_000000')];
    const plan = (): unknown => planRetention({ backups, keep: { ...NONE, last: 1 }, nowMs: NOW });
    expect(plan).toThrow(ClockSkewError);
    expect(plan).toThrow('20261121_120001, 20270101_000000');
    expect(kept({ backups: [complete('20261121_120000')], keep: NONE })).toHaveLength(1);
  });

  it('ids that are none or listed twice, and counts that are none', () => {
    const plan =
      (backups: RetainedBackup[], keep = NONE): (() => unknown) =>
      () =>
        planRetention({ backups, keep, nowMs: NOW });
    expect(plan([complete('latest')])).toThrow('not a backup');
    expect(plan([...nightly(1), ...nightly(1)])).toThrow('twice');
    expect(plan(nightly(2), { ...NONE, daily: -1 })).toThrow('daily is -1');
    expect(plan(nightly(2), { ...NONE, last: 1.5 })).toThrow('last is 1.5');
    expect(plan(nightly(2), { ...NONE, last: Number.NaN })).toThrow('last is NaN');
    expect(() => planRetention({ backups: [], keep: NONE, nowMs: Number.NaN })).toThrow('clock');
  });
});

describe('planRetention, properties', () => {
  const backups = fc
    .uniqueArray(
      fc.record({
        hours: fc.integer({ min: 0, max: 30_000 }),
        state: fc.constantFrom('Completed', 'Completed', 'Partial', 'Failed'),
      }),
      {
        selector: (each) => each.hours,
        maxLength: 60,
      },
    )
    .map((list): RetainedBackup[] =>
      list.map(({ hours, state }) => ({
        id: backupId({ frozenAtMs: NOW - hours * HOUR }),
        state: state,
      })),
    );
  const count = fc.integer({ min: 0, max: 8 });
  const keep = fc.record({ last: count, daily: count, weekly: count, monthly: count, yearly: count });
  const minNewest = fc.integer({ min: 0, max: 4 });

  it('applied twice it removes nothing more', () => {
    fc.assert(
      fc.property(backups, keep, minNewest, (list, policy, newest) => {
        const stays = kept({ backups: list, keep: policy, minNewest: newest });
        const left = list.filter((each) => stays.includes(each.id));
        expect(kept({ backups: left, keep: policy, minNewest: newest })).toEqual(stays);
      }),
    );
  });

  it('never removes the newest complete ones, nor what is protected', () => {
    fc.assert(
      fc.property(backups, keep, minNewest, fc.nat(), (list, policy, newest, pick) => {
        const safe = list.length === 0 ? [] : [list[pick % list.length]!.id];
        for (const guard of [
          { holds: safe },
          { replicationBases: safe },
          { inUse: safe },
          { lastVerified: safe[0] ?? null },
        ]) {
          const stays = kept({ backups: list, keep: policy, minNewest: newest, ...guard });
          const sorted = list
            .filter((each) => each.state === 'Completed')
            .map((each) => each.id)
            .sort()
            .reverse();
          expect(stays).toEqual(expect.arrayContaining([...sorted.slice(0, Math.max(1, newest)), ...safe]));
        }
      }),
    );
  });

  it('keeping more of anything never removes more', () => {
    fc.assert(
      fc.property(
        backups,
        keep,
        fc.constantFrom('last', 'daily', 'weekly', 'monthly', 'yearly'),
        (list, policy, which) => {
          const more = { ...policy, [which]: policy[which] + 1 };
          expect(kept({ backups: list, keep: more })).toEqual(
            expect.arrayContaining(kept({ backups: list, keep: policy })),
          );
        },
      ),
    );
  });

  it('decides on each backup once, newest first, with a reason, whatever the order', () => {
    fc.assert(
      fc.property(backups, keep, (list, policy) => {
        const plan = planRetention({ backups: list, keep: policy, nowMs: NOW });
        expect(plan.map((each) => each.id)).toEqual(
          list
            .map((each) => each.id)
            .sort()
            .reverse(),
        );
        expect(plan.every((each) => each.reasons.length > 0)).toBe(true);
        expect(planRetention({ backups: [...list].reverse(), keep: policy, nowMs: NOW })).toEqual(plan);
      }),
    );
  });
});

it.each([
  ['2026-11-21', '2026-W47'],
  ['2026-01-01', '2026-W01'],
  ['2027-01-03', '2026-W53'],
  ['2027-01-04', '2027-W01'],
  ['2024-12-30', '2025-W01'],
  ['2021-01-03', '2020-W53'],
])('isoWeek of %s is %s', (day, week) => {
  expect(isoWeek(Date.parse(`${day}T23:59:59Z`))).toBe(week);
  expect(isoWeek(Date.parse(`${day}T00:00:00Z`))).toBe(week);
});
