import fc from 'fast-check';
import type { ConsistencyLabel, SourceMoment } from '../../planning/consistency';
import { CONSISTENCY_LABELS, groupConsistency, isWeaker, sourceConsistency } from '../../planning/consistency';

const calm: SourceMoment = {
  kind: 'btrfs',
  paused: ['web', 'db'],
  exempt: [],
  unmatched: [],
  syncfs: true,
  hooks: [],
  torn: [],
};
const hook = { name: 'pg-dump', phase: 'before' as const, ok: true };

describe('sourceConsistency', () => {
  it.each<[string, Partial<SourceMoment>, ConsistencyLabel, string]>([
    ['paused and synced', {}, 'filesystem', '2 containers seen paused: web, db'],
    ['one container paused', { paused: ['web'] }, 'filesystem', '1 container seen paused: web'],
    ['and prepared by a hook', { hooks: [hook] }, 'application', 'hooks ran well before the freeze: pg-dump'],
    ['a hook failed', { hooks: [{ ...hook, ok: false }] }, 'filesystem', 'hooks failed: pg-dump'],
    ['one of two hooks failed', { hooks: [hook, { ...hook, name: 'x', ok: false }] }, 'filesystem', 'hooks failed: x'],
    [
      'only the hook after failed',
      { hooks: [hook, { name: 'y', phase: 'after', ok: false }] },
      'application',
      'hooks failed: y',
    ],
    [
      'hooks after alone prepare nothing',
      { hooks: [{ name: 'y', phase: 'after', ok: true }] },
      'filesystem',
      'file system synced while paused',
    ],
    ['not synced', { syncfs: false, hooks: [hook] }, 'crash', 'not synced while paused'],
    ['something else was running', { unmatched: ['cron'], hooks: [hook] }, 'crash', 'running and not paused: cron'],
    ['nothing was paused', { paused: [] }, 'crash', 'nothing was paused on this host'],
    ['units stopped', { paused: [], unitsStopped: ['pg.service'] }, 'filesystem', 'units seen stopped: pg.service'],
    ['units frozen', { paused: [], unitsFrozen: ['pg.service'] }, 'filesystem', 'units seen frozen: pg.service'],
    ['what is exempt runs on', { exempt: ['temporal'] }, 'filesystem', 'never paused, being exempt: temporal'],
    ['a live copy', { kind: 'none', hooks: [hook] }, 'none', 'live copy'],
    ['a torn instant', { torn: ['the dead-man fired'], hooks: [hook] }, 'none', 'torn instant: the dead-man fired'],
  ])('S7 %s', (_, change, label, evidence) => {
    const result = sourceConsistency({ ...calm, ...change });
    expect(result.label).toBe(label);
    expect(result.evidence.join('\n')).toContain(evidence);
  });

  describe('a whole machine', () => {
    const machine = { held: ['/ (lvm)', '/home (btrfs)'], live: [], watched: ['/boot'], skipped: [] };
    const whole = (change: Partial<SourceMoment>) => sourceConsistency({ ...calm, kind: 'system', machine, ...change });

    it('S7 is crash consistent at best, as its own services run on, and what a boot reads counts as held while it is unchanged', () => {
      expect(whole({ hooks: [hook] })).toEqual({
        label: 'crash',
        evidence: [
          'held by snapshots, each atomic, one after another: / (lvm), /home (btrfs)',
          'read live, and unchanged since the instant: /boot',
          '2 containers seen paused: web, db',
          'file system synced while paused',
          'hooks ran well before the freeze: pg-dump',
          "the machine's own services ran on",
        ],
      });
    });

    it.each<[string, Partial<SourceMoment>, string]>([
      ['one file system read live', { machine: { ...machine, live: ['/srv'] } }, 'different moments: /srv'],
      ['/boot changed meanwhile', { changed: ['/boot'] }, 'changed while it was read: /boot'],
      ['a host that did not say', { machine: undefined }, 'did not say what of it a snapshot holds'],
      ['a torn instant', { torn: ['the dead-man fired'] }, 'torn instant: the dead-man fired'],
    ])('S7 %s makes all of it a live copy', (_, change, evidence) => {
      const result = whole(change);
      expect(result.label).toBe('none');
      expect(result.evidence.join('\n')).toContain(evidence);
    });
  });

  it('S7 what has changed is not among what was unchanged', () => {
    const machine = { held: [], live: [], watched: ['/boot', '/boot/efi'], skipped: [] };
    expect(sourceConsistency({ ...calm, kind: 'system', machine, changed: ['/boot'] }).evidence).toEqual([
      'read live, and unchanged since the instant: /boot/efi',
      'read live, and changed while it was read: /boot',
    ]);
  });

  it('S7 taking evidence away never strengthens a label', () => {
    const moment = fc.record({
      kind: fc.constantFrom('btrfs', 'zfs', 'none'),
      paused: fc.subarray(['web', 'db']),
      exempt: fc.subarray(['temporal']),
      unmatched: fc.subarray(['cron']),
      syncfs: fc.boolean(),
      hooks: fc.subarray([hook, { name: 'b', phase: 'before' as const, ok: false }]),
      torn: fc.subarray(['x']),
    });
    const worse: ((m: SourceMoment) => SourceMoment)[] = [
      (m) => ({ ...m, syncfs: false }),
      (m) => ({ ...m, paused: [] }),
      (m) => ({ ...m, unmatched: [...m.unmatched, 'other'] }),
      (m) => ({ ...m, hooks: [] }),
      (m) => ({ ...m, hooks: m.hooks.map((each) => ({ ...each, ok: false })) }),
      (m) => ({ ...m, torn: ['y'] }),
      (m) => ({ ...m, kind: 'none' }),
    ];
    fc.assert(
      fc.property(moment, fc.constantFrom(...worse), (m, change) => {
        expect(isWeaker(sourceConsistency(m).label, sourceConsistency(change(m)).label)).toBe(false);
      }),
    );
  });

  it('stays short on a host with a thousand containers', () => {
    const paused = Array.from({ length: 1000 }, (_, i) => `c${i}`);
    expect(sourceConsistency({ ...calm, paused }).evidence.join()).toContain('and 990 more');
  });
});

describe('groupConsistency', () => {
  const named = (label: ConsistencyLabel, i = 0) => ({
    name: `h${i}:data`,
    consistency: { label, evidence: [`because ${label}`] },
  });

  it("S7 a group's label is its weakest source's", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...CONSISTENCY_LABELS), { minLength: 1 }), (labels) => {
        const { label } = groupConsistency({ sources: labels.map(named) });
        expect(labels).toContain(label);
        expect(labels.some((each) => isWeaker(each, label))).toBe(false);
      }),
    );
  });

  it('names the weakest, and what they share', () => {
    expect(groupConsistency({ sources: [named('application', 1), named('crash', 2)] })).toEqual({
      label: 'crash',
      evidence: ['weakest of 2 sources: h2:data (crash consistent)', 'because crash'],
    });
    expect(groupConsistency({ sources: [named('none')] }).evidence[0]).toBe(
      'the only source is not consistent (live copy)',
    );
  });

  it('promises nothing without sources', () => {
    expect(groupConsistency({ sources: [] }).label).toBe('none');
  });
});
