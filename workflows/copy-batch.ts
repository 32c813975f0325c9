/**
 * A part of a large backup's copies, as a child of the run: so no history grows without bound, however many sources there are.
 *
 * It decides nothing by itself. What fails for good it asks at the gate of the run that started it, where people look for it; and it
 * takes back nothing: when it is cancelled its copies are stopped, and the run tidies up.
 */
import { condition, defineSignal, getExternalWorkflowHandle, setHandler, workflowInfo } from '@temporalio/workflow';
import { Board } from './board';
import { copyWindow } from './copy-window';
import type { CopyTask, SourceOutcome } from './copy-window';
import { Gate } from './gate';
import type { DecideInput, OpenQuestion } from './gate';

export interface CopyBatchInput {
  task: CopyTask;
  /** The workflow whose gate is asked. */
  askAt: string;
  /** Heads the table in the UI. */
  title: string;
}

/** Sent to the run: a batch has a question for its operator. */
export const askSignal = defineSignal<[{ batch: string; question: OpenQuestion }]>('ask');
/** Sent to the batch: what the operator said. An abort is not sent: it ends the run, and cancels the batch. */
export const answerSignal = defineSignal<[{ step: string; answer: DecideInput }]>('answer');

export async function copyBatch({ task, askAt, title }: CopyBatchInput): Promise<SourceOutcome[]> {
  const board = new Board({ title, group: task.fence.group });
  return copyWindow({ task, board, gate: new RelayedGate({ askAt, board }) });
}

/** The gate of the run above. */
class RelayedGate extends Gate {
  private readonly answers = new Map<string, DecideInput>();

  constructor(private readonly options: { askAt: string; board: Board }) {
    super();
    setHandler(answerSignal, ({ step, answer }) => {
      this.answers.set(step, answer);
    });
  }

  override async ask(question: OpenQuestion): Promise<DecideInput> {
    const { askAt, board } = this.options;
    const { step, failure } = question;
    this.answers.delete(step);
    board.set(step, 'needs operator', failure.message);
    await getExternalWorkflowHandle(askAt).signal(askSignal, { batch: workflowInfo().workflowId, question });
    let answer: DecideInput | undefined;
    await condition(() => (answer = this.answers.get(step)) !== undefined);
    return answer ?? this.ask(question);
  }
}
