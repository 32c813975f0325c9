/** A cancellation counts from whenever it comes: also while an activity still prepares what it is about to do. */
import { ActivityCancellationDetails, CancelledFailure } from '@temporalio/common';
import type { RestoreItemRef } from '../../activities/restore-item';
import { sampleManifest } from '../planning/samples';
import { bench, FENCE, host } from './support/run';

const item: RestoreItemRef = {
  backup: { id: '20261121_013000', tree: 'app-1@+srv+data', subpath: null },
  store: { name: 'main', group: 'portal', host: host('target') },
  destination: {
    host: host('app-1'),
    source: { name: 'data', tree: 'app-1@+srv+data', snapshot: 'btrfs' },
    folder: null,
  },
  single: false,
  dial: 'out',
  protect: [],
  deletes: true,
};
const seal = {
  fence: FENCE,
  store: { name: 'main', host: host('target') },
  manifest: sampleManifest(),
  runbookText: '',
};

/** What the jobs of a host were, by kind. */
function jobsOf(fleet: ReturnType<typeof bench>['fleet'], name: string): string[] {
  return [...fleet.host(name).jobs.values()].map((job) => job.kind);
}

test('a restore that is cancelled while its line is opened writes nothing', async () => {
  const it = bench({
    intercept: ({ verb }) => {
      if (verb === 'grant.add') it.env.cancel();
      return undefined;
    },
  });
  const restored = it.env.run(it.activities.restoreSource, { fence: FENCE, item });
  await expect(restored).rejects.toBeInstanceOf(CancelledFailure);
  expect(jobsOf(it.fleet, 'target')).toEqual([]);
});

test('a restore that is cancelled between its copy and its proof does not start the proof', async () => {
  const it = bench({
    intercept: ({ verb }) => {
      if (verb === 'grant.close') it.env.cancel();
      return undefined;
    },
  });
  const restored = it.env.run(it.activities.restoreSource, { fence: FENCE, item });
  await expect(restored).rejects.toBeInstanceOf(CancelledFailure);
  expect(jobsOf(it.fleet, 'target')).toEqual(['restore-send']);
  expect(jobsOf(it.fleet, 'app-1')).toEqual([]);
});

test.each([
  ['a cancel', new ActivityCancellationDetails({ cancelRequested: true }), /cancelled/, 1],
  ['the end of the worker', new ActivityCancellationDetails({ workerShutdown: true }), /going away/, 0],
])('S17 nothing is sealed when %s comes while the signing key is opened', async (_, details, why, stops) => {
  const it = bench({
    openSigner: () => {
      it.env.cancel('CANCELLED', details);
      return Promise.resolve({ publicKeyHex: '00'.repeat(32), sign: () => 'AA==' });
    },
  });
  await expect(it.env.run(it.activities.sealBackup, seal)).rejects.toThrow(why);
  expect(it.fleet.host('target').backups).toEqual([]);
  expect(jobsOf(it.fleet, 'target')).toEqual([]);
  // What an earlier attempt may have started is stopped for a cancel alone.
  expect(it.fleet.counts.get('job.stop') ?? 0).toBe(stops);
});
