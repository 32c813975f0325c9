/** Tells people how a run goes, by the group's `notify`. A message that can't be sent is a warning in the report, never the run's end. */
import { CancellationScope, isCancellation, sleep } from '@temporalio/workflow';
import type { Group, NotifyEvent } from '../runbooks/types';
import { describeFailure } from './failures';
import { always } from './gate';
import { calling, telling } from './options';

/** A question that waits is told again after this long. */
const AGAIN = '1d';
/** What undoes a run is not done by then: a person should look. */
const ALARM = '5m';

export class Teller {
  private saying: Promise<void> = Promise.resolve();
  private readonly unsent: string[] = [];

  constructor(
    private readonly about: { group: Pick<Group, 'name' | 'notify'>; run: string; kind: string; warnings: string[] },
  ) {}

  /** Sends one event to everybody who wants it, and waits until it is sent. */
  async tell(event: NotifyEvent, message: string, more: { step?: string; backupId?: string } = {}): Promise<void> {
    const failed = await this.send(event, message, more);
    if (failed !== undefined) this.about.warnings.push(failed);
  }

  /**
   * Sends one event beside the run, whatever is cancelled: a dead webhook must neither delay a backup nor keep what was stopped from
   * running again. Events are sent in the order in which they were said. Await {@link told} before the run ends.
   */
  say(event: NotifyEvent, message: string, more: { backupId?: string } = {}): void {
    const before = this.saying;
    this.saying = always(async () => {
      await before;
      const failed = await this.send(event, message, more);
      if (failed !== undefined) this.unsent.push(failed);
    });
  }

  /** Waits until all that was said is sent or given up. @returns a warning for each that could not be sent */
  async told(): Promise<string[]> {
    await always(() => this.saying);
    return this.unsent.splice(0);
  }

  /** @returns a warning when it could not be sent */
  private async send(
    event: NotifyEvent,
    message: string,
    more: { step?: string; backupId?: string },
  ): Promise<string | undefined> {
    const { group, run, kind } = this.about;
    if (!group.notify.some((each) => each.on.includes(event))) return undefined;
    try {
      const notice = { event, group: group.name, run, kind, message, ...more };
      await telling.notify.executeWithOptions({ summary: `tell: ${event}` }, [{ to: group.notify, notice }]);
      return undefined;
    } catch (error) {
      if (isCancellation(error)) throw error;
      return `notification "${event}" could not be sent: ${describeFailure(error).message}`;
    }
  }

  /**
   * Calls for a person until the question is answered: a message that can't be sent now is tried for as long as it takes, and told again
   * daily. Never waited for, so that a dead webhook keeps no answer from being heard.
   * @returns what ends it
   */
  call(message: string, more: { step: string }): () => void {
    return inBackground(async () => {
      for (;;) {
        const { group, run, kind } = this.about;
        if (group.notify.some((each) => each.on.includes('needs-operator'))) {
          const notice = { event: 'needs-operator' as const, group: group.name, run, kind, message, ...more };
          await calling.notify.executeWithOptions({ summary: `call for a person: ${more.step}` }, [
            { to: group.notify, notice },
          ]);
        }
        await sleep(AGAIN, { summary: `call again: ${more.step}` });
      }
    });
  }

  /** A step that is tried for long without asking: when it has not succeeded after some minutes, people are told to look. */
  async alarmed<T>(step: string, body: () => Promise<T>): Promise<T> {
    const end = inBackground(async () => {
      await sleep(ALARM, { summary: `${step} should be done by then` });
      await this.tell('needs-operator', `${step} does not succeed and is still tried: look at the hosts now`, { step });
    });
    try {
      return await body();
    } finally {
      end();
    }
  }
}

/** Runs it beside the run, whatever is cancelled around it. @returns what ends it */
function inBackground(body: () => Promise<void>): () => void {
  const scope = new CancellationScope({ cancellable: true, parent: new CancellationScope({ cancellable: false }) });
  void scope.run(body).catch((error: unknown) => {
    if (!isCancellation(error)) throw error;
  });
  return () => {
    scope.cancel();
  };
}
