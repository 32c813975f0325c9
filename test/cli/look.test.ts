import { pino } from 'pino';
import { activitiesFrom } from '../../activities';
import { inWords } from '../../cli/look';
import { FAKE_RESCUE, FakeHosts } from '../../hosts/fake';
import { stepName } from '../../planning/step-names';

test('every activity has a name in words', () => {
  const activities = activitiesFrom({
    hosts: new FakeHosts(),
    logger: pino({ level: 'silent' }),
    openSigner: () => Promise.reject(new Error('not asked')),
    genuineSigners: () => Promise.resolve([]),
    rescue: FAKE_RESCUE,
  });
  expect(Object.keys(activities).filter((name) => stepName(name) === name && name !== 'freeze')).toEqual([]);
});

test('a step reads as words, a copy with its source and figures', () => {
  const plain = { attempt: 1, failure: undefined };
  expect(inWords({ ...plain, activity: 'openStore', progress: undefined })).toBe('open the store');
  expect(inWords({ ...plain, activity: 'freeze', progress: { step: 'freeze' } })).toBe('freeze all hosts');
  const progress = { source: 'app-1@+srv+data', step: 'copy', bytes: 1024, totalBytes: 2048 };
  expect(inWords({ ...plain, activity: 'copySource', progress })).toMatch(/^copy app-1@\+srv\+data {2}sending {2}1/);
  expect(inWords({ attempt: 3, failure: 'gone', activity: 'aNewerOne', progress: undefined })).toBe(
    'aNewerOne  try 3 after: gone',
  );
});
