import { execFileSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readHostkit } from '../../../hosts/enroll/hostkit-tree';
import { packTarGz } from '../../../hosts/enroll/tar';
import { installCommand, toolsOf } from '../../../hosts/enroll/tools';
import { parseRunbook } from '../../../runbooks/load';
import { keysInKnownHosts } from '../../../hosts/enroll/trust';
import { ensureDirectorKeys, loadDirectorKeys, signManifest, verifyManifest } from '../../../hosts/director-keys';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'resurgo-parts-'));
});
afterEach(() => {
  rmSync(dir, { recursive: true });
});

test('the archive is what tar reads, with modes and folders', () => {
  const content = Buffer.from('x'.repeat(513));
  const archive = packTarGz([
    { path: 'a/b/run', mode: 0o755, content },
    { path: 'c', mode: 0o600, content: Buffer.alloc(0) },
  ]);
  execFileSync('tar', ['-xzf', '-', '-C', dir], { input: archive });
  expect(readFileSync(join(dir, 'a/b/run'))).toEqual(content);
  expect(execFileSync('stat', ['-c', '%a', join(dir, 'a/b/run'), join(dir, 'c')], { encoding: 'utf8' })).toBe(
    '755\n600\n',
  );
  expect(() => packTarGz([{ path: 'x'.repeat(101), mode: 0o600, content }])).toThrow(RangeError);
});

test('the hostkit has one hash, and every part of it is carried', async () => {
  const [one, two] = await Promise.all([readHostkit(), readHostkit()]);
  expect(one.hash).toBe(two.hash);
  expect(one.files.map(({ path }) => path)).toEqual(
    expect.arrayContaining(['hostkit', 'lib/request.sh', 'verbs/probe.sh']),
  );
});

test('missing tools are named with the command that installs them', () => {
  expect(installCommand({ missing: ['getfattr', 'rsync', 'setfattr'], manager: 'apt-get' })).toBe(
    'apt-get install -y --no-install-recommends attr rsync',
  );
  expect(installCommand({ missing: ['rsync'], manager: '' })).toBe('install rsync by hand');
});

test('only a host with a store needs what checks signatures', () => {
  const text = `version: 1
hosts: { app-1: {}, target: {} }
stores: { main: { host: target, kind: hardlink, place: /backup } }
`;
  const runbook = parseRunbook({ text, file: 'x.yaml' });
  expect(toolsOf({ runbook, host: 'target' })).toEqual(['openssl']);
  expect(toolsOf({ runbook, host: 'app-1' })).toEqual([]);
});

test('S28 known_hosts: plain, with a port, hashed; nothing revoked', () => {
  const salt = Buffer.from('0123456789abcdef0123');
  const hash = createHmac('sha1', salt).update('10.0.0.9').digest('base64');
  const text = [
    'app,10.0.0.1 ssh-ed25519 AAAAplain',
    '[10.0.0.1]:2222 ssh-ed25519 AAAAport',
    `|1|${salt.toString('base64')}|${hash} ssh-ed25519 AAAAhashed`,
    '@revoked 10.0.0.1 ssh-ed25519 AAAArevoked',
  ].join('\n');
  const keys = (address: string, port: number) =>
    keysInKnownHosts({ text, host: { name: 'x', address, port } }).map(({ base64 }) => base64);
  expect(keys('10.0.0.1', 22)).toEqual(['AAAAplain']);
  expect(keys('10.0.0.1', 2222)).toEqual(['AAAAport']);
  expect(keys('10.0.0.9', 22)).toEqual(['AAAAhashed']);
  expect(keys('10.0.0.2', 22)).toEqual([]);
});

test('S19 a manifest’s signature holds for these bytes and this key alone; keys are made once', async () => {
  const keys = await ensureDirectorKeys({ stateDir: dir });
  const bytes = Buffer.from('{"id":"20261121_013000"}');
  const signature = signManifest({ keys, bytes });
  const { publicHex } = keys.signing;
  expect(verifyManifest({ bytes, signature, publicHex })).toBe(true);
  expect(verifyManifest({ bytes: Buffer.from('{}'), signature, publicHex })).toBe(false);
  expect(verifyManifest({ bytes, signature, publicHex: 'ab'.repeat(32) })).toBe(false);
  expect(verifyManifest({ bytes, signature: 'short', publicHex })).toBe(false);
  const again = await ensureDirectorKeys({ stateDir: dir });
  expect(again.director.publicKey).toBe(keys.director.publicKey);
});

test('of keys that are lost or broken it is said how hosts come to know new ones', async () => {
  await expect(loadDirectorKeys({ stateDir: dir })).rejects.toThrow(/resurgo enroll.*--take-over/);
  await ensureDirectorKeys({ stateDir: dir });
  const signing = join(dir, 'keys', 'signing.pem');
  const whole = readFileSync(signing);
  writeFileSync(signing, 'broken');
  await expect(loadDirectorKeys({ stateDir: dir })).rejects.toThrow(
    /signing\.pem is not a private key: .*--take-over.*resurgo adopt/,
  );
  writeFileSync(signing, whole);
  writeFileSync(join(dir, 'keys', 'jump'), 'broken');
  await expect(loadDirectorKeys({ stateDir: dir })).rejects.toThrow(
    /jump is not a private key.*run `resurgo enroll --all`/,
  );
  writeFileSync(join(dir, 'keys', 'director'), 'broken');
  await expect(loadDirectorKeys({ stateDir: dir })).rejects.toThrow(/run `resurgo enroll --all --take-over`/);
});
