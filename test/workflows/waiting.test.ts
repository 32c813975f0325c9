/** A run that waits for a person: who is called, what becomes of an answer, and what is looked at again after it. */
import type { WorkflowHandle } from '@temporalio/client';
import { HostError } from '../../hosts/errors';
import type { FakeCall } from '../../hosts/fake';
import { CONTROL_QUEUE } from '../../planning/queues';
import type { RestoreInput } from '../../planning/run-input';
import type { backup } from '../../workflows/backup';
import type { Decision, OpenQuestion } from '../../workflows/gate';
import type { restore } from '../../workflows/restore';
import { until } from '../workers/fixtures/engine';
import { Ear } from './support/ear';
import { backupInput, fleetRunbook, useEngine, withFleet } from './support/engine';

jest.setTimeout(120_000);

const engine = useEngine({ shortWaits: true });

type Handle = WorkflowHandle<typeof backup>;

function start(text: string): Promise<Handle> {
  const input = backupInput(text);
  return engine.env.client.workflow.start<typeof backup>('backup', {
    workflowId: `backup/portal/${input.run}`,
    taskQueue: CONTROL_QUEUE,
    args: [input],
  });
}

async function asked(handle: WorkflowHandle): Promise<OpenQuestion> {
  let first: OpenQuestion | undefined;
  await until('a question', async () => {
    if ((await handle.describe()).status.name !== 'RUNNING')
      throw new Error(`it ended: ${JSON.stringify(await handle.result())}`);
    [first] = await handle.query<OpenQuestion[]>('questions');
    return first !== undefined;
  });
  return first as OpenQuestion;
}

async function answer(handle: WorkflowHandle, decision: Decision, step?: string): Promise<void> {
  await handle.executeUpdate('decide', { args: [{ decision, by: 'anna', ...(step === undefined ? {} : { step }) }] });
}

const ended = (handle: WorkflowHandle): Promise<void> =>
  until('the run has ended', async () => (await handle.describe()).status.name !== 'RUNNING');

function refuse(
  call: FakeCall,
  code: 'unreachable' | 'not-allowed' | 'missing-tool',
  message = 'said the test',
): never {
  throw new HostError({ host: call.host, verb: call.verb, code, message });
}

/** Refuses the copy of one host as long as `broken`. */
function refusing() {
  const state = { broken: true };
  const intercept = (call: FakeCall): undefined => {
    if (state.broken && call.verb === 'grant.key' && call.host === 'app-1') refuse(call, 'not-allowed');
  };
  return { state, intercept };
}

describe('S14 a host that was away for the checks and is back after a retry', () => {
  const SHOWN = { name: 'data', path: '/srv/data', realPath: '/srv/data', kind: 'btrfs' };

  /** A fleet with a backup behind it, whose `app-2` is away for the checks, and answers these fields once it is back. */
  async function comeBack(options: {
    back: (call: FakeCall) => Record<string, unknown> | undefined;
    then: (handle: Handle) => Promise<void>;
  }): Promise<void> {
    let state: 'well' | 'away' | 'back' = 'well';
    const intercept = (call: FakeCall): Record<string, unknown> | undefined => {
      if (call.host !== 'app-2' || state === 'well') return undefined;
      if (state === 'back') return options.back(call);
      return call.verb === 'check' ? refuse(call, 'unreachable') : undefined;
    };
    await withFleet({ engine, fake: { intercept } }, async () => {
      const text = fleetRunbook(2);
      expect((await (await start(text)).result()).state).toBe('Completed');
      state = 'away';
      const handle = await start(text);
      expect(await asked(handle)).toMatchObject({ step: 'reach hosts', failure: { host: 'app-2' } });
      state = 'back';
      await answer(handle, 'retry');
      await options.then(handle);
    });
  }

  test('is looked at again: what is not mounted there is not taken for the source', async () => {
    await comeBack({
      back: ({ verb }) => (verb === 'check' ? { sources: [{ ...SHOWN, mounted: false, fsUuid: 'root' }] } : undefined),
      then: async (handle) => {
        const { step, failure } = await asked(handle);
        expect(step).toBe('identity of sources');
        expect(failure.message).toMatch(/app-2:data: its file system is not mounted .*was  fake and is  root/);
        await answer(handle, 'abort');
        await expect(handle.result()).rejects.toMatchObject({ cause: { type: 'identity-changed' } });
      },
    });
  });

  test('is compared by size too: an emptied source is not sealed unseen', async () => {
    const empty = { entries: 1, files: 0, bytes: 0, sentBytes: 0, sha256: '0'.repeat(64) };
    await comeBack({
      back: ({ verb }) => (verb === 'job.poll' ? { result: empty } : undefined),
      then: async (handle) => {
        const { step, failure } = await asked(handle);
        expect(step).toBe('size of sources');
        expect(failure.message).toMatch(/app-2:data: it held 100 files .* and is empty now/);
        await answer(handle, 'abort');
        await expect(handle.result()).rejects.toMatchObject({ cause: { type: 'identity-changed' } });
      },
    });
  });

  test('and is as it was needs no further answer', async () => {
    await comeBack({
      back: () => undefined,
      then: async (handle) => {
        await ended(handle);
        const { state, sources } = await handle.result();
        expect({ state, sources: sources.map((each) => each.state) }).toEqual({
          state: 'Completed',
          sources: ['ok', 'ok'],
        });
      },
    });
  });
});

