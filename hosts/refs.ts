/** From a runbook's host to where it is reached. */
import type { Runbook } from '../runbooks/types';
import type { HostRef } from './hosts';

/** Where the director reaches a host as its own user, jumps included. @throws RangeError for a host that the runbook does not know */
export function hostRef({ runbook, host }: { runbook: Pick<Runbook, 'hosts'>; host: string }): HostRef {
  return ref(runbook, host, 'user');
}

/** The same place as the administrator's own login: for enrolment alone. */
export function adminRef({ runbook, host }: { runbook: Pick<Runbook, 'hosts'>; host: string }): HostRef {
  return ref(runbook, host, 'adminUser');
}

function ref(runbook: Pick<Runbook, 'hosts'>, host: string, as: 'user' | 'adminUser'): HostRef {
  const entry = runbook.hosts[host];
  if (entry === undefined) throw new RangeError(`the runbook has no host ${host}`);
  const { name, address, port, via } = entry;
  return { name, address, port, user: entry[as], ...(via === null ? {} : { via: ref(runbook, via, as) }) };
}
