/**
 * The first director is gone with all its state. On a new one, with the runbook, the target enrolled anew and nothing else: adopt, then recover.
 * The command line, the engine and the workflow are real, the fleet is in memory.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { genuineSigners } from '../../hosts/adopted-signers';
import { ensureDirectorKeys } from '../../hosts/director-keys';
import { armRescue } from '../../hosts/enroll/arm-rescue';
import { Identities } from '../../hosts/enroll/identities';
import { enterLive, type EnterOptions } from '../../hosts/enroll/live';
import type { FakeHosts } from '../../hosts/fake';
import { fingerprint, KnownHosts } from '../../hosts/known-hosts';
import { confirmRescue } from '../../hosts/rescue-login';
import { pinMachine } from '../../hosts/rescue-ref';
import { SshHosts } from '../../hosts/ssh-hosts';
import { publicKeyHex as lost } from '../cli/support/stored';
import { resurgo } from '../cli/support/run';
import { fleetRunbook, useEngine, withFleet } from './support/engine';
import { recovery, RESCUE } from './support/recovery';
import type { Recovery } from './support/recovery';

jest.mock('../../hosts/rescue-login', () => ({ confirmRescue: jest.fn(() => Promise.resolve()) }));
jest.mock('../../hosts/enroll/arm-rescue', () => ({ armRescue: jest.fn(() => Promise.resolve()) }));
jest.mock('../../hosts/enroll/live', () => ({
  enterLive: jest.fn(async ({ trust, rescue }: EnterOptions) => {
    await trust.trust(rescue).decide?.(mockKey);
  }),
}));
jest.setTimeout(120_000);

/** What the rescue Linux shows. */
const mockKey = { type: 'ssh-ed25519', base64: 'AAAAC3NzaC1lZDI1NTE5AAAAIBBBB' };
const engine = useEngine();
const IDENTITY = `ssh-ed25519 AAAA${'B'.repeat(64)}`;
const SYSTEM = { sources: [{ host: 'app-1', path: '/', name: 'system', snapshot: 'system' }] };
const AT = ['--at', '10.0.0.77'];
const KEPT = ['RESURGO_STATE', 'TEMPORAL_ADDRESS', 'TEMPORAL_NAMESPACE', 'SSH_AUTH_SOCK'] as const;

let folder: string;
let stateDir: string;
let before: Partial<NodeJS.ProcessEnv>;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'resurgo-break-glass-'));
  stateDir = join(folder, 'state');
  before = Object.fromEntries(KEPT.map((name) => [name, process.env[name]]));
  Object.assign(process.env, {
    ...{ RESURGO_STATE: stateDir, TEMPORAL_ADDRESS: engine.env.address },
    ...{ TEMPORAL_NAMESPACE: 'default', SSH_AUTH_SOCK: '/run/agent' },
  });
  await ensureDirectorKeys({ stateDir });
  writeFileSync(join(folder, 'fleet.yaml'), fleetRunbook(1, SYSTEM));
});
afterEach(() => {
  jest.restoreAllMocks();
  for (const name of KEPT) {
    const value = before[name];
    if (value === undefined) Reflect.deleteProperty(process.env, name);
    else process.env[name] = value;
  }
  rmSync(folder, { recursive: true, force: true });
});

const run = (...args: string[]) => resurgo('-r', join(folder, 'fleet.yaml'), ...args);

