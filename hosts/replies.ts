/** Verb → the schema of its reply. A schema strips or carries what it does not know: a newer hostkit may add fields. */
import type { z } from 'zod';
import type { Verb } from './args';
import { done } from './replies/common';
import { armed, hook, snapshotDrop, thaw } from './replies/freezing';
import {
  check,
  layout,
  probe,
  reach,
  rescueFile,
  rescueList,
  snapshots,
  status,
  storeLayout,
  storeList,
  storeListing,
  storeSpace,
} from './replies/reading';
import {
  grantAdd,
  grantKey,
  jobPoll,
  jobStart,
  jobStop,
  leaseRenew,
  leaseTake,
  loose,
  restoreHealth,
  started,
  sweep,
} from './replies/running';

export const replySchemas = {
  probe,
  check,
  layout,
  reach,
  status,
  snapshots,
  'store.list': storeList,
  'store.listing': storeListing,
  'store.space': storeSpace,
  'store.layout': storeLayout,
  'store.layout.put': loose,
  'store.hold': loose,
  'store.release': loose,
  'kit.put': loose,
  'luks.secret': loose,
  'luks.place': loose,
  'rescue.list': rescueList,
  'rescue.file': rescueFile,
  'rescue.open': loose,
  'rescue.drop': loose,
  'lease.take': leaseTake,
  'lease.renew': leaseRenew,
  'lease.release': loose,
  freeze: armed,
  thaw,
  hook,
  'snapshot.drop': snapshotDrop,
  'job.start': jobStart,
  'job.poll': jobPoll,
  'job.stop': jobStop,
  'job.forget': loose,
  'grant.key': grantKey,
  'grant.add': grantAdd,
  'grant.close': loose,
  'restore.check': loose,
  'restore.stop': loose,
  'restore.start': started,
  'restore.safety': loose,
  'restore.health': restoreHealth,
  'workload.pause': loose,
  'workload.unpause': loose,
  'workload.stop': loose,
  'workload.start': started,
  sweep,
} as const satisfies Record<Verb, z.ZodType>;

/** The parsed reply of a verb. */
export type Reply<V extends Verb> = z.output<(typeof replySchemas)[V]>;

export type Probe = Reply<'probe'>;
export type Check = Reply<'check'>;
export type Status = Reply<'status'>;
export type SnapshotOnHost = Reply<'snapshots'>['snapshots'][number];
export type JobPoll = Reply<'job.poll'>;

export { armed, done };
