/** The end of a run that failed: people are told while it is undone, and called when the undoing does not succeed. */
import type { WorkflowHandle } from '@temporalio/client';
import type { Notice } from '../../activities/notify';
import { HostError } from '../../hosts/errors';
import type { HostErrorCode } from '../../hosts/errors';
import type { FakeCall, FakeOptions } from '../../hosts/fake';
import { CONTROL_QUEUE } from '../../planning/queues';
import type { RestoreInput } from '../../planning/run-input';
import type { backup } from '../../workflows/backup';
import type { OpenQuestion } from '../../workflows/gate';
import type { restore } from '../../workflows/restore';
import { until } from '../workers/fixtures/engine';
import { Ear } from './support/ear';
import { backupInput, fleetRunbook, useEngine, withFleet } from './support/engine';

jest.setTimeout(120_000);

const engine = useEngine({ shortWaits: true });

/** Two hosts whose runs are heard; `seen` has the notices of these events and the chosen verbs in the order in which they came. */
async function heard(
  options: { on: Notice['event'][]; verbs: FakeCall['verb'][]; fake: FakeOptions },
  body: (on: { text: string; notices: Notice[] }) => Promise<void>,
): Promise<string[]> {
  const seen: string[] = [];
  const ear = new Ear({ hears: ({ event }) => seen.push(event) });
  const { intercept } = options.fake;
  const fake: FakeOptions = {
    ...options.fake,
    intercept: (call) => {
      const over = intercept?.(call);
      if (options.verbs.includes(call.verb)) seen.push(`${call.verb} ${call.host}`);
      return over;
    },
  };
  try {
    const text = fleetRunbook(2, { notify: await ear.notify(options.on) });
    await withFleet({ engine, fake }, () => body({ text, notices: ear.heard }));
  } finally {
    ear.close();
  }
  return seen;
}

function refuse(call: FakeCall, code: HostErrorCode): never {
  throw new HostError({ host: call.host, verb: call.verb, code, message: 'said the test' });
}

/** What ends a backup without a question. */
function taken(call: FakeCall): undefined {
  if (call.verb === 'job.start' && call.args['kind'] === 'send') refuse(call, 'fenced');
}

async function backedUp(text: string): Promise<string> {
  return (await (await startBackup(text)).result()).id;
}

function startBackup(text: string): Promise<WorkflowHandle<typeof backup>> {
  const input = backupInput(text);
  return engine.env.client.workflow.start<typeof backup>('backup', {
    workflowId: `backup/portal/${input.run}`,
    taskQueue: CONTROL_QUEUE,
    args: [input],
  });
}

/** A restore in place of that backup, approved. */
async function startRestore({ text, id }: { text: string; id: string }): Promise<WorkflowHandle<typeof restore>> {
  const { run, ...into } = backupInput(text);
  const input: RestoreInput = {
    ...{ run, requestedBy: 'test', into, id, select: {}, approve: null, planOnly: false },
    from: { group: 'portal', store: 'main', storeHost: into.storeHost },
    ...{ mode: 'in-place', folder: null, deletes: true, newDisk: false },
  };
  const handle = await engine.env.client.workflow.start<typeof restore>('restore', {
    workflowId: `restore/portal/${run}`,
    taskQueue: CONTROL_QUEUE,
    args: [input],
  });
  const hash = (await asked(handle, 'approve')).approve;
  await handle.executeUpdate('decide', { args: [{ decision: 'approve', step: 'approve', hash, by: 'anna' }] });
  return handle;
}

async function asked(handle: WorkflowHandle, step: string): Promise<OpenQuestion> {
  let found: OpenQuestion | undefined;
  await until(`a question about ${step}`, async () => {
    found = (await handle.query<OpenQuestion[]>('questions')).find((each) => each.step === step);
    return found !== undefined;
  });
  return found as OpenQuestion;
}

/** A restore whose second host can't be stopped and which is aborted there. */
async function abortedRestore({ text, notices }: { text: string; notices: Notice[] }) {
  const handle = await startRestore({ text, id: await backedUp(text) });
  await asked(handle, 'stop app-2');
  await until('the other one is stopped', async () =>
    (await handle.query<{ step: string; state: string }[]>('board')).some(
      ({ step, state }) => step === 'stop app-1' && state === 'done',
    ),
  );
  notices.length = 0;
  await handle.executeUpdate('decide', { args: [{ decision: 'abort', step: 'stop app-2', by: 'anna' }] });
  return handle;
}

test('a failed backup is told when its undoing begins; an undoing that succeeds calls nobody', async () => {
  const seen = await heard(
    { on: ['failure', 'needs-operator'], verbs: ['thaw', 'lease.release'], fake: { intercept: taken } },
    async ({ text, notices }) => {
      await expect((await startBackup(text)).result()).rejects.toMatchObject({ cause: { type: 'fenced' } });
      expect(notices.map(({ message }) => message)).toEqual([
        expect.stringMatching(/^the backup failed: .*said the test.*; what it did is being taken back$/),
      ]);
    },
  );
  expect(seen).toEqual(expect.arrayContaining(['failure', 'thaw app-1', 'thaw app-2', 'lease.release target']));
});

