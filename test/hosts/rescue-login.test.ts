/** S30: whom the director takes for a rescue system: by the key of its build, or by the code on its console. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import { ensureDirectorKeys } from '../../hosts/director-keys';
import { fingerprint, KnownHosts, type PublicKey } from '../../hosts/known-hosts';
import { isCode, rescueAt, rescueCode } from '../../hosts/rescue-host';
import { confirmRescue } from '../../hosts/rescue-login';
import { SshHosts } from '../../hosts/ssh-hosts';
import { probe } from '../../hosts/verbs/reading';
import type { FleetHost } from '../../planning/run-input';
import { freePort, makeSshd, type TestSshd } from './support/sshd';

const HOST = { name: 'web-1', short: 'web-1' };
const OTHER: PublicKey = { type: 'ssh-ed25519', base64: 'AAAAC3NzaC1lZDI1NTE5AAAAIO' + 'A'.repeat(42) };

describe('the address', () => {
  test.each([
    ['192.0.2.7', '192.0.2.7', 22],
    ['192.0.2.7:2222', '192.0.2.7', 2222],
    ['rescue.example.org', 'rescue.example.org', 22],
    ['2001:db8::7', '2001:db8::7', 22],
    ['[2001:db8::7]:2222', '2001:db8::7', 2222],
  ])('%s', (at, address, port) => {
    expect(rescueAt({ host: HOST, at })).toEqual({
      ...{ name: 'web-1.rescue', short: 'web-1', user: 'resurgo', pinnedAs: 'web-1.rescue' },
      ...{ address, port },
    });
  });

  test.each(['', 'a b', '192.0.2.7:', '192.0.2.7:99999', '192.0.2.7:0', '-x', '[192.0.2.7', 'root@192.0.2.7'])(
    '"%s" is none',
    (at) => {
      expect(() => rescueAt({ host: HOST, at })).toThrow(/is no address/);
    },
  );
});

test('the code is the one that the console shows', () => {
  const script = readFileSync(resolve(__dirname, '../../hostkit/rescue/keys.sh'), 'utf8');
  const [, reckon = ''] = /^ *rescue_code=\$\((.*)\)$/m.exec(script) ?? [];
  const shown = execFileSync('sh', ['-c', reckon], {
    encoding: 'utf8',
    env: { ...process.env, rescue_fingerprint: fingerprint(OTHER) },
  }).trim();
  expect(shown).toMatch(/^[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}$/);
  expect(rescueCode(OTHER)).toBe(shown);
  expect(isCode({ typed: shown.toUpperCase().replaceAll('-', ' '), key: OTHER })).toBe(true);
  for (const typed of ['', shown.slice(0, 9), `${shown}0`, '0000-0000-0000'])
    expect(isCode({ typed, key: OTHER })).toBe(false);
});

describe('S30 what answers', () => {
  let sshd: TestSshd;
  let stateDir: string;
  let rescue: FleetHost;
  /** The machine itself, at the same address: it has a pin of its own. */
  const machine = () => ({ name: 'web-1', address: '127.0.0.1', port: sshd.port });
  const pinned = async () => (await KnownHosts.open({ stateDir })).keysOf(rescue);
  const confirm = (code?: string): Promise<void> => confirmRescue({ stateDir, rescue, code });

  beforeEach(async () => {
    stateDir = mkdtempSync(join(tmpdir(), 'resurgo-login-'));
    const keys = await ensureDirectorKeys({ stateDir });
    sshd = makeSshd({ port: await freePort() });
    sshd.authorize([keys.director.publicKey]);
    await sshd.start();
    rescue = { ...rescueAt({ host: HOST, at: `127.0.0.1:${sshd.port}` }), user: userInfo().username };
    await (await KnownHosts.open({ stateDir })).pin({ host: machine(), keys: [OTHER] });
  });
  afterEach(async () => {
    await sshd.remove();
    rmSync(stateDir, { recursive: true });
  });

  test('has no pinned key: nothing is trusted at first sight', async () => {
    await expect(confirm()).rejects.toThrow(/\[host-key-unknown\] Next: read the code on its own console.*--code/);
    await expect(confirm('0000-0000-0000')).rejects.toThrow(/another code than 0000-0000-0000.*do not go on/);
    expect(await pinned()).toEqual([]);
  });

  test('has the key of the code: pinned for the rescue system, beside the machine’s own', async () => {
    await confirm(rescueCode(sshd.hostKey));
    expect(await pinned()).toEqual([sshd.hostKey]);
    const hosts = await SshHosts.open({ stateDir });
    try {
      await expect(probe({ hosts, host: machine() })).rejects.toMatchObject({ code: 'host-key-changed' });
      await expect(probe({ hosts, host: rescue })).resolves.toBeDefined();
    } finally {
      await hosts.close();
    }
    await confirm();
  });

  test('has another key than at its build: only with its code', async () => {
    await (await KnownHosts.open({ stateDir })).pin({ host: rescue, keys: [OTHER] });
    await expect(confirm()).rejects.toThrow(/not the key that was pinned.*over the network.*do not go on/);
    expect(await pinned()).toEqual([OTHER]);
    await confirm(rescueCode(sshd.hostKey));
    expect(await pinned()).toEqual([sshd.hostKey]);
  });

  test('does not know the director: it says how that one is let in, with its key', async () => {
    sshd.authorize([]);
    const { director } = await ensureDirectorKeys({ stateDir });
    const key = director.publicKey.split(' ')[1] ?? '';
    const refused = confirm(rescueCode(sshd.hostKey));
    await expect(refused).rejects.toThrow(`\`director ${key}\``);
    await expect(refused).rejects.toThrow(
      new RegExp(`resurgo\\.director=${key.replaceAll('+', '\\+')} on.*build its media again`),
    );
    expect(await pinned()).toEqual([]);
  });
});
