/** Who lets a recovery's plan be carried out. */
import { ApplicationFailure } from '@temporalio/workflow';
import type { OldMachine } from '../activities/recover-look';
import { approvesUnattended } from '../planning/recover';
import type { RecoveryPlan } from '../planning/recover';
import { diskInWords, list } from '../planning/recover-words';
import { approves, SHORT_HASH } from '../planning/restore-approval';
import type { RecoverInput } from '../planning/run-input';
import { abortedByOperator } from './gate';
import type { OperatorGate } from './gate';

interface Asked {
  input: RecoverInput;
  plan: RecoveryPlan;
  /** By what the old machine is known to be gone (S24). */
  old: OldMachine;
  /** Whether the rescue system was booted anew since an earlier plan of this run. */
  anew: boolean;
  gate: OperatorGate;
  warnings: string[];
}

/**
 * Only a person's word for exactly this plan lets it go on, or the runbook's where nothing of anybody's can be lost.
 * @returns whether somebody was asked, which may have taken days
 */
export async function approval({ input, plan, old, anew, gate, warnings }: Asked): Promise<boolean> {
  const { hash, blockers, backup, host } = plan;
  const { approve: given, setup } = input;
  if (blockers.length > 0)
    throw ApplicationFailure.nonRetryable(`this recovery is not possible: ${blockers.join('; ')}`, 'blocked');
  const short = hash.slice(0, SHORT_HASH);
  if (given !== null && approves({ approval: given, hash })) return false;
  // What was approved beforehand was the first plan: a second one is asked about.
  if (given !== null && !anew)
    throw ApplicationFailure.nonRetryable(
      `the plan is another one now than the one you approved (${given}): its hash is ${short}. Read it again`,
      'plan-changed',
    );
  // A word that stands against an answer is a person's alone, and given with that answer before his eyes.
  const doubtful = old.answers === true;
  if (setup.group.recover.approve === 'identical-disks' && approvesUnattended(plan) && !doubtful) {
    warnings.push('approved by the runbook (recover.approve: identical-disks), by no person');
    return false;
  }
  const disks = plan.disks.filter(({ fate }) => fate === 'overwritten').map(diskInWords);
  const answer = await gate.ask({
    step: 'approve',
    failure: {
      code: 'approval',
      message: `all that is on ${list(disks)} will be lost, and ${host} made there from backup ${backup}. ${doubtful ? `The old machine is taken for gone ${old.evidence}. ` : ''}Approve plan ${short}`,
    },
    allowed: ['abort'],
    approve: hash,
  });
  if (answer.decision === 'abort') throw abortedByOperator({ step: 'approve', by: answer.by, reason: answer.reason });
  return true;
}
