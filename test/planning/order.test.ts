import fc from 'fast-check';
import { batches, copyOrder, hostsOf, nextToStart, startWaves, stopWaves } from '../../planning/order';

const item = fc.record({
  key: fc.uuid(),
  host: fc.constantFrom('a', 'b', 'c'),
  bytes: fc.option(fc.nat(), { nil: undefined }),
});

describe('copyOrder', () => {
  it('begins with the unknown, then the biggest', () => {
    const order = copyOrder([
      { key: 's', host: 'a', bytes: 1 },
      { key: 'l2', host: 'a', bytes: 9 },
      { key: 'l1', host: 'b', bytes: 9 },
      { key: 'u2', host: 'b' },
      { key: 'u1', host: 'b' },
    ]);
    expect(order.map((each) => each.key)).toEqual(['u1', 'u2', 'l1', 'l2', 's']);
  });

  it('does not depend on the order it was given', () => {
    fc.assert(
      fc.property(fc.uniqueArray(item, { selector: (each) => each.key }), (items) => {
        expect(copyOrder([...items].reverse())).toEqual(copyOrder(items));
      }),
    );
  });
});

describe('nextToStart', () => {
  it('fills the lanes biggest first, and passes over a busy host', () => {
    const waiting = [
      { key: '1', host: 'a', bytes: 100 },
      { key: '2', host: 'a', bytes: 90 },
      { key: '3', host: 'b', bytes: 10 },
    ];
    const start = nextToStart({ waiting, running: [], limits: { parallel: 2, perHost: 1 } });
    expect(start.map((each) => each.key)).toEqual(['1', '3']);
    expect(nextToStart({ waiting: [waiting[1]!], running: start, limits: { parallel: 3, perHost: 1 } })).toEqual([]);
  });

  it('never goes beyond a limit, and never stands still with nothing running', () => {
    const limits = fc.record({
      parallel: fc.integer({ min: -1, max: 6 }),
      perHost: fc.option(fc.integer({ min: -1, max: 3 }), { nil: undefined }),
    });
    fc.assert(
      fc.property(fc.uniqueArray(item, { selector: (each) => each.key }), limits, (items, limit) => {
        let waiting = items;
        let running: typeof items = [];
        for (let round = 0; waiting.length + running.length > 0; round += 1) {
          const start = nextToStart({ waiting, running, limits: limit });
          running = [...running, ...start];
          waiting = waiting.filter((each) => !start.includes(each));
          expect(running.length).toBeGreaterThan(0);
          expect(running.length).toBeLessThanOrEqual(Math.max(1, limit.parallel));
          for (const host of ['a', 'b', 'c']) {
            const onHost = running.filter((each) => each.host === host).length;
            expect(onHost).toBeLessThanOrEqual(Math.max(1, limit.perHost ?? Infinity));
          }
          running = running.slice(1);
          expect(round).toBeLessThan(items.length + 1);
        }
      }),
    );
  });
});

describe('stopping and starting', () => {
  const hosts = [
    { name: 'm-2', labels: ['manager'] },
    { name: 'w-2', labels: [] },
    { name: 'm-1', labels: ['eu', 'swarm-manager'] },
    { name: 'w-1', labels: ['worker'] },
  ];

  it('stops workers before managers, and starts the other way round', () => {
    const stopped = stopWaves({ hosts });
    expect(stopped).toEqual([['w-1', 'w-2'], ['m-1'], ['m-2']]);
    expect(startWaves({ stopped })).toEqual([['m-2'], ['m-1'], ['w-2', 'w-1']]);
  });

  it('knows a fleet without roles, and none at all', () => {
    expect(stopWaves({ hosts: [{ name: 'a', labels: [] }] })).toEqual([['a']]);
    expect(stopWaves({ hosts: [] })).toEqual([]);
  });
});

it('hostsOf names each host once', () => {
  expect(hostsOf([{ host: 'b' }, { host: 'a' }, { host: 'b' }])).toEqual(['a', 'b']);
});

it('batches keep order and lose nothing', () => {
  fc.assert(
    fc.property(fc.array(fc.nat()), fc.integer({ min: -2, max: 7 }), (items, size) => {
      const cut = batches({ items, size });
      expect(cut.flat()).toEqual(items);
      expect(cut.every((batch) => batch.length > 0 && batch.length <= Math.max(1, size))).toBe(true);
    }),
  );
});