test('S18 a host that the runbook lets be left out is not asked about, though the last backup holds it', async () => {
  let away = false;
  const intercept = (call: FakeCall): undefined => {
    if (away && call.host === 'app-2') refuse(call, 'unreachable');
  };
  await withFleet({ engine, fake: { intercept } }, async () => {
    const text = fleetRunbook(2, { on_unreachable: 'partial' });
    expect((await (await start(text)).result()).state).toBe('Completed');
    away = true;
    const handle = await start(text);
    await ended(handle);
    expect((await handle.result()).state).toBe('Partial');
  });
});

test('an answer is heard while the webhook that calls for it hangs', async () => {
  const ear = new Ear({ hangs: true });
  const { state, intercept } = refusing();
  try {
    const notify = await ear.notify(['needs-operator']);
    await withFleet({ engine, fake: { intercept } }, async () => {
      const handle = await start(fleetRunbook(1, { notify }));
      await asked(handle);
      await until('the webhook is called', () => ear.heard.length > 0);
      state.broken = false;
      await answer(handle, 'retry');
      await ended(handle);
      expect(await handle.result()).toMatchObject({ state: 'Completed', warnings: [] });
      ear.close();
    });
  } finally {
    ear.close();
  }
});

test('a person is called again and again until the question is answered, and no more after it', async () => {
  const ear = new Ear();
  const { state, intercept } = refusing();
  try {
    const notify = await ear.notify(['needs-operator']);
    const jobMs = (kind: string): number => (kind === 'send' ? 6_000 : 30);
    await withFleet({ engine, fake: { intercept, jobMs } }, async (fleet) => {
      const handle = await start(fleetRunbook(1, { notify }));
      await until('it has called three times', () => ear.heard.length >= 3);
      for (const { event, step, message } of ear.heard)
        expect({ event, step, message }).toEqual({
          event: 'needs-operator',
          step: 'copy app-1:data',
          message: expect.stringMatching(/waits for you: .*said the test/) as string,
        });
      state.broken = false;
      await answer(handle, 'retry');
      await until('the copy runs', () => [...fleet.host('app-1').jobs.values()].some(({ kind }) => kind === 'send'));
      const calls = ear.heard.length;
      expect((await handle.result()).state).toBe('Completed');
      expect(ear.heard).toHaveLength(calls);
    });
  } finally {
    ear.close();
  }
});

test('questions of the same name are put one after another, and each answer goes to the one that was put', async () => {
  const broken = new Set<string>();
  let looked: string[] = [];
  const intercept = (call: FakeCall): undefined => {
    if (call.verb !== 'restore.check') return;
    const tree = String(call.args['tree']);
    looked.push(tree);
    if (broken.has(tree)) refuse(call, 'missing-tool', `no place for ${tree}`);
  };
  await withFleet({ engine, fake: { intercept } }, async () => {
    const text = fleetRunbook(4);
    const { id, sources } = await (await start(text)).result();
    for (const { tree } of sources) broken.add(tree);
    const { run, ...into } = backupInput(text);
    const input: RestoreInput = {
      ...{ run, requestedBy: 'test', into, id, select: {}, approve: null, planOnly: false },
      from: { group: 'portal', store: 'main', storeHost: into.storeHost },
      // All sources into one folder: what is asked of it has one name.
      ...{ mode: 'folder', folder: { host: 'app-1', path: '/var/restore' }, deletes: false, newDisk: false },
    };
    const handle = await engine.env.client.workflow.start<typeof restore>('restore', {
      workflowId: `restore/portal/${run}`,
      taskQueue: CONTROL_QUEUE,
      args: [input],
    });
    await until('all were looked at', () => looked.length >= sources.length);
    const put: string[] = [];
    while (put.length < sources.length) {
      const { step, failure } = await asked(handle);
      expect(step).toBe('look at app-1:/var/restore');
      const tree = /no place for (\S+)/.exec(failure.message)?.[1] ?? '';
      put.push(tree);
      broken.delete(tree);
      looked = [];
      await answer(handle, 'retry', step);
      await until('it is looked at again', () => looked.length > 0);
      expect(looked).toEqual([tree]);
    }
    expect([...put].sort()).toEqual(sources.map(({ tree }) => tree).sort());
    expect((await asked(handle)).step).toBe('approve');
    await answer(handle, 'abort', 'approve');
    await expect(handle.result()).rejects.toThrow();
  });
});
