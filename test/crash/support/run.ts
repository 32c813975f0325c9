/** One run under test: where it is now, and how it ended. */
import type { Client, WorkflowHandle } from '@temporalio/client';
import type { DecideInput, Decision, OpenQuestion } from '../../../workflows/gate';
import { until } from '../../workers/fixtures/engine';

/** A step that is under way now. */
export interface Pending {
  activity: string;
  attempt: number;
  started: boolean;
}

/** PENDING_ACTIVITY_STATE_STARTED: a worker has it (or had, when it died). */
const STARTED = 2;
/** No run of these sizes takes longer, heartbeat time-outs of killed workers included, ms. */
const RESULT_MS = 150_000;

export class Run {
  readonly handle: WorkflowHandle;

  constructor(
    client: Client,
    readonly id: string,
    readonly workflowId: string,
  ) {
    this.handle = client.workflow.getHandle(workflowId);
  }

  /** What Temporal says is under way. */
  async pending(): Promise<Pending[]> {
    const { raw } = await this.handle.describe();
    return (raw.pendingActivities ?? []).map((each) => ({
      activity: each.activityType?.name ?? '',
      attempt: each.attempt ?? 0,
      started: Number(each.state) === STARTED,
    }));
  }

  /** Waits until a worker has started this step, at this attempt or a later one. */
  async inStep(
    activity: string,
    { attempt = 1, limitMs = 60_000 }: { attempt?: number; limitMs?: number } = {},
  ): Promise<void> {
    const there = (all: Pending[]): boolean =>
      all.some((each) => each.activity === activity && each.started && each.attempt >= attempt);
    await until(`attempt ${attempt} of ${activity}`, async () => there(await this.pending()), limitMs);
  }

  /** How the run ended. @throws with what it waited for when it did not end in time */
  async result<T>(limitMs = RESULT_MS): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        void this.describeStuck().then((text) => {
          reject(new Error(`${this.workflowId} did not end within ${limitMs} ms: ${text}`));
        });
      }, limitMs);
    });
    try {
      return await Promise.race([this.handle.result() as Promise<T>, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Waits until the run asks for the approval of its plan. @returns the plan's short hash */
  async approvable(limitMs = 90_000): Promise<string> {
    let hash: string | undefined;
    const asked = async (): Promise<boolean> => {
      const { status } = await this.handle.describe();
      if (status.name !== 'RUNNING') throw new Error(`${this.workflowId} is ${status.name} before its approval`);
      // A query waits for a worker; while none is there, the next look asks again.
      const questions = await this.questions().catch(() => []);
      hash = questions.find((each) => each.step === 'approve')?.approve;
      return hash !== undefined;
    };
    await until(`${this.workflowId} asks for an approval`, asked, limitMs);
    return hash!;
  }

  async approve(hash: string): Promise<void> {
    await this.answer({ decision: 'approve', step: 'approve', hash, by: 'test@lab' });
  }

  /** What waits for a person now; needs a worker. */
  questions(): Promise<OpenQuestion[]> {
    return this.handle.query<OpenQuestion[]>('questions');
  }

  async decide(step: string, decision: Decision): Promise<void> {
    await this.answer({ step, decision, by: 'test@lab' });
  }

  private async answer(answer: DecideInput): Promise<void> {
    await this.handle.executeUpdate<string, [DecideInput]>('decide', { args: [answer] });
  }

  /** Activity → the highest attempt that was completed by. */
  async attempts(): Promise<Map<string, number>> {
    const history = await this.handle.fetchHistory();
    const names = new Map<string, string>();
    const attempts = new Map<string, number>();
    for (const event of history.events ?? []) {
      const scheduled = event.activityTaskScheduledEventAttributes;
      if (scheduled) names.set(String(event.eventId), scheduled.activityType?.name ?? '');
      const started = event.activityTaskStartedEventAttributes;
      if (!started) continue;
      const name = names.get(String(started.scheduledEventId)) ?? '';
      attempts.set(name, Math.max(attempts.get(name) ?? 0, started.attempt ?? 0));
    }
    return attempts;
  }

  /** What a run that does not end is at. */
  async describeStuck(): Promise<string> {
    const questions = await this.questions().catch((error: unknown) => String(error));
    return `${JSON.stringify(await this.pending())}; questions ${JSON.stringify(questions)}`;
  }
}
