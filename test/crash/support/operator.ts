/** An operator for runs that are hurt: says yes to a plan, and has what waits for a person tried again. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Run } from './run';

/** Until a run of this size is over, faults included, ms. */
const RUN_MS = 240_000;
const RETRIES = 6;
/** What the outcome of a run that did not end begins with. */
export const NOT_ENDED = 'NOT ENDED';

/** How a run ended that an operator has looked after. */
export interface Attended {
  /** The report's state, `Failed: …`, or `NOT ENDED: …`. */
  outcome: string;
  /** How often the gate was answered with `retry`. */
  retries: number;
  /** What waited for the operator, and why. */
  asked: string[];
  /** The id of the backup that it has made. */
  sealed: string | undefined;
}

/** The operator: approves the plan, has a step that waits tried again, and in the end gives up. */
export async function attend(run: Run): Promise<Attended> {
  const end = Date.now() + RUN_MS;
  let retries = 0;
  const asked = new Set<string>();
  while (Date.now() < end) {
    await sleep(400);
    try {
      const { status } = await run.handle.describe();
      if (status.name !== 'RUNNING') return { ...(await outcomeOf(run)), retries, asked: [...asked] };
      for (const { step, approve, failure } of await run.questions()) {
        if (approve !== undefined) await run.approve(approve);
        else {
          const decision = retries < RETRIES ? 'retry' : 'abort';
          retries += 1;
          asked.add(`${step}: ${failure.message}`);
          await sleep(2_000);
          await run.decide(step, decision);
        }
      }
    } catch {
      // The server or the worker is away just now: the operator asks again.
    }
  }
  return { outcome: `${NOT_ENDED}: ${await run.describeStuck()}`, retries, asked: [...asked], sealed: undefined };
}

async function outcomeOf(run: Run): Promise<{ outcome: string; sealed: string | undefined }> {
  try {
    const report = await run.result<{ state: string; id?: string }>(10_000);
    return { outcome: report.state, sealed: report.id };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return { outcome: `Failed: ${String(cause)}`, sealed: undefined };
  }
}
