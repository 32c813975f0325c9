import fc from 'fast-check';
import type { ListingDifference, ListingEntry } from '../../planning/listing';
import {
  diffListings,
  displayPath,
  escapePath,
  findInListing,
  linesOf,
  parseListingLine,
  parseXattrLine,
  pathMatcher,
  readListing,
  differencesInWords,
} from '../../planning/listing';

function line(
  path: string,
  change: Partial<Record<'type' | 'mode' | 'uid' | 'size' | 'mtime' | 'link' | 'device' | 'target', string>> = {},
): string {
  const {
    type = 'f',
    mode = '0644',
    uid = '0',
    size = type === 'f' ? '3' : '-',
    mtime = '1800000000.123456789',
    link = '-',
    device = '-',
    target = '-',
  } = change;
  return [type, mode, uid, '0', size, mtime, link, device, target, path].join('\t');
}

function listing(entries: string[], xattrs: string[] = []): string[] {
  return ['resurgo-listing 1', ...entries, 'xattrs', ...xattrs];
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

const TREE = listing(
  [
    line('.', { type: 'd', mode: '0755' }),
    line('a', { link: 'a' }),
    line('a%20b', { size: '10' }),
    line('b', { link: 'a' }),
    line('dev', { type: 'b', device: '8:0' }),
    line('dir', { type: 'd' }),
    line('dir.txt'),
    line('dir/deep', { type: 'd' }),
    line('dir/deep/x.log'),
    line('dir/%C3%A5.txt'),
    line('ln', { type: 'l', target: '-' }),
  ].sort((x, y) => (x.split('\t')[9]! < y.split('\t')[9]! ? -1 : 1)),
  ['a\tuser.x=0x00ff', 'a\tuser.x-y=0x', 'dir\tsystem.posix_acl_access=0x02'].sort(),
);

describe('parseListingLine', () => {
  it('reads every field', () => {
    expect(parseListingLine(line('x%0Ay', { type: 'l', mode: '0777', uid: '4000000000', target: '../%FF' }))).toEqual({
      type: 'l',
      mode: '0777',
      uid: 4_000_000_000,
      gid: 0,
      size: null,
      mtime: '1800000000.123456789',
      linkGroup: null,
      device: null,
      target: '../%FF',
      path: 'x%0Ay',
    });
    expect(parseListingLine(line('d', { type: 'c', device: '1:3' })).device).toBe('1:3');
    expect(parseListingLine(line('f', { size: '9007199254740991', mtime: '-5.000000001' }))).toMatchObject({
      size: 9_007_199_254_740_991,
    });
  });

  it('S9 a symlink to a file named - keeps its target', () => {
    expect(parseListingLine(line('l', { type: 'l', target: '-' })).target).toBe('-');
    expect(parseListingLine(line('f')).target).toBeNull();
  });

  it.each([
    ['', 'fields'],
    [line('a\tb'), 'fields'],
    [line('a', { type: 'D' }), 'type'],
    [line('a', { mode: '0888' }), 'octal'],
    [line('a', { uid: '-1' }), 'whole number'],
    [line('a', { uid: '1e3' }), 'whole number'],
    [line('a', { size: '-' }), 'size'],
    [line('a', { type: 'd', size: '4096' }), 'size'],
    [line('a', { size: '9007199254740993' }), 'whole number'],
    [line('a', { mtime: '1800000000.5' }), 'NANOSECONDS'],
    [line('a', { device: 'sda' }), 'device'],
    [line('a b'), 'escaped'],
    [line('å'), 'escaped'],
    [line('a%2'), 'escaped'],
    [line('a%0a'), 'escaped'],
    [line(''), 'escaped'],
  ])('refuses %j', (text, message) => {
    expect(() => parseListingLine(text)).toThrow(message);
  });
});

describe('readListing', () => {
  it('tells attributes from entries', async () => {
    const read = await all(readListing(TREE));
    expect(read.filter((each) => each.kind === 'entry')).toHaveLength(11);
    expect(read.at(-1)).toEqual({ kind: 'xattr', xattr: { path: 'dir', name: 'system.posix_acl_access', hex: '02' } });
    expect(parseXattrLine('a\tuser.a%3Db=0xAB')).toEqual({ path: 'a', name: 'user.a%3Db', hex: 'ab' });
  });

  it.each([
    ['no header', [line('a')], 'first line'],
    ['a newer header', ['resurgo-listing 2'], 'first line'],
    ['nothing', [], 'cut off'],
    ['cut off before its attributes', TREE.slice(0, 5), 'cut off'],
    ['not sorted', listing([line('b'), line('a')]), 'not sorted'],
    ['one path twice', listing([line('a'), line('a')]), 'not sorted'],
    ['attributes not sorted', listing([], ['b\tx=0x', 'a\tx=0x']), 'not sorted'],
    ['an attribute that is none', listing([], ['b x']), 'NAME=0xHEX'],
    ['half a byte', listing([], ['b\tx=0xabc']), 'NAME=0xHEX'],
  ])('refuses %s', async (_, lines, message) => {
    await expect(all(readListing(lines))).rejects.toThrow(message);
  });

  it('reads the same from chunks cut anywhere', async () => {
    const text = `${TREE.join('\n')}\n`;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat({ max: text.length }), { maxLength: 8 }), async (cuts) => {
        const at = [0, ...cuts.sort((a, b) => a - b), text.length];
        const chunks = at.slice(1).map((end, i) => text.slice(at[i], end));
        expect(await all(linesOf(chunks))).toEqual(TREE);
      }),
    );
  });
});

