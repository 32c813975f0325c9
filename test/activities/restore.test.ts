/** What a restore looks at right before it writes, and by what it compares. */
import type { FakeCall } from '../../hosts/fake';
import { again, bench, FENCE, restoreItem, run } from './support/run';

const item = restoreItem({ dial: 'out' });

/** A fleet whose destination has these mounts now, and what was sent to it. */
function restoring(now: Record<string, unknown> = {}, verified: Record<string, unknown> = {}) {
  const sends: Record<string, unknown>[] = [];
  const verifies: Record<string, unknown>[] = [];
  const stops: string[] = [];
  const intercept = ({ verb, args }: FakeCall): Record<string, unknown> | undefined => {
    if (verb === 'restore.check') return now;
    if (verb === 'job.stop') stops.push(String(args['job']));
    if (verb === 'job.start' && args['kind'] === 'restore-send') sends.push(args);
    if (verb === 'job.start' && args['kind'] === 'restore-verify') verifies.push(args);
    if (verb === 'job.poll' && String(args['job']).split('.')[1]?.startsWith('prove') === true)
      return { state: 'exited', exit: 0, result: { files: 0, bytes: 0, deletions: 0 } };
    if (verb === 'job.poll' && String(args['job']).split('.')[1]?.startsWith('verify') === true)
      return { state: 'exited', exit: 0, result: { differences: [], ...verified } };
    return undefined;
  };
  return { ...bench({ intercept }), sends, verifies, stops };
}

const patterns = (args: Record<string, unknown> | undefined) =>
  Buffer.from(String(args?.['excludes']), 'base64').toString().split('\n');

describe('a host that was enrolled with another path for the source', () => {
  const { source } = item.destination;
  const asked = { ...item, destination: { ...item.destination, source: source && { ...source, path: '/srv/data' } } };
  const elsewhere = { root: '/srv', fsType: 'btrfs', fsUuid: 'u', freeBytes: 1 };

  test('is no place for it: the plan says so, and nothing is sent', async () => {
    const it = restoring(elsewhere);
    const said =
      /^its configuration has \/srv for source data, and the runbook \/srv\/data; run `resurgo enroll app-1 --update`/;
    expect(await run(it, it.activities.checkDestination, { fence: FENCE, item: asked })).toMatchObject({
      allowed: false,
      reason: expect.stringMatching(said) as never,
    });
    const planned = { fence: FENCE, item: asked, fsUuid: '', nested: [] };
    await expect(run(it, it.activities.restoreSource, planned)).rejects.toThrow(/and the runbook \/srv\/data/);
    expect(it.sends).toEqual([]);
  });

  test('with the same path it is one, and so where an older hostkit does not tell', async () => {
    for (const root of ['/srv/data', undefined]) {
      const it = restoring({ ...elsewhere, root });
      const seen = await run(it, it.activities.checkDestination, { fence: FENCE, item: asked });
      expect(seen).toMatchObject({ allowed: true });
    }
  });
});

