/** Names with a backslash, by each awk that a host may have: busybox's keeps a backslash that stands in brackets for itself. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const LIB = resolve(__dirname, '../../hostkit');

const within = (folder: string, name: string): string => (folder === '.' ? name : `${folder}/${name}`);
const above = (path: string): string => (path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '.');
/** A row of numbers below a limit, the same for the same seed. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * below);
  };
}

interface Tree {
  folders: string[];
  files: string[];
  /** Of the files, those that have another name, and those that are large. */
  links?: string[];
  large?: string[];
}

/** A listing's lines: folders by name, files of one byte by name. */
function listing({ folders, files, links = [], large = [] }: Tree): string {
  const line = (type: string, size: string, path: string) =>
    [type, '0644', '0', '0', size, '1.000000000', links.includes(path) ? path : '-', '-', '-', path]
      .join('\t')
      .replaceAll(' ', '%20');
  const lines = [
    ...folders.map((path) => line('d', '-', path)),
    ...files.map((path) => line('f', large.includes(path) ? '70000' : '1', path)),
  ];
  lines.sort((one, other) => ((one.split('\t')[9] ?? '') < (other.split('\t')[9] ?? '') ? -1 : 1));
  return ['resurgo-listing 1', ...lines, 'xattrs', ''].join('\n');
}

