import { pino } from 'pino';
import { activitiesFrom } from '../../activities';
import { inWords } from '../../cli/look';
import { shortened } from '../../cli/output';
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
  const lists = { source: 'app-1@+srv', step: 'list' };
  expect(inWords({ ...plain, activity: 'copySource', progress: lists })).toBe('copy app-1@+srv  listing the files');
  expect(inWords({ attempt: 3, failure: 'gone', activity: 'aNewerOne', progress: undefined })).toBe(
    'aNewerOne  try 3 after: gone',
  );
});

test('a long failure of a step ends at a word, with a sign that there is more', () => {
  const failure = `${'the target does not answer, '.repeat(8)}see its log`;
  const line = inWords({ attempt: 2, failure, activity: 'openStore', progress: undefined });
  expect(line).toBe(`open the store  try 2 after: ${'the target does not answer, '.repeat(5)}the target does not…`);
});

test('a text is cut at a word, or where it must be where one word fills all the room', () => {
  expect(shortened('as it is', 8)).toBe('as it is');
  expect(shortened('as it is, or so', 9)).toBe('as it is…');
  expect(shortened('as it is now', 8)).toBe('as it…');
  expect(shortened(`/${'a'.repeat(20)}`, 10)).toBe('/aaaaaaaa…');
  expect(shortened('1234😀789', 6)).toBe('1234…');
});
