/** What `recover` settles before a run begins: whose machine, which rescue system, and that the target lets it have the data. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { armRescue } from '../../hosts/enroll/arm-rescue';
import { Identities } from '../../hosts/enroll/identities';
import { enterLive } from '../../hosts/enroll/live';
import { HostError } from '../../hosts/errors';
import { hostRef } from '../../hosts/refs';
import { confirmRescue } from '../../hosts/rescue-login';
import type { Layout } from '../../planning/layout-schema';
import type { LuksHeader } from '../../planning/luks-headers';
import { parseRunbook } from '../../runbooks/load';
import { golden } from '../planning/layout-machines';
import { fleetRunbook } from './support/fleet-runbook';
import { useMemoryFleet } from './support/memory-fleet';
import { entry } from './support/stored';

jest.mock('../../hosts/rescue-login', () => ({ confirmRescue: jest.fn(() => Promise.resolve()) }));
jest.mock('../../hosts/enroll/live', () => ({ enterLive: jest.fn(() => Promise.resolve()) }));
jest.mock('../../hosts/enroll/arm-rescue', () => ({ armRescue: jest.fn(() => Promise.resolve()) }));

// Each command is a whole program.
jest.setTimeout(30_000);

const fleet = useMemoryFleet();
const ID = '20261121_013000';
const KEY = `ssh-ed25519 AAAA${'B'.repeat(64)}`;
const AT = ['--at', '10.0.0.77'];
const armed = jest.mocked(armRescue);
const entered = jest.mocked(enterLive);

function runbook(groups: Record<string, { host: string; path: string }[]>): string {
  const written = JSON.parse(fleetRunbook(2)) as { groups: object };
  const sources = (all: { host: string; path: string }[]) =>
    all.map((each, i) => ({ ...each, name: `s${i}`, snapshot: each.path === '/' ? 'system' : 'none' }));
  const made = Object.entries(groups).map(([name, all]) => [name, { sources: sources(all), target: 'main' }] as const);
  return JSON.stringify({ ...written, groups: Object.fromEntries(made) });
}

/** A backup that holds the layout of a machine with an encrypted volume. */
function stored(layout: Layout, luksHeaders: LuksHeader[] = []): void {
  const made = entry({ id: ID, kind: 'system', luksHeaders });
  fleet.store(made);
  const packed = gzipSync(JSON.stringify({ ...layout, host: 'app-1' })).toString('base64');
  fleet.hosts.host('target').layouts.set(`${made.run} app-1`, packed);
}

afterEach(() => {
  delete process.env.TEMPORAL_ADDRESS;
});
beforeEach(() => {
  armed.mockClear();
  jest.mocked(confirmRescue).mockClear();
  // Nobody answers there: a run is not begun, and no engine of our own is started for it.
  process.env.TEMPORAL_ADDRESS = '127.0.0.1:9';
  process.env.SSH_AUTH_SOCK = '/run/agent';
  fleet.runbook(runbook({ portal: [{ host: 'app-1', path: '/' }], part: [{ host: 'app-2', path: '/srv' }] }));
  fleet.intercept = ({ host, verb }) => {
    if (verb !== 'probe') return undefined;
    if (host === 'app-1.rescue') return { host: 'app-1', identity: 'SHA256:now', identityKey: KEY };
    return { peers: { 'app-1.rescue': 'SHA256:before' } };
  };
});

describe('what is asked for', () => {
  test.each<[string, string[], RegExp]>([
    ['a host that is none', ['app-9', ...AT], /no host "app-9"/],
    ['no address', ['app-1'], /--at/],
    ['a bad address', ['app-1', '--at', 'a b'], /"a b" is no address/],
    ['a host that no group holds whole', ['app-2', ...AT], /no group of the runbook backs up all of app-2.*path: \//],
    ['a group that is none', ['app-1', ...AT, '--group', 'x'], /no group "x"/],
    ['a hash that is none', ['app-1', ...AT, '--approve', 'yes'], /--approve wants the hash/],
    ['a pin without a disk', ['app-1', ...AT, '--pin', 'WD-1'], /--pin wants DISK=SERIAL/],
    ['a growth that is none', ['app-1', ...AT, '--grow', 'all'], /--grow is last, proportional or none/],
    [
      'a fingerprint of our own media',
      ['app-1', ...AT, '--fingerprint', 'SHA256:x'],
      /--fingerprint is about a running.*--live/,
    ],
    ['packages for our own media', ['app-1', ...AT, '--install-packages'], /--install-packages is about a running/],
    ['a code of another make', ['app-1', ...AT, '--live', '--code', '1'], /--code is about our own.*--fingerprint/],
    ['a headroom that is none', ['app-1', ...AT, '--headroom', 'some'], /--headroom is a share/],
  ])('%s: refused before anybody is asked', async (_name, words, why) => {
    const { code, stderr } = await fleet.run('recover', ...words);
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringMatching(why) as string });
    expect(confirmRescue).not.toHaveBeenCalled();
  });

  test('several groups hold all of it: one has to be named', async () => {
    fleet.runbook(runbook({ one: [{ host: 'app-1', path: '/' }], two: [{ host: 'app-1', path: '/' }] }));
    expect(await fleet.run('recover', 'app-1', ...AT)).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/--group: one, two/) as string,
    });
  });
});

