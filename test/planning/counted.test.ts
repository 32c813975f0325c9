import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { counted } from '../../planning/counted';

test('one is one, and all else are many', () => {
  expect([0, 1, 2].map((count) => counted(count, 'file'))).toEqual(['0 files', '1 file', '2 files']);
  expect(counted(1, 'entry', 'entries')).toBe('1 entry');
  expect(counted(3, 'entry', 'entries')).toBe('3 entries');
});

/** What is counted by words of our own, with the number right before it. */
const PLAIN =
  /\$\{[^{}]*(?:\.length|[fF]iles|deletions|[cC]ount)\} (?:files|hosts|sources|stores|groups|entries|backups|containers|members|hooks|notifications|mounts|modules|things)\b/;

test.each(['activities', 'cli', 'cli/commands', 'hosts', 'hosts/enroll', 'planning', 'workflows'])(
  'no number of %s stands before a plural that was written out',
  (folder) => {
    const at = join(__dirname, '..', '..', folder);
    const found = readdirSync(at)
      .filter((name) => name.endsWith('.ts'))
      .flatMap((name) =>
        readFileSync(join(at, name), 'utf8')
          .split('\n')
          // Where one can't be, the words for one are elsewhere on the line.
          .filter((line) => PLAIN.test(line) && !/=== 1|> 1/.test(line))
          .map((line) => `${name}: ${line.trim()}`),
      );
    expect(found).toEqual([]);
  },
);
