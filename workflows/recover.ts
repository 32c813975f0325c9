/**
 * Makes a lost machine again from bare metal: is the old one gone (S24) → rescue system → plan → approval → disks → data → what makes it
 * boot → verified → rebooted → seen to answer as itself → healthy.
 *
 * Until the approval nothing is written, and after it nothing but the approved plan: where somebody was asked, or time has passed, it is made
 * again right before, and must be the same.
 */
import { ApplicationFailure, defineQuery, isCancellation, patched, setHandler } from '@temporalio/workflow';
import type { RescueRef } from '../activities/recover';
import type { OldMachine, PlannedMachine } from '../activities/recover-look';
import type { RecoveryPlan } from '../planning/recover';
import { armCommand } from '../planning/recover-words';
import { SHORT_HASH } from '../planning/restore-approval';
import type { FleetHost, RecoverInput } from '../planning/run-input';
import type { RunFence } from '../activities/context';
import { describeFailure, runFailure } from './failures';
import type { StepFailure } from './failures';
import { abortedByOperator, always } from './gate';
import { approval } from './recover-approval';
import { healthOf } from './recover-health';
import { RecoveredMachine } from './recover-machine';
import { completed, plannedOnly } from './recover-report';
import type { RecoverReport } from './recover-report';
import { recoverySource } from './recover-source';
import type { RecoverySource } from './recover-source';
import { quick, tidying } from './options';
import { RunParts } from './run-parts';
import { Tidy } from './tidy';
import { Timeline } from './timeline';

/** For so long what was looked at for a plan that nobody was asked about is not looked at again, in ms: a look takes a good part of it. */
const FRESH_MS = 60_000;

/** A plan, and the hash that approves it. */
export interface PlannedRecovery {
  plan: RecoveryPlan;
  hash: string;
  /** By what the old machine is known to be gone; left out by runs of an earlier version. */
  oldMachine?: string;
  /** By whose word the ssh host key of the rescue system is its own, where it is a running rescue Linux. */
  rescueSystem?: string | undefined;
}

/** The plan that waits for approval; undefined while it is being made. */
export const recoveryPlanQuery = defineQuery<PlannedRecovery | undefined>('plan');

export async function recover(input: RecoverInput): Promise<RecoverReport> {
  return new RecoverRun(input).run();
}

class RecoverRun extends RunParts {
  private readonly startedMs = Date.now();
  private readonly timeline: Timeline;
  private readonly machine: RecoveredMachine;
  private planned: PlannedRecovery | undefined;
  private old: OldMachine = { evidence: '' };
  /** Rounds of all that came before the rescue system was booted anew: what begins anew is told from it on the hosts. */
  private base = 0;

  constructor(private readonly input: RecoverInput) {
    const { setup, host, rescue, policy, run, id } = input;
    // In the fleet of this run the rescue system has the machine's place; the others of the group are none of its business.
    const own = { ...setup, hosts: [rescue] };
    super({ setup: own, run, kind: 'recover', title: `recovery of ${host.name} from ${id}, run ${run}` });
    this.board.backupId(id);
    this.timeline = new Timeline(this.board);
    const { gate, timeline } = this;
    this.machine = new RecoveredMachine({ host, policy, gate, timeline, fence: (round) => this.fence(round) });
    setHandler(recoveryPlanQuery, () => this.planned);
  }

  async run(): Promise<RecoverReport> {
    const { host, id } = this.input;
    try {
      const report = await this.steps();
      await always(() => this.tidy(new Tidy({ board: this.board, warnings: report.warnings })));
      this.board.outcome('Completed');
      if (report.state === 'Completed') this.teller.say('success', `${host.name} is recovered from ${id} and runs`);
      report.warnings.push(...(await this.teller.told()));
      return report;
    } catch (error) {
      const cancelled = isCancellation(error);
      const failure = describeFailure(error);
      const why = cancelled ? 'the recovery was cancelled' : failure.message;
      const now = this.machine.describe();
      this.teller.say('failure', `${cancelled ? why : `the recovery failed: ${why}`}. ${now}`);
      await always(() => this.takeBack());
      this.board.outcome(cancelled ? 'Cancelled' : 'Failed');
      this.warnings.push(...(await this.teller.told()));
      if (cancelled && this.machine.state === 'untouched') throw error;
      const also = this.warnings.length === 0 ? '' : `. Also: ${this.warnings.join('; ')}`;
      const more = [{ machine: this.machine.state, phases: this.timeline.phases }];
      throw runFailure({ failure, error, message: `${why}. ${now}${also}`, more });
    }
  }

