/** What an operator reads of an error that came from the Temporal server, and what it says to do next. */
import type { WorkflowHandle } from '@temporalio/client';
import { CancelledFailure, ServiceError, WorkflowFailedError } from '@temporalio/client';
import { NamespaceNotFoundError, WorkflowNotFoundError } from '@temporalio/common';
import { explain } from '../../cli/exit';
import { endOf } from '../../cli/follow';

function refused(code: number, details: string): ServiceError {
  const cause = Object.assign(new Error(`${code} ${details}`), { code, details, metadata: {} });
  return new ServiceError('Failed to list workflows', { cause });
}

/** As a call past the client throws it. */
function raw(code: number, details: string): Error {
  return Object.assign(new Error(`${code} ${details}`), { code, details, metadata: {} });
}

test.each([
  [refused(14, 'connection refused'), /Failed to list workflows: connection refused\. .*resurgo engine status/],
  [refused(4, 'Deadline exceeded'), /Deadline exceeded\. .*resurgo engine status/],
  [refused(7, 'Request unauthorized.'), /Request unauthorized\. Check the API key/],
  [refused(16, 'no token'), /no token\. Check the API key/],
  [refused(5, 'Namespace zz is not found.'), /zz is not found\. Check that TEMPORAL_NAMESPACE/],
  [refused(3, 'invalid query'), /Failed to list workflows: invalid query$/],
  [new NamespaceNotFoundError('zz'), /Namespace not found: 'zz'\. Check that TEMPORAL_NAMESPACE/],
  [raw(4, 'took too long'), /^4 took too long\. .*resurgo engine status/],
  [
    new WorkflowNotFoundError('workflow execution already completed', 'backup/portal/r1', ''),
    /^run backup\/portal\/r1 has ended meanwhile: `resurgo show backup\/portal\/r1`/,
  ],
  [new WorkflowNotFoundError('no', 'backup/portal/r1', ''), /there is no run backup\/portal\/r1: `resurgo runs --all`/],
])('%#: the cause and the next step', (error, message) => {
  expect(explain(error)).toMatchObject({ exitCode: 1, message: expect.stringMatching(message) as string });
});

test('a run that was cancelled says so in words of ours', async () => {
  const failed = new WorkflowFailedError(
    'Workflow execution failed',
    new CancelledFailure('Workflow canceled'),
    'x' as never,
  );
  const handle: Pick<WorkflowHandle, 'result'> = { result: () => Promise.reject(failed) };
  expect(await endOf(handle as WorkflowHandle)).toMatchObject({ ended: 'failed', message: 'the run was cancelled' });
});
