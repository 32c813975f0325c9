import fc from 'fast-check';
import { attemptNumber, fenceFor, isFenced } from '../../planning/fencing';

describe('attempt numbers', () => {
  it('S3 a later round is higher than any attempt of an earlier one', () => {
    const round = fc.integer({ min: 0, max: 1_000_000 });
    const attempt = fc.integer({ min: 1, max: 1_000_000 });
    fc.assert(
      fc.property(round, attempt, attempt, (r, a, b) => {
        expect(attemptNumber({ round: r + 1, temporalAttempt: a })).toBeGreaterThan(
          attemptNumber({ round: r, temporalAttempt: b }),
        );
      }),
    );
  });

  it('S3 a step that is retried without end is never refused', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100_000 }), (temporalAttempt) => {
        const [earlier, later] = [temporalAttempt, temporalAttempt + 1].map((each) =>
          fenceFor({ seed: { group: 'g', run: 'r', term: 1, step: 'thaw', round: 0 }, temporalAttempt: each }),
        );
        expect(isFenced({ seen: earlier!, asked: later! })).toBe(false);
      }),
    );
  });

  it('fit the 15 digits of the wire', () => {
    expect(String(attemptNumber({ round: 999_999_999_998, temporalAttempt: 5000 }))).toHaveLength(15);
    expect(() => attemptNumber({ round: 999_999_999_999, temporalAttempt: 1 })).toThrow('round');
  });

  it.each([
    { round: -1, temporalAttempt: 1 },
    { round: 0.5, temporalAttempt: 1 },
    { round: 0, temporalAttempt: 0 },
    { round: 0, temporalAttempt: Number.NaN },
  ])('refuses %p', (input) => {
    expect(() => attemptNumber(input)).toThrow('of a step');
  });
});

describe('isFenced', () => {
  const seen = { term: 3, run: 'r1', step: 'copy', attempt: 1002 };

  it.each([
    ['the same again', {}, false],
    ['an older try of the step', { attempt: 1001 }, true],
    ['an older lease', { term: 2, run: 'r0', attempt: 9999 }, true],
    ['another step', { step: 'seal', attempt: 1 }, false],
    ['another run of a newer lease', { term: 4, run: 'r2', attempt: 1 }, false],
  ])('S3 %s', (_, change, fenced) => {
    expect(isFenced({ seen, asked: { ...seen, ...change } })).toBe(fenced);
  });
});
