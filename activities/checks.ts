/** What is looked at before anything is touched: every host's tools, clock, sources and containers. The same checks that `doctor` makes. */
import { HostError } from '../hosts/errors';
import type { HostRef } from '../hosts/hosts';
import type { Check, Probe } from '../hosts/replies';
import type { ActivityDeps } from './context';
import { asActivity, forEachLimited, heartbeating } from './context';

/** What one host showed. */
export interface HostCheck {
  host: string;
  hostkit: string;
  /** Host's clock minus the director's, ms, less half the round trip. */
  skewMs: number;
  sources: Check['sources'];
  containers: number;
  unprotected: string[];
}

export interface ChecksResult {
  hosts: HostCheck[];
  unreachable: { host: string; message: string }[];
}

/** Makes the activity `checkHosts`. */
export function checkActivities({ hosts }: ActivityDeps) {
  async function checkHosts(input: { group: string; hosts: HostRef[] }): Promise<ChecksResult> {
    const unreachable: ChecksResult['unreachable'] = [];
    const checked = await forEachLimited({
      items: input.hosts,
      limit: 64,
      each: async (host): Promise<HostCheck | undefined> => {
        try {
          const sentMs = Date.now();
          const probe = await hosts.call({ host, verb: 'probe', step: 'checks', args: {} });
          const skewMs = Math.round(probe.timeMs - (sentMs + Date.now()) / 2);
          const check = await hosts.call({
            host,
            verb: 'check',
            step: 'checks',
            args: { group: input.group },
            timeoutMs: 120_000,
          });
          return summary({ host, probe, check, skewMs });
        } catch (error) {
          if (!(error instanceof HostError) || error.code !== 'unreachable') throw error;
          unreachable.push({ host: host.name, message: error.message });
          return undefined;
        }
      },
    });
    return { hosts: checked.filter((each) => each !== undefined), unreachable };
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
    sources: check.sources,
    containers: check.containers.length,
    unprotected: check.unprotected,
  };
}
