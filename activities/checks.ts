/** What is looked at before anything is touched: the same that `doctor` looks at, on all hosts at once. What dead runs have left goes (S8). */
import { leftoversOf } from '../hosts/doctor-findings';
import type { Finding } from '../hosts/doctor-findings';
import { readHostkit } from '../hosts/enroll/hostkit-tree';
import { probeFindings, sourceFindings } from '../hosts/host-findings';
import { identityFindings } from '../hosts/identity-findings';
import type { Told } from '../hosts/identity-findings';
import type { HostRef } from '../hosts/hosts';
import type { Check } from '../hosts/replies';
import { storeDrift } from '../hosts/store-findings';
import { check, probe, wayOfData } from '../hosts/verbs/reading';
import { sweep } from '../hosts/verbs/workload';
import type { Group, Store } from '../runbooks/types';
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
  /** Of the store's host where it is no source, and of what the hosts know of each other; missing in runs of former versions. */
  findings?: Finding[];
}

interface ChecksInput {
  group: string;
  hosts: HostRef[];
  sources: Group['sources'];
  /** The group as the runbook has it; runs of former versions don't say. */
  asked?: Group;
  /** The store's host: as necessary as any, and never left out. Runs of former versions name none. */
  storeHost?: HostRef;
  /** The store as the runbook has it; runs of former versions don't say. */
  store?: Store;
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
    const told = new Map<string, Told>();
    const ask = async (host: HostRef) => {
      const sentMs = Date.now();
      const answer = await probe({ hosts, host, step: 'checks' });
      told.set(host.name, answer);
      const findings = probeFindings({ host: host.name, answer, kit, sentMs, receivedMs: Date.now() });
      const { store } = input;
      if (store?.host === host.name) findings.push(...storeDrift({ store, told: answer.stores }));
      return { version: answer.version, findings };
    };
    // A host that the data can't come from is as good as away, and nothing is frozen for it.
    const wayFrom = async (source: HostRef) => {
      const { storeHost: target, asked } = input;
      if (target === undefined || asked === undefined || source.name === target.name) return;
      if (!input.sources.some((each) => each.host === source.name)) return;
      await wayOfData({ hosts, source, target, direction: asked.transfer.direction, step: 'checks' });
    };
    const look = async (host: HostRef): Promise<HostCheck> => {
      const on = { hosts, host, step: 'checks' };
      const { group, sources } = input;
      const [probed, [checked, swept]] = await Promise.all([
        ask(host),
        // One after the other: both open the source's file system on the host, in one place.
        check({ ...on, group }).then(
          async (seen) => [seen, await sweep({ ...on, group, fix: true, timeoutMs: SWEEP_MS })] as const,
        ),
        wayFrom(host),
      ]);
      const findings = [
        ...probed.findings,
        ...sourceFindings({ host: host.name, sources, checked, group: input.asked }),
        ...leftoversOf({ host: host.name, ...swept }),
      ];
      return {
        host: host.name,
        hostkit: probed.version,
        sources: checked.sources,
        containers: checked.containers.length,
        findings: findings.filter((each) => each.level !== 'ok' || each.check === 'leftovers'),
      };
    };
    const { storeHost, sources, partial } = input;
    const apart = storeHost !== undefined && !input.hosts.some(({ name }) => name === storeHost.name);
    const findings: Finding[] = [];
    const seen = await forEachLimited({
      items: apart ? [...input.hosts, storeHost] : input.hosts,
      limit: 64,
      each: async (host) => {
        if (!apart || host !== storeHost)
          return unlessAway({ host: host.name, away: unreachable, partial, body: () => look(host) });
        // Nothing goes on without it: where it is away, this fails as the reading of the store does.
        findings.push(...(await ask(host)).findings.filter((each) => each.level !== 'ok'));
        return undefined;
      },
    });
    if (storeHost !== undefined) {
      const others = sources.map(({ host }) => host);
      findings.push(...identityFindings({ target: storeHost.name, others, told, level: 'fail' }));
    }
    return { hosts: seen.filter((each) => each !== undefined), unreachable, findings };
  }

  return {
    checkHosts: (input: ChecksInput) => asActivity(() => heartbeating({ body: () => checkHosts(input) })),
  };
}
