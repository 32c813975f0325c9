/** Backups of another director: shown with their key, counted for nothing, and taken as genuine only on a typed key (S19). */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { genuineSigners } from '../../hosts/adopted-signers';
import { ensureDirectorKeys } from '../../hosts/director-keys';
import { FakeHosts } from '../../hosts/fake';
import { SshHosts } from '../../hosts/ssh-hosts';
import { fleetRunbook } from './support/fleet-runbook';
import { resurgo } from './support/run';
import { entry, publicKeyHex } from './support/stored';

const OLD = '20261120_010000';
const NEW = '20261121_010000';
let folder: string;
let stateDir: string;
let fleet: FakeHosts;
const state = process.env.RESURGO_STATE;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'resurgo-adopt-'));
  stateDir = join(folder, 'state');
  process.env.RESURGO_STATE = stateDir;
  await ensureDirectorKeys({ stateDir });
  writeFileSync(join(folder, 'fleet.yaml'), fleetRunbook(2));
  fleet = new FakeHosts({ latencyMs: 0 });
  jest.spyOn(fleet, 'close').mockResolvedValue(undefined);
  jest.spyOn(SshHosts, 'open').mockResolvedValue(fleet as unknown as SshHosts);
  fleet.host('target').backups.push(entry({ id: OLD }), entry({ id: NEW }));
});
afterEach(() => {
  jest.restoreAllMocks();
  if (state === undefined) delete process.env.RESURGO_STATE;
  else process.env.RESURGO_STATE = state;
  rmSync(folder, { recursive: true, force: true });
});

const run = (...args: string[]) => resurgo('-r', join(folder, 'fleet.yaml'), ...args);

test('S19 shows whose key signed, and adopts nothing unasked', async () => {
  const { code, stdout } = await run('adopt');
  expect(code).toBe(3);
  expect(stdout).toContain(publicKeyHex);
  expect(stdout).toContain(`${OLD} … ${NEW}`);
  expect(stdout).toMatch(/nothing was adopted/);
  expect(await genuineSigners({ stateDir })).not.toContain(publicKeyHex);
});

test('S19 list marks them, and status does not count them', async () => {
  expect((await run('list')).stdout).toContain(`signed by the unknown key ${publicKeyHex.slice(0, 12)}`);
  const { code, stdout } = await run('status');
  expect(code).toBe(1);
  expect(stdout).toMatch(/NO BACKUP.*2 signed by a key unknown here, see resurgo adopt/);
});

test('S19 adopts the key whose beginning was typed, once, for this user alone', async () => {
  const { code, stdout } = await run('adopt', '--approve', publicKeyHex.slice(0, 12));
  expect(code).toBe(0);
  expect(stdout).toContain(`adopted ${publicKeyHex}: its 2 backups of portal can be restored`);
  expect(await genuineSigners({ stateDir })).toContain(publicKeyHex);
  expect(statSync(join(stateDir, 'keys', 'adopted.json')).mode & 0o777).toBe(0o600);
  expect((await run('list')).stdout).not.toContain('unknown key');
  expect((await run('adopt')).stdout).toMatch(/nothing to adopt/);
});

test.each(['', 'f', publicKeyHex.slice(0, 11), `${publicKeyHex.slice(0, 11)}x`, 'a'.repeat(64)])(
  'S19 refuses %j as the beginning of a shown key',
  async (typed) => {
    const { code, stderr } = await run('adopt', '--approve', typed);
    expect(code).toBe(2);
    expect(stderr).toMatch(/nothing was adopted/);
    expect(await genuineSigners({ stateDir })).toHaveLength(1);
  },
);

test('a backup whose signature is bad is not offered', async () => {
  for (const each of fleet.host('target').backups) Object.assign(each, { manifestSig: 'AAAA' });
  expect((await run('adopt')).stdout).toMatch(/nothing to adopt/);
});

test('a damaged list of adopted keys is named, with what to do', async () => {
  const file = join(stateDir, 'keys', 'adopted.json');
  writeFileSync(file, '{"version":1,"signers":[{"publicKeyHex":"short"}]}');
  const { code, stderr } = await run('list');
  expect(code).toBe(1);
  expect(stderr).toContain(`${file} is damaged`);
  expect(readFileSync(file, 'utf8')).toContain('short');
});
