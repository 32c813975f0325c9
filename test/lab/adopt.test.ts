/** The director is gone with its keys and its runbook: another takes the hosts over, looks whose backups lie there, and brings the data back. */
import { readFileSync } from 'node:fs';
import { describeLab } from './support/describe-lab';
import type { Fleet } from './support/fleet';
import { type BackupEnd, type Director, hostLines, type Product, raiseProduct, takeDown } from './support/product';

const RUNBOOK = (fleet: Fleet) => `version: 1
${hostLines(fleet)}
stores:
  main: { host: target, kind: btrfs, place: /backup }
groups:
  portal:
    sources:
      - { host: app-1, path: /srv/data, name: data, snapshot: btrfs }
    target: main
`;

describeLab('a lost director', () => {
  let product: Product;
  let heir: Director;
  let old: BackupEnd;
  const on = async (host: string, command: string) => (await product.fleet.exec(host, command)).stdout.trim();

  beforeAll(async () => {
    product = await raiseProduct({
      name: 'adopt',
      hosts: [
        { name: 'app-1', disk: 'btrfs', docker: false },
        { name: 'target', disk: 'ext4', docker: false, store: 'btrfs' },
      ],
      runbook: RUNBOOK,
      prepare: async (fleet) => {
        await fleet.exec('app-1', 'btrfs subvolume create /srv/data && echo precious >/srv/data/file');
      },
    });
    old = await product.backup();
    await product.run(['engine', 'stop']);
    heir = product.other('heir');
  }, 700_000);
  afterAll(() => takeDown(product), 120_000);

  test("its runbook comes from the target's newest backup", async () => {
    const { adminKey, knownHosts, hosts } = product.fleet;
    const at = hosts.find(({ name }) => name === 'target')?.address ?? '';
    const found = `${product.runbookFile}.found`;
    const access = ['--key', adminKey, '--known-hosts', knownHosts];
    const { stdout } = await heir.run(['adopt', '--target', at, ...access], { env: { RESURGO_RUNBOOK: found } });
    expect(stdout).toContain(`backup ${old.id} of portal`);
    expect(readFileSync(found, 'utf8')).toBe(readFileSync(product.runbookFile, 'utf8'));
  });

  test('it can not take the hosts by the way, only by --take-over', async () => {
    await expect(heir.enroll()).rejects.toThrow(/another director is enrolled here.*--take-over/s);
    await heir.enroll(undefined, true);
    expect((await product.run(['doctor'], { allow: [1] })).stdout).toMatch(/app-1/);
  });

  test("S19 a backup of the old director's key is shown as unknown, and not restored", async () => {
    expect((await heir.run(['list'])).stdout).toMatch(new RegExp(`${old.id}.*signed by the unknown key`));
    const unknown = /signed by a key that this director does not know.*resurgo adopt/s;
    expect((await heir.run(['restore', old.id, '--plan-only'], { allow: [1] })).stderr).toMatch(unknown);
    // More than a plan waits: once it is adopted, a retry goes on.
    const { stdout, stderr } = await heir.run(['restore', old.id], { allow: [3] });
    expect(stdout + stderr).toMatch(unknown);
    const run = /run (r[0-9a-z-]+)/.exec(stdout)?.[1] ?? '';
    await heir.run(['abort', run]);
    await heir.ended(run, [1]);
    expect(await on('app-1', 'cat /srv/data/file')).toBe('precious');
  });

  test('S19 adopted by its typed key, it comes back; its own backups are added to the same store', async () => {
    const { events } = await heir.run(['adopt', '--json'], { allow: [3] });
    const key = /"publicKeyHex":"([0-9a-f]{64})"/.exec(JSON.stringify(events))?.[1] ?? '';
    await heir.run(['adopt', '--approve', key.slice(0, 12)]);
    await on('app-1', 'rm /srv/data/file && echo junk >/srv/data/junk');
    await heir.restore([old.id]);
    expect(await on('app-1', 'cat /srv/data/file; ls /srv/data')).toBe('precious\nfile');
    const fresh = await heir.backup();
    const { stdout } = await heir.run(['list']);
    expect(stdout).toContain(old.id);
    expect(stdout).toContain(fresh.id);
    expect(stdout).not.toMatch(/unknown key/);
  });
});