test('another host’s rescue system is refused', async () => {
  fleet.intercept = () => ({ host: 'app-2', identity: 'SHA256:now', identityKey: KEY });
  const { code, stderr } = await fleet.run('recover', 'app-1', ...AT, '--arm-only');
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: expect.stringMatching(/the rescue system of app-2, not of app-1/) as string,
  });
  expect(armed).not.toHaveBeenCalled();
});

describe('the target', () => {
  test('is told of the rescue system that it does not know, for a week, by its administrator', async () => {
    const before = Date.now();
    // There is no engine: that is the end, after the arming and the choice of the backup.
    await fleet.run('recover', 'app-1', ...AT, '--code', '1234-5678-9abc');
    expect(jest.mocked(confirmRescue).mock.calls[0]?.[0]).toMatchObject({ code: '1234-5678-9abc' });
    const [options] = armed.mock.calls[0] ?? [];
    expect(options).toMatchObject({
      target: 'target',
      name: 'app-1.rescue',
      identity: KEY,
      admin: { login: { agent: '/run/agent' } },
    });
    const days = ((options?.until.getTime() ?? 0) - before) / 86_400_000;
    expect(days).toBeGreaterThan(6.9);
    expect(days).toBeLessThan(7.1);
  });

  test('that knows it needs no administrator', async () => {
    fleet.intercept = ({ host, verb }) =>
      verb === 'probe'
        ? {
            host: host === 'target' ? 'target' : 'app-1',
            identity: 'SHA256:now',
            identityKey: KEY,
            peers: { 'app-1.rescue': 'SHA256:now' },
          }
        : undefined;
    delete process.env.SSH_AUTH_SOCK;
    const { stderr } = await fleet.run('recover', 'app-1', ...AT);
    expect(stderr).toMatch(/no whole backup/);
    expect(armed).not.toHaveBeenCalled();
  });

  test('is not told for a mere plan, and told again where a run waits for it', async () => {
    stored(golden('gpt-bios-ext4'));
    await fleet.run('recover', 'app-1', ...AT, '--plan-only');
    expect(armed).not.toHaveBeenCalled();
    const { code, stdout } = await fleet.run('recover', 'app-1', ...AT, '--arm-only');
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: expect.stringMatching(/target knows app-1\.rescue now.*resurgo retry/) as string,
    });
    expect(armed).toHaveBeenCalledTimes(1);
  });

  test('that can not be armed ends it before a run begins', async () => {
    armed.mockRejectedValueOnce(
      new HostError({ host: 'target', verb: 'recover', code: 'sudo-refused', message: 'no' }),
    );
    expect((await fleet.run('recover', 'app-1', ...AT)).code).toBe(1);
    expect(fleet.verbs('store.list')).toEqual([]);
  });
});

