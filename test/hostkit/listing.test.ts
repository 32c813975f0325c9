import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { awkwardTree } from './listing-tree';
import { sh } from './stores-kit';
import { describeAsRoot } from './support';

const lib = resolve(__dirname, '../../hostkit/lib/listing.sh');

describeAsRoot('listing', () => {
  let dir = '';
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'resurgo-listing-'));
    awkwardTree(join(dir, 'tree'));
  });
  afterAll(() => {
    rmSync(dir, { recursive: true, force: true });
  });

  const list = (tree: string, filters = '', shell = ['sh']): string => {
    writeFileSync(join(dir, 'filters'), filters);
    const script = `. "${lib}"; listing_make "$1" "$2/work" "$2/out" "$2/filters" || { echo "$listing_error"; exit 1; }`;
    const [program = 'sh', ...first] = shell;
    const run = spawnSync(program, [...first, '-euc', script, 'sh', tree, dir], { encoding: 'utf8' });
    if (run.status !== 0) throw new Error(run.stdout + run.stderr);
    return readFileSync(join(dir, 'out'), 'latin1');
  };
  const line = (text: string, path: string): string[] =>
    text
      .split('\n')
      .map((each) => each.split('\t'))
      .find((part) => part.length === 10 && part[9] === path) ?? [];

  it('S9 names every entry whole, in ASCII, sorted, with links grouped by the smallest name', () => {
    const text = list(join(dir, 'tree'));
    expect(text).toMatch(/^resurgo-listing 1\n[\t\n!-~]*$/);
    const paths = text.split('\n').flatMap((each) => each.split('\t')[9] ?? []);
    expect(paths).toEqual([...paths].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
    expect(paths).toEqual(
      expect.arrayContaining(['.', 'new%0Aline', 'tab%09here', '100%2525%20%25', 'i%FF%FE', 'cr%0Dx']),
    );
    expect(line(text, 'd/one')[6]).toBe('d/e/two');
    expect(line(text, 'd/l2')[6]).toBe('d/e/l2%0Ab');
    expect(line(text, 'a%20b')[6]).toBe('-');
    expect(line(text, 'blk').slice(0, 8)).toEqual([
      'b',
      '0660',
      '0',
      '0',
      '-',
      '1600000000.123456789',
      '-',
      '259:70000',
    ]);
    expect(line(text, 'bigids').slice(2, 4)).toEqual(['4294967293', '3000000000']);
    expect(line(text, 'sl%20odd')[8]).toBe('t%20%0A%25');
    expect(line(text, 'suid')[1]).toBe('4755');
    const xattrs = text.slice(text.indexOf('\nxattrs\n'));
    for (const one of [
      'user.x=0x7600ff0a',
      'user.empty=0x',
      'system.posix_acl_access=0x',
      'system.posix_acl_default=0x',
    ])
      expect(xattrs).toContain(one);
    for (const one of ['sl\ttrusted.onlink=0x31', 'fifo\ttrusted.f=0x32', 'suid\tsecurity.capability=0x0100'])
      expect(xattrs).toContain(one);
  });

  it('S9 is the same under every shell, and with a filter that matches nothing', () => {
    const text = list(join(dir, 'tree'));
    expect(list(join(dir, 'tree'), '', ['busybox', 'ash'])).toBe(text);
    expect(list(join(dir, 'tree'), '- nothing-like-this\n')).toBe(text);
  });

  it('S9 leaves out exactly what rsync leaves out', () => {
    const filters = '- /d/e/***\n- *x*\n- tab*\n- [s]parse\n';
    const text = list(join(dir, 'tree'), filters);
    mkdirSync(join(dir, 'copy'));
    sh('rsync -aHAXS --numeric-ids --filter="merge $1/filters" "$1/tree/" "$1/copy/"', dir);
    expect(list(join(dir, 'copy'))).toBe(text);
    expect(line(text, 'd/e')).toEqual([]);
    expect(line(text, 'z%20three')[6]).toBe('d/one');
  });

  it('S9 sees each kind of difference', () => {
    const before = list(join(dir, 'tree'));
    const changes: [string, string][] = [
      ['chmod 600 "$1/~"', 'chmod 644 "$1/~"; touch -d "1970-01-01 00:00:00.999999999" "$1/~"'],
      ['touch -d "1970-01-01 00:00:00.999999998" "$1/~"', 'touch -d "1970-01-01 00:00:00.999999999" "$1/~"'],
      ['setfattr -n user.y -v 1 "$1/~"', 'setfattr -x user.y "$1/~"'],
      ['setfacl -m u:7:r "$1/~"', 'setfacl -b "$1/~"; chmod 644 "$1/~"'],
      ['chown 7 "$1/~"', 'chown 0 "$1/~"'],
    ];
    for (const [change, undo] of changes) {
      sh(change, join(dir, 'tree'));
      expect(list(join(dir, 'tree'))).not.toBe(before);
      sh(undo, join(dir, 'tree'));
      expect(list(join(dir, 'tree'))).toBe(before);
    }
  });
});
