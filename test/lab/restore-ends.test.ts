/** Where a restore may go and how it may end: into folders, the store's own host among them; and cut off by a terminate from outside. */
import { connectEngine } from '../../workers/engine';
import { describeLab } from './support/describe-lab';
import { eventually, hostLines, type Product, raiseProduct, takeDown } from './support/product';

const HOSTS = [
  { name: 'app-1', disk: 'btrfs', docker: true },
  { name: 'target', disk: 'ext4', docker: false, store: 'btrfs' },
] as const;
const TREE = 'app-1@+srv+data';

describeLab('where a restore ends', () => {
  let product: Product;
  const on = (host: string, command: string) => product.fleet.exec(host, command).then(({ stdout }) => stdout);
  const runsNow = () => on('app-1', "docker ps --format '{{.Names}}'");
  const kept = async (run: string) =>
    (await product.run(['snapshots', 'portal'])).stdout.includes(`safety snapshot of restore ${run}`);
  const leases = async () => (await product.leftovers('portal')).filter((each) => each.includes(' leases '));

  beforeAll(async () => {
    product = await raiseProduct({
      name: 'restore-ends',
      hosts: HOSTS,
      runbook: (fleet) => `version: 1
${hostLines(fleet)}
stores:
  main: { host: target, kind: btrfs, place: /backup }
groups:
  portal: { target: main, sources: [{ host: app-1, path: /srv/data, name: data, snapshot: btrfs }] }
`,
      prepare: async (fleet) => {
        await fleet.exec(
          'app-1',
          `set -e; btrfs subvolume create /srv/data >/dev/null; head -c 6000000 /dev/urandom >/srv/data/big; echo one >/srv/data/one
           docker run -d --restart always --name web -v /srv/data:/data bb:1 sleep 100000`,
        );
        await fleet.exec('target', 'mkdir /var/restore; echo mine >/var/restore/afile');
      },
    });
    await product.run(['engine', 'start'], { env: { RESURGO_SWEEP_EVERY: '0' } });
    await product.backup();
  }, 300_000);
  afterAll(() => takeDown(product), 120_000);

  test('into a folder of the host that holds the store; what lies there already is told before it is overwritten', async () => {
    const to = ['latest', 'portal', '--to', 'target:/var/restore/x'];
    const { plan: first } = await product.restore(to);
    expect(JSON.stringify(first)).toContain('"warnings":[]');
    const sum = 'sha256sum <';
    expect(await on('target', `${sum}/var/restore/x/${TREE}/big`)).toBe(await on('app-1', `${sum}/srv/data/big`));
    const planned = await product.run(['restore', ...to, '--plan-only']);
    expect(planned.stdout).toContain(
      `warning: target:/var/restore/x/${TREE}: exists and is not empty; files of the same names are overwritten, others stay`,
    );
  }, 120_000);

  test('a file where a folder should be makes the plan impossible, and keeps the group from nobody', async () => {
    const to = ['--to', 'target:/var/restore/afile', '--plan-only'];
    const said = await product.run(['restore', 'latest', 'portal', ...to], { allow: [1] });
    expect(said.stdout).toMatch(/NOT POSSIBLE: .*\/var\/restore\/afile is no folder; name a folder/);
    expect(said.stdout + said.stderr).not.toMatch(/enroll|runbook/);
    expect(await leases()).toEqual([]);
    expect(await on('target', 'cat /var/restore/afile')).toBe('mine\n');
    expect((await product.backup()).state).toBe('Completed');
  }, 120_000);

  /** A restore in place that is terminated while it writes. */
  async function terminated(): Promise<string> {
    await on('app-1', 'head -c 6000000 /dev/urandom >/srv/data/big');
    const { run, hash } = await product.plan(['latest', 'portal']);
    await product.fleet.limitRate('app-1', 1_000);
    await product.run(['approve', run, hash.slice(0, 12)]);
    await eventually('the safety snapshot is there', () => kept(run), 60_000);
    const { client, connection } = await connectEngine({ stateDir: product.stateDir, worker: false });
    try {
      await client.workflow.getHandle(`restore/portal/${run}`).terminate('from outside');
    } finally {
      await connection.close();
    }
    await product.fleet.limitRate('app-1', 0);
    return run;
  }

  test('S8 S21 a terminated restore: every way to its group says what frees it, doctor --fix does, and the rest stays as it is', async () => {
    const run = await terminated();
    const way = new RegExp(`held by run ${run}.*resurgo doctor portal --fix`, 's');
    expect((await product.run(['start', 'portal', '--as-it-is'], { allow: [1] })).stderr).toMatch(way);
    expect((await product.run(['backup', 'portal'], { allow: [1] })).stderr).toMatch(way);
    // Exit 1: a group that is half restored is to be mended before its next backup.
    expect((await product.run(['doctor', 'portal'], { allow: [1] })).stdout).toMatch(
      new RegExp(`WARN +target .*still held by run ${run}, which has ended`),
    );
    await product.run(['doctor', 'portal', '--fix'], { allow: [1] });
    expect(await leases()).toEqual([]);
    expect([await kept(run), await runsNow()]).toEqual([true, '']);
    expect((await product.run(['start', 'portal'], { allow: [1] })).stdout).toContain('--as-it-is');
    await product.run(['start', 'portal', '--as-it-is']);
    expect(await runsNow()).toBe('web\n');
    expect(await kept(run)).toBe(true);
  }, 300_000);

  test('S8 S21 the worker frees the group of a terminated restore by itself, and leaves the rest to the next restore', async () => {
    await product.run(['engine', 'stop']);
    await product.run(['engine', 'start'], { env: { RESURGO_SWEEP_EVERY: '2', RESURGO_SWEEP_AFTER: '4' } });
    const run = await terminated();
    await eventually('the group is free', async () => (await leases()).length === 0, 60_000);
    expect([await kept(run), await runsNow()]).toEqual([true, '']);
    await product.restore(['latest', 'portal']);
    expect(await runsNow()).toBe('web\n');
    expect(await on('app-1', 'cat /srv/data/one')).toBe('one\n');
    expect(await kept(run)).toBe(true);
  }, 300_000);
});
