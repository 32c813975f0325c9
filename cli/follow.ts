/**
 * Shows a run until it ends: steps from Temporal's own record of pending activities (so it works while no worker is up, S32), copies
 * from their heartbeats. Ctrl-C only detaches: the run goes on. A second Ctrl-C asks whether to cancel it.
 */
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowHandle } from '@temporalio/client';
import { CancelledFailure, WorkflowFailedError } from '@temporalio/client';
import { SHORT_HASH } from '../planning/restore-approval';
import type { OpenQuestion } from '../workflows/gate';
import { ask, LeftError } from './ask';
import { EXIT, isEngineAway } from './exit';
import { LiveLines } from './live-lines';
import { figures, inWords, look, questionsOf } from './look';
import { printable } from './output';
import { WorkerWatch } from './serving';
import type { Output } from './output';

const POLL_MS = 700;

/** How a run ended. */
type Ended = { ended: 'done'; report: unknown } | { ended: 'failed'; message: string; code: string };

/** How watching a run ended. */
type Followed =
  | Ended
  | { ended: 'detached' }
  /** It asks what the caller wants to be asked about. */
  | { ended: 'reached' }
  /** Nobody sits at a terminal, and the run waits for a person: it goes on once answered. */
  | { ended: 'waits' }
  /** The engine no longer answers: the run goes on when it does. */
  | { ended: 'away' };

export interface FollowOptions {
  handle: WorkflowHandle;
  out: Output;
  comeBack: string;
  /** Leave a run that waits for a person, where there is none: a script must not hang until somebody comes. */
  leaveWaiting?: boolean;
  /** Whether to stop following at these questions of the run, for the caller to put them. */
  stopAt?: (questions: readonly OpenQuestion[]) => boolean;
}

type EndOptions = Omit<FollowOptions, 'stopAt'> & { show: (report: unknown) => number };

/** Follows a run and says how it ended; a run that is done is told by `show`. Returns the exit code. */
export async function followToEnd(options: EndOptions): Promise<number> {
  const code = await followTo(options);
  if (code === 'reached') throw new Error('a run was left before its end, and nobody wanted it');
  return code;
}

/** As {@link followToEnd}, but `reached` when the run asks what `stopAt` waits for. */
export async function followTo(options: EndOptions & FollowOptions): Promise<number | 'reached'> {
  const { out, show } = options;
  const followed = await follow(options);
  switch (followed.ended) {
    case 'reached':
      return 'reached';
    case 'detached':
      return EXIT.cancelled;
    case 'waits':
    case 'away':
      return EXIT.incomplete;
    case 'failed':
      tellFailure(out, followed);
      return EXIT.failed;
    case 'done':
      return show(followed.report);
  }
}

/** A run that failed, as an event for scripts and in words for people. */
export function tellFailure(out: Output, { code, message }: { code: string; message: string }): void {
  out.event({ type: 'ended', state: 'Failed', code, message });
  out.warn(`Failed: ${message}`);
}

/** Follows a run to its end, or until the person at the terminal goes away. */
async function follow(options: FollowOptions): Promise<Followed> {
  const { handle, out, comeBack } = options;
  const interrupt = new Interrupt({ out, comeBack, cancel: () => handle.cancel() });
  const lines = new LiveLines(out);
  const workers = new WorkerWatch({ client: handle.client, out });
  let told = new Set<string>();
  try {
    return await followed();
  } catch (error) {
    if (!isEngineAway(error)) throw error;
    if (interrupt.pressed) {
      await interrupt.detached;
      return { ended: 'detached' };
    }
    const message = `The engine does not answer any more. The run is not lost, it goes on when the engine is back: see resurgo engine status (the embedded one is started by resurgo engine start), then ${comeBack}`;
    out.event({ type: 'away', message });
    out.warn(message);
    return { ended: 'away' };
  } finally {
    lines.end();
    interrupt.close();
  }

  async function followed(): Promise<Followed> {
    for (;;) {
      // Who leaves does not wait for an engine that is silent.
      const seen = await Promise.race([look(handle), interrupt.detached]);
      if (seen === undefined) return { ended: 'detached' };
      const { status, pending, needsOperator } = seen;
      if (status !== 'RUNNING') break;
      // Once somebody has pressed Ctrl-C, nothing is written over what is said to them.
      if (!interrupt.pressed) lines.show(pending.map(inWords));
      for (const each of pending)
        out.event({ type: 'progress', activity: each.activity, attempt: each.attempt, ...figures(each.progress) });
      // Without a worker nobody says what it asks; that nobody works is told below.
      const questions = needsOperator ? await questionsOf(handle) : [];
      if (questions !== undefined) {
        if (!interrupt.pressed && options.stopAt?.(questions) === true) return { ended: 'reached' };
        tellQuestions({ questions: questions.filter((each) => !told.has(keyOf(each))), out, comeBack });
        if (questions.length > 0 && options.leaveWaiting === true && !process.stdin.isTTY) return { ended: 'waits' };
        told = new Set(questions.map(keyOf));
      }
      if (!interrupt.pressed) await workers.look();
      await Promise.race([sleep(POLL_MS), interrupt.detached]);
      if (interrupt.isDetached) return { ended: 'detached' };
    }
    return endOf(handle);
  }
}

