/**
 * Shows a run until it ends: steps from Temporal's own record of pending activities (so it works while no worker is up, S32), copies
 * from their heartbeats. Ctrl-C only detaches: the run goes on. A second Ctrl-C asks whether to cancel it.
 */
import { createInterface } from 'node:readline/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowHandle } from '@temporalio/client';
import { WorkflowFailedError } from '@temporalio/client';
import type { OpenQuestion } from '../workflows/gate';
import { EXIT } from './exit';
import { LiveLines } from './live-lines';
import { figures, inWords, look } from './look';
import { printable } from './output';
import { WorkerWatch } from './serving';
import type { Output } from './output';

const POLL_MS = 700;

/** How watching a run ended. */
type Followed =
  | { ended: 'done' }
  | { ended: 'failed'; message: string; code: string }
  | { ended: 'detached' }
  /** Nobody sits at a terminal, and the run waits for a person: it goes on once answered. */
  | { ended: 'waits' };

export interface FollowOptions {
  handle: WorkflowHandle;
  out: Output;
  comeBack: string;
  /** Leave a run that waits for a person, where there is none: a script must not hang until somebody comes. */
  leaveWaiting?: boolean;
}

/** Follows a run and says how it ended; a run that is done is told by `show`. Returns the exit code. */
export async function followToEnd(options: FollowOptions & { show: (report: unknown) => number }): Promise<number> {
  const { handle, out, show } = options;
  const followed = await follow(options);
  switch (followed.ended) {
    case 'detached':
      return EXIT.cancelled;
    case 'waits':
      return EXIT.incomplete;
    case 'failed':
      out.event({ type: 'ended', state: 'Failed', code: followed.code, message: followed.message });
      out.warn(`Failed: ${followed.message}`);
      return EXIT.failed;
    case 'done':
      return show(await handle.result());
  }
}

/** Follows a run to its end, or until the person at the terminal goes away. */
async function follow(options: FollowOptions): Promise<Followed> {
  const { handle, out, comeBack } = options;
  const interrupt = new Interrupt({ out, comeBack, cancel: () => handle.cancel() });
  const lines = new LiveLines(out);
  const workers = new WorkerWatch({ client: handle.client, out });
  let asked = false;
  try {
    for (;;) {
      const { status, pending, needsOperator } = await look(handle);
      if (status !== 'RUNNING') break;
      // Once somebody has pressed Ctrl-C, nothing is written over what is said to them.
      if (!interrupt.pressed) lines.show(pending.map(inWords));
      for (const each of pending)
        out.event({ type: 'progress', activity: each.activity, attempt: each.attempt, ...figures(each.progress) });
      if (needsOperator && !asked) {
        await tellQuestions({ handle, out, comeBack });
        if (options.leaveWaiting === true && !process.stdin.isTTY) return { ended: 'waits' };
      }
      asked = needsOperator;
      await workers.look();
      await Promise.race([sleep(POLL_MS), interrupt.detached]);
      if (interrupt.isDetached) return { ended: 'detached' };
    }
  } finally {
    lines.end();
    interrupt.close();
  }
  try {
    await handle.result();
    return { ended: 'done' };
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    const cause = error.cause;
    return {
      ended: 'failed',
      code: cause instanceof Error && 'type' in cause ? String(cause.type) : 'failed',
      message: cause?.message ?? error.message,
    };
  }
}

/** What the run asks, and how to answer: as events for scripts, in words for people. */
export async function tellQuestions({
  handle,
  out,
  comeBack,
}: {
  handle: WorkflowHandle;
  out: Output;
  comeBack: string;
}): Promise<void> {
  const questions = await handle.query<OpenQuestion[]>('questions');
  const run = comeBack.split(' ').at(-1) ?? '';
  for (const { step, failure, allowed, approve } of questions) {
    out.event({ type: 'waits', step, code: failure.code, message: failure.message, allowed });
    out.warn(`The run waits for you at step "${step}": ${printable(failure.message)}`);
    if (approve !== undefined) out.warn(`  resurgo approve ${run} ${approve}`);
    for (const decision of allowed) out.warn(`  resurgo ${decision} ${run} '${step}'`);
  }
}

/** Ctrl-C once: detach. Once more within the question: cancel. */
class Interrupt {
  isDetached = false;
  /** Ctrl-C was pressed; it is not yet clear whether to leave or to cancel. */
  pressed = false;
  readonly detached: Promise<void>;
  private resolve: () => void = () => undefined;
  private readonly onSignal = (): void => {
    void this.interrupted();
  };

  constructor(private readonly options: { out: Output; comeBack: string; cancel: () => Promise<unknown> }) {
    this.detached = new Promise((resolve) => (this.resolve = resolve));
    process.once('SIGINT', this.onSignal);
  }

  close(): void {
    process.removeListener('SIGINT', this.onSignal);
  }

  private async interrupted(): Promise<void> {
    const { out, comeBack, cancel } = this.options;
    this.pressed = true;
    const hint = process.stdin.isTTY ? ' (Ctrl-C again: cancel it)' : '';
    out.warn(`\nDetached: the run goes on${hint}. Come back with: ${comeBack}`);
    process.exitCode = EXIT.cancelled;
    if (process.stdin.isTTY) {
      const ask = createInterface({ input: process.stdin, output: process.stderr });
      const stop = new AbortController();
      const leave = setTimeout(() => {
        stop.abort();
      }, 3_000);
      // A second Ctrl-C within three seconds asks; silence only detaches.
      const again = await new Promise<boolean>((resolve) => {
        ask.once('SIGINT', () => {
          resolve(true);
        });
        stop.signal.addEventListener('abort', () => {
          resolve(false);
        });
      });
      clearTimeout(leave);
      if (again && /^y/i.test(await ask.question('Cancel the run? What it did is taken back. [y/N] '))) {
        await cancel();
        out.warn('Cancel requested.');
      }
      ask.close();
    }
    this.isDetached = true;
    this.resolve();
  }
}
