/** What `doctor` says of a group that a run holds which is over: terminated from outside, say. Only the engine knows that it is. */
import type { Finding } from '../../hosts/doctor';
import { HostError } from '../../hosts/errors';
import type { HostRef, Hosts } from '../../hosts/hosts';
import type { GroupSetup } from '../../planning/run-input';
import { groupOf, rescueSeries } from '../../planning/series';
import { connectClient } from '../../workers/connection';
import { endedAmong, giveBack, heldBy } from '../../workers/ended-leases';
import type { HeldAt } from '../../workers/ended-leases';
import { engineSettings, engineStatus } from '../../workers/engine';

interface Options {
  hosts: Hosts;
  setup: GroupSetup;
  stateDir: string;
  fix: boolean;
}

/** Finds the leases of runs that are over, and with `fix` gives them back. */
export async function heldFindings(options: Options): Promise<Finding[]> {
  const { name } = options.setup.group;
  const found = await Promise.all([name, rescueSeries(name)].map((series) => heldIn({ ...options, group: series })));
  return found.flat();
}

async function heldIn({ hosts, setup, stateDir, fix, group }: Options & { group: string }): Promise<Finding[]> {
  const held = await heldBy({ hosts, places: placesOf(setup), group });
  if (held.length === 0) return [];
  const now = await engineStatus({ stateDir });
  const { address = '', namespace, uiUrl, external } = now;
  // Another director's run is not in this engine.
  if (!now.serving) return held.filter(({ lease }) => lease.owner.startsWith(`${setup.directorId}/`)).map(unknown);
  const { client, connection } = await connectClient({
    settings: engineSettings({ address, namespace, uiUrl, external }),
  });
  try {
    const ended = await endedAmong({ client, group, held });
    if (!fix) return ended.map((each) => overdue({ group, each }));
    return await Promise.all(ended.map((each) => freed({ hosts, group, each })));
  } finally {
    await connection.close();
  }
}

function placesOf({ hosts, storeHost }: GroupSetup): HostRef[] {
  return hosts.some(({ name }) => name === storeHost.name) ? hosts : [...hosts, storeHost];
}

const at = ({ host }: HeldAt) => ({ host: host.name, check: 'leftovers' });

function overdue({ group, each }: { group: string; each: HeldAt }): Finding {
  const message = `the group is still held by run ${each.lease.run}, which has ended`;
  return { ...at(each), level: 'warn', message, mend: `run \`resurgo doctor ${groupOf(group)} --fix\`` };
}

function unknown(each: HeldAt): Finding {
  const message = `the group is held by run ${each.lease.run}; whether that has ended only the engine can tell`;
  return { ...at(each), level: 'warn', message, mend: 'start it with `resurgo engine start`, and look again' };
}

async function freed({ hosts, group, each }: { hosts: Hosts; group: string; each: HeldAt }): Promise<Finding> {
  const { host, lease } = each;
  try {
    await giveBack({ hosts, host, group, lease, step: 'doctor' });
    return { ...at(each), level: 'ok', message: `gave the group back, which run ${lease.run} still held`, mend: '' };
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    return {
      ...at(each),
      level: 'fail',
      message: `run ${lease.run} still holds the group: ${error.reason}`,
      mend: error.next,
    };
  }
}
