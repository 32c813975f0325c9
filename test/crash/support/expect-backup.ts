/** What holds after every backup that ended well, whatever was killed on its way. */
import type { StoreEntry } from '../../../hosts/backups';
import type { BackupReport } from '../../../workflows/backup';
import { APPS, type CrashLab } from './crash-lab';
import type { Run } from './run';

/** What the checks before a backup have to say of this lab's hosts, whatever becomes of the run; the lab's points are parts that nobody enrolled. */
const STANDING = /: not protected: |: \/backup is not mounted |: its hostkit is not as it was installed: /;

const EARLIER_FREEZE = /^an earlier freeze of this run held the group for up to /;

/** How often the run has paused the host that it has paused most often. */
async function timesPaused(lab: CrashLab, run: Run): Promise<number> {
  const traces = await Promise.all(APPS.map((app) => lab.points.trace(app, run.id)));
  return Math.max(...traces.map((trace) => trace.filter(({ point }) => point === 'freeze.paused').length));
}

/** Completed, listed once, every part done once, production runs, nothing left, and the data is the hosts'. */
export async function expectGoodBackup(options: {
  lab: CrashLab;
  run: Run;
  report: BackupReport;
  before: readonly StoreEntry[];
  /** A copy whose own connection broke is begun again; what was sent stays. */
  sendsAgain?: boolean;
}): Promise<void> {
  const { lab, run, report, before, sendsAgain = false } = options;
  expect(report.state).toBe('Completed');
  const told = report.warnings.filter((each) => EARLIER_FREEZE.test(each));
  expect(report.warnings.filter((each) => !STANDING.test(each) && !told.includes(each))).toEqual([]);
  // Services stood still for a freeze that did not count as well.
  expect(told.length).toBeGreaterThanOrEqual((await timesPaused(lab, run)) - 1);
  expect(told.length).toBeLessThanOrEqual(((await run.attempts()).get('freeze') ?? 1) - 1);
  const after = await lab.backups();
  expect(after.map(({ id }) => id)).toEqual([...before.map(({ id }) => id), report.id]);
  expect(after.at(-1)).toMatchObject({ problem: undefined, manifest: { run: run.id, state: 'Completed' } });
  const jobs = await jobsRun(lab, run);
  expect(sendsAgain ? [...new Set(jobs)].sort() : jobs).toEqual([
    'app-1 job.listing',
    'app-1 job.send',
    'app-2 job.listing',
    'app-2 job.send',
    ...Array<string>(sendsAgain ? 1 : 2).fill('target job.store-compare'),
    'target job.store-open',
    'target job.store-seal',
  ]);
  expect(await lab.leftovers()).toEqual([]);
  expect(await lab.silent()).toEqual([]);
  expect([0, 1]).toContain(await lab.lead(report.id));
  for (const app of APPS) expect(await lab.stored(report.id, app)).toBe(await lab.digest(app));
}

/** Each durable job that a run really began, on which host; a retry that attached is none. */
export async function jobsRun(lab: CrashLab, run: Run): Promise<string[]> {
  const begun: string[] = [];
  for (const { name } of lab.fleet.hosts) {
    const trace = await lab.points.trace(name, run.id);
    begun.push(
      ...trace
        .filter(({ point }) => /^job\.[a-z-]+$/.test(point) && isKind(point))
        .map(({ point }) => `${name} ${point}`),
    );
  }
  return begun.sort();
}

/** Points of jobs and of the verbs `job.start`, `job.poll`, … share their form. */
function isKind(point: string): boolean {
  return !['job.start', 'job.poll', 'job.stop', 'job.forget'].includes(point);
}
