/** CPU seconds of a fleet's hosts, as the kernel accounts them: the measure that a busy machine falsifies least. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Fleet } from '../../lab/support/fleet';

const ACCOUNTS = '/sys/fs/cgroup/cpuacct';

/** Puts every process of the fleet, and so all that they start, on one account. @returns its reading in seconds; 0 where the kernel keeps none (cgroup v2 alone) */
export function cpuMeter(fleet: Fleet): () => number {
  const freezer = path.join('/sys/fs/cgroup/freezer/resurgo-lab', fleet.name);
  if (!existsSync(ACCOUNTS) || !existsSync(freezer)) return () => 0;
  const account = path.join(ACCOUNTS, 'resurgo-lab', fleet.name);
  mkdirSync(account, { recursive: true });
  for (const file of readdirSync(freezer, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('cgroup.procs')) continue;
    for (const pid of readFileSync(path.join(freezer, file), 'utf8').split('\n')) if (pid !== '') join(account, pid);
  }
  const usage = path.join(account, 'cpuacct.usage');
  return () => Number(readFileSync(usage, 'utf8')) / 1e9;
}

function join(account: string, pid: string): void {
  try {
    writeFileSync(path.join(account, 'cgroup.procs'), pid);
  } catch (error) {
    // It has ended since it was listed.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
