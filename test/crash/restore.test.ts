/** A worker killed in each step of a restore: another goes on, nothing starts on half-restored data, and it ends as without the kill. */
import type { BackupReport } from '../../workflows/backup';
import type { RestoreReport } from '../../workflows/restore';
import { describeLab } from '../lab/support/describe-lab';
import { until } from '../workers/fixtures/engine';
import { Matrix } from './support/choice';
import { APPS, CrashLab } from './support/crash-lab';
import { expectGoodRestore } from './support/expect-restore';

jest.setTimeout(240_000);

interface Case {
  name: string;
  activity: string;
  host: string;
  point: string;
  /** Whether the approval was given before the point. */
  approved: boolean;
  /** Whether this host's workloads must stand still while nobody drives the run (S21). */
  stopped?: true;
}

const early = { approved: false };
const late = { approved: true };
const still = { approved: true, stopped: true } as const;
const cases: Case[] = [
  { name: 'reading the backup', activity: 'readBackup', host: 'target', point: 'store.list', ...early },
  { name: 'looking at a destination', activity: 'checkDestination', host: 'app-1', point: 'restore.check', ...early },
  { name: 'counting', activity: 'countRestore', host: 'target', point: 'job.restore-send', ...early },
  { name: 'before a stop', activity: 'stopWorkloads', host: 'app-1', point: 'restore.stop', ...late },
  {
    name: 'S21 stopped, not answered',
    activity: 'stopWorkloads',
    host: 'app-2',
    point: 'restore.stop.reply',
    ...still,
  },
  {
    name: 'S21 before a safety snapshot',
    activity: 'safetySnapshot',
    host: 'app-1',
    point: 'restore.safety',
    ...still,
  },
  {
    name: 'S21 safety taken, not answered',
    activity: 'safetySnapshot',
    host: 'app-2',
    point: 'restore.safety.reply',
    ...still,
  },
  { name: 'S21 before the data', activity: 'restoreSource', host: 'target', point: 'job.restore-send', ...late },
  {
    name: 'S21 the data back, not told',
    activity: 'restoreSource',
    host: 'target',
    point: 'job.restore-send.end',
    ...late,
  },
  { name: 'S21 verifying', activity: 'restoreSource', host: 'app-1', point: 'job.restore-verify', ...still },
  { name: 'before a start', activity: 'startWorkloads', host: 'app-1', point: 'restore.start', ...still },
  { name: 'started, not answered', activity: 'startWorkloads', host: 'app-2', point: 'restore.start.reply', ...late },
  { name: 'asking how they do', activity: 'checkHealth', host: 'app-1', point: 'restore.health', ...late },
  {
    name: 'the run forgotten, not answered',
    activity: 'forgetRun',
    host: 'target',
    point: 'job.forget.reply',
    ...late,
  },
  {
    name: 'the lease given back, not answered',
    activity: 'releaseLease',
    host: 'app-1',
    point: 'lease.release.reply',
    ...late,
  },
];