describe('names', () => {
  it('escape as the hosts do', () => {
    expect(escapePath('a b%\n€/å')).toBe('a%20b%25%0A%E2%82%AC/%C3%A5');
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1 }), (text) => {
        fc.pre(!/[\ud800-\udfff]/u.test(text));
        expect(decodeURIComponent(escapePath(text))).toBe(text);
        expect(escapePath(text)).toMatch(/^[!-~]+$/);
      }),
    );
  });

  it('S29 show readable characters, and never a control or direction character', () => {
    expect(displayPath('a%20b/%C3%A5')).toBe('a b/å');
    expect(displayPath('%1B[31m%0A%E2%80%AE%EF%BB%BF%C2%9B')).toBe('%1B[31m%0A%E2%80%AE%EF%BB%BF%C2%9B');
    expect(displayPath('%FF%20%25FF')).toBe('%FF%20%25FF');
    expect(displayPath('100%25')).toBe('100%25');
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1 }), (bytes) => {
        const escaped = [...bytes].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');
        expect(displayPath(escaped)).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
      }),
    );
  });
});

describe('differencesInWords', () => {
  it('S9 S29 names what is missing, too much, or differs, with both values and no control character', () => {
    const differences = [
      `-${line('a%0Ab')}`,
      `-${line('d/x', { size: '5', mode: '0600' })}`,
      `+${line('d/x', { size: '6' })}`,
      `+${line('z')}`,
      '-q\tuser.n=0x01',
      '+q\tuser.n=0x02',
    ];
    expect(differencesInWords({ differences })).toBe(
      'a%0Ab is missing; d/x: mode 0600, found 0644; size 5, found 6; z is too much; q (attribute user.n) has another value',
    );
    expect(differencesInWords({ differences, most: 1 })).toBe('a%0Ab is missing');
    expect(differencesInWords({ differences: ['no listing'] })).toBe('no listing');
  });
});

