import { allHealthMs, ARM_MS, freezeMs, healthMs, hookMs, hooksMs, phaseMs } from '../../planning/time-limits';

const MIN = 60_000;
const DAY_S = 86_400;

test('a phase has the time of its dead-man, a freeze that of all its instants', () => {
  expect(phaseMs(600)).toBeGreaterThan(600_000);
  expect(phaseMs(1)).toBe(30_000);
  expect(freezeMs({ maxPauseS: 600, instants: 3 })).toBeGreaterThan(3 * (ARM_MS + 3 * phaseMs(600)));
});

test('a hook has its own time and that of the one it may have to wait for; the step has that of all of them', () => {
  const all = [{ timeoutS: 60 }, { timeoutS: DAY_S }];
  expect(hookMs({ hook: { timeoutS: 60 }, all })).toBeGreaterThan((60 + DAY_S) * 1000);
  const each = all.map((hook) => hookMs({ hook, all }));
  expect(hooksMs(all)).toBeGreaterThan(each.reduce((sum, ms) => sum + ms, 0));
  expect(hooksMs([])).toBe(MIN);
});

test('health has the time of as many rounds as there are', () => {
  expect(allHealthMs({ timeoutS: 900, hosts: 16 })).toBe(healthMs({ timeoutS: 900 }) + MIN);
  expect(allHealthMs({ timeoutS: 900, hosts: 17 })).toBe(2 * healthMs({ timeoutS: 900 }) + MIN);
});
