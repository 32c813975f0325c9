import { copyFacts } from '../../workflows/copy-facts';

type Known = Parameters<typeof copyFacts>[0];
type Source = Parameters<ReturnType<typeof copyFacts>['bytesOf']>[0];

describe('how large a copy will be', () => {
  const source = { host: 'app-1', name: 'data', tree: 'app-1@+srv', snapshot: 'btrfs' } as Source;
  const checks = {
    hosts: [{ host: 'app-1', sources: [{ name: 'data', usedBytes: 9_000 }] }],
  } as unknown as Known['checks'];
  const bytesOf = (newest: unknown) =>
    copyFacts({ checks, store: { newest }, opened: {}, frozen: {} } as unknown as Known).bytesOf(source);

  test('what the newest backup held of it: its file system may hold others too', () => {
    expect(bytesOf({ id: 'x', listings: {}, bytes: { 'app-1@+srv': 70 } })).toBe(70);
  });

  test('before the first, of a new source, and in a run of before this was told: what is in use where it lies', () => {
    expect([null, { id: 'x', listings: {}, bytes: {} }, { id: 'x', listings: {} }].map(bytesOf)).toEqual([
      9_000, 9_000, 9_000,
    ]);
  });
});
