/** Some rounds of the fault campaign with each test run; `npm run test:faults` runs as many as one likes. */
import { campaign } from '../faults/campaign';
import { describeLab } from '../lab/support/describe-lab';
import { choiceOf } from './support/choice';

const ROUNDS = 3;

describeLab('the fault campaign', () => {
  const { seed } = choiceOf();
  it(`${ROUNDS} rounds (npm run test:faults -- --rounds ${ROUNDS} --seed ${seed})`, async () => {
    const reports = await campaign({ rounds: ROUNDS, seed, restored: 1 });
    expect(reports.filter((each) => each.broken.length > 0)).toEqual([]);
    expect(reports.filter((each) => each.outcome === 'Completed').length).toBeGreaterThan(0);
  }, 1_200_000);
});
