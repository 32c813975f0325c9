import { planPrune } from '../../planning/prune';
import { entry, publicKeyHex, strangerHex } from '../cli/support/stored';
import { bench, host, run } from './support/run';

test('S19 what the prune sees of a backup by an unknown key is a problem: it is not removed, and lets no other go', async () => {
  const { fleet, activities, env } = bench({ genuineSigners: () => Promise.resolve([publicKeyHex]) });
  const [OWN, FOREIGN] = ['20260101_010000', '20260102_010000'];
  fleet.host('target').backups.push(entry({ id: OWN }), entry({ id: FOREIGN, byStranger: true }));
  const input = { group: 'portal', store: { name: 'main', host: host('target') } };
  const { backups } = await run({ env }, activities.listPrunable, input);
  expect(backups.map((each) => each.problem)).toEqual([
    null,
    `signed by the unknown key ${strangerHex.slice(0, 12)} (\`resurgo adopt portal\`)`,
  ]);
  const keep = { last: 1, daily: 0, weekly: 0, monthly: 0, yearly: 0 };
  expect(planPrune({ backups, keep, nowMs: Date.UTC(2026, 5) })).toMatchObject({
    remove: [],
    decisions: [
      { id: FOREIGN, action: 'keep' },
      { id: OWN, reasons: ['among the newest 1', 'last 1'] },
    ],
  });
});
