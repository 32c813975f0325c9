/** A destructive plan that waits for a person's word: shown, and approved by typing its hash. */
import { SHORT_HASH } from '../planning/restore-approval';
import type { DecideInput } from '../workflows/gate';
import { ask } from './ask';
import { operator } from './context';
import type { CliContext } from './context';
import { answerRun } from './serving';
import type { StartedRun } from './start-run';

/** A plan as it waits. */
interface WaitingPlan {
  plan: object;
  hash: string;
  /** For people. */
  text: string;
}

/** Shows the plan that waits and asks. Never proceeds by itself: without a terminal the run stays at its gate. */
export async function approvePlan(
  { out }: CliContext,
  { started: { handle, run }, planned }: { started: StartedRun; planned: WaitingPlan | undefined },
): Promise<boolean> {
  // It was answered from elsewhere and has ended since: its result says how.
  if (planned === undefined) return true;
  const short = planned.hash.slice(0, SHORT_HASH);
  out.result({
    json: { type: 'plan', run, hash: planned.hash, plan: JSON.parse(JSON.stringify(planned.plan)) as never },
    text: planned.text,
  });
  const waits = `the run waits for the approval of this plan: resurgo approve ${run} ${short}    (or: resurgo abort ${run})`;
  if (!process.stdin.isTTY || out.json) {
    out.warn(waits);
    return false;
  }
  const typed = await ask({ question: `Type ${short} to go on, anything else to abort: `, left: waits });
  const answer: DecideInput =
    typed === short
      ? { decision: 'approve', step: 'approve', hash: typed, by: operator() }
      : { decision: 'abort', step: 'approve', by: operator() };
  await answerRun({ handle, answer });
  return true;
}
