import { msToTs } from '@temporalio/common/lib/time';
import { CliContext } from '../../cli/context';
import { resurgo } from './support/run';

/** An engine that has had so many runs. */
function engineWith(count: number): void {
  const list = async function* () {
    await Promise.resolve();
    for (let i = 0; i < count; i += 1)
      yield {
        workflowId: `backup/portal/r20261121t013000z-${String(i).padStart(6, '0')}`,
        status: { name: 'COMPLETED' },
        startTime: new Date(),
      };
  };
  jest.spyOn(CliContext.prototype, 'standingEngine').mockResolvedValue({ client: { workflow: { list } } } as never);
}
/** An engine with one run, of this status; `sent` has what was asked of it. */
function engineWithOne(status: string): { sent: string[] } {
  const sent: string[] = [];
  const workflowId = 'backup/portal/r20261121t013000z-000001';
  const send = (what: string) => () => {
    sent.push(what);
    return Promise.resolve(what);
  };
  const connection = {
    withDeadline: (_ms: number, body: () => Promise<unknown>) => body(),
    workflowService: {
      describeTaskQueue: () => Promise.resolve({ pollers: [{ lastAccessTime: msToTs(Date.now()) }] }),
    },
  };
  const workflow = {
    connection,
    options: { namespace: 'default' },
    list: async function* () {
      await Promise.resolve();
      yield { workflowId };
    },
    getHandle: () => ({
      workflowId,
      client: workflow,
      describe: () => Promise.resolve({ status: { name: status }, closeTime: new Date(Date.now() - 60_000) }),
      cancel: send('cancel'),
      executeUpdate: send('decide'),
    }),
  };
  jest.spyOn(CliContext.prototype, 'pastEngine').mockResolvedValue({ client: { workflow } } as never);
  return { sent };
}

afterEach(() => {
  jest.restoreAllMocks();
});

test.each([
  [200, ''],
  [201, 'there are more: these are the newest 200'],
])('of %d runs it says when it does not list all', async (count, told) => {
  engineWith(count);
  const { code, stdout, stderr } = await resurgo('--json', 'runs', '--all');
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ runs: { length: 200 } });
  if (told === '') expect(stderr).toBe('');
  else expect(stderr).toContain(told);
});

const ANSWERS = [['cancel'], ['retry'], ['skip'], ['abort'], ['approve', '1f2e3d4c5b6a']];

test.each(ANSWERS)('%s of a run that has ended says how it ended, and sends nothing', async (verb, ...more) => {
  const { sent } = engineWithOne('FAILED');
  const { code, stdout, stderr } = await resurgo(verb, 'r2026', ...more);
  expect({ code, stdout, sent }).toEqual({ code: 1, stdout: '', sent: [] });
  expect(stderr).toMatch(
    /^r20261121t013000z-000001 has ended .*ago \(failed\).*resurgo show r20261121t013000z-000001\n$/,
  );
});

test.each([...ANSWERS, ['watch']])('%s of an empty name means no run', async (verb, ...more) => {
  const { sent } = engineWithOne('RUNNING');
  const { code, stderr } = await resurgo(verb, '', ...more);
  expect({ code, sent }).toEqual({ code: 2, sent: [] });
  expect(stderr).toContain('name a run');
});

test.each(ANSWERS)('%s reaches a run that is under way', async (verb, ...more) => {
  const { sent } = engineWithOne('RUNNING');
  expect((await resurgo(verb, 'r2026', ...more)).code).toBe(0);
  expect(sent).toEqual([verb === 'cancel' ? 'cancel' : 'decide']);
});
