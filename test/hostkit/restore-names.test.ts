/** A restore between the real jobs of a part that is called as people call things: spaces, other letters than ASCII, and long. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeValue } from '../../hosts/request';
import { storeKit, tree, type StoreKit } from './stores-kit';
import { describeAsRoot } from './support';

jest.setTimeout(120_000);

const ID = '20261121_013000';
const ODD = 'odd/Räksmörgås och öl';
const LONG = `long${'/ausführlich benannt'.repeat(40)}`;

describeAsRoot('a part of any name', () => {
  let kit: StoreKit;
  beforeAll(async () => {
    kit = await storeKit({ kind: 'hardlink', fs: 'ext4' });
    const conf = join(kit.root, 'etc/host.conf');
    writeFileSync(conf, `${readFileSync(conf, 'utf8')}restore-to ${encodeValue(join(kit.root, 'Rück'))}\n`);
    for (const folder of [ODD, LONG]) {
      mkdirSync(join(kit.source, folder), { recursive: true });
      writeFileSync(join(kit.source, folder, 'å.txt'), 'as it was');
    }
    await kit.copy('run-0001');
    expect(kit.seal('run-0001', ID)).toMatchObject({ ok: true });
  });
  afterAll(() => {
    kit.close();
  });

  it.each([
    ['rest-0001', ODD],
    ['rest-0002', LONG],
  ])('comes back whole: %s', async (name, subpath) => {
    const base = join(kit.root, 'Rück', tree, subpath);
    mkdirSync(base, { recursive: true });
    await kit.serve(base, join(kit.root, 'var/runs', name, 'incoming', tree));
    const args = { store: 'main', id: ID, tree, subpath, delete: '1', ...kit.peer() };
    const send = kit.job('restore-send', args, name);
    expect(send).toMatchObject({ ok: true });
    const { sha256 } = send['listing'] as { sha256: string };
    const place = { path: join(kit.root, 'Rück'), tree, subpath, sha256 };
    expect(kit.job('restore-verify', place, name)).toMatchObject({ equal: true });
    expect(readFileSync(join(base, 'å.txt'), 'utf8')).toBe('as it was');
  });
});
