/** The verbs around an in-place restore (S20–S23). Their own keys are given as they are in docs/hostkit.md. Each throws HostError. */
import type { Fence } from '../args';
import type { Reply } from '../replies';
import { context, type On } from './on';

type RestoreVerb = 'check' | 'stop' | 'start' | 'safety' | 'health';
/** Stopping and starting an engine takes its time, in ms. */
const RESTORE_MS = 300_000;

/** Runs `restore.VERB` with the fence and that verb's own keys (camelCase). */
export function restore<W extends RestoreVerb>(
  on: On & { fence: Fence; verb: W; args?: Record<string, string | number | boolean | undefined> },
): Promise<Reply<`restore.${W}`>> {
  const args = { ...on.args, ...on.fence };
  const verb: `restore.${W}` = `restore.${on.verb}`;
  return on.hosts.call({ ...context(on), timeoutMs: on.timeoutMs ?? RESTORE_MS, verb, args });
}
