import fc from 'fast-check';
import type { FreezeReport } from '../../planning/torn';
import { judgeFreeze, pauseWindow } from '../../planning/torn';

/** A whole freeze of one host: 100 ms to pause, snapshots at 200–250, thawed from 300 on. */
function report(host: string, change: Partial<FreezeReport> = {}): FreezeReport {
  const at = (uptimeMs: number): { timeMs: number; uptimeMs: number } => ({
    timeMs: 1_800_000_000_000 + uptimeMs,
    uptimeMs,
  });
  return {
    host,
    phases: { armed: at(1000), paused: at(1100), snapshotted: at(1250), thawed: at(1330) },
    directorMs: {
      pauseSentAt: 0,
      pausedAt: 100,
      snapshotSentAt: 200,
      snapshottedAt: 250,
      thawSentAt: 300,
      thawedAt: 340,
    },
    torn: '',
    deadmanFired: false,
    containers: [{ id: 'c1', name: 'web', state: 'paused' }],
    pausedMs: 230,
    events: [],
    ...change,
  };
}

function codes(reports: FreezeReport[], hosts = ['a', 'b']): string[] {
  const verdict = judgeFreeze({ hosts, reports });
  expect(verdict.torn).toBe(verdict.reasons.length > 0);
  return verdict.reasons.map((reason) => `${reason.host} ${reason.code}`);
}

describe('judgeFreeze', () => {
  it('S1 a freeze with all its evidence is whole', () => {
    expect(judgeFreeze({ hosts: ['a', 'b'], reports: [report('a'), report('b')] })).toEqual({
      torn: false,
      reasons: [],
    });
  });

  it('S1 thawing that began before the last host was snapshotted tears it', () => {
    const slow = report('b', { directorMs: { ...report('b').directorMs, snapshottedAt: 301, thawSentAt: 302 } });
    expect(codes([report('a'), slow])).toEqual(['a barrier']);
    expect(judgeFreeze({ hosts: ['a', 'b'], reports: [report('a'), slow] }).reasons[0]?.message).toBe(
      'thawing began 1 ms before b was snapshotted',
    );
  });

  it('S1 a snapshot that began before the last host was paused tears it', () => {
    const late = report('b', { directorMs: { ...report('b').directorMs, pausedAt: 201, snapshotSentAt: 202 } });
    expect(codes([report('a'), late])).toEqual(['a barrier']);
  });

  it('S1 one and the same millisecond is no violation', () => {
    const edge = report('b', { directorMs: { ...report('b').directorMs, snapshottedAt: 300, thawSentAt: 300 } });
    expect(codes([report('a'), edge])).toEqual([]);
  });

  it('S1 barriers hold for any times: torn exactly when some host crossed one', () => {
    const times = fc
      .array(fc.nat({ max: 50 }), { minLength: 6, maxLength: 6 })
      .map((list) => list.sort((x, y) => x - y));
    fc.assert(
      fc.property(times, times, (x, y) => {
        const reports = [x, y].map(([pauseSentAt, pausedAt, snapshotSentAt, snapshottedAt, thawSentAt, thawedAt], i) =>
          report(i === 0 ? 'a' : 'b', {
            directorMs: { pauseSentAt, pausedAt, snapshotSentAt, snapshottedAt, thawSentAt, thawedAt },
          }),
        );
        const crossed =
          Math.min(x[2]!, y[2]!) < Math.max(x[1]!, y[1]!) || Math.min(x[4]!, y[4]!) < Math.max(x[3]!, y[3]!);
        expect(judgeFreeze({ hosts: ['a', 'b'], reports }).torn).toBe(crossed);
      }),
      { numRuns: 500 },
    );
  });

  it.each<[string, Partial<FreezeReport>, string]>([
    ['the dead-man fired', { deadmanFired: true }, 'deadman-fired'],
    ['the engine restarted', { engineRestarted: true }, 'engine-restarted'],
    ['the host says so', { torn: 'container web was unpaused' }, 'host-says'],
    ['a container was started', { events: [{ action: 'start', name: 'cron' }] }, 'event'],
    [
      'a container ran when it should be paused',
      { containers: [{ id: 'c1', name: '', state: 'running' }] },
      'container-state',
    ],
    [
      'the host never confirmed its snapshot',
      { phases: { ...report('b').phases, snapshotted: undefined } },
      'missing-evidence',
    ],
    [
      'the director has no time of the thaw',
      { directorMs: { ...report('b').directorMs, thawSentAt: undefined } },
      'missing-evidence',
    ],
    ['a time is no number', { directorMs: { ...report('b').directorMs, thawedAt: Number.NaN } }, 'missing-evidence'],
    ['times run backwards', { directorMs: { ...report('b').directorMs, thawedAt: 299 } }, 'order'],
    [
      'the host rebooted',
      { phases: { ...report('b').phases, thawed: { timeMs: 1_800_000_009_000, uptimeMs: 40 } } },
      'rebooted',
    ],
  ])('S1 %s', (_, change, code) => {
    expect(codes([report('a'), report('b', change)])).toEqual([`b ${code}`]);
  });

  it('S1 evidence that is missing counts against the instant', () => {
    expect(codes([report('a')])).toEqual(['b missing-report']);
    expect(codes([report('a'), report('b'), report('b')])).toEqual(['b missing-report']);
    expect(codes([report('a'), report('b'), report('c')])).toEqual(['c missing-report']);
    expect(codes([], [])).toEqual(['* missing-report']);
  });

  it('tells all reasons, not the first alone', () => {
    const bad = report('b', { deadmanFired: true, torn: 'x', events: [{ action: 'unpause', name: 'web' }] });
    expect(codes([bad])).toEqual(['a missing-report', 'b host-says', 'b deadman-fired', 'b event']);
  });

  it('a step of a wall clock does not tear an instant', () => {
    const stepped = report('b', { phases: { ...report('b').phases, thawed: { timeMs: 5, uptimeMs: 1330 } } });
    expect(codes([report('a'), stepped])).toEqual([]);
  });

  it('a host that does not show container states is not held against it', () => {
    expect(codes([report('a'), report('b', { containers: [{ id: 'c', name: 'web' }] })])).toEqual([]);
  });
});

describe('pauseWindow', () => {
  it('runs from the first pause to the last thaw', () => {
    const late = report('b', {
      pausedMs: 400,
      directorMs: { ...report('b').directorMs, pauseSentAt: 5, thawedAt: 500.4 },
    });
    expect(pauseWindow({ reports: [report('a'), late] })).toEqual({
      groupMs: 500,
      hosts: [
        { host: 'a', ms: 340, ownMs: 230 },
        { host: 'b', ms: 495, ownMs: 400 },
      ],
    });
  });

  it('leaves out what is not known', () => {
    expect(pauseWindow({ reports: [report('a', { directorMs: {} })] })).toEqual({ groupMs: 0, hosts: [] });
  });
});
