import fc from 'fast-check';
import { cronProblem } from '../../runbooks/cron';
import { nearest, slips } from '../../runbooks/suggest';
import {
  BANDWIDTH_PATTERN,
  DURATION_PATTERN,
  formatBandwidth,
  formatDuration,
  parseBandwidth,
  parseDuration,
} from '../../runbooks/units';

describe('durations and bandwidths', () => {
  it.each([
    ['30s', 30],
    ['1h30m', 5400],
    ['7d', 604_800],
    ['2w', 1_209_600],
  ])('%s is %d s', (text, seconds) => {
    expect(text).toMatch(DURATION_PATTERN);
    expect(parseDuration(text)).toBe(seconds);
  });

  it.each(['', '30', '5 m', '1m1h', '-5s', '1.5h', '5M', '30s\n'])('refuses the duration %j', (text) => {
    expect(text).not.toMatch(DURATION_PATTERN);
  });

  it.each([
    ['50MB/s', 50_000_000],
    ['400Mbit/s', 50_000_000],
    ['1.5 MiB/s', 1_572_864],
    ['none', 0],
  ])('%s is %d bytes a second', (text, bytes) => {
    expect(text).toMatch(BANDWIDTH_PATTERN);
    expect(parseBandwidth(text)).toBe(bytes);
  });

  it.each(['50', '50MB', '50Mb/s', '50 mb/s', 'MB/s', '1e9B/s'])('refuses the bandwidth %j', (text) => {
    expect(text).not.toMatch(BANDWIDTH_PATTERN);
  });

  it('what is formatted parses back', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4e8 }), fc.integer({ min: 0, max: 1e12 }), (seconds, bytes) => {
        expect(formatDuration(seconds)).toMatch(DURATION_PATTERN);
        expect(parseDuration(formatDuration(seconds))).toBe(seconds);
        expect(formatBandwidth(bytes)).toMatch(BANDWIDTH_PATTERN);
        expect(parseBandwidth(formatBandwidth(bytes))).toBe(bytes);
      }),
    );
  });
});

describe('cron', () => {
  it.each(['30 1 * * *', '*/15 0-6,22 1,15 jan-mar mon-fri', '0 0 * * 7'])('takes %s', (text) => {
    expect(cronProblem(text)).toBeNull();
  });

  it.each([
    '61 * * * *',
    '* 24 * * *',
    '* * 0 * *',
    '* * * 13 *',
    '* * * * 8',
    '*/0 * * * *',
    '5-1 * * * *',
    '@daily',
    '* * * *',
    'a * * * *',
  ])('refuses %s', (text) => {
    expect(cronProblem(text)).not.toBeNull();
  });
});

describe('nearest word', () => {
  it.each([
    ['adress', 'address'],
    ['soruces', 'sources'],
    ['maxPause', 'max_pause'],
    ['restore-to', 'restore_to'],
    ['comp', 'compression'],
  ])('%s is meant to be %s', (word, meant) => {
    expect(nearest({ word, known: ['address', 'sources', 'max_pause', 'restore_to', 'compression', 'port'] })).toBe(
      meant,
    );
  });

  it('has nothing for a word that is far from all', () => {
    expect(nearest({ word: 'elephant', known: ['address', 'port'] })).toBeUndefined();
    expect(nearest({ word: 'x', known: [] })).toBeUndefined();
  });

  it('counts slips both ways alike, and none for the same word', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (from, to) => {
        expect(slips({ from, to })).toBe(slips({ from: to, to: from }));
        expect(slips({ from, to }) === 0).toBe(from === to);
      }),
    );
  });
});
