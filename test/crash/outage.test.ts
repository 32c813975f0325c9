/** What a backup and a restore go through besides their worker's death: the server's, cut cables, power cuts, and a worker that only Temporal takes for dead. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { StoreEntry } from '../../hosts/backups';
import type { BackupReport } from '../../workflows/backup';
import type { RestoreReport } from '../../workflows/restore';
import { describeLab } from '../lab/support/describe-lab';
import { until } from '../workers/fixtures/engine';
import { Matrix } from './support/choice';
import { CrashLab, nextSecond } from './support/crash-lab';
import { expectGoodBackup } from './support/expect-backup';
import { expectGoodRestore } from './support/expect-restore';
import { attend } from './support/operator';
import { cutPower, powerOn } from './support/power';
import type { Run } from './support/run';

jest.setTimeout(300_000);

/** How long a cable is out, ms. */
const OUT_MS = 20_000;
/** How long a host is without power before it boots, ms. */
const DARK_MS = 3_000;

interface Place {
  name: string;
  host: string;
  point: string;
}
const places: Place[] = [
  { name: 'S2 everything paused', host: 'app-1', point: 'freeze.paused' },
  { name: 'a copy begins', host: 'app-1', point: 'job.send' },
  { name: 'opening the store', host: 'target', point: 'job.store-open' },
  { name: 'S17 sealing', host: 'target', point: 'job.store-seal' },
  { name: 'snapshots going', host: 'app-1', point: 'snapshot.drop' },
];

const restorePlaces: Place[] = [
  { name: 'S21 stopped, not answered', host: 'app-1', point: 'restore.stop.reply' },
  { name: 'S21 the data on its way', host: 'target', point: 'job.restore-send' },
  { name: 'S21 verifying', host: 'app-2', point: 'job.restore-verify' },
  { name: 'before a start', host: 'app-1', point: 'restore.start' },
];

/** Where power fails, besides the middle of a file. */
const powerPlaces: Place[] = [
  { name: 'S2 everything paused', host: 'app-1', point: 'freeze.paused' },
  { name: 'S1 snapshotted, before the thaw', host: 'app-2', point: 'freeze.snapshotted' },
  { name: 'a copy begins', host: 'app-1', point: 'job.send' },
  { name: 'S17 sealing', host: 'target', point: 'job.store-seal' },
];
const powerRestorePlaces: Place[] = [
  { name: 'S21 stopped, not answered', host: 'app-1', point: 'restore.stop.reply' },
  { name: 'S21 verifying', host: 'app-2', point: 'job.restore-verify' },
];

