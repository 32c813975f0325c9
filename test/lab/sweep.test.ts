/** What the dead leave behind: a run that was terminated from outside, and a director that died in the middle of a copy. */
import { z } from 'zod';
import { connectEngine } from '../../workers/engine';
import { describeLab } from './support/describe-lab';
import { type Director, eventually, hostLines, type Product, raiseProduct, takeDown } from './support/product';

const HOSTS = [
  { name: 'app-1', disk: 'btrfs', docker: false },
  { name: 'target', disk: 'ext4', docker: false, store: 'btrfs' },
] as const;
/** Often, so that a test need not wait; a run is left alone for 4 s after its end. */
const SWEEPING = { RESURGO_SWEEP_EVERY: '2', RESURGO_SWEEP_AFTER: '4' };
const engineState = z.looseObject({ worker: z.looseObject({ pid: z.number() }) });

describeLab('what the dead leave', () => {
  let product: Product;

  beforeAll(async () => {
    product = await raiseProduct({
      name: 'sweep',
      hosts: HOSTS,
      runbook: (fleet) => `version: 1
${hostLines(fleet)}
stores:
  main: { host: target, kind: btrfs, place: /backup }
groups:
${['dying', 'living', 'orphan'].map((group) => `  ${group}: { target: main, quiesce: { containers: none }, sources: [{ host: app-1, path: /srv/${group}, name: data, snapshot: btrfs }] }`).join('\n')}
`,
      prepare: async (fleet) => {
        for (const group of ['dying', 'living', 'orphan'])
          await fleet.exec(
            'app-1',
            `btrfs subvolume create /srv/${group} && head -c 12000000 /dev/urandom >/srv/${group}/big`,
          );
      },
    });
    await product.run(['engine', 'start'], { env: SWEEPING });
  }, 300_000);
  afterAll(() => takeDown(product), 120_000);

  const kinds = async (group: string) =>
    (await product.leftovers(group)).map((each) => each.split(' ').slice(0, 2).join(' '));
  const copies = (group: string) =>
    eventually(
      `${group} copies`,
      async () => {
        const found = await kinds(group);
        return ['app-1 snapshots', 'app-1 jobs', 'target grants'].every((each) => found.includes(each));
      },
      60_000,
    );

  test('S8 the worker sweeps a terminated run by itself, and leaves a living one alone', async () => {
    await product.fleet.limitRate('app-1', 1500);
    const living = await product.detached(['backup', 'living']);
    const dying = await product.detached(['backup', 'dying']);
    await Promise.all([copies('living'), copies('dying')]);
    const { client, connection } = await connectEngine({ stateDir: product.stateDir, worker: false });
    try {
      await client.workflow.getHandle(`backup/dying/${dying}`).terminate('from outside');
    } finally {
      await connection.close();
    }
    await eventually('nothing is left of the terminated run', async () => (await kinds('dying')).length === 0, 60_000);
    expect(await kinds('living')).toEqual(expect.arrayContaining(['app-1 snapshots', 'app-1 jobs', 'target grants']));
    await product.fleet.limitRate('app-1', 0);
    expect((await product.ended(living)).stdout).toMatch(/Completed/);
    // The group is free at once: nobody waits for the dead run's lease.
    expect((await product.backup(['dying'])).state).toBe('Completed');
    expect(await kinds('living')).toEqual([]);
  }, 240_000);

  test('S4 a new director takes over from one that died in the middle of a copy, and its sweep clears what that one left', async () => {
    await product.fleet.limitRate('app-1', 1500);
    const run = await product.detached(['backup', 'orphan']);
    await copies('orphan');
    const { worker } = engineState.parse(JSON.parse((await product.run(['engine', 'status', '--json'])).stdout));
    process.kill(worker.pid, 'SIGKILL');
    await product.run(['engine', 'stop']);
    await product.fleet.limitRate('app-1', 0);

    const heir: Director = product.other('heir');
    await expect(heir.enroll()).rejects.toThrow(/another director is enrolled here/);
    await heir.enroll(undefined, true);
    await heir.run(['engine', 'start'], { env: SWEEPING });
    const refused = await heir.run(['backup', 'orphan'], { allow: [1] });
    expect(refused.stderr).toContain(`group orphan is held by run ${run} of director-`);
    for (const host of ['app-1', 'target']) await outlive(host);
    expect((await heir.backup(['orphan'])).state).toBe('Completed');
    await eventually(
      'nothing is left of the dead director',
      async () => (await heir.leftovers('orphan')).length === 0,
      60_000,
    );
  }, 240_000);

  /** The dead director's lease as it is when its time is over. */
  async function outlive(host: string): Promise<void> {
    const lease = '/var/lib/resurgo/leases/orphan';
    await product.fleet.exec(
      host,
      `read -r term run owner ttl until rest <${lease} && echo "$term $run $owner $ttl 1 $rest" >${lease}`,
    );
  }
});
