/** How a machine does that has just come up: the health checks that the runbook has for it. */
import type { Group } from '../runbooks/types';
import type { FleetHost } from '../planning/run-input';
import { allHealthMs } from '../planning/time-limits';
import type { OperatorGate } from './gate';
import type { LeaseKeeper } from './lease-keeper';
import { quick } from './options';

export interface MachineHealth {
  healthy: boolean;
  detail: string;
  warnings: string[];
}

export async function healthOf(options: {
  group: Group;
  host: FleetHost;
  lease: LeaseKeeper;
  gate: OperatorGate;
}): Promise<MachineHealth> {
  const { group, host, lease, gate } = options;
  const checks = group.restore.health.filter((check) => check.host === host.name);
  // Its own state has come back with the data: it learns of this run first.
  await gate.must('fence', () => lease.raiseOn([host]));
  if (checks.length === 0)
    return {
      healthy: true,
      detail: '',
      warnings: [`the runbook has no health checks for ${host.name}: how it does was not asked`],
    };
  const timeoutS = checks.reduce((sum, each) => sum + each.timeoutS, 0);
  const startToCloseTimeout = allHealthMs({ timeoutS, hosts: 1 });
  const results = await gate.must('health', (round) =>
    quick.checkHealth.executeWithOptions({ summary: `how ${host.name} does`, startToCloseTimeout }, [
      { fence: lease.fence(round), hosts: [host], timeoutS },
    ]),
  );
  return {
    healthy: results.every((each) => each.healthy),
    detail: results.map((each) => each.detail).join('; '),
    warnings: results.flatMap((each) => each.warnings),
  };
}
