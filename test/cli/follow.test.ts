/** Following a run whose engine goes away meanwhile. */
import { ServiceError } from '@temporalio/client';
import type { WorkflowHandle } from '@temporalio/client';
import { NamespaceNotFoundError } from '@temporalio/common';
import { followToEnd } from '../../cli/follow';
import { Output } from '../../cli/output';

/** What the client throws when it has tried for long enough, with gRPC's code. */
function refusal(code: number): ServiceError {
  const cause = Object.assign(new Error('no connection'), { code, details: 'no connection', metadata: {} });
  return new ServiceError('Failed to describe workflow', { cause });
}

async function follow(
  error: Error,
  describe: WorkflowHandle['describe'] = () => Promise.reject(error),
): Promise<{ code: number; said: string }> {
  const handle = { describe, client: {} } as unknown as WorkflowHandle;
  let said = '';
  const stderr = jest.spyOn(process.stderr, 'write').mockImplementation((chunk) => {
    said += String(chunk);
    return true;
  });
  const out = new Output({ json: false, quiet: true });
  try {
    const code = await followToEnd({
      handle,
      out,
      comeBack: 'resurgo watch r-1',
      show: () => 0,
    });
    return { code, said };
  } finally {
    stderr.mockRestore();
  }
}

test.each([14, 4])(
  'an engine that goes away (gRPC %d) is no failure of the run: exit 3, and how to come back',
  async (code) => {
    const left = await follow(refusal(code));
    expect(left.code).toBe(3);
    expect(left.said).toContain('resurgo engine start');
    expect(left.said).toContain('resurgo watch r-1');
  },
);

test('a server that knows its namespace no more while its database is slow is one that goes away', async () => {
  const left = await follow(new NamespaceNotFoundError('default'));
  expect(left).toEqual({ code: 3, said: expect.stringContaining('resurgo watch r-1') as string });
});

test('what else the engine refuses is told as it is', async () => {
  await expect(follow(refusal(5))).rejects.toThrow('Failed to describe workflow');
});

test('who leaves while the engine is silent has left: exit 130, at once', async () => {
  // It never answers; the client would go on trying.
  const describe = () => {
    setImmediate(() => process.emit('SIGINT'));
    return new Promise<never>(() => undefined);
  };
  const left = await follow(refusal(14), describe);
  expect(left.code).toBe(130);
  expect(left.said).toMatch(/Detached: .*resurgo watch r-1/);
});
