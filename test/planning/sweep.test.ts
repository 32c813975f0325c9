import { decideSweep, type KnownRun } from '../../planning/sweep';

const NOW = 1_000_000;
const run = (name: string, more: Partial<KnownRun> = {}): [string, KnownRun] => [
  name,
  { run: name, kind: 'backup', state: 'ended', closedMs: NOW - 60_000, ...more },
];
const decide = (onHost: string[], ...known: [string, KnownRun][]) =>
  decideSweep({ onHost, known: new Map(known), nowMs: NOW, afterMs: 30_000 });

describe('S8 what the worker sweeps by itself', () => {
  it('names runs that are over, however they ended, each once', () => {
    const ended = run('a');
    const completed = run('b', { state: 'completed' });
    expect(decide(['a', 'b', 'a'], ended, completed)).toEqual({ dead: ['a', 'b'], others: false });
  });

  it('never a living run, nor one that has only just ended', () => {
    const living = run('a', { state: 'running', closedMs: 0 });
    const fresh = run('b', { closedMs: NOW - 29_999 });
    expect(decide(['a', 'b'], living, fresh)).toEqual({ dead: [], others: false });
  });

  it('leaves a restore that did not complete to a person: its safety snapshot is the way back', () => {
    expect(decide(['a'], run('a', { kind: 'restore' }))).toEqual({ dead: [], others: false });
    expect(decide(['a'], run('a', { kind: 'restore', state: 'completed' })).dead).toEqual(['a']);
  });

  it('lets the host judge what the engine does not know, unless something there must be left alone', () => {
    expect(decide(['x'])).toEqual({ dead: [], others: true });
    expect(decide(['x', 'a'], run('a'))).toEqual({ dead: ['a'], others: true });
    expect(decide(['x', 'a'], run('a', { state: 'running' }))).toEqual({ dead: [], others: false });
    expect(decide(['x', 'a'], run('a', { kind: 'restore' }))).toEqual({ dead: [], others: false });
    expect(decide([])).toEqual({ dead: [], others: false });
  });
});
