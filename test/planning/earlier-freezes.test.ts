import { cutOffFreezes, earlierFreezeWarnings } from '../../planning/earlier-freezes';

const torn = { freeze: 10, stillMs: 1_240, reason: 'app-1: container web: start during the freeze' };
const unarmed = { freeze: 20, stillMs: 0, reason: 'app-2 is away' };

test('what held the group is told with its time, in its order; what came to no pause is not', () => {
  const [cut] = cutOffFreezes({ earlier: [torn, unarmed], tries: [1, 2, 3], maxPauseS: 30 });
  expect(cut).toMatchObject({ freeze: 30, stillMs: 30_000 });
  expect(earlierFreezeWarnings([{ ...torn, freeze: 41 }, unarmed, ...(cut === undefined ? [] : [cut])])).toEqual([
    'an earlier freeze of this run held the group for up to 30.0 s and did not count: its worker died, or was cut off from the engine, before it was done',
    'an earlier freeze of this run held the group for up to 1.2 s and did not count: app-1: container web: start during the freeze',
  ]);
});

test('a try that has told of any of its instants is not cut off', () => {
  const second = { ...torn, freeze: 11 };
  expect(cutOffFreezes({ earlier: [second, unarmed], tries: [1, 2], maxPauseS: 30 })).toEqual([]);
});