  private async steps(): Promise<RecoverReport> {
    const { input } = this;
    await this.board.step('lease', () => this.lease.take());
    const source = await this.timeline.phase('read backup', () => this.readBackup());
    this.warnings.push(...source.warnings);
    for (let anew = false; ; anew = true) {
      try {
        return await this.fromTheStart({ source, anew });
      } catch (error) {
        const failure = describeFailure(error);
        if (failure.code !== 'rebooted') throw error;
        await this.askToBeginAnew(failure);
        this.base = this.gate.roundsSoFar() + 1;
        // What has booted anew knows of no term.
        await this.lease.take();
      }
      if (input.planOnly) throw ApplicationFailure.nonRetryable('a plan has nothing to begin anew', 'failed');
    }
  }

  private async fromTheStart({ source, anew }: { source: RecoverySource; anew: boolean }): Promise<RecoverReport> {
    const { input } = this;
    const lookedMs = Date.now();
    await this.timeline.phase('old machine', () => this.oldMachine());
    const rescue = await this.timeline.phase('rescue system', () => this.findRescue());
    const planned = await this.timeline.phase('plan', () => this.plan(source));
    const { old } = this;
    this.planned = {
      ...{ plan: planned.plan, hash: planned.plan.hash },
      ...{ oldMachine: old.evidence, rescueSystem: input.rescueWord },
    };
    const about = { input, evidence: old.evidence, plan: planned.plan, warnings: this.warnings };
    if (input.planOnly) return plannedOnly({ ...about, phases: this.timeline.phases });
    await this.tryWay(source);
    const wasAsked = await this.timeline.phase('approval', () =>
      approval({ input, plan: planned.plan, old, anew, gate: this.gate, warnings: this.warnings }),
    );
    const approvedMs = Date.now();
    const isFresh = !wasAsked && approvedMs - lookedMs < FRESH_MS && patched('fresh-plan');
    if (!isFresh) await this.timeline.phase('look again', () => this.lookAgain({ planned, source, rescue }));
    const made = await this.machine.make({ planned, source, rescue });
    this.warnings.push(...made.fixed.warnings, ...made.notes);
    const up = await this.machine.boot({ rescue });
    const { host, setup } = input;
    const { lease, gate } = this;
    const health = await this.timeline.phase('health', () => healthOf({ group: setup.group, host, lease, gate }));
    const unmarked = `the hostkit of ${host.name} came back older than this director’s, and can't tell whether it has booted from what was recovered, or from another disk that it had: look there (lsblk), then \`resurgo enroll ${host.name} --update\``;
    this.warnings.push(...health.warnings);
    if (up.unmarked === true) this.warnings.push(unmarked);
    const report = completed({
      ...about,
      ...made,
      up,
      startedMs: this.startedMs,
      approvedMs,
      phases: this.timeline.phases,
    });
    if (health.healthy) return report;
    throw ApplicationFailure.nonRetryable(
      `${host.name} is recovered, verified and runs, but not all is well on it: ${health.detail}`,
      'unhealthy',
    );
  }

  private async readBackup(): Promise<RecoverySource> {
    const { input } = this;
    const { setup, id } = input;
    const store = { name: setup.store.name, host: setup.storeHost };
    const { manifest } = await this.must('read backup', () =>
      quick.readBackup.executeWithOptions({ summary: id }, [{ group: setup.group.name, store, id }]),
    );
    return recoverySource({ input, manifest });
  }

  /** S24: refused while the old machine answers, whatever anybody says. A mere plan says so and goes on. */
  private async oldMachine(): Promise<void> {
    const { host, rescue, oldMachineIsGone: isGone, planOnly } = this.input;
    try {
      this.old = await this.must(
        'old machine',
        () => quick.oldMachineGone.executeWithOptions({ summary: `ask ${host.name}` }, [{ host, rescue, isGone }]),
        // A person has been told, and can say it by the command alone.
        ({ code }) => code !== 'still-there' && code !== 'cannot-ask',
      );
    } catch (error) {
      const { code, message } = describeFailure(error);
      if (!planOnly || (code !== 'still-there' && code !== 'cannot-ask')) throw error;
      this.old = { evidence: message };
      this.warnings.push(message);
    }
  }

  private async findRescue(): Promise<RescueRef> {
    const { rescue, host } = this.input;
    const { bootId } = await this.must('rescue system', () =>
      quick.findRescue.executeWithOptions({ summary: `${rescue.address}:${rescue.port}` }, [{ rescue, host }]),
    );
    return { host: rescue, bootId, arm: this.arm };
  }

