import fc from 'fast-check';
import { attemptNumber } from '../../planning/fencing';

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
        const number = (attempt: number): number => attemptNumber({ round: 0, temporalAttempt: attempt });
        expect(number(temporalAttempt + 1)).toBeGreaterThanOrEqual(number(temporalAttempt));
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
