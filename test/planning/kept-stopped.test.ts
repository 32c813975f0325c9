import { keptStopped } from '../../planning/kept-stopped';

test('what is kept stopped is told once for each that keeps it', () => {
  const by = 'the restore of group ledger';
  const hand = 'the stop by hand of group audit';
  expect(keptStopped([])).toEqual([]);
  expect(
    keptStopped([
      { name: 'docker.service', by },
      { name: 'db.service', by: hand },
      { name: 'web', by },
      { name: 'web', by },
    ]),
  ).toEqual([
    'docker.service, web: kept stopped by the restore of group ledger, whose end starts it',
    'db.service: kept stopped by the stop by hand of group audit, whose end starts it',
  ]);
});
