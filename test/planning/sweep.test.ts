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
    expect(decide(['a', 'b', 'a'], ended, completed)).toEqual({ dead: ['a', 'b'], halfway: [], others: false });
  });

  it('never a living run, nor one that has only just ended', () => {
    const living = run('a', { state: 'running', closedMs: 0 });
    const fresh = run('b', { closedMs: NOW - 29_999 });
    expect(decide(['a', 'b'], living, fresh)).toEqual({ dead: [], halfway: [], others: false });
  });

  it('leaves a restore that did not complete to a person, its safety snapshot being the way back, and takes but its lease', () => {
    expect(decide(['a'], run('a', { kind: 'restore' }))).toEqual({ dead: [], halfway: ['a'], others: false });
    const fresh = run('a', { kind: 'restore', closedMs: NOW - 29_999 });
    expect(decide(['a'], fresh)).toEqual({ dead: [], halfway: [], others: false });
    expect(decide(['a', 'x'], run('a', { kind: 'restore' })).others).toBe(false);
    expect(decide(['a'], run('a', { kind: 'restore', state: 'completed' })).dead).toEqual(['a']);
  });

  it('lets the host judge what the engine does not know, unless something there must be left alone', () => {
    expect(decide(['x'])).toEqual({ dead: [], halfway: [], others: true });
    expect(decide(['x', 'a'], run('a'))).toEqual({ dead: ['a'], halfway: [], others: true });
    expect(decide(['x', 'a'], run('a', { state: 'running' }))).toEqual({ dead: [], halfway: [], others: false });
    expect(decide(['x', 'a'], run('a', { kind: 'restore' }))).toMatchObject({ dead: [], others: false });
    expect(decide([])).toEqual({ dead: [], halfway: [], others: false });
  });
});
