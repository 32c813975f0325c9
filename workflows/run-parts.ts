/** What every run over a group is made of: its table, its gate, its lease, its way to tell people, and what it has to warn of. */
import { isCancellation } from '@temporalio/workflow';
import type { GroupSetup } from '../planning/run-input';
import { Board } from './board';
import { describeFailure, runFailure } from './failures';
import { always, OperatorGate } from './gate';
import { LeaseKeeper } from './lease-keeper';
import { Teller } from './teller';

/** The base of a run's class. Create it before the first step: it sets up the run's queries and its update. */
export abstract class RunParts {
  protected readonly board: Board;
  protected readonly gate: OperatorGate;
  protected readonly lease: LeaseKeeper;
  protected readonly teller: Teller;
  protected readonly warnings: string[] = [];

  /**
   * @param options.kind `backup`, `restore`, …, for messages; `title` heads the table in the UI; `series`: what the run excludes, by
   *   default the group's other runs
   */
  protected constructor(options: { setup: GroupSetup; run: string; kind: string; title: string; series?: string }) {
    const { setup, run, kind, title, series } = options;
    this.board = new Board({ title, group: setup.group.name });
    this.teller = new Teller({ group: setup.group, run, kind, warnings: this.warnings });
    this.gate = new OperatorGate({
      changed: (open) => {
        this.board.waitFor(open);
      },
      opened: ({ step, failure }) => this.teller.call(`step "${step}" waits for you: ${failure.message}`, { step }),
    });
    this.lease = new LeaseKeeper({ setup, run, series });
  }

  /**
   * All of a run of which only the failure is told to people: a ping of its success would hide that the group's backups fail. It is tidied
   * whatever becomes of it.
   * @param run.failed what a failure is called: `the prune failed`
   */
  protected async toldIfFailed<Report extends { state: 'Completed' | 'Partial' }>(run: {
    steps: () => Promise<Report>;
    tidy: () => Promise<void>;
    failed: string;
  }): Promise<Report> {
    try {
      const report = await run.steps();
      await always(run.tidy);
      this.board.outcome(report.state);
      return report;
    } catch (error) {
      await always(run.tidy);
      const cancelled = isCancellation(error);
      this.board.outcome(cancelled ? 'Cancelled' : 'Failed');
      if (cancelled) throw error;
      const failure = describeFailure(error);
      await this.teller.tell('failure', `${run.failed}: ${failure.message}`);
      throw runFailure({ failure, error });
    }
  }
}
