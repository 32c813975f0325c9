import fc from 'fast-check';
import { defaultSourceName, shortName, treeName } from '../../runbooks/names';

const host = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,10}$/);
const part = fc.oneof(
  fc.string({
    unit: fc.constantFrom('a', 'b', '+', '%', '2', 'B', '@', '-', '.', ' ', 'é', '\u{1f600}'),
    minLength: 1,
    maxLength: 6,
  }),
  fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 6 })
    .filter((text) => !text.includes('/') && !text.includes('\0')),
);
const path = fc.array(part, { maxLength: 4 }).map((parts) => `/${parts.join('/')}`);

/** Undoes `treeName`, so that a round trip proves that nothing collides. */
function parse(tree: string): { host: string; path: string } {
  const at = tree.indexOf('@');
  const bytes = tree
    .slice(at + 1)
    .replaceAll('+', '/')
    .replace(/%([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  return { host: tree.slice(0, at), path: Buffer.from(bytes, 'latin1').toString('utf8') };
}

describe('S16 names in a backup', () => {
  it.each([
    ['app-1', '/srv/data', 'app-1@+srv+data'],
    ['app-1', '/', 'app-1@+'],
    ['app-1', '/a+b', 'app-1@+a%2Bb'],
    ['app-1', '/a/b', 'app-1@+a+b'],
    ['app-1', '/a%2Bb', 'app-1@+a%252Bb'],
    ['app-1', '/å b', 'app-1@+%C3%A5%20b'],
    ['app-1', '/x@y', 'app-1@+x%40y'],
  ])('%s %s is %s', (name, folder, tree) => {
    expect(treeName({ host: name, path: folder })).toBe(tree);
  });

  it('S16 no two sources share a folder', () => {
    fc.assert(
      fc.property(host, path, (name, folder) => {
        const tree = treeName({ host: name, path: folder });
        expect(tree).toMatch(/^[A-Za-z0-9._-]+@[A-Za-z0-9._%+-]+$/);
        expect(parse(tree)).toEqual({ host: name, path: folder });
      }),
      { numRuns: 2000 },
    );
  });

  it('leaves out the prefix of the deployment, and nothing else', () => {
    expect(shortName({ host: 'prod-app-1', deployment: 'prod' })).toBe('app-1');
    expect(shortName({ host: 'production-1', deployment: 'prod' })).toBe('production-1');
    expect(shortName({ host: 'prod-', deployment: 'prod' })).toBe('prod-');
    expect(shortName({ host: 'prod-app-1', deployment: null })).toBe('prod-app-1');
    expect(shortName({ host: '-app', deployment: null })).toBe('-app');
  });

  it('derives a valid source name from every path', () => {
    expect(defaultSourceName({ path: '/srv/data' })).toBe('data');
    expect(defaultSourceName({ path: '/' })).toBe('root');
    fc.assert(
      fc.property(path, (folder) => {
        expect(defaultSourceName({ path: folder })).toMatch(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/);
      }),
    );
  });
});
