/** By which keys a recovered machine is known: a pin that stands is no recovery's to change, unless a new identity was asked for. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KnownHosts } from '../../hosts/known-hosts';
import { pinMachine, pinOnly } from '../../hosts/rescue-ref';

const host = { name: 'web-1', address: '192.0.2.7' };
const key = (letter: string) => `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI${letter.repeat(43)}`;
let stateDir: string;
beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'resurgo-pin-'));
});
afterEach(() => {
  rmSync(stateDir, { recursive: true, force: true });
});
const known = async () => (await KnownHosts.open({ stateDir })).keysOf(host).map(({ base64 }) => base64.slice(-1));

test('none are pinned: those of the backup are; others than the pinned ones are not, and that is told', async () => {
  expect(await pinMachine({ stateDir, host, hostKeys: [key('A')] })).toBe(true);
  expect(await pinMachine({ stateDir, host, hostKeys: [key('B')] })).toBe(false);
  expect(await known()).toEqual(['A']);
});

test('S24 keys that were made anew on request stand beside the old ones until the copy was seen', async () => {
  await pinMachine({ stateDir, host, hostKeys: [key('A')] });
  expect(await pinMachine({ stateDir, host, hostKeys: [], isNew: true })).toBe(false);
  expect(await pinMachine({ stateDir, host, hostKeys: [key('B')], isNew: true })).toBe(true);
  expect(await known()).toEqual(['A', 'B']);
  expect(await pinMachine({ stateDir, host, hostKeys: [key('B')], isNew: true })).toBe(true);
  expect(await known()).toEqual(['A', 'B']);
  await pinOnly({ stateDir, host, hostKeys: [key('B')] });
  expect(await known()).toEqual(['B']);
});
