/** What every run over a group is made of: its table, its gate, its lease, its way to tell people, and what it has to warn of. */
import type { GroupSetup } from '../planning/run-input';
import { Board } from './board';
import { OperatorGate } from './gate';
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
}
