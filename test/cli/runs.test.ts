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
  jest.spyOn(CliContext.prototype, 'engine').mockResolvedValue({ client: { workflow: { list } } } as never);
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
  expect(JSON.parse(stdout)).toHaveLength(200);
  if (told === '') expect(stderr).toBe('');
  else expect(stderr).toContain(told);
});
