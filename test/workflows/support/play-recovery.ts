/** Plays a recovery over a fake fleet, and answers what it asks. */
import type { WorkflowHandle } from '@temporalio/client';
import { WorkflowFailedError } from '@temporalio/client';
import type { FakeHosts } from '../../../hosts/fake';
import { CONTROL_QUEUE } from '../../../planning/queues';
import type { DecideInput, OpenQuestion } from '../../../workflows/gate';
import type { recover } from '../../../workflows/recover';
import { until } from '../../workers/fixtures/engine';
import { withFleet, type Engine } from './engine';
import type { Recovery } from './recovery';

export type Handle = WorkflowHandle<typeof recover>;

/** Runs it, with the fleet of that machine, while `body` answers. */
export type Play = <T>(made: Recovery, body: (handle: Handle, fleet: FakeHosts) => Promise<T>) => Promise<T>;

/** Plays on that engine. */
export function player(engine: Engine): Play {
  return (made, body) =>
    withFleet({ engine, fake: made.fake, rescue: made.deps }, async (fleet) => {
      made.seal(fleet);
      const handle = await engine.env.client.workflow.start<typeof recover>('recover', {
        workflowId: `recover/portal/${made.input.run}`,
        taskQueue: CONTROL_QUEUE,
        args: [made.input],
      });
      return body(handle, fleet);
    });
}

export async function asked(handle: Handle, step: string): Promise<OpenQuestion> {
  let found: OpenQuestion | undefined;
  await until(
    `a question about ${step}`,
    async () => {
      if ((await handle.describe()).status.name !== 'RUNNING') throw new Error(await failure(handle));
      const questions = await handle.query<OpenQuestion[]>('questions');
      const [other] = questions;
      if (other !== undefined && other.step !== step) throw new Error(`${other.step}: ${other.failure.message}`);
      found = questions.find((each) => each.step === step);
      return found !== undefined;
    },
    90_000,
  );
  if (found === undefined) throw new Error('no question');
  return found;
}

export function answer(handle: Handle, input: Omit<DecideInput, 'by'>): Promise<string> {
  return handle.executeUpdate<string, [DecideInput]>('decide', { args: [{ ...input, by: 'anna' }] });
}

export async function approve(handle: Handle): Promise<void> {
  const { approve: hash } = await asked(handle, 'approve');
  await answer(handle, { decision: 'approve', step: 'approve', hash });
}

/** How a recovery that must not succeed has failed. */
export async function failure(handle: Handle): Promise<string> {
  try {
    const { state } = await handle.result();
    throw new Error(`it is ${state}`);
  } catch (error) {
    if (error instanceof WorkflowFailedError) return error.cause?.message ?? '';
    throw error;
  }
}

export const STEPS = ['disk-wipe', 'disk-table', 'mkfs-ext', 'mkswap', 'mount-new'];
export const READING = ['warm', 'layout', 'lease.take'];

/** What writes: all that is asked of the rescue system but what looks and what opens the data's way. */
export function writing({ asked: all }: Recovery): string[] {
  const quiet = [...READING, 'grant.key', 'grant.add', 'grant.close', 'restore.check', 'job.forget', 'lease.release'];
  return all.filter((each) => !quiet.includes(each));
}
