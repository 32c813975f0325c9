/** What every typed verb takes besides its own arguments. */
import type { CallContext, Hosts } from '../hosts';

export type On = CallContext & { hosts: Hosts };

/** The part of the options that goes to `Hosts.call`. */
export function context({ host, step, timeoutMs, signal }: On): CallContext {
  return { host, step, timeoutMs, signal };
}
