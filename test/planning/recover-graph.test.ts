import { graphProblem } from '../../planning/recover-graph';
import { layoutOf, machine } from './layout-machines';

describe('what a layout contradicts itself in', () => {
  const layout = layoutOf(machine('zfs-data'));

  test('nothing, as it is captured', () => {
    expect(graphProblem(layout)).toBeUndefined();
  });

  test('a device that is used twice', () => {
    const on = layout.pools[0]?.data[0]?.children[0]?.on ?? layout.pools[0]?.data[0]?.on ?? '';
    const fileSystems = layout.fileSystems.map((each, i) => (i === 0 ? { ...each, on } : each));
    expect(graphProblem({ ...layout, fileSystems })).toBe(
      `the layout contradicts itself: ${on} is said to be used twice`,
    );
  });

  test('what it does not describe is no contradiction: it is left out, and told so', () => {
    expect(graphProblem({ ...layout, partitions: [] })).toBeUndefined();
  });
});
