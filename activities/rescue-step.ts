/** One job on a rescue system, which must still be the boot that the plan was made for. */
import { rescueJob } from '../hosts/args';
import { HostError } from '../hosts/errors';
import type { Hosts } from '../hosts/hosts';
import { runJob } from '../hosts/jobs';
import { jobName } from '../planning/ids';
import { armCommand } from '../planning/recover-words';
import type { FleetHost } from '../planning/run-input';
import type { RunFence } from './context';
import { fenceFor } from './context';
import { probeWithOwnKit } from '../hosts/verbs/rescue-kit';
import { sameBoot } from './same-boot';

/** A rescue system, as it was when the plan was made: one that has booted since knows nothing of what was mounted and opened. */
export interface RescueRef {
  host: FleetHost;
  bootId: string;
  /** The command that lets the target know it, and gives it its passphrases, again. Left out by runs of an earlier version. */
  arm?: string | undefined;
}

/** @returns what the job has left as its result. @throws HostError */
export async function rescueStep(input: {
  hosts: Hosts;
  fence: RunFence;
  rescue: RescueRef;
  kind: string;
  args: Record<string, string | number | boolean | undefined>;
  step: string;
  /** What tells it from other jobs of the run. */
  key: string;
  signal: AbortSignal;
}): Promise<Record<string, unknown>> {
  const { hosts, fence, rescue, kind, args, step, key, signal } = input;
  try {
    const run = async () =>
      runJob({
        hosts,
        host: rescue.host,
        job: jobName({ run: fence.run, step: 'recover', key }),
        kind: rescueJob(kind),
        fence: fenceFor({ fence, step }),
        step,
        boot: rescue.bootId,
        signal,
        args,
      });
    const { result } = await withOwnKit({ hosts, rescue, step, body: run });
    return result;
  } catch (error) {
    throw askingAgain({ error, rescue });
  }
}

/**
 * What only this director's hostkit knows. Media that were booted anew have that which they were built with: that they were is what is told then.
 * In the same boot the director itself is another one since: the rescue system gets its hostkit.
 */
export async function withOwnKit<T>(request: {
  hosts: Hosts;
  rescue: RescueRef;
  step: string;
  body: () => Promise<T>;
}): Promise<T> {
  const { hosts, rescue, step, body } = request;
  try {
    return await body();
  } catch (error) {
    if (!(error instanceof HostError) || error.code !== 'bad-request') throw error;
    const { host } = rescue;
    const found = await sameBoot({ hosts, ...rescue, step });
    await probeWithOwnKit({ hosts, host, step, found });
    return body();
  }
}

/** Where a passphrase is missing or wrong, whoever is asked learns the command that gives another. */
export function askingAgain({ error, rescue: { host, arm } }: { error: unknown; rescue: RescueRef }): unknown {
  if (!(error instanceof HostError) || error.code !== 'needs-passphrase') return error;
  const { verb, step, code, reason, detail } = error;
  const next = `give the right one: \`${arm ?? armCommand({ rescue: host })}\` asks for it (--passphrase VOLUME=FILE); then retry. Where nobody knows it, abort, and recover with a new key (--new-key VOLUME)`;
  return new HostError({ host: host.name, verb, step, code, message: reason, next, detail });
}
