import fc from 'fast-check';
import { copyLanes, copyOrder, hostsOf, nextToStart, restoreWaves, startWaves, stopWaves } from '../../planning/order';

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

  it.each([
    ['containers', [], [['m-1', 'm-2', 'w-1', 'w-2']]],
    ['engine', [], [['w-1', 'w-2'], ['m-1'], ['m-2']]],
    ['containers', ['worker', 'm-2'], [['w-1'], ['m-2'], ['m-1', 'w-2']]],
    ['units', ['nobody', 'w-2', 'eu', 'w-2'], [['w-2'], ['m-1'], ['m-2', 'w-1']]],
    // An order that is written goes before what managers are.
    ['engine', ['m-2'], [['m-2'], ['w-1', 'w-2'], ['m-1']]],
  ] as const)('a restore that stops %s in the order %j has the waves %j', (stop, order, waves) => {
    expect(restoreWaves({ hosts, order, stop })).toEqual(waves);
  });

  it('knows a fleet without roles, and none at all', () => {
    expect(stopWaves({ hosts: [{ name: 'a', labels: [] }] })).toEqual([['a']]);
    expect(stopWaves({ hosts: [] })).toEqual([]);
  });
});

it('hostsOf names each host once', () => {
  expect(hostsOf([{ host: 'b' }, { host: 'a' }, { host: 'b' }])).toEqual(['a', 'b']);
});

describe('copyLanes', () => {
  const item = (host: string, bytes = 0, name = 'data') => ({ key: `${host}:${name}`, host, bytes });

  it('loses nothing, keeps a host in one lane, and gives out exactly the slots', () => {
    const someItem = fc.record({
      host: fc.integer({ min: 0, max: 60 }),
      bytes: fc.option(fc.nat(), { nil: undefined }),
    });
    const options = fc.record({
      parallel: fc.integer({ min: 1, max: 64 }),
      size: fc.integer({ min: 1, max: 30 }),
      picked: fc.array(someItem, { minLength: 1, maxLength: 200 }),
    });
    fc.assert(
      fc.property(options, ({ parallel, size, picked }) => {
        const items = picked.map(({ host, bytes }, i) => ({ key: `k${i}`, host: `h${host}`, bytes }));
        const lanes = copyLanes({ items, parallel, size });
        const dealt = lanes.flatMap((lane) => lane.batches.flat());
        expect(dealt.map((each) => each.key).sort()).toEqual(items.map((each) => each.key).sort());
        expect(lanes.reduce((sum, lane) => sum + lane.parallel, 0)).toBe(parallel);
        const lanesOf = (host: string) =>
          lanes.filter((lane) => lane.batches.flat().some((each) => each.host === host)).length;
        for (const { host } of items) expect(lanesOf(host)).toBe(1);
        for (const lane of lanes) {
          expect(lane.parallel).toBeGreaterThan(0);
          expect(lane.batches.every((batch) => batch.length > 0 && batch.length <= 2 * size)).toBe(true);
        }
      }),
    );
  });

  it('a thousand hosts with few slots: a lane a slot, in batches of their own', () => {
    const items = Array.from({ length: 1000 }, (_, i) => item(`h${i}`));
    const lanes = copyLanes({ items, parallel: 4, size: 100 });
    expect(lanes.map((lane) => [lane.parallel, lane.batches.map((batch) => batch.length)])).toEqual(
      Array.from({ length: 4 }, () => [1, [125, 125]]),
    );
  });

  it('the longest copy does not hold up many others', () => {
    const items = [item('big', 2 ** 43), ...Array.from({ length: 299 }, (_, i) => item(`h${i}`))];
    const lanes = copyLanes({ items, parallel: 3, size: 100 });
    const withBig = lanes.find((lane) => lane.batches[0]?.[0]?.host === 'big');
    expect(withBig?.batches.flat()).toHaveLength(1);
  });

  it('no copies make no lanes', () => {
    expect(copyLanes({ items: [], parallel: 4, size: 100 })).toEqual([]);
  });
});
