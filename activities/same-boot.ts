/** Whether a rescue system is still the boot in which a plan was made and its file systems mounted: one that has booted since knows nothing of them. */
import { HostError } from '../hosts/errors';
import type { HostRef, Hosts } from '../hosts/hosts';
import type { Probe } from '../hosts/replies';
import { probe } from '../hosts/verbs/reading';

/** @returns what it has told. @throws HostError `rebooted` where it is another one */
export async function sameBoot(options: { hosts: Hosts; host: HostRef; bootId: string; step: string }): Promise<Probe> {
  const { hosts, host, step } = options;
  const found = await probe({ hosts, host, step });
  if (found.bootId === options.bootId) return found;
  const message =
    'the rescue system was booted anew since the plan was made: what had been mounted and opened is not any more';
  throw new HostError({ host: host.name, verb: 'probe', step, code: 'rebooted', message });
}
