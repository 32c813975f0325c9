/**
 * The operator gate: where a run waits for a person instead of failing at three in the morning or trying for ever.
 *
 * A step that has used up its bounded retries stops here. The run says so (search attribute, current details, `notify`), and goes on
 * only by an update `decide`, which leaves an event in the history: who decided what, and why. No time-out ever decides.
 */
import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  condition,
  defineQuery,
  defineUpdate,
  isCancellation,
  setHandler,
} from '@temporalio/workflow';
import { approves, SHORT_HASH } from '../planning/restore-approval';
import type { StepFailure } from './failures';
import { describeFailure } from './failures';

/** What an operator can say at the gate. `skip` leaves the step out, and the result is then partial at best. */
export type Decision = 'retry' | 'skip' | 'abort';

/** One question that waits for an answer. */
export interface OpenQuestion {
  /** Stable key of the step, as shown in the UI: `copy app-1:data`. */
  step: string;
  /** What failed and what to do next. */
  failure: StepFailure;
  /** The decisions that this step allows. */
  allowed: Decision[];
  /** The whole hash of the plan, where the question is one about a destructive plan: an approval names it, or its beginning. */
  approve?: string;
  /** How often this step was retried before it asked. */
  round?: number;
}

/** The argument of the update `decide`. */
export interface DecideInput {
  /** The step that is answered; may be left out when only one waits. */
  step?: string;
  decision: Decision | 'approve';
  /** For `approve`: the hash of the plan that was read. */
  hash?: string;
  /** Who decided, for the history. */
  by: string;
  reason?: string;
}

/** Answers one open question. Refused (without an event) when nothing waits, or the decision doesn't fit. */
export const decideUpdate = defineUpdate<string, [DecideInput]>('decide');
/** The questions that wait now. */
export const questionsQuery = defineQuery<OpenQuestion[]>('questions');

/** Thrown when the operator ended the run at the gate. */
export function abortedByOperator(options: { step: string; by: string; reason?: string }): ApplicationFailure {
  const why = options.reason === undefined ? '' : `: ${options.reason}`;
  return ApplicationFailure.nonRetryable(
    `aborted by ${options.by} at step "${options.step}"${why}`,
    'AbortedByOperator',
  );
}

/** What the gate tells the world when a question opens or closes. */
export interface GateListener {
  changed(open: OpenQuestion[]): void;
  /** Called once for each question that opens: calls a person until what it returns is called. */
  opened(question: OpenQuestion): () => void;
}

/** How a gated step ended: with its value, or left out by the operator. */
export type Gated<T> = { skipped: false; value: T } | { skipped: true; by: string; failure: StepFailure };

interface Waiting {
  question: OpenQuestion;
  answer?: DecideInput;
}

/** Runs steps, and asks when one has failed for good. Who answers, and how, is for the class below to say. */
export abstract class Gate {
  private rounds = 0;

  /** Puts one question and waits for its answer; cancellable. */
  abstract ask(question: OpenQuestion): Promise<DecideInput>;

  /** The most retries that any step has had: what undoes the run must not be taken for an older try (S3). */
  roundsSoFar(): number {
    return this.rounds;
  }

  /**
   * Runs a step; when it fails for good, asks. `round` counts the operator's retries, so that the hosts can tell a later try
   * from an earlier one that is still under way somewhere (S3).
   */
  async run<T>(options: {
    step: string;
    allowed?: Decision[];
    attempt: (round: number) => Promise<T>;
    /** Failures that are decided by the runbook and need no person: return true to skip. */
    skipAtOnce?: (failure: StepFailure) => boolean;
    /** Told before each question of this step. */
    asks?: () => void;
    /** Which failures a person is asked about; others end the run. Default: all. */
    worthAsking?: (failure: StepFailure) => boolean;
  }): Promise<Gated<T>> {
    const allowed = options.allowed ?? ['retry', 'abort'];
    for (let round = 0; ; round += 1) {
      this.reached(round);
      let failure: StepFailure;
      try {
        return { skipped: false, value: await options.attempt(round) };
      } catch (error) {
        if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
        failure = describeFailure(error);
        // Another run holds the group: no answer could let this one go on, and waiting for one would only keep it standing.
        if (failure.code === 'fenced' || options.worthAsking?.(failure) === false) throw error;
      }
      if (options.skipAtOnce?.(failure) === true) return { skipped: true, by: 'runbook', failure };
      options.asks?.();
      const answer = await this.ask({ step: options.step, failure, allowed, round });
      if (answer.decision === 'abort')
        throw abortedByOperator({ step: options.step, by: answer.by, reason: answer.reason });
      if (answer.decision === 'skip') return { skipped: true, by: answer.by, failure };
    }
  }

