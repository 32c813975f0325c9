/** Who is asked at a terminal may leave with Ctrl-C or Ctrl-D: exit 130, no stack, and a word of how things stand. */
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Server } from 'ssh2';
import { adoptSigner, genuineSigners } from '../../hosts/adopted-signers';
import { ensureDirectorKeys } from '../../hosts/director-keys';
import { CTRL_C, CTRL_D, Terminal } from '../workflows/support/terminal';
import { fleetRunbook } from './support/fleet-runbook';
import { entry, publicKeyHex } from './support/stored';

jest.setTimeout(60_000);

let folder: string;
let stateDir: string;
const terminals: Terminal[] = [];
beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'resurgo-leaving-'));
  stateDir = path.join(folder, 'state');
  await ensureDirectorKeys({ stateDir });
  const keep = { last: 1, daily: 0, weekly: 0, monthly: 0, yearly: 0 };
  writeFileSync(path.join(folder, 'fleet.yaml'), fleetRunbook(1, { keep }));
  const stored = ['20260101_010000', '20260102_010000'].map((id) => entry({ id }));
  writeFileSync(path.join(folder, 'backups.json'), JSON.stringify(stored));
});
afterEach(() => {
  for (const each of terminals.splice(0)) each.close();
  rmSync(folder, { recursive: true, force: true });
});

function terminal(...args: string[]): Terminal {
  const env = {
    ...process.env,
    RESURGO_STATE: stateDir,
    RESURGO_TEST_BACKUPS: path.join(folder, 'backups.json'),
  };
  const opened = new Terminal({ args: ['-r', path.join(folder, 'fleet.yaml'), ...args], env });
  terminals.push(opened);
  return opened;
}

async function left(at: Terminal, question: string, key: string): Promise<string> {
  await at.sees(question);
  at.type(key);
  expect(await at.ended).toBe(130);
  expect(at.shown).not.toMatch(/AbortError|Aborted|\n\s+at /);
  return at.shown;
}

describe.each([
  ['Ctrl-C', CTRL_C],
  ['Ctrl-D', CTRL_D],
])('%s', (_name, key) => {
  test('at the question of prune removes nothing', async () => {
    await adoptSigner({ stateDir, publicKeyHex, by: 'test', now: new Date(0) });
    expect(await left(terminal('prune'), 'Type "remove 1"', key)).toContain('nothing was removed');
  });

  test('at the question of adopt adopts nothing', async () => {
    expect(await left(terminal('adopt'), 'Type the first 12 digits', key)).toContain('nothing was adopted');
    expect(await genuineSigners({ stateDir })).toHaveLength(1);
  });

  test('at a password changes nothing', async () => {
    const shown = await left(terminal('enroll', '--all', '--ask-password'), 'ssh password: ', key);
    expect(shown).toContain('nothing was changed');
  });

  test("at a host key's question leaves the whole enrolment: no other host is asked about", async () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const pem = privateKey.export({ type: 'pkcs1', format: 'pem' }).toString();
    const server = new Server({ hostKeys: [pem] }, (client) => client.on('error', () => undefined));
    await once(server.listen(0, '0.0.0.0'), 'listening');
    const { port } = server.address() as AddressInfo;
    const hosts = { one: { address: '127.0.0.1', port }, two: { address: '127.0.0.2', port } };
    writeFileSync(path.join(folder, 'fleet.yaml'), JSON.stringify({ version: 1, hosts }));
    writeFileSync(path.join(folder, 'key'), pem);
    const args = ['enroll', '--all', '--key', path.join(folder, 'key'), '--known-hosts', path.join(folder, 'none')];
    const shown = await left(terminal(...args), 'Is that its key?', key).finally(() => server.close());
    expect(shown).toContain('no host was enrolled');
    expect(shown).not.toContain('two');
  });
});
