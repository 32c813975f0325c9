import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { WorkflowHandle } from '@temporalio/client';
import { HostError } from '../../hosts/errors';
import type { FakeCall } from '../../hosts/fake';
import { CONTROL_QUEUE } from '../../planning/queues';
import type { BackupInput } from '../../planning/run-input';
import type { backup } from '../../workflows/backup';
import { backupInput, fleetRunbook, useEngine, withFleet } from './support/engine';

jest.setTimeout(120_000);

const engine = useEngine();

type Handle = WorkflowHandle<typeof backup>;

async function start(input: BackupInput): Promise<Handle> {
  return engine.env.client.workflow.start<typeof backup>('backup', {
    workflowId: `backup/portal/${input.run}`,
    taskQueue: CONTROL_QUEUE,
    args: [input],
  });
}

async function untilAsked(handle: Handle): Promise<{ step: string; failure: { message: string } }> {
  for (let tries = 0; tries < 200; tries += 1) {
    const questions = await handle.query<{ step: string; failure: { message: string } }[]>('questions');
    const first = questions[0];
    if (first !== undefined) return first;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('nobody was asked');
}

function refuse(call: FakeCall, code: 'unreachable' | 'failed' | 'not-allowed' | 'fenced'): never {
  throw new HostError({ host: call.host, verb: call.verb, code, message: 'said the test' });
}

test('a backup of three hosts is sealed with every source and leaves nothing behind', async () => {
  await withFleet({ engine }, async (fleet) => {
    const report = await (await start(backupInput(fleetRunbook(3)))).result();
    expect(report).toMatchObject({ state: 'Completed', label: expect.any(String) as string });
    expect(report.sources.map((each) => [each.tree, each.state])).toEqual(
      [1, 2, 3].map((i) => [`app-${i}@+srv+data`, 'ok']),
    );
    expect(fleet.host('target').backups.map((each) => each.id)).toEqual([report.id]);
    for (const i of [1, 2, 3]) expect(fleet.host(`app-${i}`)).toMatchObject({ snapshots: [], paused: 0 });
  });
});

test('a target whose clock is off, or that knows a former identity of a source, stops the backup before anything is frozen', async () => {
  const said = [
    [() => ({ timeMs: Date.now() + 300_000 }), /target: its clock is \d+\.\d s ahead of/],
    [() => ({ peers: { 'app-1': 'old' } }), /target: knows another identity of app-1/],
  ] as const;
  for (const [says, words] of said) {
    const touched: string[] = [];
    const intercept = (call: FakeCall) => {
      if (call.verb === 'job.start' || call.verb.startsWith('freeze')) touched.push(call.verb);
      if (call.verb !== 'probe') return undefined;
      return call.host === 'target' ? says() : { identity: 'new' };
    };
    await withFleet({ engine, fake: { intercept } }, async () => {
      const handle = await start(backupInput(fleetRunbook(2, { on_unreachable: 'partial' })));
      await expect(handle.result()).rejects.toMatchObject({
        cause: { message: expect.stringMatching(words) as string },
      });
    });
    expect(touched).toEqual([]);
  }
});

test('what is to be looked at on a target goes into the backup', async () => {
  const intercept = ({ verb, host }: FakeCall) =>
    verb === 'probe' && host === 'target' ? { hash: 'loose' } : undefined;
  await withFleet({ engine, fake: { intercept } }, async () => {
    const { warnings } = await (await start(backupInput(fleetRunbook(1)))).result();
    expect(warnings).toEqual([expect.stringMatching(/^target: others than root own its hostkit/)]);
  });
});

test('S1 nobody is thawed before the last snapshot is confirmed', async () => {
  const seen: string[] = [];
  const intercept = (call: FakeCall): undefined => {
    if (call.verb.startsWith('freeze:')) seen.push(call.verb);
  };
  const latencyMs = (call: FakeCall): number => (call.host === 'app-2' && call.verb === 'freeze:snapshot' ? 300 : 2);
  await withFleet({ engine, fake: { intercept, latencyMs } }, async () => {
    await (await start(backupInput(fleetRunbook(3)))).result();
  });
  expect(seen).toEqual([
    ...Array<string>(3).fill('freeze:pause'),
    ...Array<string>(3).fill('freeze:snapshot'),
    ...Array<string>(3).fill('freeze:thaw'),
  ]);
});

test('S1 a torn instant is repeated whole, and its snapshots are dropped', async () => {
  let thaws = 0;
  const drops: unknown[] = [];
  const intercept = (call: FakeCall): Record<string, unknown> | undefined => {
    if (call.verb === 'snapshot.drop') drops.push(call.args.freeze);
    if (call.verb === 'freeze:thaw' && call.host === 'app-1' && (thaws += 1) === 1)
      return { torn: 'container web was restarted' };
    return undefined;
  };
  await withFleet({ engine, fake: { intercept } }, async (fleet) => {
    const report = await (await start(backupInput(fleetRunbook(2)))).result();
    expect(report.state).toBe('Completed');
    expect(report.warnings).toEqual([
      expect.stringMatching(/^an earlier freeze of this run held the group for .* app-1: container web was restarted/),
    ]);
    expect(fleet.counts.get('freeze:snapshot')).toBe(4);
    expect(drops.filter((each) => each !== -1)).toHaveLength(2);
  });
});

test.each([
  ['failed', /held the group for up to \d\.\d s and did not count: .*said the test/],
  ['unreachable', /held the group for up to 30\.0 s and did not count: .*said the test/],
] as const)('S2 a freeze that broke (%s) and was begun anew is told with its time', async (code, told) => {
  let broken = true;
  const intercept = (call: FakeCall): undefined => {
    if (!broken || call.verb !== 'freeze:thaw' || call.host !== 'app-1') return;
    broken = false;
    refuse(call, code);
  };
  await withFleet({ engine, fake: { intercept } }, async () => {
    const report = await (await start(backupInput(fleetRunbook(2)))).result();
    expect(report.state).toBe('Completed');
    expect(report.warnings).toEqual([expect.stringMatching(told)]);
  });
});

test('a step that keeps failing asks the operator, and a retry lets the run go on', async () => {
  let broken = true;
  const intercept = (call: FakeCall): undefined => {
    if (broken && call.verb === 'grant.key' && call.host === 'app-1') refuse(call, 'not-allowed');
  };
  await withFleet({ engine, fake: { intercept } }, async () => {
    const handle = await start(backupInput(fleetRunbook(2)));
    const question = await untilAsked(handle);
    expect(question.step).toBe('copy app-1:data');
    expect(question.failure.message).toContain('said the test');
    await expect(handle.executeUpdate('decide', { args: [{ decision: 'approve', by: 'test' }] })).rejects.toThrow();
    await expect(
      handle.executeUpdate('decide', { args: [{ decision: 'retry', step: 'copy', by: 'test' }] }),
    ).rejects.toMatchObject({
      cause: { message: 'no step "copy" waits for an answer, only "copy app-1:data"' },
    });
    broken = false;
    await handle.executeUpdate('decide', { args: [{ decision: 'retry', by: 'test' }] });
    expect((await handle.result()).state).toBe('Completed');
  });
});

test('S18 a source that the operator leaves out makes the backup partial', async () => {
  const intercept = (call: FakeCall): undefined => {
    if (call.verb === 'grant.key' && call.host === 'app-1') refuse(call, 'not-allowed');
  };
  await withFleet({ engine, fake: { intercept } }, async () => {
    const handle = await start(backupInput(fleetRunbook(2)));
    await untilAsked(handle);
    await handle.executeUpdate('decide', { args: [{ decision: 'skip', by: 'test' }] });
    const report = await handle.result();
    expect(report.state).toBe('Partial');
    expect(report.sources[0]).toMatchObject({
      state: 'missing',
      reason: expect.stringContaining('left out by test') as string,
    });
  });
});

test('S18 an unreachable host makes a partial backup where the runbook allows it', async () => {
  const intercept = (call: FakeCall): undefined => {
    if (call.host === 'app-2') refuse(call, 'unreachable');
  };
  await withFleet({ engine, fake: { intercept } }, async () => {
    const report = await (await start(backupInput(fleetRunbook(3, { on_unreachable: 'partial' })))).result();
    expect(report.state).toBe('Partial');
    expect(report.sources.map((each) => each.state)).toEqual(['ok', 'missing', 'ok']);
  });
});

test('a target that is away keeps the run waiting, and what no waiting mends ends it at once', async () => {
  let code: 'unreachable' | 'not-allowed' = 'unreachable';
  let broken = true;
  const intercept = (call: FakeCall): undefined => {
    if (broken && call.verb === 'lease.take' && call.host === 'target') refuse(call, code);
  };
  await withFleet({ engine, fake: { intercept } }, async () => {
    const handle = await start(backupInput(fleetRunbook(2)));
    expect(await untilAsked(handle)).toMatchObject({ step: 'lease', failure: { code: 'unreachable', host: 'target' } });
    broken = false;
    await handle.executeUpdate('decide', { args: [{ decision: 'retry', by: 'test' }] });
    expect((await handle.result()).state).toBe('Completed');
    code = 'not-allowed';
    broken = true;
    await expect((await start(backupInput(fleetRunbook(2)))).result()).rejects.toMatchObject({
      cause: { type: 'not-allowed' },
    });
  });
});

test('S4 a target that was replaced counts anew: the run asks it for a term above what the hosts have seen', async () => {
  const taken: unknown[] = [];
  const intercept = (call: FakeCall): { term: unknown } | undefined => {
    if (call.verb !== 'lease.take') return undefined;
    taken.push([call.host, call.args.term, call.args.least]);
    if (call.host === 'target' && call.args.term === 0) return { term: call.args.least ?? 1 };
    if (call.host === 'app-2' && Number(call.args.term) < 58) {
      const { host, verb } = call;
      throw new HostError({ host, verb, code: 'fenced', message: 'term 57 has been here', detail: { seen: 57 } });
    }
    return undefined;
  };
  await withFleet({ engine, fake: { intercept } }, async () => {
    expect((await (await start(backupInput(fleetRunbook(2)))).result()).state).toBe('Completed');
  });
  expect(taken).toEqual(
    expect.arrayContaining([
      ['target', 0, undefined],
      ['app-2', 1, undefined],
      ['target', 0, 58],
      ['app-2', 58, undefined],
    ]),
  );
});

test('S3 a run whose group was taken over ends by itself: no answer could let it go on', async () => {
  const intercept = (call: FakeCall): undefined => {
    if (call.verb === 'job.start' && call.args.kind === 'send') refuse(call, 'fenced');
  };
  await withFleet({ engine, fake: { intercept } }, async () => {
    const handle = await start(backupInput(fleetRunbook(1)));
    await expect(handle.result()).rejects.toMatchObject({ cause: { type: 'fenced' } });
  });
});

test('an abort at the gate takes everything back and ends as failed', async () => {
  const intercept = (call: FakeCall): undefined => {
    if (call.verb === 'grant.key') refuse(call, 'not-allowed');
  };
  await withFleet({ engine, fake: { intercept } }, async (fleet) => {
    const handle = await start(backupInput(fleetRunbook(1)));
    await untilAsked(handle);
    await handle.executeUpdate('decide', { args: [{ decision: 'abort', by: 'test', reason: 'enough' }] });
    await expect(handle.result()).rejects.toMatchObject({
      cause: { message: expect.stringContaining('aborted by test') as string },
    });
    expect(fleet.host('app-1').snapshots).toEqual([]);
    expect(fleet.host('target').backups).toEqual([]);
    expect(fleet.counts.get('lease.release')).toBeGreaterThan(0);
  });
});

test('S4 a host that refuses to give the lease back is told of, and does not keep the group from the next run', async () => {
  const given: string[] = [];
  const intercept = (call: FakeCall): undefined => {
    if (call.verb !== 'lease.release') return;
    if (call.host === 'app-2') refuse(call, 'not-allowed');
    given.push(call.host);
  };
  await withFleet({ engine, fake: { intercept } }, async () => {
    const report = await (await start(backupInput(fleetRunbook(3)))).result();
    expect(report.state).toBe('Completed');
    expect(report.warnings).toEqual([expect.stringMatching(/app-2.*said the test/)]);
  });
  expect(given).toContain('target');
});

test('a cancelled run thaws, drops its snapshots and gives the lease back', async () => {
  await withFleet({ engine, fake: { jobMs: 60_000 } }, async (fleet) => {
    const handle = await start(backupInput(fleetRunbook(1)));
    while ((fleet.counts.get('job.poll') ?? 0) < 3) await new Promise((resolve) => setTimeout(resolve, 50));
    await handle.cancel();
    await expect(handle.result()).rejects.toThrow();
    expect(fleet.counts.get('job.stop')).toBeGreaterThan(0);
    expect(fleet.host('app-1').snapshots).toEqual([]);
    expect(fleet.counts.get('lease.release')).toBeGreaterThan(0);
  });
});

test('S17 a cancel that comes after the backup was published leaves a backup, told as one', async () => {
  const heard: string[] = [];
  const ear = createServer((request, response) => {
    heard.push(request.url ?? '');
    response.end();
  }).listen(0, '127.0.0.1');
  await once(ear, 'listening');
  const { port } = ear.address() as AddressInfo;
  const notify = [{ ping: `http://127.0.0.1:${port}/hear`, on: ['success', 'failure'] }];
  let stopped = false;
  const intercept = ({ verb, args }: FakeCall) => {
    if (!String(args['job']).endsWith('store-seal')) return undefined;
    if (verb === 'job.stop') stopped = true;
    // It had come to its end a moment before it was to be stopped.
    return verb === 'job.poll' && stopped ? { state: 'exited', exit: 0, result: { id: 'sealed' } } : undefined;
  };
  try {
    const jobMs = (kind: string) => (kind === 'store-seal' ? 60_000 : 30);
    await withFleet({ engine, fake: { jobMs, intercept } }, async (fleet) => {
      const handle = await start(backupInput(fleetRunbook(1, { notify })));
      const sealing = () => [...fleet.host('target').jobs.values()].some((job) => job.kind === 'store-seal');
      while (!sealing()) await new Promise((resolve) => setTimeout(resolve, 50));
      await handle.cancel();
      expect(await handle.result()).toMatchObject({ state: 'Completed', warnings: [] });
      expect(stopped).toBe(true);
      expect(fleet.counts.get('thaw') ?? 0).toBe(0);
    });
  } finally {
    ear.close();
  }
  expect(heard).toEqual(['/hear']);
});

test('S21 a host whose restore is not finished is not backed up as if it were whole', async () => {
  const problems = ['run run-00000001 stopped this group for a restore that is not finished'];
  const intercept = ({ verb, host }: FakeCall) => (verb === 'check' && host === 'app-2' ? { problems } : undefined);
  await withFleet({ engine, fake: { intercept } }, async (fleet) => {
    const failed = (await start(backupInput(fleetRunbook(2)))).result();
    await expect(failed).rejects.toMatchObject({
      cause: { message: expect.stringMatching(/app-2: run run-00000001.*not finished/) as string },
    });
    expect(fleet.host('target').backups).toEqual([]);
    expect(fleet.counts.get('freeze') ?? 0).toBe(0);
  });
});

test('a hook and a freeze have the time that the runbook gives them', async () => {
  const hook = { host: 'app-1', name: 'dump', command: '/usr/local/bin/dump', timeout: '2h' };
  const quiesce = { max_pause: '10m', hooks: { before: [hook], after: [hook] } };
  await withFleet({ engine }, async () => {
    const handle = await start(backupInput(fleetRunbook(1, { quiesce })));
    await handle.result();
    const { events } = await handle.fetchHistory();
    const seconds = (events ?? []).flatMap((event) => {
      const scheduled = event.activityTaskScheduledEventAttributes;
      const name = scheduled?.activityType?.name ?? '';
      return ['runHooks', 'freeze'].includes(name)
        ? [[name, Number(scheduled?.startToCloseTimeout?.seconds)] as const]
        : [];
    });
    expect(seconds.map(([name]) => name)).toEqual(['runHooks', 'freeze', 'runHooks']);
    for (const [name, given] of seconds) expect(given).toBeGreaterThan(name === 'freeze' ? 3 * 3 * 600 : 2 * 3600);
  });
});

describe('room in the store', () => {
  const full = (leastBytes: number) => (call: FakeCall) => {
    if (call.verb === 'store.space') return { freeBytes: 2 ** 30, totalBytes: 2 ** 30, fsType: 'btrfs' };
    return call.verb === 'check'
      ? { sources: [{ name: 'data', path: '/srv/data', kind: 'btrfs', usedBytes: 2 ** 37, leastBytes }] }
      : undefined;
  };

  test('a first copy that can not fit ends the run before anything is frozen, and says what to do', async () => {
    await withFleet({ engine, fake: { intercept: full(2 ** 37) } }, async (fleet) => {
      await expect((await start(backupInput(fleetRunbook(1)))).result()).rejects.toMatchObject({
        cause: {
          type: 'no-space',
          message: expect.stringMatching(/store main has .* at the very least.*Nothing was frozen: .*prune/) as string,
        },
      });
      expect(fleet.counts.get('freeze') ?? 0).toBe(0);
      expect(fleet.counts.get('job.start') ?? 0).toBe(0);
    });
  });

  test('one that may not fit is made, with a warning', async () => {
    await withFleet({ engine, fake: { intercept: full(0) } }, async () => {
      const first = await (await start(backupInput(fleetRunbook(1)))).result();
      expect(first).toMatchObject({
        state: 'Completed',
        warnings: [expect.stringMatching(/may need up to 128\.0 GiB/)],
      });
    });
  });
});

test('the checks are those of doctor: what is worth knowing goes into the report and into the sealed manifest', async () => {
  const intercept = (call: FakeCall): Record<string, unknown> | undefined => {
    if (call.verb === 'probe' && call.host === 'app-1') return { hash: 'older', version: '0.0.9' };
    if (call.verb === 'probe' && call.host === 'app-2') return { timeMs: Date.now() - 20_000 };
    if (call.verb === 'check' && call.host === 'app-1')
      return { unprotected: ['container web: bind /opt lies in no source'] };
    if (call.verb === 'store.space') return { warnings: ['/backup is not mounted nosuid'] };
    const entry = { kind: 'snapshots', name: 'run-00000000' };
    return call.verb === 'sweep' && call.host === 'app-2' ? { found: [entry], mended: [entry] } : undefined;
  };
  await withFleet({ engine, fake: { intercept } }, async (fleet) => {
    const { warnings, state } = await (await start(backupInput(fleetRunbook(2)))).result();
    expect(state).toBe('Completed');
    expect(warnings).toEqual([
      expect.stringMatching(/^app-1: its hostkit 0\.0\.9 differs from this director's/) as string,
      'app-1: not protected: container web: bind /opt lies in no source',
      expect.stringMatching(/^app-2: its clock is (19|20)\.\d s behind the director's$/) as string,
      'app-2: removed snapshots run-00000000',
      'target: /backup is not mounted nosuid',
    ]);
    const [sealed] = fleet.host('target').backups;
    const manifest = JSON.parse(Buffer.from(sealed?.manifest ?? '', 'base64').toString('utf8')) as {
      warnings: string[];
    };
    expect(manifest.warnings).toEqual(warnings);
  });
});

test.each([
  ['a tool is missing', 'probe', { tools: { rsync: false } }, 'app-2: missing: rsync'],
  ['the clock is wrong', 'probe', { timeMs: 1 }, 'app-2: .* s behind the director'],
  ['its configuration lacks a source', 'check', { sources: [] }, 'app-2: its configuration does not allow this source'],
])('a host that is not fit stops the run before anything is paused: %s', async (_what, verb, reply, message) => {
  const intercept = (call: FakeCall): Record<string, unknown> | undefined =>
    call.verb === verb && call.host === 'app-2' ? reply : undefined;
  await withFleet({ engine, fake: { intercept } }, async (fleet) => {
    const handle = await start(backupInput(fleetRunbook(2)));
    await expect(handle.result()).rejects.toMatchObject({
      cause: { type: 'check-failed', message: expect.stringMatching(message) as string },
    });
    expect(fleet.counts.get('freeze:pause')).toBeUndefined();
  });
});
