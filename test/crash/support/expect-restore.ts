/** What holds after every restore that ended well, whatever was killed on its way. */
import type { RestoreReport } from '../../../workflows/restore';
import { APPS, type CrashLab } from './crash-lab';
import { jobsRun } from './expect-backup';
import type { Run } from './run';

/** Completed, every part done once, the data is the backup's, production runs, nothing left. */
export async function expectGoodRestore(options: {
  lab: CrashLab;
  run: Run;
  report: RestoreReport;
  id: string;
  /** A transfer whose own connection broke is begun again; what was sent stays. */
  sendsAgain?: boolean;
}): Promise<void> {
  const { lab, run, report, id, sendsAgain = false } = options;
  expect(report.state).toBe('Completed');
  expect(report.hosts).toEqual(APPS.map((host) => ({ host, state: 'running again' })));
  for (const app of APPS) expect(await lab.digest(app)).toBe(await lab.stored(id, app));
  // Who holds the connection open (`dial`) may be begun again with it; what reads, sends and writes may not.
  const jobs = (await jobsRun(lab, run)).filter((each) => !each.endsWith(' job.dial'));
  expect(sendsAgain ? [...new Set(jobs)] : jobs).toEqual([
    'app-1 job.restore-verify',
    'app-2 job.restore-verify',
    // Two counts, the same again after the approval, two restores.
    ...Array<string>(sendsAgain ? 1 : 6).fill('target job.restore-send'),
  ]);
  expect(await lab.leftovers()).toEqual([]);
  expect(await lab.silent()).toEqual([]);
}
