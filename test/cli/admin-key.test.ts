import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readAdminKey } from '../../cli/admin-key';
import { dial } from '../../hosts/dial';

let folder: string;
let locked: string;
let open: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'resurgo-key-'));
  locked = join(folder, 'locked');
  open = join(folder, 'open');
  const make = (file: string, passphrase: string) =>
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', passphrase, '-f', file]);
  make(locked, 'open sesame');
  make(open, '');
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const never = (): Promise<string> => Promise.reject(new Error('nobody should be asked'));

test('a key without a passphrase is taken as it is', async () => {
  const privateKey = readFileSync(open, 'utf8');
  expect(await readAdminKey({ file: open, ask: never, attended: true })).toEqual({ privateKey });
});

test('a passphrase is asked for at a terminal, again when it is wrong, three times at most', async () => {
  const typed = ['wrong', 'open sesame'];
  const asked: string[] = [];
  const ask = (question: string) => {
    asked.push(question);
    return Promise.resolve(typed.shift() ?? 'still wrong');
  };
  const privateKey = readFileSync(locked, 'utf8');
  expect(await readAdminKey({ file: locked, ask, attended: true })).toEqual({ privateKey, passphrase: 'open sesame' });
  expect(asked).toEqual([`passphrase of ${locked}: `, `passphrase of ${locked}: `]);
  await expect(readAdminKey({ file: locked, ask, attended: true })).rejects.toThrow(/not the passphrase/);
  expect(asked).toHaveLength(5);
});

test('with nobody to ask it says what to do, and what is no key is called so', async () => {
  await expect(readAdminKey({ file: locked, ask: never, attended: false })).rejects.toMatchObject({
    exitCode: 2,
    message: expect.stringContaining('ssh-agent') as string,
  });
  writeFileSync(join(folder, 'none'), 'no key\n');
  await expect(readAdminKey({ file: join(folder, 'none'), attended: false })).rejects.toThrow(/no private key/);
  await expect(readAdminKey({ file: join(folder, 'away'), attended: false })).rejects.toThrow(/can't read the key/);
});

test('a login that can not be used is not taken for a host that is away', async () => {
  const pinned = [{ type: 'ssh-ed25519', base64: 'AAAA' }];
  const dialled = dial({
    host: { name: 'app-1', address: '192.0.2.1' },
    login: { privateKey: readFileSync(locked, 'utf8') },
    pinned,
    timeoutMs: 2_000,
    keepaliveMs: 1_000,
  });
  await expect(dialled).rejects.toMatchObject({
    code: 'auth-refused',
    retryable: false,
    message: expect.stringMatching(/passphrase.*ssh-agent/) as string,
  });
});
