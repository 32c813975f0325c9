/** A cancellation counts from whenever it comes: also while an activity still prepares what it is about to do. */
import { ActivityCancellationDetails, CancelledFailure } from '@temporalio/common';
import { sampleManifest } from '../planning/samples';
import { bench, FENCE, host, restoreItem } from './support/run';

const item = restoreItem({ dial: 'out' });
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
  const restored = it.env.run(it.activities.restoreSource, { fence: FENCE, item, fsUuid: '' });
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
  const restored = it.env.run(it.activities.restoreSource, { fence: FENCE, item, fsUuid: '' });
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

describe('S17 a seal that a cancel stops', () => {
  /** Cancels once the seal runs, and lets it end as `end` says when it is stopped. */
  const sealing = (end: (it: ReturnType<typeof bench>) => Record<string, unknown> | undefined) => {
    let ended: Record<string, unknown> | undefined;
    const it = bench({
      jobMs: 60_000,
      intercept: ({ verb, args }) => {
        if (verb === 'job.poll' && args['job'] === 'run-00000001.store-seal') {
          if (ended !== undefined) return ended;
          it.env.cancel();
        }
        if (verb === 'job.poll' && args['job'] === 'run-00000001.store-seal-rest')
          return { state: 'exited', exit: 0, result: { id: seal.manifest.id } };
        if (verb === 'job.stop') ended = end(it);
        return undefined;
      },
    });
    return it;
  };
  /** Puts the backup into the store, as the job does when it publishes. */
  const publish = (it: ReturnType<typeof bench>): void => {
    const target = it.fleet.host('target');
    const manifest = String(target.jobs.get('run-00000001.store-seal')?.args['manifest']);
    target.backups.push({
      group: 'portal',
      id: seal.manifest.id,
      run: FENCE.run,
      manifest,
      manifestSig: '',
      state: 'sealed',
    });
  };

  test('is cancelled when nothing was published', async () => {
    const it = sealing(() => undefined);
    await expect(it.env.run(it.activities.sealBackup, seal)).rejects.toBeInstanceOf(CancelledFailure);
  });

  test('is sealed when it had come to its end', async () => {
    const it = sealing(() => ({ state: 'exited', exit: 0, result: { id: seal.manifest.id } }));
    expect(await it.env.run(it.activities.sealBackup, seal)).toEqual({ id: seal.manifest.id });
  });

  test('is sealed when it had published and not come to its end, and what was left of it is done', async () => {
    const it = sealing((at) => {
      publish(at);
      return { state: 'exited', exit: 143, result: {} };
    });
    const sealed = it.env.run(it.activities.sealBackup, seal);
    expect(await sealed).toEqual({ id: seal.manifest.id });
    expect(jobsOf(it.fleet, 'target')).toEqual(['store-seal', 'store-seal']);
  });

  test('is cancelled when the store holds another backup under this id', async () => {
    const it = sealing((at) => {
      publish(at);
      for (const backup of at.fleet.host('target').backups) backup.manifest = 'e30=';
      return undefined;
    });
    await expect(it.env.run(it.activities.sealBackup, seal)).rejects.toBeInstanceOf(CancelledFailure);
  });
});
