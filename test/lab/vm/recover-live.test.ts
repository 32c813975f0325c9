/** From bare metal without our media: a rescue Linux of somebody else's make, which runs from memory; then with nothing of the first director. */
import { existsSync, renameSync, rmSync } from 'node:fs';
import { describeLab } from '../support/describe-lab';
import { takeDown } from '../support/product';
import { biosExt4 } from './support/layouts';
import { Recovery } from './support/recovery';
import type { Portrait } from './support/recovery';

jest.setTimeout(3_600_000);

const HEIR = /^(?:gone|come): \.\/resurgo\/director\.keys /;

describeLab('a recovery by a running rescue Linux', () => {
  let recovery: Recovery;
  let before: Portrait;
  beforeAll(async () => {
    recovery = await Recovery.raise({ name: 'vmlive', layout: biosExt4, number: 152 });
    before = await recovery.portrait();
    await recovery.backup();
  });
  afterAll(() => takeDown(recovery.product), 300_000);

  /** Onto blank disks; what differs then. */
  async function recovered(): Promise<string[]> {
    const live = await recovery.replace({ medium: 'live', disks: biosExt4.disks });
    await live.answers();
    const { stdout } = await live.ssh('ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub');
    const [, fingerprint = ''] = stdout.split(' ');
    const ended = await recovery.recover(live, ['--live', '--fingerprint', fingerprint]);
    expect(ended.state).toBe('Completed');
    await recovery.server.answers();
    return recovery.differences(before, await recovery.portrait());
  }

  test('gets the hostkit sent along, and brings the machine back as it was', async () => {
    expect(await recovered()).toEqual([]);
  });

  test('brings it back for a new director too, with nothing of the first one but what lies in the backups', async () => {
    const { product } = recovery;
    const { fleet, runbookFile } = product;
    await product.run(['engine', 'stop']);
    rmSync(product.stateDir, { recursive: true });
    rmSync(runbookFile);
    const heir = product.other('heir');
    const target = fleet.hosts.find(({ name }) => name === 'target')?.address ?? '';
    const access = ['--key', fleet.adminKey, '--known-hosts', fleet.knownHosts];
    const found = `${runbookFile}.found`;
    await heir.run(['adopt', '--target', target, ...access], { env: { RESURGO_RUNBOOK: found } });
    renameSync(found, runbookFile);
    await heir.run(['enroll', 'target', '--take-over', ...access]);
    const { events } = await heir.run(['adopt', '--json'], { allow: [3] });
    const key = /"publicKeyHex":"([0-9a-f]{64})"/.exec(JSON.stringify(events))?.[1] ?? '';
    await heir.run(['adopt', '--approve', key.slice(0, 12)]);
    recovery.director = heir;
    const differences = await recovered();
    // It lets in the director that recovered it.
    expect(differences.filter((line) => !HEIR.test(line))).toEqual([]);
    expect(differences).toHaveLength(2);
    expect(existsSync(product.stateDir)).toBe(false);
  });
});
