/** One activity by itself: a context that can be cancelled, over a fake fleet. */
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { pino } from 'pino';
import { activitiesFrom } from '../../../activities';
import type { Activities } from '../../../activities';
import type { ActivityDeps } from '../../../activities/context';
import type { RestoreItemRef } from '../../../activities/restore-item';
import { FAKE_RESCUE, FakeHosts } from '../../../hosts/fake';
import type { FakeOptions } from '../../../hosts/fake';

export interface Bench {
  env: MockActivityEnvironment;
  fleet: FakeHosts;
  activities: Activities;
}

/** Runs one activity of the bench to its end. */
export function run<I, R>(at: Pick<Bench, 'env'>, activity: (input: I) => Promise<R>, input: I): Promise<R> {
  return at.env.run<[I], R, (input: I) => Promise<R>>(activity, input);
}

/** An environment serves one activity: a cancellation stays with it. */
export function bench(options: FakeOptions & Partial<Pick<ActivityDeps, 'openSigner' | 'genuineSigners'>> = {}): Bench {
  const { openSigner, genuineSigners, ...fake } = options;
  const fleet = new FakeHosts({ latencyMs: 1, jobMs: 30, ...fake });
  const signer = { publicKeyHex: '00'.repeat(32), sign: () => 'AA==' };
  const activities = activitiesFrom({
    hosts: fleet,
    logger: pino({ level: 'silent' }),
    genuineSigners: genuineSigners ?? (() => Promise.resolve([])),
    openSigner: openSigner ?? (() => Promise.resolve(signer)),
    rescue: FAKE_RESCUE,
  });
  return { ...again(), fleet, activities };
}

/** The environment of a further activity over the same fleet, or of a later attempt at one, with what the one before it last told. */
export function again(attempt = 1, heartbeatDetails?: unknown): Pick<Bench, 'env'> {
  return { env: new MockActivityEnvironment({ attempt, heartbeatDetails }, { logger: new DefaultLogger('ERROR') }) };
}

export const FENCE = { group: 'portal', run: 'run-00000001', term: 1, round: 0 };

export function host(name: string) {
  return { name, short: name, address: '192.0.2.1', port: 22, user: 'resurgo' };
}

/** One source that comes back in place: from `target` to `app-1`. */
export function restoreItem({ dial }: Pick<RestoreItemRef, 'dial'>): RestoreItemRef {
  return {
    backup: { id: '20261121_013000', tree: 'app-1@+srv+data', subpath: null },
    store: { name: 'main', group: 'portal', host: host('target') },
    destination: {
      host: host('app-1'),
      source: { name: 'data', tree: 'app-1@+srv+data', snapshot: 'btrfs' },
      folder: null,
    },
    single: false,
    dial,
    protect: [],
    deletes: true,
  };
}
