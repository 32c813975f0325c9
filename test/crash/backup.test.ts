/** A worker killed in each step of a backup: another goes on, and the run ends as if nothing had happened. */
import type { BackupReport } from '../../workflows/backup';
import { describeLab } from '../lab/support/describe-lab';
import { Matrix } from './support/choice';
import { APPS, CrashLab, nextSecond } from './support/crash-lab';
import { expectGoodBackup } from './support/expect-backup';
import { HOOK } from './support/lab-runbook';
import type { Run } from './support/run';

jest.setTimeout(240_000);

interface Case {
  /** What the kill is aimed at. */
  name: string;
  activity: string;
  host: string;
  /** Where the host is held (points.ts), so that the kill meets the step. */
  point: string;
  /** The calls of its hooks; default one before and one after the freeze. */
  hooks?: string[];
}

const HOOKS = ['before', 'after'];
/** What a host was asked for it does, whoever has died meanwhile; whether it did nobody knows, so a hook is called again. */
const AGAIN = ['before', 'before', 'after'];

const cases: Case[] = [
  { name: 'lease taken, not answered', activity: 'takeLease', host: 'target', point: 'lease.take.reply' },
  { name: 'one fence raised, not answered', activity: 'raiseFences', host: 'app-2', point: 'lease.take.reply' },
  { name: 'looking at the hosts', activity: 'checkHosts', host: 'app-1', point: 'check' },
  { name: 'reading the store', activity: 'readStore', host: 'target', point: 'store.list' },
  { name: 'opening the store', activity: 'openStore', host: 'target', point: 'job.store-open' },
  { name: 'the store open, not told', activity: 'openStore', host: 'target', point: 'job.store-open.end' },
  { name: 'looking at the layouts', activity: 'captureLayouts', host: 'app-1', point: 'layout' },
  { name: 'a layout put, not answered', activity: 'captureLayouts', host: 'target', point: 'store.layout.put.reply' },
  { name: 'a hook asked for, not begun', activity: 'runHooks', host: 'app-1', point: 'hook', hooks: AGAIN },
  { name: 'a hook done, not answered', activity: 'runHooks', host: 'app-1', point: 'hook.reply', hooks: AGAIN },
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
    lab = await CrashLab.raise('crash-b', { hooks: true });
  }, 700_000);
  afterEach(() => CrashLab.settleAll(), 60_000);
  afterAll(() => CrashLab.endAll(), 120_000);

  const matrix = new Matrix();
  for (const { name, ...at } of cases) matrix.add(`in ${at.activity}: ${name}`, () => killedIn(at));
  matrix.add('in runHooks: the hook after the freeze done, not answered', killedInHookAfter);
  for (const [activity, point] of [
    ['thawAll', 'thaw'],
    ['closeGrants', 'grant.close'],
  ] as const)
    matrix.add(`in ${activity}, while a cancelled run is taken back`, () => killedTakingBack({ activity, point }));
  matrix.add('in copySource, in the middle of a file: the same copy goes on', killedInTheMiddle);
  matrix.register();

  async function killedIn({ activity, host, point, hooks = HOOKS }: Omit<Case, 'name'>): Promise<void> {
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
    expect(await hooksOf(run)).toEqual(hooks);
  }

  async function killedInHookAfter(): Promise<void> {
    await nextSecond();
    const before = await lab.backups();
    const worker = lab.director.startWorker();
    await lab.points.hold('app-2', 'freeze.thawed');
    const run = await lab.startBackup();
    await lab.points.reached('app-2', 'freeze.thawed');
    await lab.points.hold('app-1', 'hook.reply');
    await lab.points.release('app-2');
    await lab.points.reached('app-1', 'hook.reply');
    await run.inStep('runHooks');
    await worker.kill();
    await lab.points.release('app-1');
    lab.director.startWorker();
    await expectGoodBackup({ lab, run, report: await run.result<BackupReport>(), before });
    expect((await run.attempts()).get('runHooks')).toBe(2);
    expect(await hooksOf(run)).toEqual(['before', 'after', 'after']);
  }

  /** A run that is cancelled while it copies, and whose worker dies while what it did is undone. */
  async function killedTakingBack({ activity, point }: { activity: string; point: string }): Promise<void> {
    await nextSecond();
    const before = await lab.backups();
    const worker = lab.director.startWorker();
    await lab.points.hold('app-1', 'job.send');
    const run = await lab.startBackup();
    await lab.points.reached('app-1', 'job.send');
    await lab.points.hold('app-1', point);
    await run.handle.cancel();
    await lab.points.reached('app-1', point);
    await run.inStep(activity);
    await worker.kill();
    await lab.points.release('app-1');
    lab.director.startWorker();
    await expect(run.result()).rejects.toThrow(/cancelled/);
    expect((await run.attempts()).get(activity)).toBe(2);
    expect(await lab.backups()).toEqual(before);
    expect([await lab.leftovers(), await lab.remains(), await lab.silent()]).toEqual([[], [], []]);
    expect(await hooksOf(run)).toEqual(HOOKS);
  }

  /** What the run's hook was called for, in order. */
  async function hooksOf(run: Run): Promise<string[]> {
    const { stdout } = await lab.fleet.exec(APPS[0], `sed -n 's/ ${run.id}$//p' ${HOOK.calls}`);
    return stdout.split('\n').filter((line) => line !== '');
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