describe('the passphrases of encrypted volumes', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'resurgo-secrets-'));
    writeFileSync(join(dir, 'root'), 'correct horse\n');
    writeFileSync(join(dir, 'none'), '\n');
    stored(golden('luks2-lvm'));
  });
  afterEach(() => {
    rmSync(dir, { recursive: true });
  });
  const [volume] = golden('luks2-lvm').luks;
  const give = (...words: string[]) => fleet.run('recover', 'app-1', ...AT, '--arm-only', ...words);

  test('go to the rescue system and nowhere else', async () => {
    const { code } = await give('--passphrase', `${volume?.name ?? ''}=${join(dir, 'root')}`);
    expect(code).toBe(0);
    const passphrase = Buffer.from('correct horse').toString('base64');
    expect(fleet.verbs('luks.secret')).toMatchObject([
      { host: 'app-1.rescue', args: { uuid: volume?.uuid, passphrase } },
    ]);
  });

  test('a key file that is no text is given as it is, and is none of the runbook’s', async () => {
    const key = Buffer.from([0xff, 0x00, 0xfe, 0x0a]);
    writeFileSync(join(dir, 'key'), key);
    expect((await give('--passphrase', `${volume?.uuid ?? ''}=${join(dir, 'key')}`)).code).toBe(0);
    expect(fleet.verbs('luks.secret')).toMatchObject([{ args: { passphrase: key.toString('base64') } }]);
    const written = JSON.parse(runbook({ portal: [{ host: 'app-1', path: '/' }] })) as { groups: { portal: object } };
    const passphrases = [{ host: 'app-1', volume: volume?.uuid, secret: { file: join(dir, 'key') } }];
    const portal = { ...written.groups.portal, recover: { passphrases } };
    fleet.runbook(JSON.stringify({ ...written, groups: { portal } }));
    expect((await give()).stderr).toMatch(/key is no text; mend it, or give the passphrase by --passphrase/);
    expect(fleet.verbs('luks.secret')).toHaveLength(1);
  });

  test.each<[string, (dir: string) => string[], RegExp]>([
    ['nobody is here to type one', () => [], /nobody is here to type its passphrase: --passphrase .*=FILE/],
    ['of a volume that is none', (at) => ['--passphrase', `x=${join(at, 'root')}`], /has no encrypted volume "x"/],
    ['an empty one', (at) => ['--passphrase', `${volume?.uuid ?? ''}=${join(at, 'none')}`], /is empty/],
    ['a new key for one that is none', () => ['--new-key', 'x'], /--new-key: app-1 has no encrypted volume "x"/],
    ['no file', (at) => ['--passphrase', `${volume?.uuid ?? ''}=${join(at, 'away')}`], /can't read/],
  ])('%s: refused', async (_name, words, why) => {
    const { code, stderr } = await give(...words(dir));
    expect(code).not.toBe(0);
    expect(stderr).toMatch(why);
    expect(fleet.verbs('luks.secret')).toEqual([]);
  });

  describe('from where the runbook says', () => {
    const inRunbook = (...passphrases: { host: string; volume: string; secret: object }[]) => {
      const written = JSON.parse(runbook({ portal: [{ host: 'app-1', path: '/' }] })) as { groups: { portal: object } };
      fleet.runbook(
        JSON.stringify({ ...written, groups: { portal: { ...written.groups.portal, recover: { passphrases } } } }),
      );
    };
    const name = volume?.name ?? '';
    const given = () =>
      fleet.verbs('luks.secret').map(({ args }) => Buffer.from(String(args['passphrase']), 'base64').toString());

    test('a file, a variable, or a program; only the line end is no part of it', async () => {
      inRunbook({ host: 'app-1', volume: name, secret: { file: join(dir, 'root') } });
      expect((await give()).code).toBe(0);
      process.env.RESURGO_TEST_SECRET = ' with blanks ';
      inRunbook({ host: 'app-1', volume: volume?.uuid ?? '', secret: { env: 'RESURGO_TEST_SECRET' } });
      expect((await give()).code).toBe(0);
      delete process.env.RESURGO_TEST_SECRET;
      writeFileSync(join(dir, 'pass'), '#!/bin/sh\necho from a program\n', { mode: 0o700 });
      inRunbook({ host: 'app-1', volume: name, secret: { command: join(dir, 'pass') } });
      expect((await give()).code).toBe(0);
      expect(given()).toEqual(['correct horse', ' with blanks ', 'from a program']);
    });

    test('the command’s own word goes before it, and another host’s is none', async () => {
      writeFileSync(join(dir, 'other'), 'other');
      inRunbook({ host: 'app-1', volume: name, secret: { file: join(dir, 'root') } });
      expect((await give('--passphrase', `${name}=${join(dir, 'other')}`)).code).toBe(0);
      expect(given()).toEqual(['other']);
      inRunbook({ host: 'app-2', volume: name, secret: { file: join(dir, 'root') } });
      expect((await give()).stderr).toMatch(/nobody is here to type its passphrase/);
    });

    test('S27 what fails is named, and nothing that it printed', async () => {
      writeFileSync(join(dir, 'pass'), '#!/bin/sh\necho HUSH\necho HUSH >&2\nexit 3\n', { mode: 0o700 });
      inRunbook({ host: 'app-1', volume: name, secret: { command: join(dir, 'pass') } });
      const { code, stdout, stderr } = await give();
      expect(code).not.toBe(0);
      expect(stderr).toMatch(/recover\.passphrases of the runbook.*ended with exit 3; mend it, or give .*--passphrase/);
      expect(stdout + stderr).not.toContain('HUSH');
      expect(given()).toEqual([]);
    });
  });

  test('one whose header is in the backup comes back with its keys, unless a new one is asked for', async () => {
    const header = { uuid: volume?.uuid ?? '', bytes: 16 * 2 ** 20, headerSha256: 'a'.repeat(64) };
    stored(golden('luks2-lvm'), [header]);
    expect((await give()).stderr).toMatch(/comes back with its keys, and nobody is here/);
    expect((await give('--new-key', volume?.uuid ?? '')).stderr).toMatch(/gets a new key, and nobody is here/);
  });
});

