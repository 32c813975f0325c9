import fc from 'fast-check';
import { decodeRequest, decodeValue, encodeRequest, encodeValue, wireKey } from '../../hosts/request';

test('a value survives whatever it holds, and its form has no byte with a meaning', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (value) => {
      const encoded = encodeValue(value);
      expect(encoded).toMatch(/^(?:[A-Za-z0-9._/@:=,+-]|%[0-9A-F]{2})*$/);
      expect(decodeValue(encoded)).toBe(value);
    }),
  );
});

test('S26 no value can add a line or a key to a request', () => {
  const hostile = 'x\n.\nresurgo 1 sweep\ngroup portal\n';
  const text = encodeRequest({ verb: 'check', args: { group: hostile, maxPause: 5, fix: true, store: undefined } });
  expect(text.split('\n')).toHaveLength(6);
  expect(decodeRequest(text)).toEqual({ verb: 'check', args: { group: hostile, max_pause: '5', fix: '1' } });
});

test.each([
  ['a verb with a space', { verb: 'check x', args: {} }],
  ['a key with a newline', { verb: 'check', args: { 'a\nb': 1 } }],
  ['a fraction', { verb: 'check', args: { ttl: 1.5 } }],
  ['an object', { verb: 'check', args: { group: { a: 1 } } }],
  ['a value over 256 KiB', { verb: 'check', args: { group: 'x'.repeat(300_000) } }],
  [
    'a request over 1 MiB',
    { verb: 'check', args: Object.fromEntries('abcde'.split('').map((key) => [key, 'x'.repeat(250_000)])) },
  ],
])('refuses %s', (_name, request) => {
  expect(() => encodeRequest(request)).toThrow(RangeError);
});

test.each([
  'resurgo 2 check\n.\n',
  'resurgo 1 check\n',
  'resurgo 1 check\na 1\na 2\n.\n',
  'resurgo 1 check\na %zz\n.\n',
])('reads nothing that the hostkit would refuse: %j', (text) => {
  expect(() => decodeRequest(text)).toThrow(RangeError);
});

test('keys are snake_case on the wire', () => {
  expect(['maxPause', 'peerHost', 'id'].map(wireKey)).toEqual(['max_pause', 'peer_host', 'id']);
});