/** The lost director's backup in the target's store, and a rescue system that answers. The machine was never seen by this director. */
function withLostMachine(body: (made: Recovery, fleet: FakeHosts) => Promise<void>): Promise<void> {
  const made = recovery({
    more: ({ host, verb }) => {
      if (host === RESCUE && verb === 'probe')
        return { host: 'app-1', bootId: made.now.rescueBoot, identity: 'SHA256:now', identityKey: IDENTITY };
      return undefined;
    },
  });
  made.now.oldMachine = 'host-key-unknown';
  made.now.seen = { answers: false, reason: 'connect ECONNREFUSED' };
  const genuine = () => genuineSigners({ stateDir });
  const rescue = {
    pinMachine: (about: Omit<Parameters<typeof pinMachine>[0], 'stateDir'>) => pinMachine({ ...about, stateDir }),
  };
  return withFleet({ engine, fake: made.fake, genuine, rescue }, async (fleet) => {
    made.seal(fleet);
    jest.spyOn(fleet, 'close').mockResolvedValue(undefined);
    jest.spyOn(SshHosts, 'open').mockResolvedValue(fleet as unknown as SshHosts);
    await body(made, fleet);
  });
}

/** As `enroll TARGET --take-over` leaves it. */
async function knowTarget(): Promise<void> {
  const identities = await Identities.open({ stateDir });
  identities.set({ name: 'target', address: '10.0.0.2', port: 22 }, IDENTITY);
  await identities.save();
}

describe.each([
  ['media of the first director', []],
  ['any rescue Linux', ['--live', '--fingerprint', fingerprint(mockKey)]],
])('S19 by %s', (_name, how) => {
  test('adopt, recover to its approval, approve: the machine lets this director in', async () => {
    await knowTarget();
    await withLostMachine(async (made) => {
      const refused = await run('recover', 'app-1', ...AT, ...how);
      expect(refused.code).toBe(1);
      expect(refused.stderr).toMatch(/no whole backup signed by a known key/);
      expect((await run('adopt', '--approve', lost.slice(0, 12))).code).toBe(0);

      const { code, stdout, stderr } = await run('recover', 'app-1', ...AT, ...how);
      expect({ code, stderr }).toEqual({ code: 3, stderr: expect.stringMatching(/waits for the approval/) as string });
      expect(stdout).toMatch(/vda \(serial NEW-1\)/);
      expect(stdout).toMatch(/old machine: nothing answers at 10\.0\.0\.1:22: tried 2 times, last at 2\d{3}-/);
      if (how.length > 0)
        expect(stdout).toMatch(/rescue system: its ssh host key SHA256:\S+ is the one given by --fingerprint/);
      expect(made.asked).not.toContain('disk-wipe');
      expect(jest.mocked(armRescue).mock.calls.at(-1)?.[0]).toMatchObject({
        target: 'target',
        name: RESCUE,
        identity: IDENTITY,
      });
      const sent = jest.mocked(how.length > 0 ? enterLive : confirmRescue).mock.calls.at(-1)?.[0];
      expect(sent).toMatchObject({
        rescue: { address: '10.0.0.77', pinnedAs: how.length > 0 ? 'app-1.live' : RESCUE },
      });
      if (how.length > 0) expect(sent).toMatchObject({ user: 'root', peers: new Map([['target', IDENTITY]]) });

      const id = /run (r\d{8}t\d{6}z-[0-9a-f]{6})/.exec(stdout)?.[1] ?? '';
      made.now.mark = id;
      const hash = /approve r\S+ ([0-9a-f]+)/.exec(stderr)?.[1] ?? '';
      expect((await run('approve', id, hash)).code).toBe(0);
      expect(await run('watch', id)).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/Completed: app-1 is recovered/) as string,
      });
      expect(made.asked).toContain('new-director');
      const machine = { name: 'app-1', address: '10.0.0.1', port: 22 };
      expect((await KnownHosts.open({ stateDir })).keysOf(machine)).toHaveLength(1);
    });
  });
});

test('any rescue Linux: a director that has not enrolled the target is told to', async () => {
  await withLostMachine(async () => {
    await run('adopt', '--approve', lost.slice(0, 12));
    jest.mocked(enterLive).mockClear();
    const { code, stderr } = await run('recover', 'app-1', ...AT, '--live');
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(/identity of target.*resurgo enroll target/) as string,
    });
    expect(enterLive).not.toHaveBeenCalled();
  });
});
