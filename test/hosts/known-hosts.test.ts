/** The pinned ssh host keys, as they lie in the state folder. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KnownHosts } from '../../hosts/known-hosts';

test('S28 keys pinned side by side are all kept', async () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'resurgo-known-hosts-'));
  try {
    const hosts = Array.from({ length: 20 }, (_, at) => ({
      name: `h${at}`,
      address: `10.0.0.${at}`,
      port: 22,
      user: 'resurgo',
    }));
    const knownHosts = await KnownHosts.open({ stateDir });
    const keys = [{ type: 'ssh-ed25519', base64: 'AAAA' }];
    await Promise.all(hosts.map((host) => knownHosts.pin({ host, keys })));
    const [first] = hosts;
    if (first !== undefined) await knownHosts.unpin({ host: first });
    const read = await KnownHosts.open({ stateDir });
    expect(hosts.map((host) => read.keysOf(host).length)).toEqual([0, ...Array.from({ length: 19 }, () => 1)]);
  } finally {
    rmSync(stateDir, { recursive: true });
  }
});
