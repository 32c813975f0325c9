/** On which hosts a run of an input has worked, as the sweep reads it off the engine's memory. */
import { recovery } from '../workflows/support/recovery';
import { placesOf } from '../../workers/sweep-places';

const { input: recover } = recovery();
const { setup } = recover;
const names = (input: unknown): Record<string, string[]> =>
  Object.fromEntries(placesOf(input).map(({ group, hosts }) => [group, hosts.map(({ name }) => name)]));

test('a backup works on the hosts of its group and their store', () => {
  expect(names({ ...setup, run: recover.run })).toEqual({ portal: ['app-1', 'target'] });
});

test('a recovery too, whose group lies a level deeper', () => {
  expect(names(recover)).toEqual({ portal: ['app-1', 'target'] });
});

test('a restore reads from another store as well', () => {
  const from = { group: 'other', store: 's', storeHost: { ...setup.storeHost, name: 'vault' } };
  expect(names({ into: setup, from })).toEqual({ portal: ['app-1', 'target'], other: ['vault'] });
});

test('what is of none of them works nowhere', () => {
  expect(placesOf({ setup: { group: 'portal' } })).toEqual([]);
  expect(placesOf(undefined)).toEqual([]);
});
