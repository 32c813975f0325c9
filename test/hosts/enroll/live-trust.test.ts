/** Whose word it is that the key of a running rescue Linux is its own (S30): told, also where nobody is asked. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { liveTrust, type LiveTrustOptions } from '../../../hosts/enroll/live-trust';
import { fingerprint, KnownHosts } from '../../../hosts/known-hosts';
import { liveAt } from '../../../hosts/rescue-host';

const KEY = { type: 'ssh-ed25519', base64: 'AAAAC3NzaC1lZDI1NTE5AAAAIBBBB' };
const rescueOf = (name: string) => liveAt({ host: { name, short: name }, at: '192.0.2.7' }).rescue;

let stateDir: string;
let knownHosts: KnownHosts;
beforeEach(async () => {
  stateDir = mkdtempSync(join(tmpdir(), 'resurgo-live-trust-'));
  knownHosts = await KnownHosts.open({ stateDir });
});
afterEach(() => {
  rmSync(stateDir, { recursive: true });
});

/** By whose word web-1's key is taken, or why it is not. */
async function word(more: Partial<LiveTrustOptions> = {}): Promise<string> {
  const hosts = ['web-1', 'web-2'];
  const trust = liveTrust({ knownHosts, host: 'web-1', hosts, adminKnownHosts: '', ...more });
  if ((await trust.trust(rescueOf('web-1')).decide?.(KEY)) === true) return trust.word() ?? '';
  const problem = trust.problem();
  return problem instanceof Error ? problem.message : '';
}

test('S30 a key of an earlier --live is taken unasked, and since when it is pinned is told', async () => {
  expect(await word({ confirm: () => Promise.resolve(true) })).toMatch(/SHA256:\S+ was confirmed at the terminal$/);
  await knownHosts.pin({ host: rescueOf('web-1'), keys: [KEY] });
  const first = await word();
  expect(first).toMatch(/SHA256:\S+ was pinned at 2\d{3}-\S+Z by an earlier --live, and nobody was asked again$/);
  // Pinned again by each use: the first time counts, also once it was read from the file.
  await new Promise((done) => setTimeout(done, 5));
  await knownHosts.pin({ host: rescueOf('web-1'), keys: [KEY] });
  knownHosts = await KnownHosts.open({ stateDir });
  expect(await word()).toBe(first);
  expect(await word({ fingerprint: fingerprint(KEY) })).toMatch(/is the one given by --fingerprint$/);
});

test('S30 one key for the rescue systems of several machines says nothing of which it is: asked again, and told', async () => {
  for (const name of ['web-1', 'web-2']) await knownHosts.pin({ host: rescueOf(name), keys: [KEY] });
  const SHARED =
    /; the same key is pinned for web-2\.live too, so it says which image runs there, and not on which machine/;
  expect(await word()).toMatch(/nobody has confirmed it/);
  expect(await word()).toMatch(SHARED);
  const confirm = jest.fn<Promise<boolean>, [{ also: string }]>(() => Promise.resolve(true));
  expect(await word({ confirm })).toMatch(SHARED);
  expect(confirm.mock.calls[0]?.[0].also).toMatch(SHARED);
  expect(await word({ fingerprint: fingerprint(KEY) })).toMatch(SHARED);
});