  private plan({ layout, tree, held, headers }: RecoverySource): Promise<PlannedMachine> {
    const { rescue, policy } = this.input;
    return this.must(
      'plan',
      () =>
        quick.planRecovery.executeWithOptions({ summary: rescue.name }, [
          { layout, rescue, policy, tree, held, headers },
        ]),
      ({ code }) => code !== 'bad-policy',
    );
  }

  private async tryWay({ item }: RecoverySource): Promise<void> {
    await this.must('way of the data', (round) =>
      quick.tryWay.executeWithOptions({ summary: `${item.store.host.name} ⇄ ${item.destination.host.name}` }, [
        { fence: this.fence(round), item, arm: this.arm },
      ]),
    );
  }

  /** An approval may come days after the plan: the old machine, the rescue system and its disks are looked at once more. */
  private async lookAgain(before: {
    planned: PlannedMachine;
    source: RecoverySource;
    rescue: RescueRef;
  }): Promise<void> {
    const { planned, source, rescue } = before;
    const { answers: answered = false } = this.old;
    await this.oldMachine();
    const { answers = false, evidence } = this.old;
    // Whoever approved did so of a machine that nothing was heard of.
    if (answers && !answered)
      throw ApplicationFailure.nonRetryable(
        `since the plan was made, something answers where the old machine was (${evidence}). Go and look, and recover again`,
        'plan-changed',
      );
    const { bootId } = await this.findRescue();
    const now = await this.plan(source);
    if (now.plan.hash !== planned.plan.hash)
      throw ApplicationFailure.nonRetryable(
        `the machine is not what the plan was made for: its plan would be ${now.plan.hash.slice(0, SHORT_HASH)} now. Recover again, and read the new plan`,
        'plan-changed',
      );
    if (bootId !== rescue.bootId)
      throw ApplicationFailure.nonRetryable('the rescue system was booted anew since the plan was made', 'rebooted');
    await this.tryWay(source);
  }

  private async askToBeginAnew({ message }: StepFailure): Promise<void> {
    if (this.input.planOnly) return;
    const step = 'begin anew';
    const answer = await this.gate.ask({
      step,
      failure: {
        code: 'rebooted',
        message: `${message}. It has a new identity: let the target know it (\`${this.arm}\`), then retry: all is looked at and planned anew, and the plan asks for its approval`,
      },
      allowed: ['retry', 'abort'],
    });
    if (answer.decision === 'abort') throw abortedByOperator({ step, by: answer.by, reason: answer.reason });
  }

  /** What the operator types when the rescue system has to be made known, or given its passphrases, again. */
  private get arm(): string {
    const { rescue, policy, setup, id } = this.input;
    return armCommand({ rescue, newKeys: policy.newKeys, group: setup.group.name, id });
  }

  private fence(round: number): RunFence {
    return this.lease.fence(this.base + round);
  }

  /** Where only the plan was wanted nobody is asked: waiting would keep the group from every backup for nothing. */
  private must<T>(
    step: string,
    attempt: (round: number) => Promise<T>,
    worthAsking: (failure: StepFailure) => boolean = () => true,
  ): Promise<T> {
    return this.gate.must(step, attempt, (failure) => !this.input.planOnly && worthAsking(failure));
  }

  private async takeBack(): Promise<void> {
    const fence = this.fence(this.gate.roundsSoFar() + 1);
    if (fence.term === 0) return;
    const tidy = new Tidy({ board: this.board, warnings: this.warnings });
    const clean = { fence, hosts: this.visited() };
    await tidy.step('close grants', () => tidying.closeGrants.executeWithOptions({ summary: 'close grants' }, [clean]));
    this.warnings.push(...(await this.machine.letGo({ fence })));
    await this.tidy(tidy, clean);
  }

  private async tidy(
    tidy: Tidy,
    clean = { fence: this.fence(this.gate.roundsSoFar()), hosts: this.visited() },
  ): Promise<void> {
    await tidy.step('forget run', () =>
      tidying.forgetRun.executeWithOptions({ summary: 'jobs and keys of this run' }, [clean]),
    );
    const { host } = this.input;
    const hosts =
      this.machine.state === 'running' ? [host] : this.visited().filter(({ name }) => name === this.input.rescue.name);
    await tidy.step('release lease', () => this.lease.release(hosts));
  }

  /** What a reboot has ended is not tried for minutes: a rescue system keeps nothing. */
  private visited(): FleetHost[] {
    const { setup, rescue } = this.input;
    const gone = ['rebooted', 'another booted', 'running'].includes(this.machine.state);
    return gone ? [setup.storeHost] : [rescue, setup.storeHost];
  }
}
