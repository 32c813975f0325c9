/** A worker killed in each step of a backup: another goes on, and the run ends as if nothing had happened. */
import type { BackupReport } from '../../workflows/backup';
import { describeLab } from '../lab/support/describe-lab';
import { Matrix } from './support/choice';
import { APPS, CrashLab, nextSecond } from './support/crash-lab';
import { expectGoodBackup } from './support/expect-backup';

jest.setTimeout(240_000);

interface Case {
  /** What the kill is aimed at. */
  name: string;
  activity: string;
  host: string;
  /** Where the host is held (points.ts), so that the kill meets the step. */
  point: string;
}

const cases: Case[] = [
  { name: 'lease taken, not answered', activity: 'takeLease', host: 'target', point: 'lease.take.reply' },
  { name: 'one fence raised, not answered', activity: 'raiseFences', host: 'app-2', point: 'lease.take.reply' },
  { name: 'looking at the hosts', activity: 'checkHosts', host: 'app-1', point: 'check' },
  { name: 'reading the store', activity: 'readStore', host: 'target', point: 'store.list' },
  { name: 'opening the store', activity: 'openStore', host: 'target', point: 'job.store-open' },
  { name: 'the store open, not told', activity: 'openStore', host: 'target', point: 'job.store-open.end' },
  { name: 'S2 armed, before the pause', activity: 'freeze', host: 'app-1', point: 'freeze.armed' },
  { name: 'S2 paused, before the snapshot', activity: 'freeze', host: 'app-1', point: 'freeze.paused' },
  { name: 'S1 snapshotted, before the thaw', activity: 'freeze', host: 'app-2', point: 'freeze.snapshotted' },
  { name: 'thawed, not answered', activity: 'freeze', host: 'app-1', point: 'freeze.thawed' },
  { name: 'the grant given, not answered', activity: 'copySource', host: 'target', point: 'grant.add.reply' },
  { name: 'comparing', activity: 'copySource', host: 'target', point: 'job.store-compare' },
  { name: 'S17 before the seal', activity: 'sealBackup', host: 'target', point: 'job.store-seal' },
  { name: 'S17 sealed, not told', activity: 'sealBackup', host: 'target', point: 'job.store-seal.end' },
  { name: 'snapshots dropped, not answered', activity: 'dropSnapshots', host: 'app-2', point: 'snapshot.drop.reply' },
  { name: 'the run forgotten, not answered', activity: 'forgetRun', host: 'target', point: 'job.forget.reply' },
  { name: 'the lease given back, not answered', activity: 'releaseLease', host: 'app-1', point: 'lease.release.reply' },
];

describeLab('a backup whose worker is killed', () => {
  let lab: CrashLab;
  beforeAll(async () => {
    lab = await CrashLab.raise('crash-b');
  }, 700_000);
  afterEach(() => CrashLab.settleAll(), 60_000);
  afterAll(() => CrashLab.endAll(), 120_000);

  const matrix = new Matrix();
  for (const { name, ...at } of cases) matrix.add(`in ${at.activity}: ${name}`, () => killedIn(at));
  matrix.add('in copySource, in the middle of a file: the same copy goes on', killedInTheMiddle);
  matrix.register();

  async function killedIn({ activity, host, point }: Omit<Case, 'name'>): Promise<void> {
    await nextSecond();
    const before = await lab.backups();
    const worker = lab.director.startWorker();
    await lab.points.hold(host, point);
    const run = await lab.startBackup();
    await lab.points.reached(host, point);
    await run.inStep(activity);
    await worker.kill();
    await lab.points.release(host);
    lab.director.startWorker();
    const report = await run.result<BackupReport>();
    await expectGoodBackup({ lab, run, report, before });
    expect((await run.attempts()).get(activity)).toBe(2);
  }

  async function killedInTheMiddle(): Promise<void> {
    await nextSecond();
    const before = await lab.backups();
    await lab.addFile('app-1', 24);
    const worker = lab.director.startWorker();
    await lab.fleet.limitRate('app-1', 6_000);
    const run = await lab.startBackup();
    await run.inStep('copySource');
    await lab.receiving('app-1', 2_000);
    const copying = await jobOf(run.id);
    expect(copying).toMatch(/^\d+ \d+ /);
    await worker.kill();
    lab.director.startWorker();
    await run.inStep('copySource', { attempt: 2 });
    expect(await jobOf(run.id)).toBe(copying);
    await lab.fleet.limitRate('app-1', 0);
    const report = await run.result<BackupReport>();
    await expectGoodBackup({ lab, run, report, before });
    expect((await run.attempts()).get('copySource')).toBe(2);
  }

  /** Pid, start time and boot of the copy that runs on app-1. */
  async function jobOf(run: string): Promise<string> {
    const { stdout } = await lab.fleet.exec(
      APPS[0],
      `cd /var/lib/resurgo/jobs && for job in ${run}.send.*; do [ -e $job/exit ] || cat $job/pid; done`,
    );
    return stdout;
  }
});
