/** What a run shows of itself: a live table in Temporal's current details, search attributes, and the same rows as a query. */
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { defineQuery, log, setCurrentDetails, setHandler, upsertSearchAttributes } from '@temporalio/workflow';
import { boardTable, harmless } from '../planning/progress';
import type { BoardRow, StepState } from '../planning/progress';
import { SEARCH_ATTRIBUTES } from '../planning/search-attributes';
import { describeFailure } from './failures';
import type { OpenQuestion } from './gate';

/** The rows of a run as they stand. */
export const boardQuery = defineQuery<BoardRow[]>('board');

const key = {
  group: defineSearchAttributeKey(SEARCH_ATTRIBUTES.group.name, SearchAttributeType.KEYWORD),
  backupId: defineSearchAttributeKey(SEARCH_ATTRIBUTES.backupId.name, SearchAttributeType.KEYWORD),
  outcome: defineSearchAttributeKey(SEARCH_ATTRIBUTES.outcome.name, SearchAttributeType.KEYWORD),
  needsOperator: defineSearchAttributeKey(SEARCH_ATTRIBUTES.needsOperator.name, SearchAttributeType.BOOL),
};

/** The table of one run. */
export class Board {
  private readonly rows = new Map<string, BoardRow>();
  private questions: OpenQuestion[] = [];
  /** Steps that wait for a person, and what their row said before: nothing where the question is all that the step is. */
  private readonly asked = new Map<string, StepState | undefined>();
  private stale = false;
  /** When a step that runs now began, ms. */
  private readonly began = new Map<string, number>();

  constructor(private readonly head: { title: string; group: string }) {
    upsertSearchAttributes([
      { key: key.group, value: head.group },
      { key: key.needsOperator, value: false },
    ]);
    setHandler(boardQuery, () => [...this.rows.values()]);
  }

  set(step: string, state: StepState, note = ''): void {
    this.rows.set(step, { step, state, note });
    this.tell(step, state, note);
    this.publish();
  }

  /** Runs `body` under a row that says how it goes. */
  async step<T>(step: string, body: () => Promise<T>, note?: (value: T) => string): Promise<T> {
    this.set(step, 'running');
    try {
      const value = await body();
      this.set(step, 'done', note?.(value) ?? '');
      return value;
    } catch (error) {
      this.set(step, 'failed', firstLine(describeFailure(error).message));
      throw error;
    }
  }

  waitFor(questions: OpenQuestion[]): void {
    const needed = questions.length > 0;
    if (needed !== this.questions.length > 0) upsertSearchAttributes([{ key: key.needsOperator, value: needed }]);
    this.questions = questions;
    for (const [step, before] of this.asked) {
      if (questions.some((each) => each.step === step)) continue;
      this.asked.delete(step);
      if (this.rows.get(step)?.state !== 'needs operator') continue;
      // Whatever the answer was: the run's outcome tells what came of it.
      if (before === undefined) this.set(step, 'done', 'answered');
      else this.set(step, 'running');
    }
    for (const { step, failure } of questions) {
      const note = firstLine(failure.message);
      const state = this.rows.get(step)?.state;
      if (state !== 'needs operator') this.tell(step, 'needs operator', note);
      if (!this.asked.has(step)) this.asked.set(step, state);
      this.rows.set(step, { step, state: 'needs operator', note });
    }
    this.publish();
  }

  backupId(id: string): void {
    upsertSearchAttributes([{ key: key.backupId, value: id }]);
  }

  outcome(outcome: 'Completed' | 'Partial' | 'Failed' | 'Cancelled'): void {
    upsertSearchAttributes([{ key: key.outcome, value: outcome }]);
    log.info('the run ends', { group: this.head.group, step: 'end', outcome });
  }

  /** The same for the run's log, with how long a step took. */
  private tell(step: string, state: StepState, note: string): void {
    const began = this.began.get(step);
    if (state === 'running') this.began.set(step, Date.now());
    const took = state === 'running' || began === undefined ? {} : { durationMs: Date.now() - began };
    const at = { group: this.head.group, step, state, ...took, ...(note === '' ? {} : { note }) };
    if (state === 'failed' || state === 'needs operator') log.warn(`step: ${state}`, at);
    else log.info(`step: ${state}`, at);
  }

  /** Written once for all that changes in one go: a hundred rows set one after another are one table. */
  private publish(): void {
    if (this.stale) return;
    this.stale = true;
    void Promise.resolve().then(() => {
      this.stale = false;
      this.write();
    });
  }

  private write(): void {
    setCurrentDetails(
      [
        `### ${this.head.title}`,
        ...this.questions.map(
          (each) =>
            `**Waits for you** at \`${each.step}\`: ${harmless(each.failure.message)} — send update \`decide\` (${[...each.allowed, ...(each.approve === undefined ? [] : ['approve'])].join(', ')})`,
        ),
        '',
        boardTable([...this.rows.values()]),
      ].join('\n'),
    );
  }
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? '';
}