describe('a running rescue Linux (--live)', () => {
  beforeEach(async () => {
    entered.mockClear();
    stored(golden('gpt-bios-ext4'));
    const stateDir = process.env.RESURGO_STATE ?? '';
    const identities = await Identities.open({ stateDir });
    identities.set(hostRef({ runbook: parseRunbook({ text: fleetRunbook(2), file: 'x' }), host: 'target' }), KEY);
    await identities.save();
  });
  const live = (...words: string[]) => fleet.run('recover', 'app-1', '--at', 'user@10.0.0.77', '--live', ...words);

  test('gets the hostkit by the administrator’s login before the target is told of it, and is not taken for our media', async () => {
    entered.mockImplementationOnce(({ log }) => {
      log('its system: \u001b[2J');
      return Promise.resolve();
    });
    const { code, stdout, stderr } = await live('--arm-only', '--install-packages');
    expect(code).toBe(0);
    // What it says of itself is shown, and does nothing to the terminal (S29).
    expect(stdout + stderr).toMatch(/its system: .+2J/);
    expect(stdout + stderr).not.toContain('\u001b[2J');
    const [options] = entered.mock.calls[0] ?? [];
    expect(options).toMatchObject({
      ...{ user: 'user', admin: { login: { agent: '/run/agent' } }, installPackages: true },
      ...{ host: { name: 'app-1' }, rescue: { address: '10.0.0.77', pinnedAs: 'app-1.live', live: true } },
      peers: new Map([['target', KEY]]),
    });
    expect(options?.layout.disks).toHaveLength(golden('gpt-bios-ext4').disks.length);
    expect(confirmRescue).not.toHaveBeenCalled();
    expect(armed).toHaveBeenCalledTimes(1);
  });

  test('gets it for a mere plan too, and the target is told of nothing', async () => {
    await live('--plan-only');
    expect(entered).toHaveBeenCalledTimes(1);
    expect(armed).not.toHaveBeenCalled();
  });

  test('whose sshd does not let the director in: what to look at there is said', async () => {
    fleet.intercept = ({ host, verb }) => {
      if (host !== 'app-1.rescue') return undefined;
      throw new HostError({ host, verb, code: 'auth-refused', message: 'login as resurgo was refused' });
    };
    expect((await live()).stderr).toMatch(/login as resurgo was refused .*PermitRootLogin, AllowUsers/);
    expect(armed).not.toHaveBeenCalled();
  });

  test('that is none ends it before anybody else hears of it', async () => {
    entered.mockRejectedValueOnce(
      new HostError({ host: 'app-1.rescue', verb: 'recover', code: 'not-allowed', message: 'it is a server' }),
    );
    expect(await live()).toMatchObject({ code: 1, stderr: expect.stringMatching(/it is a server/) as string });
    expect(armed).not.toHaveBeenCalled();
    expect(fleet.verbs('probe')).toEqual([]);
  });
});

test('a rescue system that does not tell its identity gets no data', async () => {
  fleet.intercept = () => ({ host: 'app-1', identity: undefined, identityKey: undefined });
  const { code, stderr } = await fleet.run('recover', 'app-1', ...AT);
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/does not tell its identity/) as string });
});