describe('S20 what is mounted at the destination', () => {
  const planned = { fence: FENCE, item, fsUuid: '', nested: ['/old'] };

  test('after the plan was made ends the restore before a byte is sent: it would be emptied', async () => {
    const it = restoring({ protected: ['/old', '/late'] });
    await expect(run(it, it.activities.restoreSource, planned)).rejects.toMatchObject({
      type: 'plan-changed',
      nonRetryable: true,
      message: expect.stringMatching(
        /app-1:data .*late is mounted in it now, and was not when its plan was made/,
      ) as never,
    });
    expect(it.sends).toEqual([]);
  });

  test('while an earlier attempt still sends: that is stopped', async () => {
    const it = restoring({ protected: ['/late'] });
    const { activities, stops } = it;
    await expect(run(again(2), activities.restoreSource, planned)).rejects.toMatchObject({ type: 'plan-changed' });
    expect(stops).toEqual([expect.stringContaining('.restore.')]);
  });

  test('over the folder itself ends it as well', async () => {
    const it = restoring({ mountPoint: '/srv/data/part' });
    const input = { ...planned, mountPoint: '/srv' };
    await expect(run(it, it.activities.restoreSource, input)).rejects.toThrow(
      /it lies on the mount \/srv\/data\/part now, and on \/srv when its plan was made/,
    );
    expect(it.sends).toEqual([]);
  });

  test('and was there for the plan, or is gone, holds up nothing', async () => {
    for (const now of [{ protected: ['/old'] }, { protected: [] }]) {
      const it = restoring(now);
      await run(it, it.activities.restoreSource, planned);
      expect(it.sends).toHaveLength(1);
    }
  });

  test('by zfs itself, to look into a snapshot, holds up nothing and is protected', async () => {
    const it = restoring({ protected: ['/old', '/.zfs/snapshot/resurgo_portal'] });
    await run(it, it.activities.restoreSource, { ...planned, item: { ...item, protect: ['*.tmp', '/old'] } });
    const wanted = ['*.tmp', '/old', '/.zfs/snapshot/resurgo_portal'];
    expect(patterns(it.sends[0])).toEqual(wanted);
    expect(patterns(it.verifies[0])).toEqual(wanted);
  });

  test('is no matter of a single file, beside which nothing is touched', async () => {
    const it = restoring({ protected: ['/late'] });
    await run(it, it.activities.restoreSource, { ...planned, item: { ...item, single: true } });
    expect(it.sends.length).toBeGreaterThan(0);
  });
});

describe('S9 files are compared', () => {
  const of = async (over: Partial<typeof item>, round = 0) => {
    const it = restoring();
    const ref = { ...item, ...over };
    const fence = { ...FENCE, round };
    await run(it, it.activities.countRestore, { fence: FENCE, item: ref });
    const result = await run(again(), it.activities.restoreSource, { fence, item: ref, fsUuid: '' });
    return { byContent: result.byContent, sent: it.sends.map(({ dryRun, checksum }) => ({ dryRun, checksum })) };
  };

  test('by size and time in the first try', async () => {
    expect(await of({})).toEqual({
      byContent: false,
      sent: [
        { dryRun: true, checksum: false },
        { dryRun: false, checksum: false },
      ],
    });
  });

  test('by content in a retry: what size and time have missed would be missed again', async () => {
    expect(await of({}, 1)).toEqual({
      byContent: true,
      sent: [
        { dryRun: true, checksum: false },
        { dryRun: false, checksum: true },
      ],
    });
  });

  test('by content where that was asked for, in the count too', async () => {
    const sent = [true, false].map((dryRun) => ({ dryRun, checksum: true }));
    expect(await of({ checksum: true })).toEqual({ byContent: true, sent });
  });

  test('by content where it is a single one, in the count too, or its proof would find what the count had missed', async () => {
    const sent = [true, false, true].map((dryRun) => ({ dryRun, checksum: true }));
    expect(await of({ single: true })).toEqual({ byContent: true, sent });
  });
});

test('a folder that stays for what it holds is told', async () => {
  const it = restoring({}, { kept: ['newdir'] });
  expect(await run(it, it.activities.restoreSource, { fence: FENCE, item, fsUuid: '' })).toMatchObject({
    kept: ['newdir'],
  });
});

describe('S9 a tree that is not as it was sealed', () => {
  const differences = ['-x\t0', '+y\t0'];
  const planned = { fence: FENCE, item, fsUuid: '' };

  test('may be damaged in its store too: the advice names the backup, its store and the way to another', async () => {
    const it = restoring({}, { differences });
    await expect(run(it, it.activities.restoreSource, planned)).rejects.toThrow(
      /still writes there,.* or backup 20261121_013000 in store main on target is damaged: abort, and restore another one \(`resurgo list portal`\)/,
    );
  });
});