test('a thaw that does not succeed calls a person, and goes on until it does', async () => {
  let broken = true;
  const intercept = (call: FakeCall): undefined => {
    taken(call);
    if (broken && call.verb === 'thaw' && call.host === 'app-1') refuse(call, 'failed');
  };
  const seen = await heard(
    { on: ['failure', 'needs-operator'], verbs: ['thaw'], fake: { intercept } },
    async ({ text, notices }) => {
      const handle = await startBackup(text);
      await until('the alarm', () => notices.length >= 2);
      expect(notices[1]).toMatchObject({
        event: 'needs-operator',
        step: 'thaw',
        message: 'thaw does not succeed and is still tried: look at the hosts now',
      });
      expect((await handle.describe()).status.name).toBe('RUNNING');
      broken = false;
      await expect(handle.result()).rejects.toMatchObject({
        cause: { message: expect.not.stringContaining('thaw') as string },
      });
    },
  );
  // What was refused is not noted; the last is the one that worked.
  expect(seen.filter((each) => !/^thaw (app-2|target)$/.test(each))).toEqual([
    'failure',
    'needs-operator',
    'thaw app-1',
  ]);
});

test('an aborted restore is told when what it stopped is started again, and then how it ended', async () => {
  const intercept = (call: FakeCall): undefined => {
    if (call.verb === 'restore.stop' && call.host === 'app-2') refuse(call, 'not-allowed');
  };
  const seen = await heard(
    { on: ['failure'], verbs: ['restore.start'], fake: { intercept } },
    async ({ text, notices }) => {
      const handle = await abortedRestore({ text, notices });
      await expect(handle.result()).rejects.toMatchObject({ cause: { type: 'AbortedByOperator' } });
      expect(notices.map(({ message }) => message)).toEqual([
        expect.stringMatching(/^the restore failed: aborted by anna .*Hosts now: app-1 stopped, app-2 stopped$/),
        expect.stringMatching(/^the restore failed: .*Hosts now: app-1 running again, app-2 running again$/),
      ]);
    },
  );
  expect(seen).toHaveLength(4);
  expect(seen[3]).toBe('failure');
});

test('a start again that does not succeed calls a person', async () => {
  let broken = true;
  const intercept = (call: FakeCall): undefined => {
    if (call.verb === 'restore.stop' && call.host === 'app-2') refuse(call, 'not-allowed');
    if (broken && call.verb === 'restore.start') refuse(call, 'failed');
  };
  const seen = await heard(
    { on: ['needs-operator'], verbs: ['restore.start'], fake: { intercept } },
    async ({ text, notices }) => {
      const handle = await abortedRestore({ text, notices });
      await until('the alarm', () => notices.some(({ step }) => step === 'start again'));
      broken = false;
      await expect(handle.result()).rejects.toMatchObject({
        cause: { message: expect.stringMatching(/app-1 running again, app-2 running again$/) as string },
      });
    },
  );
  expect(seen.slice(-2).sort()).toEqual(['restore.start app-1', 'restore.start app-2']);
});

test('a webhook that does not answer holds up neither a run nor its undoing', async () => {
  const ear = new Ear({ hangs: true });
  const released: string[] = [];
  const intercept = (call: FakeCall): undefined => {
    if (call.verb === 'thaw' || call.verb === 'lease.release') released.push(`${call.verb} ${call.host}`);
    taken(call);
  };
  const text = fleetRunbook(2, { notify: await ear.notify(['start', 'failure']) });
  try {
    await withFleet({ engine, fake: { intercept } }, async () => {
      const handle = await startBackup(text);
      await until('all is taken back', () => released.includes('lease.release target'));
      expect(released).toEqual(expect.arrayContaining(['thaw app-1', 'thaw app-2']));
      // The order of what is said is kept.
      expect(new Set(ear.heard.map(({ event }) => event))).toEqual(new Set(['start']));
      ear.answer();
      await expect(handle.result()).rejects.toMatchObject({
        cause: { type: 'fenced', message: expect.not.stringContaining('notification') as string },
      });
      expect(ear.heard.at(-1)).toMatchObject({ event: 'failure' });
    });
  } finally {
    ear.close();
  }
});

test('beside a webhook that is dead a good one hears each word once, and the report warns of the dead one', async () => {
  const [good, dead] = [new Ear(), new Ear()];
  const notify = [...(await good.notify(['start', 'success'])), ...(await dead.notify(['start']))];
  dead.close();
  try {
    await withFleet({ engine }, async () => {
      const { warnings } = await (await startBackup(fleetRunbook(1, { notify }))).result();
      expect(warnings).toEqual([
        expect.stringMatching(/^notification "start" could not be sent: 1 of 2 .* connect ECONNREFUSED/),
      ]);
    });
  } finally {
    good.close();
  }
  expect(good.heard.map(({ event }) => event)).toEqual(['start', 'success']);
});
