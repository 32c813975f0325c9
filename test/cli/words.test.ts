/** Words for one of a thing, and for none. */
import { wouldChange } from '../../cli/commands/enroll';
import { planText as pruneText } from '../../cli/commands/prune';
import { planText } from '../../cli/commands/restore';
import type { PrunePlan } from '../../planning/prune';
import type { RestorePlan } from '../../planning/restore';

test('enroll --dry-run of a host where all stands already', () => {
  expect(wouldChange({ host: 'app-1', changes: [] })).toBe('app-1: nothing to change');
  expect(wouldChange({ host: 'app-1', changes: ['user', 'sudoers'] })).toBe('app-1: would change: user, sudoers');
});

test.each([
  [1, '1 of 3 goes'],
  [2, '2 of 3 go'],
])('prune that removes %d of three', (count, words) => {
  const decisions = ['20260103_010000', '20260102_010000', '20260101_010000'].map((id, i) => ({
    ...{ id, action: i < 3 - count ? 'keep' : 'remove', state: 'Completed', usedBytes: null, reasons: [] },
  }));
  const plan = { decisions, remove: decisions.slice(3 - count).map(({ id }) => id), freesBytes: 0 };
  expect(
    pruneText({ plan: plan as unknown as PrunePlan, group: 'portal' })
      .split('\n')
      .at(-1),
  ).toBe(words);
});

test('a restore of one file', () => {
  const item = {
    ...{ source: { host: 'app-1', path: '/srv' }, subpath: 'one', destination: { host: 'app-1', path: '/srv' } },
    ...{ files: 1, bytes: 10, deletions: 0, deletionSamples: [], safety: 'btrfs' },
  };
  const backup = { id: '20260101_010000', group: 'portal', state: 'Completed', label: 'crash', directorId: 'd' };
  const plan = { backup, items: [item], stops: [], warnings: [], blockers: [] } as unknown as RestorePlan;
  expect(planText(plan)).toContain('  1 file  10 B  0 deleted');
});
