/** Clean-up: every step is tried whatever became of the others, and what could not be tidied is said, never swallowed. */
import { isCancellation } from '@temporalio/workflow';
import type { Board } from './board';
import { describeFailure } from './failures';

/** The hosts refuse what this run would tidy: its jobs and receivers were ended by the one that took over, whose freeze drops the rest. */
const TAKEN_OVER =
  "another run has taken the group over and was not disturbed; `resurgo doctor --fix` removes what is left of this one's files";

export class Tidy {
  /** Whether something was left that a person or the next run's sweep must mend. */
  left = false;

  constructor(private readonly options: { board: Board; warnings: string[] }) {}

  /** One step; its failure becomes a warning with the way out. Hosts that could not be reached are named. */
  async step(name: string, body: () => Promise<{ unreachable: string[] } | undefined>): Promise<void> {
    const { board, warnings } = this.options;
    try {
      const unreachable = (await body())?.unreachable ?? [];
      if (unreachable.length === 0) return;
      this.left = true;
      warnings.push(
        `${name}: ${unreachable.join(', ')} could not be reached; \`resurgo doctor --fix\` mends it once they are back`,
      );
    } catch (error) {
      if (isCancellation(error)) throw error;
      this.left = true;
      const { code, message } = describeFailure(error);
      board.set(name, 'failed', message);
      if (code === 'fenced') {
        if (!warnings.includes(TAKEN_OVER)) warnings.push(TAKEN_OVER);
        return;
      }
      warnings.push(`${name}: ${message}. Run \`resurgo doctor --fix\``);
    }
  }
}
