/** Some rounds of the fault campaign with each test run, another seed every day; `npm run test:faults` runs as many as one likes. */
import { campaign } from '../faults/campaign';
import { describeLab } from '../lab/support/describe-lab';

const ROUNDS = 3;

describeLab('the fault campaign', () => {
  const seed = Math.floor(Date.now() / 86_400_000);
  it(`${ROUNDS} rounds with seed ${seed}`, async () => {
    const reports = await campaign({ rounds: ROUNDS, seed });
    expect(reports.filter((each) => each.broken.length > 0)).toEqual([]);
    expect(reports.filter((each) => each.outcome === 'Completed').length).toBeGreaterThan(0);
  }, 1_200_000);
});