describe('diffListings', () => {
  async function diff(before: string[], after: string[]): Promise<ListingDifference[]> {
    return all(diffListings(before, after));
  }

  it('S9 tells each kind of difference', async () => {
    const before = listing(
      [line('.', { type: 'd' }), line('a'), line('b'), line('c')],
      ['a\tuser.x=0x01', 'b\tuser.y=0x', 'c\tuser.z=0x'],
    );
    const after = listing(
      [line('.', { type: 'd' }), line('b', { mode: '0600', mtime: '1800000000.123456788' }), line('c'), line('d')],
      ['b\tuser.n=0x', 'c\tuser.z=0x02', 'd\tuser.q=0x'],
    );
    const differences = await diff(before, after);
    expect(
      differences.map(
        (each) =>
          `${each.kind} ${each.path} ${each.kind === 'changed' ? each.fields.join() : each.kind === 'xattr' ? each.name : ''}`,
      ),
    ).toEqual(['removed a ', 'changed b mode,mtime', 'added d ', 'xattr b user.n', 'xattr b user.y', 'xattr c user.z']);
    expect(differences.at(-1)).toEqual({ kind: 'xattr', path: 'c', name: 'user.z', before: '', after: '02' });
  });

  it.each<[keyof ListingEntry, Parameters<typeof line>[1]]>([
    ['mode', { mode: '4644' }],
    ['uid', { uid: '7' }],
    ['size', { size: '4' }],
    ['mtime', { mtime: '1800000000.123456788' }],
    ['linkGroup', { link: 'x' }],
  ])('S9 sees a change of %s alone', async (field, change) => {
    const differences = await diff(listing([line('x')]), listing([line('x', change)]));
    expect(differences).toMatchObject([{ kind: 'changed', fields: [field] }]);
  });

  it('S9 sees type, device and target', async () => {
    const block = listing([line('x', { type: 'b', device: '8:0' })]);
    expect(await diff(block, listing([line('x', { type: 'b', device: '8:1' })]))).toMatchObject([
      { fields: ['device'] },
    ]);
    expect(await diff(block, listing([line('x', { type: 'c', device: '8:0' })]))).toMatchObject([{ fields: ['type'] }]);
    const link = (target: string): string[] => listing([line('x', { type: 'l', target })]);
    expect(await diff(link('a'), link('b'))).toMatchObject([{ fields: ['target'] }]);
  });

  it('agrees with a comparison in memory, both ways round', async () => {
    const tree = fc.dictionary(fc.stringMatching(/^[a-c.]{1,3}(\/[a-c-]{1,2})?$/), fc.constantFrom('1', '2', '3'), {
      maxKeys: 12,
    });
    const write = (entries: Record<string, string>): string[] =>
      listing(
        Object.keys(entries)
          .sort()
          .map((path) => line(path, { size: entries[path]! })),
      );
    await fc.assert(
      fc.asyncProperty(tree, tree, async (a, b) => {
        const expected = [...new Set([...Object.keys(a), ...Object.keys(b)])].sort().flatMap((path) => {
          if (!(path in a)) return [`added ${path}`];
          if (!(path in b)) return [`removed ${path}`];
          return a[path] === b[path] ? [] : [`changed ${path}`];
        });
        expect((await diff(write(a), write(b))).map((each) => `${each.kind} ${each.path}`)).toEqual(expected);
        expect(await diff(write(b), write(b))).toEqual([]);
      }),
    );
  });

  it('a damaged listing is an error, not a difference', async () => {
    await expect(diff(TREE, TREE.slice(0, 4))).rejects.toThrow('cut off');
  });

  it('closes both sources when the reader stops early', async () => {
    const closed: string[] = [];
    async function* source(name: string, lines: string[]): AsyncGenerator<string> {
      try {
        for (const each of lines) yield await Promise.resolve(each);
      } finally {
        closed.push(name);
      }
    }
    for await (const difference of diffListings(source('a', TREE), source('b', listing([line('z')])))) {
      expect(difference.kind).toBe('removed');
      break;
    }
    expect(closed.sort()).toEqual(['a', 'b']);
  });
});

describe('findInListing', () => {
  it.each([
    ['dir', ['dir', 'dir/%C3%A5.txt', 'dir/deep', 'dir/deep/x.log']],
    ['/dir/deep/', ['dir/deep', 'dir/deep/x.log']],
    ['./a b', ['a%20b']],
    ['dir/å.txt', ['dir/%C3%A5.txt']],
    ['*.txt', ['dir.txt', 'dir/%C3%A5.txt']],
    ['dir/*.txt', ['dir/%C3%A5.txt']],
    ['dir/?.txt', ['dir/%C3%A5.txt']],
    ['**/x.log', ['dir/deep/x.log']],
    ['**/a', ['a']],
    ['dir/**', ['dir/%C3%A5.txt', 'dir/deep', 'dir/deep/x.log']],
    ['[ab]', ['a', 'b']],
    ['[!a]', ['.', 'b']],
    ['a?b', ['a%20b']],
    ['a*', ['a', 'a%20b']],
    ['d.r', []],
    ['nothing', []],
  ])('%p finds %j', async (pattern, paths) => {
    expect((await all(findInListing({ listing: TREE, pattern }))).map((each) => each.path)).toEqual(paths);
  });

  it('an empty pattern is all of it', async () => {
    expect(await all(findInListing({ listing: TREE, pattern: '/' }))).toHaveLength(11);
  });

  it('a name is found by itself, whatever its characters', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (name) => {
        fc.pre(!/[*?[/]/.test(name) && name !== '.' && name !== '..');
        expect(pathMatcher(name)(escapePath(name))).toBe(true);
        expect(pathMatcher(`${name}*`)(escapePath(`${name}x`))).toBe(true);
        expect(pathMatcher(`*${name}`)(escapePath(`dir/x${name}`))).toBe(true);
      }),
    );
  });

  it('refuses a pattern that would take for ever, or has a broken range', () => {
    expect(() => pathMatcher('*a'.repeat(13))).toThrow('too long');
    expect(() => pathMatcher('[z-a]')).toThrow("can't be read");
    expect(pathMatcher('a[')('a[')).toBe(true);
  });
});