describeLab('a restore whose worker is killed', () => {
  let lab: CrashLab;
  let id: string;
  beforeAll(async () => {
    lab = await CrashLab.raise('crash-r');
    await lab.addFile('app-1', 24);
    lab.director.startWorker();
    ({ id } = await (await lab.startBackup()).result<BackupReport>());
    await lab.settle();
  }, 700_000);
  beforeEach(() => lab.spoil());
  afterEach(() => CrashLab.settleAll(), 60_000);
  afterAll(() => CrashLab.endAll(), 120_000);

  const matrix = new Matrix();
  for (const { name, ...at } of cases) matrix.add(`in ${at.activity}: ${name}`, () => killedIn(at));
  matrix.add('in countRestore: counting again, after the approval', killedCountingAgain);
  matrix.add('in lookUp: a path is looked for in the backup', killedLookingUp);
  matrix.add('while it waits for the approval: it waits on, and only the approval lets it go on', killedWaiting);
  matrix.add(
    'S21 in restoreSource, in the middle of a file: the same restore goes on, and nothing starts before its end',
    killedInTheMiddle,
  );
  matrix.register();

  async function killedIn({ activity, host, point, approved, stopped }: Omit<Case, 'name'>): Promise<void> {
    const worker = lab.director.startWorker();
    if (!approved) await lab.points.hold(host, point);
    const run = await lab.startRestore(id);
    if (approved) await lab.approveUntil({ run, hash: await run.approvable(), at: { host, point } });
    else await lab.points.reached(host, point);
    await run.inStep(activity);
    await worker.kill();
    await lab.points.release(host);
    if (stopped) expect(await running(host)).toEqual([]);
    lab.director.startWorker();
    if (!approved) await run.approve(await run.approvable());
    await expectGoodRestore({ lab, run, report: await run.result<RestoreReport>(), id });
    expect((await run.attempts()).get(activity)).toBe(2);
  }

  async function killedCountingAgain(): Promise<void> {
    const worker = lab.director.startWorker();
    const run = await lab.startRestore(id);
    const hash = await run.approvable();
    await lab.points.hold('target', 'job.restore-send');
    await run.approve(hash);
    await lab.points.reached('target', 'job.restore-send');
    await run.inStep('countRestore');
    await worker.kill();
    await lab.points.release('target');
    for (const app of APPS) expect(await running(app)).toEqual(['writer']);
    lab.director.startWorker();
    await expectGoodRestore({ lab, run, report: await run.result<RestoreReport>(), id });
    expect((await run.attempts()).get('countRestore')).toBe(2);
  }

  async function killedLookingUp(): Promise<void> {
    const worker = lab.director.startWorker();
    const other = await lab.digest('app-2');
    await lab.points.hold('target', 'store.listing');
    const run = await lab.startRestore(id, { select: { host: 'app-1', path: '/srv/files' } });
    await lab.points.reached('target', 'store.listing');
    await run.inStep('lookUp');
    await worker.kill();
    await lab.points.release('target');
    lab.director.startWorker();
    await run.approve(await run.approvable());
    const report = await run.result<RestoreReport>();
    expect(report).toMatchObject({ state: 'Completed', hosts: [{ host: 'app-1', state: 'running again' }] });
    expect((await run.attempts()).get('lookUp')).toBe(2);
    expect(await lab.digest('app-1')).toBe(await lab.stored(id, 'app-1'));
    expect(await lab.digest('app-2')).toBe(other);
    expect([await lab.leftovers(), await lab.silent()]).toEqual([[], []]);
  }

  async function killedWaiting(): Promise<void> {
    const worker = lab.director.startWorker();
    const run = await lab.startRestore(id);
    const hash = await run.approvable();
    await worker.kill();
    lab.director.startWorker();
    expect(await run.approvable()).toBe(hash);
    for (const app of APPS) expect(await running(app)).toEqual(['writer']);
    await run.approve(hash);
    await expectGoodRestore({ lab, run, report: await run.result<RestoreReport>(), id });
  }

  async function killedInTheMiddle(): Promise<void> {
    const worker = lab.director.startWorker();
    const run = await lab.startRestore(id);
    await lab.fleet.limitRate('app-1', 6_000);
    await run.approve(await run.approvable());
    await run.inStep('restoreSource');
    const from = await lab.used('app-1');
    await until('the file comes back', async () => (await lab.used('app-1')) > from + 2_000, 60_000);
    const sending = await sends(run.id);
    expect(sending).toMatch(/^\d+ \d+ /);
    await worker.kill();
    expect(await running('app-1')).toEqual([]);
    lab.director.startWorker();
    await run.inStep('restoreSource', { attempt: 2 });
    expect(await sends(run.id)).toContain(sending.split('\n')[0]);
    expect(await running('app-1')).toEqual([]);
    await lab.fleet.limitRate('app-1', 0);
    await expectGoodRestore({ lab, run, report: await run.result<RestoreReport>(), id });
  }

  async function running(host: string): Promise<string[]> {
    const { stdout } = await lab.fleet.exec(host, "docker ps --format '{{.Names}}'");
    return stdout.split('\n').filter((line) => line !== '');
  }

  /** Pid, start time and boot of the sends that run on the target. */
  async function sends(run: string): Promise<string> {
    const jobs = `cd /var/lib/resurgo/jobs && for job in ${run}.*; do [ -e $job/exit ] || cat $job/pid; done`;
    return (await lab.fleet.exec('target', jobs)).stdout;
  }
});
