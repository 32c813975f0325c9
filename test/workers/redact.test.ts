import fc from 'fast-check';
import { redactText } from '../../planning/redact-text';
import { redactLine, redactValue } from '../../workers/redact';

const KEY = '-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n-----END OPENSSH PRIVATE KEY-----';

test.each([
  ['a private key in a text', `read ${KEY} here`, 'read [redacted] private key here'],
  ['a private key cut off', KEY.slice(0, 50), '[redacted] private key'],
  ['a login in a URL', 'POST https://eva:hunter2@hook.example/x', 'POST https://[redacted]@hook.example/x'],
  ['an authorization header', 'Authorization: Bearer abcdef0123456789', 'Authorization: Bearer [redacted]'],
  ['nothing secret', 'rsync of /srv/data to 10.0.0.2:22 took 3 s', 'rsync of /srv/data to 10.0.0.2:22 took 3 s'],
])('%s', (_name, text, clean) => {
  expect(redactText(text)).toBe(clean);
});

test('fields with secret names go at any depth, others stay', () => {
  expect(
    redactValue({
      host: 'a',
      sudoPassword: 'x',
      list: [{ api_key: 1, 'private-key': { pem: 'y' } }],
      bytes: 3,
      ok: true,
    }),
  ).toEqual({
    host: 'a',
    sudoPassword: '[redacted]',
    list: [{ api_key: '[redacted]', 'private-key': '[redacted]' }],
    bytes: 3,
    ok: true,
  });
});

test('a secret handed in under a secret name never survives in a line, wherever it is nested', () => {
  const names = fc.constantFrom(
    'password',
    'passphrase',
    'token',
    'clientSecret',
    'apiKey',
    'private_key',
    'Authorization',
  );
  // Digits in brackets: never part of a name or a number that belongs there.
  const secrets = fc.integer({ min: 100_000 }).map((number) => `<<${number}>>`);
  fc.assert(
    fc.property(names, secrets, fc.array(fc.constantFrom('a', 'b', 'err'), { maxLength: 4 }), (name, secret, nest) => {
      const record = nest.reduce<unknown>((inner, key) => ({ [key]: inner }), { [name]: secret });
      const line = redactLine(`${JSON.stringify({ level: 30, msg: 'm', record })}\n`);
      expect(line).not.toContain(secret);
      expect(JSON.parse(line)).toMatchObject({ level: 30, msg: 'm' });
    }),
  );
});

test('a private key within a JSON line goes although its newlines are escaped', () => {
  const line = redactLine(`${JSON.stringify({ msg: `key: ${KEY}` })}\n`);
  expect(JSON.parse(line)).toEqual({ msg: 'key: [redacted] private key' });
});
