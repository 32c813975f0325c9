import fc from 'fast-check';
import { stringify } from 'yaml';
import { RunbookError } from '../../runbooks/issues';
import { parseRunbook } from '../../runbooks/load';
import { showRunbook } from '../../runbooks/show';

const duration = (max: number) => fc.integer({ min: 60, max }).map((seconds) => `${seconds}s`);
const text = fc.string({ unit: 'grapheme', maxLength: 30 });
const line = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 20 });
/** Fields that may be there or not. */
const some = (fields: Record<string, fc.Arbitrary<unknown>>) => fc.record(fields, { requiredKeys: [] });
const command = (host: string) => ({ host, name: 'check', command: '/usr/bin/true', timeout: '90s' });

const group = fc
  .record({
    paths: fc.uniqueArray(fc.stringMatching(/^[a-zA-Z0-9 +%é]{1,8}$/), { minLength: 1, maxLength: 3 }),
    more: some({
      on_unreachable: fc.constantFrom('fail', 'partial'),
      rpo: duration(1e7),
      rto: duration(1e7),
      notes: text,
      contacts: fc.array(fc.record({ name: line, phone: line }, { requiredKeys: ['name'] }), { maxLength: 2 }),
      keep: some({ last: fc.integer({ min: 1, max: 9 }), yearly: fc.integer({ min: 0, max: 9 }) }),
      transfer: some({
        bandwidth: fc.oneof(
          fc.constant(0),
          fc.integer({ min: 64, max: 9999 }).map((count) => `${count}.5kB/s`),
        ),
        direction: fc.constantFrom('push', 'pull'),
      }),
      schedule: fc.record({ cron: fc.constantFrom('0 1 * * *', '*/5 *  * * mon'), jitter: duration(3600) }),
      quiesce: some({
        max_pause: duration(600),
        containers: fc.constantFrom('all', 'none', { label: 'a=b' }),
        exempt: fc.constantFrom([], [{ label: 'x=y' }], [{ label: 'resurgo.engine=true' }]),
        hosts: fc.constantFrom([], ['extra'], ['b'], ['a-1', 'extra']),
        hooks: some({ before: fc.constant([command('b')]), after: fc.constant([command('a-1')]) }),
        units: fc.constantFrom([], [{ host: 'b', name: 'x.service', by: 'freeze' }]),
      }),
      restore: some({ order: fc.constantFrom([], ['back'], ['front', 'a-1']), health: fc.constant([command('a-1')]) }),
      recover: some({
        passphrases: fc.constantFrom([], [{ host: 'b', volume: 'cr root', secret: { command: '/usr/bin/x' } }]),
      }),
      notify: fc.constantFrom(
        [{ ping: 'https://a.example/x' }],
        [{ webhook: 'https://a.example/x', on: ['start'], secret: { env: 'S' } }],
      ),
    }),
  })
  .map(({ paths, more }) => ({
    sources: paths.map((path, index) => ({
      host: index === 0 ? 'a-1' : 'b',
      path: `/${path}`,
      name: `s${index}`,
      snapshot: 'zfs',
    })),
    target: 'main',
    ...more,
  }));

it('what is shown parses back to the same runbook', () => {
  let parsed = 0;
  fc.assert(
    fc.property(group, fc.constantFrom('a', 'z', undefined), (one, deployment) => {
      const written = stringify({
        version: 1,
        deployment,
        hosts: {
          'a-1': { labels: ['front', 'back'] },
          b: { labels: ['back'], via: 'a-1', port: 2222 },
          extra: {},
          t: { restore_to: ['/mnt/x/'] },
        },
        stores: { main: { host: 't', kind: 'zfs', place: 'tank/b', compression: 'lz4', reserve: '0%' } },
        groups: { g: one },
      });
      const runbook = parseRunbook({ text: written, file: 'written' });
      parsed++;
      expect(parseRunbook({ text: showRunbook(runbook), file: 'shown' })).toEqual(runbook);
    }),
    { numRuns: 200 },
  );
  expect(parsed).toBeGreaterThanOrEqual(200);
});

it('whatever the text, the answer is a runbook or an error that names places', () => {
  const word = fc.constantFrom(
    'version: 1',
    'hosts:',
    '  a: {}',
    'groups:',
    '- ',
    '&x ',
    '*x',
    '{',
    '}',
    '[',
    ']',
    '"',
    '\n',
    '  ',
    ': ',
    '!t ',
    '? ',
    '|',
    '\t',
    '#',
    '---',
    'é',
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 30 }), (words) => {
      try {
        parseRunbook({ text: words.join(''), file: 'f' });
      } catch (error) {
        expect(error).toBeInstanceOf(RunbookError);
        if (!(error instanceof RunbookError)) return;
        expect(error.issues.length).toBeGreaterThan(0);
        for (const issue of error.issues) expect(Math.min(issue.line, issue.column)).toBeGreaterThanOrEqual(1);
      }
    }),
    { numRuns: 1000 },
  );
});
