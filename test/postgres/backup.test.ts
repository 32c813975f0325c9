/** Backups of real hosts on the production topology, while a worker, the server or PostgreSQL is killed or restarted under them. */
import type { StoreEntry } from '../../hosts/backups';
import type { BackupReport } from '../../workflows/backup';
import { CrashLab, nextSecond } from '../crash/support/crash-lab';
import { expectGoodBackup } from '../crash/support/expect-backup';
import type { Run } from '../crash/support/run';
import { describeLab } from '../lab/support/describe-lab';
import { startProductionTemporal, type ProductionTemporal } from './production';

// The first run builds the server.
jest.setTimeout(20 * 60_000);

interface Place {
  name: string;
  host: string;
  point: string;
}
const copying: Place = { name: 'a copy begins', host: 'app-1', point: 'job.send' };
const places: Place[] = [
  { name: 'everything is paused', host: 'app-1', point: 'freeze.paused' },
  copying,
  { name: 'the backup is sealed', host: 'target', point: 'job.store-seal' },
];

describeLab('a backup on the production server', () => {
  let temporal: ProductionTemporal;
  let lab: CrashLab;
  beforeAll(async () => {
    temporal = await startProductionTemporal();
    lab = await CrashLab.raise('postgres', { server: temporal });
  });
  afterEach(() => lab.settle(), 60_000);
  afterAll(async () => {
    await lab.end();
    await temporal.stop();
  }, 120_000);

  async function heldAt({ host, point }: Place): Promise<{ run: Run; before: StoreEntry[] }> {
    await nextSecond();
    const before = await lab.backups();
    await lab.points.hold(host, point);
    const run = await lab.startBackup();
    await lab.points.reached(host, point);
    return { run, before };
  }

  test('the worker killed while a copy runs: another worker goes on with it', async () => {
    const worker = lab.director.startWorker();
    const { run, before } = await heldAt(copying);
    await worker.kill();
    await lab.points.release(copying.host);
    lab.director.startWorker();
    await expectGoodBackup({ lab, run, report: await run.result<BackupReport>(), before });
    expect((await run.attempts()).get('copySource')).toBe(2);
  });

  test.each(places)('the server killed while $name: the run goes on when it is back', async (place) => {
    lab.director.startWorker();
    const { run, before } = await heldAt(place);
    await temporal.kill();
    await lab.points.release(place.host);
    await temporal.restart();
    await expectGoodBackup({ lab, run, report: await run.result<BackupReport>(), before });
  });

  test.each(places)('PostgreSQL crashed and restarted while $name: the run goes on', async (place) => {
    lab.director.startWorker();
    const { run, before } = await heldAt(place);
    await temporal.restartPostgres('crash');
    await lab.points.release(place.host);
    await expectGoodBackup({ lab, run, report: await run.result<BackupReport>(), before });
  });

  test('server, PostgreSQL and worker all at once while a copy runs: the run goes on', async () => {
    lab.director.startWorker();
    const { run, before } = await heldAt(copying);
    await Promise.all([temporal.kill(), lab.director.killWorkers(), temporal.restartPostgres('crash')]);
    await lab.points.release(copying.host);
    await temporal.restart();
    lab.director.startWorker();
    await expectGoodBackup({ lab, run, report: await run.result<BackupReport>(), before });
  });
});