/** How a run that is over has ended. */
export async function endOf(handle: WorkflowHandle): Promise<Ended> {
  try {
    return { ended: 'done', report: await handle.result() };
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    const cause = error.cause;
    return {
      ended: 'failed',
      code: cause instanceof Error && 'type' in cause ? String(cause.type) : 'failed',
      // "Workflow canceled" is what the server makes of it.
      message: cause instanceof CancelledFailure ? 'the run was cancelled' : (cause?.message ?? error.message),
    };
  }
}

/** One question of a step; after a retry the same step asks anew. */
function keyOf({ step, round = 0 }: OpenQuestion): string {
  return `${round} ${step}`;
}

/** What the run asks, and how to answer: as events for scripts, in words for people. */
function tellQuestions(told: { questions: readonly OpenQuestion[]; out: Output; comeBack: string }): void {
  const { questions, out, comeBack } = told;
  const run = comeBack.split(' ').at(-1) ?? '';
  for (const question of questions) {
    const { step, failure, allowed } = question;
    out.event({ type: 'waits', step, code: failure.code, message: failure.message, allowed });
    out.warn(`The run waits for you at step "${step}": ${printable(failure.message)}`);
    for (const answer of answersTo({ run, question })) out.warn(`  ${answer}`);
  }
}

/** The commands that answer a question. */
export function answersTo({ run, question }: { run: string; question: OpenQuestion }): string[] {
  const { step, allowed, approve } = question;
  return [
    ...(approve === undefined ? [] : [`resurgo approve ${run} ${approve.slice(0, SHORT_HASH)}`]),
    ...allowed.map((decision) => `resurgo ${decision} ${run} '${step}'`),
  ];
}

/** Ctrl-C once: detach. Once more within the question: cancel. */
class Interrupt {
  isDetached = false;
  /** Ctrl-C was pressed; it is not yet clear whether to leave or to cancel. */
  pressed = false;
  readonly detached: Promise<void>;
  private resolve: () => void = () => undefined;
  private reject: (error: unknown) => void = () => undefined;
  private readonly onSignal = (): void => {
    // Later ones are the questions' own; that this stays keeps them from ending the process between two questions.
    if (!this.pressed) this.interrupted().then(this.resolve, this.reject);
  };

  constructor(private readonly options: { out: Output; comeBack: string; cancel: () => Promise<unknown> }) {
    this.detached = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    process.on('SIGINT', this.onSignal);
  }

  close(): void {
    process.removeListener('SIGINT', this.onSignal);
  }

  private async interrupted(): Promise<void> {
    const { out, comeBack, cancel } = this.options;
    this.pressed = true;
    const hint = process.stdin.isTTY ? ' (Ctrl-C again: cancel it)' : '';
    // Listening before it is said: the second one may come at once.
    const again = process.stdin.isTTY ? pressedAgain() : Promise.resolve(false);
    out.warn(`\nDetached: the run goes on${hint}. Come back with: ${comeBack}`);
    if ((await again) && (await wantsCancel())) out.warn(await cancelled(cancel));
    this.isDetached = true;
  }
}

/** Asks for the cancel; in words, what came of that. */
async function cancelled(cancel: () => Promise<unknown>): Promise<string> {
  try {
    await cancel();
    return 'Cancel requested.';
  } catch (error) {
    if (!isEngineAway(error)) throw error;
    return 'NOT cancelled: the engine does not answer, so it could not be told. The run goes on when it is back.';
  }
}

/** A second Ctrl-C within three seconds asks; silence, and Ctrl-D, only detach. */
function pressedAgain(): Promise<boolean> {
  const keys = createInterface({ input: process.stdin, output: process.stderr });
  return new Promise((resolve) => {
    const decide = (again: boolean): void => {
      clearTimeout(silence);
      process.removeListener('SIGINT', press);
      keys.removeListener('close', leave).close();
      resolve(again);
    };
    const press = (): void => {
      decide(true);
    };
    const leave = (): void => {
      decide(false);
    };
    const silence = setTimeout(leave, 3_000);
    keys.once('SIGINT', press).once('close', leave);
    // Where keys are no raw ones (stderr is a file), it comes as a signal.
    process.once('SIGINT', press);
  });
}

/** Who leaves at this question has not said yes. */
async function wantsCancel(): Promise<boolean> {
  const question = 'Cancel the run? What it did is taken back. [y/N] ';
  try {
    return /^y/i.test(await ask({ question, left: '' }));
  } catch (error) {
    if (!(error instanceof LeftError)) throw error;
    process.stderr.write('\n');
    return false;
  }
}
