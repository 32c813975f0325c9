/** Which hosts a rotation of the director's key is for. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureDirectorKeys } from '../../../hosts/director-keys';
import { Identities } from '../../../hosts/enroll/identities';
import { rotateKeys } from '../../../hosts/enroll/rotate';
import { KnownHosts } from '../../../hosts/known-hosts';
import { parseRunbook } from '../../../runbooks/load';

const KEY = { type: 'ssh-ed25519', base64: 'AAAA' };
// Nobody listens on port 1: whoever is asked is away.
const runbook = parseRunbook({
  text: `version: 1
hosts:
  app-1: { address: 127.0.0.1, port: 1 }
  target: { address: 127.0.0.2, port: 1 }
`,
  file: 'one.yaml',
});

async function identify(address: string): Promise<void> {
  const identities = await Identities.open({ stateDir });
  identities.set({ name: 'any', address, port: 1 }, 'ssh-ed25519 AAAA');
  await identities.save();
}

let stateDir: string;
let knownHosts: KnownHosts;
const asked: string[] = [];
const admin = (host: string) => {
  asked.push(host);
  return { login: { password: 'x' } };
};

beforeEach(async () => {
  asked.length = 0;
  stateDir = mkdtempSync(join(tmpdir(), 'resurgo-rotate-'));
  await ensureDirectorKeys({ stateDir });
  knownHosts = await KnownHosts.open({ stateDir });
});
afterEach(() => {
  rmSync(stateDir, { recursive: true });
});

test('a host that another runbook has enrolled is named, and nothing is changed', async () => {
  await knownHosts.pin({ host: { name: 'app-1', address: '127.0.0.1', port: 1 }, keys: [KEY] });
  await knownHosts.pin({ host: { name: 'app-2', address: '10.0.0.2', port: 22 }, keys: [KEY] });
  await expect(rotateKeys({ stateDir, runbook, admin })).rejects.toThrow(
    /also enrolled 10\.0\.0\.2, which this runbook does not name.*Nothing was changed.*`resurgo -r FILE unenroll HOST`/,
  );
  expect(asked).toEqual([]);
  expect(existsSync(join(stateDir, 'keys', 'director.next'))).toBe(false);
});

test('a host that was never enrolled is not asked, nor one whose enrolment was cut off; with all others away the old key goes on', async () => {
  await identify('127.0.0.2');
  await expect(rotateKeys({ stateDir, runbook, admin })).rejects.toThrow(/enrolled no host of this runbook/);
  await knownHosts.pin({ host: { name: 'app-1', address: '127.0.0.1', port: 1 }, keys: [KEY] });
  await identify('127.0.0.1');
  await expect(rotateKeys({ stateDir, runbook, admin })).rejects.toMatchObject({ host: 'app-1', code: 'unreachable' });
  expect(asked).toEqual(['app-1']);
  expect(existsSync(join(stateDir, 'keys', 'rotation'))).toBe(false);
});

test('a director that has enrolled no host of the runbook says so', async () => {
  await expect(rotateKeys({ stateDir, runbook, admin })).rejects.toThrow(/enrolled no host of this runbook/);
});