describeLab('a run in an outage', () => {
  let lab: CrashLab;
  beforeAll(async () => {
    lab = await CrashLab.raise('crash-o');
  }, 700_000);
  afterEach(() => CrashLab.settleAll(), 60_000);
  afterAll(() => CrashLab.endAll(), 120_000);

  async function heldAt({ host, point }: Place): Promise<{ run: Run; before: StoreEntry[] }> {
    await nextSecond();
    const before = await lab.backups();
    await lab.points.hold(host, point);
    const run = await lab.startBackup();
    await lab.points.reached(host, point);
    return { run, before };
  }

  /** A restore, approved, of a backup made just before; its hosts have lost files since. */
  async function restoreHeldAt(place: Place): Promise<{ run: Run; id: string }> {
    await nextSecond();
    await lab.addFile('app-1', 16);
    const { id } = await (await lab.startBackup()).result<BackupReport>();
    await lab.spoil();
    const run = await lab.startRestore(id);
    const hash = await run.approvable();
    await lab.approveUntil({ run, hash, at: place });
    return { run, id };
  }

  const matrix = new Matrix();
  for (const place of restorePlaces) {
    matrix.add(`the server killed in a restore, ${place.name}`, () => serverKilledInRestore(place));
    matrix.add(`the cable between director and host out for 20 s in a restore, ${place.name}`, () =>
      hostCutOffInRestore(place),
    );
  }
  matrix.add('the cable between source and target out for 20 s while a file comes back', sourceCutOffInRestore);
  for (const place of places) {
    matrix.add(`the server killed, ${place.name}: the run goes on from its file`, () => serverKilled(place));
    matrix.add(`the cable between director and host out for 20 s, ${place.name}`, () => hostCutOff(place));
  }
  matrix.add('server and worker killed together while a copy runs: the same copy goes on', bothKilled);
  matrix.add('the cable between source and target out for 20 s while a file is copied', sourceCutOff);
  for (const place of powerPlaces)
    matrix.add(`the power of ${place.host} cut, ${place.name}: it boots, and the run goes on`, () => powerCut(place));
  for (const place of powerRestorePlaces)
    matrix.add(`the power of ${place.host} cut in a restore, ${place.name}: nothing starts by the boot`, () =>
      powerCutInRestore(place),
    );
  matrix.add('the power of a source cut while a file is copied', powerCutInTheMiddle);
  matrix.add('S21 the power of a destination cut while a file comes back', powerCutWhileItComesBack);
  matrix.add('S3 a worker cut off from Temporal but not from the hosts does nothing under its successor', workerCutOff);
  matrix.add('S3 a worker cut off from Temporal in a restore does nothing under its successor', workerCutOffInRestore);
  matrix.register();

  async function serverKilled(place: Place): Promise<void> {
    lab.director.startWorker();
    const { run, before } = await heldAt(place);
    await lab.director.killServer();
    await lab.points.release(place.host);
    await sleep(3_000);
    await lab.director.startServer();
    await expectGoodBackup({ lab, run, report: await run.result<BackupReport>(), before });
  }

  async function serverKilledInRestore(place: Place): Promise<void> {
    lab.director.startWorker();
    const { run, id } = await restoreHeldAt(place);
    await lab.director.killServer();
    await lab.points.release(place.host);
    await sleep(3_000);
    await lab.director.startServer();
    await expectGoodRestore({ lab, run, report: await run.result<RestoreReport>(), id });
  }

  async function hostCutOffInRestore(place: Place): Promise<void> {
    lab.director.startWorker();
    const { run, id } = await restoreHeldAt(place);
    await lab.fleet.cut('director', place.host);
    await lab.points.release(place.host);
    await sleep(OUT_MS);
    await lab.fleet.heal('director', place.host);
    await expectGoodRestore({ lab, run, report: await run.result<RestoreReport>(), id });
  }

  async function sourceCutOffInRestore(): Promise<void> {
    lab.director.startWorker();
    const { run, id } = await restoreHeldAt({ name: '', host: 'target', point: 'job.restore-send' });
    await lab.fleet.limitRate('app-1', 8_000);
    const from = await lab.used('app-1');
    await lab.points.release('target');
    await until('the file comes back', async () => (await lab.used('app-1')) > from + 2_000, 60_000);
    await lab.fleet.cut('app-1', 'target');
    await sleep(OUT_MS);
    await lab.fleet.heal('app-1', 'target');
    await lab.fleet.limitRate('app-1', 0);
    const report = await run.result<RestoreReport>();
    await expectGoodRestore({ lab, run, report, id, sendsAgain: true });
  }

  async function bothKilled(): Promise<void> {
    lab.director.startWorker();
    const { run, before } = await heldAt({ name: '', host: 'app-2', point: 'job.send' });
    await Promise.all([lab.director.killServer(), lab.director.killWorkers()]);
    await lab.points.release('app-2');
    await lab.director.startServer();
    lab.director.startWorker();
    await expectGoodBackup({ lab, run, report: await run.result<BackupReport>(), before });
  }

  async function hostCutOff(place: Place): Promise<void> {
    lab.director.startWorker();
    const { run, before } = await heldAt(place);
    await lab.fleet.cut('director', place.host);
    await lab.points.release(place.host);
    await sleep(OUT_MS);
    await lab.fleet.heal('director', place.host);
    await expectGoodBackup({ lab, run, report: await run.result<BackupReport>(), before });
  }

  async function sourceCutOff(): Promise<void> {
    await nextSecond();
    const before = await lab.backups();
    await lab.addFile('app-1', 16, 'on-its-way');
    lab.director.startWorker();
    await lab.fleet.limitRate('app-1', 8_000);
    const run = await lab.startBackup();
    await run.inStep('copySource');
    await lab.receiving('app-1', 2_000);
    await lab.fleet.cut('app-1', 'target');
    await sleep(OUT_MS);
    await lab.fleet.heal('app-1', 'target');
    await lab.fleet.limitRate('app-1', 0);
    const report = await run.result<BackupReport>();
    await expectGoodBackup({ lab, run, report, before, sendsAgain: true });
  }

  async function outOfPower(host: string): Promise<void> {
    await cutPower(lab.fleet, host);
    await sleep(DARK_MS);
    await powerOn(lab.fleet, host);
  }

  /** It may have to wait for a person meanwhile, who has the step tried again. */
  async function completed<T>(run: Run): Promise<T> {
    expect(await attend(run)).toMatchObject({ outcome: 'Completed' });
    expect(await lab.remains()).toEqual([]);
    return run.result<T>();
  }

  async function powerCut(place: Place): Promise<void> {
    lab.director.startWorker();
    const { run, before } = await heldAt(place);
    await outOfPower(place.host);
    await lab.points.release(place.host);
    const report = await completed<BackupReport>(run);
    // What runs on a host dies with it, and is begun again.
    await expectGoodBackup({ lab, run, report, before, sendsAgain: place.point.startsWith('job.') });
  }

  async function powerCutInTheMiddle(): Promise<void> {
    await nextSecond();
    const before = await lab.backups();
    await lab.addFile('app-1', 16, 'when-the-power-fails');
    lab.director.startWorker();
    await lab.fleet.limitRate('app-1', 8_000);
    const run = await lab.startBackup();
    await run.inStep('copySource');
    await lab.receiving('app-1', 2_000);
    await outOfPower('app-1');
    await expectGoodBackup({ lab, run, report: await completed(run), before, sendsAgain: true });
  }

  async function powerCutInRestore(place: Place): Promise<void> {
    lab.director.startWorker();
    const { run, id } = await restoreHeldAt(place);
    await stoppedOverABoot(place.host);
    await expectGoodRestore({ lab, run, report: await completed(run), id, sendsAgain: true });
  }

  async function powerCutWhileItComesBack(): Promise<void> {
    lab.director.startWorker();
    const { run, id } = await restoreHeldAt({ name: '', host: 'target', point: 'job.restore-send' });
    await lab.fleet.limitRate('app-1', 8_000);
    const from = await lab.used('app-1');
    await lab.points.release('target');
    await until('the file comes back', async () => (await lab.used('app-1')) > from + 2_000, 60_000);
    await stoppedOverABoot('app-1');
    await expectGoodRestore({ lab, run, report: await completed(run), id, sendsAgain: true });
  }

  /** Boots a host in the middle of a restore: until the run itself starts them, its containers stand still (S21). */
  async function stoppedOverABoot(host: string): Promise<void> {
    await lab.points.hold(host, 'restore.start');
    await outOfPower(host);
    expect((await lab.fleet.exec(host, "docker ps --format '{{.Names}}'")).stdout).toBe('');
    await lab.points.release(host);
  }

  interface Asked {
    run: Run;
    host: string;
    verb: string;
  }
  async function isFenced({ run, host, verb }: Asked): Promise<boolean> {
    const trace = await lab.points.trace(host, run.id);
    return trace.some(({ point, detail }) => point === `fail.${verb}` && detail === 'fenced');
  }
  const refusedAsFenced = (asked: Asked) => until(`${asked.verb} is refused as fenced`, () => isFenced(asked), 60_000);

  async function workerCutOff(): Promise<void> {
    const first = lab.director.startWorker();
    const { run, before } = await heldAt({ name: '', host: 'app-1', point: 'freeze.paused' });
    await run.inStep('freeze');
    first.stop();
    // It holds its sessions and the pause; for Temporal it dies of its heartbeats.
    await lab.points.release('app-1');
    await lab.points.hold('app-2', 'freeze.snapshotted');
    lab.director.startWorker();
    // Its open polls may be handed the next attempts too, so how many there are is not ours to say.
    await lab.points.reached('app-2', 'freeze.snapshotted', 120_000);
    // Between its successor's snapshots it wakes, finds its sessions lost, and wants to drop what it had.
    first.goOn();
    await refusedAsFenced({ run, host: 'app-1', verb: 'snapshot.drop' });
    await lab.points.release('app-2');
    await expectGoodBackup({ lab, run, report: await run.result<BackupReport>(), before });
    expect((await run.attempts()).get('freeze')).toBeGreaterThanOrEqual(2);
  }

  async function workerCutOffInRestore(): Promise<void> {
    const first = lab.director.startWorker();
    const { run, id } = await restoreHeldAt({ name: '', host: 'app-1', point: 'grant.key.reply' });
    await run.inStep('restoreSource');
    first.stop();
    await lab.points.release('app-1');
    await lab.points.hold('app-1', 'job.restore-verify');
    lab.director.startWorker();
    await lab.points.reached('app-1', 'job.restore-verify', 120_000);
    const at = async (host: string, point: string): Promise<number> =>
      (await lab.points.trace(host, run.id)).filter((each) => each.point === point).length;
    await until('app-2 has its grant too', async () => (await at('app-2', 'job.restore-verify')) > 0, 60_000);
    const granted = await at('target', 'grant.add');
    // It wakes with the key for which it had asked, and wants it granted; or Temporal tells it first that its attempt is over, and it asks nothing.
    first.goOn();
    const asked = { run, host: 'target', verb: 'grant.add' };
    for (const end = Date.now() + 20_000; Date.now() < end && !(await isFenced(asked));) await sleep(200);
    expect(await at('target', 'grant.add')).toBe(granted);
    await lab.points.release('app-1');
    await expectGoodRestore({ lab, run, report: await run.result<RestoreReport>(), id });
    expect((await run.attempts()).get('restoreSource')).toBeGreaterThanOrEqual(2);
  }
});
