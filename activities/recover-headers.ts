/** Headers of encrypted volumes on their way back: all of it before the first disk is written to. The data's own way brings them (`restoreSource`). */
import { HostError } from '../hosts/errors';
import type { ActivityDeps, RunFence } from './context';
import { asActivity, fenceFor, heartbeating, jobSignal } from './context';
import type { JobStep } from './recover-requests';
import { headerArgs } from './recover-requests';
import { rescueStep } from './rescue-step';
import type { RescueRef } from './rescue-step';
import { sameBoot } from './same-boot';

export interface PlaceHeadersInput {
  fence: RunFence;
  rescue: RescueRef;
  tree: string;
  bytes: number;
}

export interface CheckHeaderInput {
  fence: RunFence;
  rescue: RescueRef;
  step: Extract<JobStep, { kind: 'luks-restore' }>;
  tree: string;
}

/** Makes the activities `placeHeaders` and `checkHeader`. */
export function recoverHeaderActivities({ hosts }: ActivityDeps) {
  /** Makes the place in the rescue system's memory that they come to. */
  async function placeHeaders({ fence, rescue, tree, bytes }: PlaceHeadersInput): Promise<void> {
    const step = 'headers';
    const { host } = rescue;
    await sameBoot({ hosts, ...rescue, step });
    try {
      await hosts.call({ host, verb: 'luks.place', step, args: { ...fenceFor({ fence, step }), tree, bytes } });
    } catch (error) {
      if (!(error instanceof HostError) || error.code !== 'hostkit-old') throw error;
      throw new HostError({
        ...{ host: host.name, verb: 'luks.place', step, code: 'hostkit-old' },
        message: 'this rescue system was built before headers of encrypted volumes were kept',
        next: `boot newer media (\`resurgo rescue list\`), or abort and recover with new keys (--new-key VOLUME)`,
      });
    }
  }

  /** Whether a header that has come is whole, and opens with the passphrase that was given: seen before a disk is written to. */
  async function checkHeader({ fence, rescue, step, tree }: CheckHeaderInput, signal: AbortSignal): Promise<void> {
    const key = `luks-check ${step.luks.uuid}`;
    await rescueStep({
      hosts,
      fence,
      rescue,
      kind: 'luks-check',
      args: headerArgs({ step, tree }),
      step: key,
      key,
      signal,
    });
  }

  return {
    placeHeaders: (input: PlaceHeadersInput) => asActivity(() => heartbeating({ body: () => placeHeaders(input) })),
    checkHeader: (input: CheckHeaderInput) => {
      const signal = jobSignal();
      return asActivity(() => heartbeating({ body: () => checkHeader(input, signal) }));
    },
  };
}
