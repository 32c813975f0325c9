/** All activities of a worker, made from what they need; their names are the names in the Temporal UI. */
import type { Logger } from 'pino';
import { genuineSigners } from '../hosts/adopted-signers';
import { CurrentHosts } from '../hosts/current-hosts';
import { loadDirectorKeys, signManifest } from '../hosts/director-keys';
import { bootMedia, sweepBoots } from '../hosts/rescue-boot';
import { pinMachine, pinOnly, pinRescue } from '../hosts/rescue-ref';
import { checkActivities } from './checks';
import { cleanupActivities } from './cleanup';
import type { ActivityDeps } from './context';
import { freezeActivities } from './freeze';
import { hookActivities } from './hooks';
import { layoutActivities } from './layouts';
import { leaseActivities } from './lease';
import { notifyActivities } from './notify';
import { pruneActivities } from './prune';
import { recoverActivities } from './recover';
import { rescueActivities } from './rescue';
import { restoreActivities } from './restore';
import { workloadActivities } from './restore-workloads';
import { storeActivities } from './store';
import { transferActivities } from './transfer';

export type { ActivityDeps } from './context';

/** The activities as functions, for `Worker.create`. */
export function activitiesFrom(deps: ActivityDeps) {
  return {
    ...leaseActivities(deps),
    ...checkActivities(deps),
    ...hookActivities(deps),
    ...freezeActivities(deps),
    ...storeActivities(deps),
    ...layoutActivities(deps),
    ...transferActivities(deps),
    ...restoreActivities(deps),
    ...workloadActivities(deps),
    ...recoverActivities(deps),
    ...pruneActivities(deps),
    ...rescueActivities(deps),
    ...cleanupActivities(deps),
    ...notifyActivities(deps),
  };
}

/** What workflow code sees of them. */
export type Activities = ReturnType<typeof activitiesFrom>;

/** The activities of a real worker: the fleet over ssh, with the keys of this state folder. */
export function createActivities({ stateDir, logger }: { stateDir: string; logger: Logger }): Activities {
  // Media with a pinned host key are a secret: what a killed worker had fetched must not wait for the next build.
  sweepBoots({ stateDir }).catch((error: unknown) => {
    logger.warn({ err: error, step: 'sweep' }, 'what an earlier worker left of a virtual machine could not be removed');
  });
  return activitiesFrom({
    hosts: new CurrentHosts({ stateDir }),
    logger,
    genuineSigners: () => genuineSigners({ stateDir }),
    openSigner: async () => {
      const keys = await loadDirectorKeys({ stateDir });
      return { publicKeyHex: keys.signing.publicHex, sign: (bytes) => signManifest({ keys, bytes }) };
    },
    rescue: {
      pin: ({ host, hostKey }) => pinRescue({ stateDir, host, hostKey }),
      pinMachine: (machine) => pinMachine({ stateDir, ...machine }),
      pinOnly: (machine) => pinOnly({ stateDir, ...machine }),
      boot: (media) => bootMedia({ stateDir, media }),
    },
  });
}