  /** A step that can't be left out: its value, or the end of the run. */
  async must<T>(
    step: string,
    attempt: (round: number) => Promise<T>,
    worthAsking?: (failure: StepFailure) => boolean,
  ): Promise<T> {
    const result = await this.run({ step, attempt, worthAsking });
    if (result.skipped) throw ApplicationFailure.nonRetryable(`step "${step}" can't be skipped`, 'failed');
    return result.value;
  }

  /** Notes that some step of this run is at its `round`-th retry. */
  protected reached(round: number): void {
    this.rounds = Math.max(this.rounds, round);
  }
}

/** Holds the questions of one run. Create one per workflow, before its first step. */
export class OperatorGate extends Gate {
  private readonly waiting = new Map<string, Waiting>();

  constructor(private readonly listener: GateListener) {
    super();
    setHandler(questionsQuery, () => this.open());
    setHandler(
      decideUpdate,
      (input: DecideInput) => {
        const waiting = this.find(input);
        waiting.answer = input;
        return `${input.decision}: ${waiting.question.step}`;
      },
      {
        validator: (input: DecideInput) => {
          this.find(input);
        },
      },
    );
  }

  /** The questions that wait now, oldest first. */
  open(): OpenQuestion[] {
    return [...this.waiting.values()].filter((each) => each.answer === undefined).map((each) => each.question);
  }

  override async ask(question: OpenQuestion): Promise<DecideInput> {
    // A step of a child asks here too: whatever undoes this run comes after all rounds, its own and theirs.
    this.reached(question.round ?? 0);
    const waiting: Waiting = { question };
    // Answers name the step: a second question of the same name waits for its turn, or the first would never be answered.
    // All that wait for it are let go together, so each looks again.
    while (this.waiting.has(question.step)) await condition(() => !this.waiting.has(question.step));
    this.waiting.set(question.step, waiting);
    this.listener.changed(this.open());
    const endCall = this.listener.opened(question);
    try {
      await condition(() => waiting.answer !== undefined);
    } finally {
      endCall();
      this.waiting.delete(question.step);
      this.listener.changed(this.open());
    }
    if (waiting.answer === undefined) throw ApplicationFailure.nonRetryable('the gate opened without an answer');
    if (waiting.answer.decision === 'retry') this.reached((question.round ?? 0) + 1);
    return waiting.answer;
  }

  private find(input: DecideInput): Waiting {
    const open = [...this.waiting.values()].filter((each) => each.answer === undefined);
    const names = open.map((each) => `"${each.question.step}"`).join(', ');
    if (open.length === 0) throw ApplicationFailure.nonRetryable('nothing waits for an operator in this run');
    // Aborting ends the run whichever step is meant.
    const any = open.length === 1 || input.decision === 'abort';
    const found = input.step === undefined && any ? open[0] : open.find((each) => each.question.step === input.step);
    if (found === undefined) {
      throw ApplicationFailure.nonRetryable(
        input.step === undefined
          ? `several steps wait, name the one that you answer: ${names}`
          : `no step "${input.step}" waits for an answer, only ${names}`,
      );
    }
    const { allowed, approve, step } = found.question;
    if (input.decision === 'approve') {
      if (approve === undefined)
        throw ApplicationFailure.nonRetryable(`step "${step}" asks for ${allowed.join(' or ')}`);
      if (input.hash === undefined || !approves({ approval: input.hash, hash: approve })) {
        throw ApplicationFailure.nonRetryable(
          `the hash does not fit: step "${step}" waits for the approval of ${approve.slice(0, SHORT_HASH)}`,
        );
      }
      return found;
    }
    if (!allowed.includes(input.decision)) {
      throw ApplicationFailure.nonRetryable(
        `step "${step}" can't be answered with "${input.decision}": ${allowed.join(', ')}`,
      );
    }
    return found;
  }
}

/** Runs clean-up that must happen even when the run was cancelled. */
export function always<T>(clean: () => Promise<T>): Promise<T> {
  return CancellationScope.nonCancellable(clean);
}
