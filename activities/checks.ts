/** What is looked at before anything is touched: every host's tools, clock, sources and containers. The same checks that `doctor` makes. */
import type { HostRef } from '../hosts/hosts';
import type { Check, Probe } from '../hosts/replies';
import type { ActivityDeps, AwayHost } from './context';
import { asActivity, forEachLimited, heartbeating, unlessAway } from './context';

/** What one host showed. */
export interface HostCheck {
  host: string;
  hostkit: string;
  /** Host's clock minus the director's, ms, less half the round trip. */
  skewMs: number;
  /** What is amiss with the group as a whole there. */
  problems: string[];
  sources: Check['sources'];
  containers: number;
  unprotected: string[];
}

export interface ChecksResult {
  hosts: HostCheck[];
  unreachable: AwayHost[];
}

/** Makes the activity `checkHosts`. */
export function checkActivities({ hosts }: ActivityDeps) {
  async function checkHosts(input: { group: string; hosts: HostRef[] }): Promise<ChecksResult> {
    const unreachable: AwayHost[] = [];
    const checked = await forEachLimited({
      items: input.hosts,
      limit: 64,
      each: (host) =>
        unlessAway({ host: host.name, away: unreachable, body: () => look({ group: input.group, host }) }),
    });
    return { hosts: checked.filter((each) => each !== undefined), unreachable };
  }

  async function look({ group, host }: { group: string; host: HostRef }): Promise<HostCheck> {
    const sentMs = Date.now();
    const probe = await hosts.call({ host, verb: 'probe', step: 'checks', args: {} });
    const skewMs = Math.round(probe.timeMs - (sentMs + Date.now()) / 2);
    const check = await hosts.call({ host, verb: 'check', step: 'checks', args: { group }, timeoutMs: 120_000 });
    return summary({ host, probe, check, skewMs });
  }

  return {
    checkHosts: (input: { group: string; hosts: HostRef[] }) =>
      asActivity(() => heartbeating({ body: () => checkHosts(input) })),
  };
}

function summary({
  host,
  probe,
  check,
  skewMs,
}: {
  host: HostRef;
  probe: Probe;
  check: Check;
  skewMs: number;
}): HostCheck {
  return {
    host: host.name,
    hostkit: probe.version,
    skewMs,
    problems: check.problems,
    sources: check.sources,
    containers: check.containers.length,
    unprotected: check.unprotected,
  };
}
