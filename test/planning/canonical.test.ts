import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { canonicalJson } from '../../planning/canonical';

describe('canonicalJson', () => {
  it('sorts keys at every depth and stays on one line', () => {
    expect(canonicalJson({ b: [{ z: 1, a: 'x\ny' }], a: null, c: undefined })).toBe(
      '{"a":null,"b":[{"a":"x\\ny","z":1}]}',
    );
  });

  it('gives one text for one value, whatever the order of its keys', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const turned = Object.fromEntries(Object.entries(value).reverse());
        const text = canonicalJson(value);
        expect(canonicalJson(turned)).toBe(text);
        expect(text).not.toContain('\n');
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it.each([
    ['NaN', { a: [Number.NaN] }, '$.a[0]'],
    ['infinity', { a: Infinity }, '$.a'],
    ['bigint', 1n, '$'],
    ['a function', { f: () => 1 }, '$.f'],
    ['a date', { at: new Date(0) }, '$.at'],
    ['a map', new Map(), '$'],
    ['undefined in an array', [undefined], '$[0]'],
    ['a hole', Array(1), '$[0]'],
  ])('refuses %s and says where', (_, value, where) => {
    expect(() => canonicalJson(value)).toThrow(`${where} holds`);
  });

  it('takes plain objects of another realm, as a workflow sandbox has', () => {
    expect(canonicalJson(runInNewContext('({ b: [1], a: {} })'))).toBe('{"a":{},"b":[1]}');
  });
});
