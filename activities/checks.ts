/** What is looked at before anything is touched: the same that `doctor` looks at, on all hosts at once. What dead runs have left goes (S8). */
import { leftoversOf } from '../hosts/doctor-findings';
import type { Finding } from '../hosts/doctor-findings';
import { readHostkit } from '../hosts/enroll/hostkit-tree';
import { probeFindings, sourceFindings } from '../hosts/host-findings';
import type { HostRef } from '../hosts/hosts';
import type { Check } from '../hosts/replies';
import { check, probe } from '../hosts/verbs/reading';
import { sweep } from '../hosts/verbs/workload';
import type { Group } from '../runbooks/types';
import type { ActivityDeps, AwayHost } from './context';
import { asActivity, forEachLimited, heartbeating, unlessAway } from './context';

/** What one host showed. */
export interface HostCheck {
  host: string;
  hostkit: string;
  sources: Check['sources'];
  containers: number;
  /** What is not well, as `doctor` says it; what fails would make a bad backup. */
  findings: Finding[];
}

export interface ChecksResult {
  hosts: HostCheck[];
  unreachable: AwayHost[];
}

interface ChecksInput {
  group: string;
  hosts: HostRef[];
  sources: Group['sources'];
  /** Whether the runbook allows that hosts are left out. */
  partial: boolean;
}

/** Ending what a dead run left may take as long as its jobs and snapshots do, ms. */
const SWEEP_MS = 120_000;

/** Makes the activity `checkHosts`. */
export function checkActivities({ hosts }: ActivityDeps) {
  async function checkHosts(input: ChecksInput): Promise<ChecksResult> {
    const kit = await readHostkit();
    const unreachable: AwayHost[] = [];
    const look = async (host: HostRef): Promise<HostCheck> => {
      const on = { hosts, host, step: 'checks' };
      const { group, sources } = input;
      const sentMs = Date.now();
      const [probed, [checked, swept]] = await Promise.all([
        probe(on).then((answer) => ({ answer, receivedMs: Date.now() })),
        // One after the other: both open the source's file system on the host, in one place.
        check({ ...on, group }).then(
          async (seen) => [seen, await sweep({ ...on, group, fix: true, timeoutMs: SWEEP_MS })] as const,
        ),
      ]);
      const findings = [
        ...probeFindings({ host: host.name, kit, sentMs, ...probed }),
        ...sourceFindings({ host: host.name, sources, checked }),
        ...leftoversOf({ host: host.name, ...swept }),
      ];
      return {
        host: host.name,
        hostkit: probed.answer.version,
        sources: checked.sources,
        containers: checked.containers.length,
        findings: findings.filter((each) => each.level !== 'ok' || each.check === 'leftovers'),
      };
    };
    const seen = await forEachLimited({
      items: input.hosts,
      limit: 64,
      each: (host) =>
        unlessAway({ host: host.name, away: unreachable, partial: input.partial, body: () => look(host) }),
    });
    return { hosts: seen.filter((each) => each !== undefined), unreachable };
  }

  return {
    checkHosts: (input: ChecksInput) => asActivity(() => heartbeating({ body: () => checkHosts(input) })),
  };
}