describe.each(['awk', 'busybox awk'])('with %s', (awk) => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'resurgo-awk-'));
    mkdirSync(join(root, 'bin'));
    const [program = 'awk', ...applet] = awk.split(' ');
    const found = execFileSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' }).trim();
    if (applet.length === 0) symlinkSync(found, join(root, 'bin/awk'));
    else writeFileSync(join(root, 'bin/awk'), `#!/bin/sh\nexec ${found} ${applet.join(' ')} "$@"\n`);
    chmodSync(join(root, 'bin/awk'), 0o755);
  });
  afterEach(() => {
    rmSync(root, { recursive: true, force: true });
  });
  const run = (...lines: string[]): string =>
    execFileSync('dash', ['-c', ['set -eu', ...lines].join('\n')], {
      cwd: root,
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C', RESURGO_LIB: LIB, PATH: `${join(root, 'bin')}:${process.env.PATH ?? ''}` },
    });

  test('a value that is sent to another host', () => {
    expect(run('. "$RESURGO_LIB/lib/types.sh"', `encode '/srv/a\\b c'`, 'printf %s "$encoded"')).toBe('/srv/a%5Cb%20c');
  });

  test('S9 the folder of a new file is sent after the file, so that its time is as it was', () => {
    const folders = ['.', 'data'];
    writeFileSync(join(root, 'before'), listing({ folders, files: [] }));
    writeFileSync(join(root, 'listing'), listing({ folders, files: ['data/a\\b'] }));
    run(
      '. "$RESURGO_LIB/lib/streams.sh"',
      'STORES_INPLACE_BYTES=65536 client_inplace=1',
      'streams_plan listing before 1 lists yes',
    );
    const rest = readFileSync(join(root, 'lists/rest'), 'utf8').split('\0');
    expect(rest).toEqual(expect.arrayContaining(['./data', './data/a\\b']));
    expect(rest).not.toContain('./.');
  });

  test.each([1, 2, 3])(
    'S9 a folder stands for what is new in it and may go with it, and for nothing else: %d streams',
    (streams) => {
      const random = numbers(streams);
      const folders = ['.'];
      for (let n = 1; n <= 60; n++) folders.push(within(folders[random(folders.length)] ?? '.', `${n}`));
      const files = Array.from({ length: 400 }, (_, n) => within(folders[random(folders.length)] ?? '.', `file ${n}`));
      const links = files.filter((_, n) => n % 97 === 0);
      const large = files.filter((_, n) => n % 89 === 1);
      // A folder comes after the one that it lies in: the target has the first of them, with the files in them.
      const old = folders.slice(0, 20);
      const isNew = (path: string) => !old.includes(path) && !(files.includes(path) && old.includes(above(path)));
      writeFileSync(join(root, 'listing'), listing({ folders, files, links, large }));
      const there = files.filter((path) => !isNew(path));
      writeFileSync(join(root, 'before'), listing({ folders: old, files: there, links, large }));
      run(
        '. "$RESURGO_LIB/lib/streams.sh"',
        'STORES_INPLACE_BYTES=65536 client_inplace=1 STREAMS_FEW_FILES=1 STREAMS_FEW_BYTES=1 listing_excluded=0',
        `streams_plan listing before ${streams} lists yes`,
      );
      const list = (name: string): string[] => {
        const file = join(root, 'lists', name);
        const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
        return text.split('\0').flatMap((path) => (path === '' ? [] : [path.replace(/^\.\//, '')]));
      };
      const placed = Array.from({ length: streams }, (_, n) => list(`place.${n + 1}`)).flat();
      const rest = list('rest');
      expect(placed.filter((path) => folders.includes(path)).length).toBeGreaterThan(3);
      const sent = (path: string) => ({
        placed: placed.filter((each) => path === each || path.startsWith(`${each}/`)).length,
        rest: rest.filter((each) => each === path).length,
      });
      for (const path of files) {
        const expected = !isNew(path)
          ? { placed: 0, rest: 0 }
          : links.includes(path)
            ? { placed: 0, rest: 1 }
            : { placed: 1, rest: 0 };
        expect([path, sent(path)]).toEqual([path, expected]);
        if (isNew(path) && large.includes(path)) expect(placed).toContain(path);
      }
      for (const path of folders.filter(isNew)) expect(sent(path).placed + sent(path).rest).toBe(1);
      // What lies there gets nothing but its times, where something new came into it.
      expect(placed.filter((path) => old.includes(path))).toEqual([]);
      for (const path of old) {
        const grew = [...files, ...folders].some((each) => each !== '.' && above(each) === path && isNew(each));
        expect([path, sent(path).rest]).toEqual([path, grew ? 1 : 0]);
      }
    },
  );

  /** As a rescue system has it: with an output of its own. */
  const busyboxDiff = () => {
    writeFileSync(join(root, 'bin/diff'), '#!/bin/sh\nexec busybox diff "$@"\n', { mode: 0o755 });
  };

  test('S9 nothing that differs is taken for equal, whatever the tools of the system are', () => {
    busyboxDiff();
    const one = listing({ folders: ['.', 'a'], files: ['a/b', 'a-b', 'z'] });
    const attribute = 'a\tsystem.posix_acl_default=0x02\n';
    const others = {
      'an attribute that is gone': [`${one}${attribute}`, one, [`-${attribute.trim()}`]],
      'one that has come': [one, `${one}${attribute}`, [`+${attribute.trim()}`]],
      'another mode': [one, one.replace('0644', '0600'), [/^-d\t0644/, /^\+d\t0600/]],
      'a file that is gone': [one, listing({ folders: ['.', 'a'], files: ['a-b', 'z'] }), [/^-f.*\ta\/b$/]],
      'the last one': [one, listing({ folders: ['.', 'a'], files: ['a/b', 'a-b'] }), [/^-f.*\tz$/]],
      'one that has come too': [listing({ folders: ['.', 'a'], files: ['z'] }), one, [/^\+.*a-b$/, /^\+.*a\/b$/]],
      'all of it': [one, '', Array.from({ length: one.split('\n').length - 1 }, () => /^-/)],
      nothing: [one, one, []],
    } as const satisfies Record<string, readonly [string, string, readonly (string | RegExp)[]]>;
    for (const [source, target, expected] of Object.values(others)) {
      writeFileSync(join(root, 'source'), source);
      writeFileSync(join(root, 'target'), target);
      const said = run(
        '. "$RESURGO_LIB/lib/listing.sh"',
        'listing_compare source target out || :',
        'echo "$listing_differences"',
      );
      expect(Number(said)).toBe(expected.length);
      const lines = readFileSync(join(root, 'out'), 'utf8')
        .split('\n')
        .filter((line) => line !== '');
      expect(lines).toEqual(
        expected.map((each) => (typeof each === 'string' ? each : (expect.stringMatching(each) as string))),
      );
    }
    expect(
      run('. "$RESURGO_LIB/lib/listing.sh"', 'listing_compare source missing out || echo "$listing_differences"'),
    ).toBe('1\n');
  });

  test('S20 a folder that holds what is not compared is no difference', () => {
    writeFileSync(join(root, 'wanted'), listing({ folders: ['.'], files: [] }));
    writeFileSync(join(root, 'found'), listing({ folders: ['.', 'old', 'old\\er'], files: [] }));
    writeFileSync(join(root, 'entries'), 'old/hidden\\one\nold\\er/b\\c/hidden\n');
    run(
      '. "$RESURGO_LIB/jobs/restore-verify.sh"',
      'listing_entries() { cp entries "$2/entries"; }',
      'arg_extra=0 destination=$PWD',
      'verify_kept',
    );
    expect(readFileSync(join(root, 'kept'), 'utf8')).toBe('old\nold\\er\n');
  });
});
