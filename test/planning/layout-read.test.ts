import { golden, layoutOf, machine, MACHINES } from './layout-machines';

it.each(MACHINES)('%s', (name) => {
  expect(layoutOf(machine(name))).toEqual(golden(name));
});
