/** The runbook's hooks around the freeze, and what they are evidence of (S7). */
import { isCancellation } from '@temporalio/workflow';
import type { HooksResult } from '../activities/hooks';
import { counted } from '../planning/counted';
import type { BackupInput } from '../planning/run-input';
import { hooksMs } from '../planning/time-limits';
import type { Board } from './board';
import type { OperatorGate } from './gate';
import type { LeaseKeeper } from './lease-keeper';
import { quick, tidying } from './options';

type Phase = 'before' | 'after';

interface Options {
  input: BackupInput;
  lease: LeaseKeeper;
  gate: OperatorGate;
  board: Board;
  /** Host name → why it is not part of this backup. */
  missing: ReadonlyMap<string, string>;
  warnings: string[];
}

/** The hooks of one backup. */
export class FreezeHooks {
  /** Host name → the hooks before the freeze that the label may count on. */
  readonly before = new Map<string, string[]>();
  /** Whether the hooks "after" still have to run. */
  private owed = false;
  /** Higher with each call of hooks, whichever round of the freeze it belongs to: the hosts refuse what looks like an older one (S3). */
  private round = 0;

  constructor(private readonly options: Options) {}

  /**
   * A freeze between its hooks. "after" runs also when it failed, before anybody is asked: a database that was told to hold still does not
   * wait for a person, and the next try begins with a "before" of its own (S7).
   */
  async around<T>(freeze: () => Promise<T>): Promise<T> {
    await this.run('before');
    let frozen: T;
    try {
      frozen = await freeze();
    } catch (error) {
      // Taking back a cancelled run runs them. What was undone is no evidence of the next try, which begins anew.
      if (!isCancellation(error)) await this.run('after');
      throw error;
    }
    for (const { host, name } of await this.run('after')) this.undone(host, name);
    return frozen;
  }

  /** Runs what is still owed when the run is taken back. */
  async takeBack(): Promise<undefined> {
    const hooks = this.calls('after');
    if (!this.owed || hooks.length === 0) return undefined;
    const { lease, gate } = this.options;
    const options = { summary: 'hooks after the freeze', startToCloseTimeout: hooksMs(hooks) };
    await tidying.runHooks.executeWithOptions(options, [
      { fence: lease.fence(Math.max(gate.roundsSoFar() + 1, this.round)), phase: 'after', hooks },
    ]);
    return undefined;
  }

  /** @returns the hooks whose "after" their dead-man had run before */
  private async run(phase: Phase): Promise<HooksResult['undone']> {
    const { board, gate, lease } = this.options;
    const all = this.configured(phase);
    if (phase === 'before') {
      this.owed = true;
      this.before.clear();
    }
    let undone: HooksResult['undone'] = [];
    if (all.length > 0)
      ({ undone } = await board.step(`hooks ${phase}`, () =>
        gate.must(`hooks ${phase}`, () =>
          quick.runHooks.executeWithOptions(
            { summary: `${counted(all.length, 'hook')} ${phase} the freeze`, startToCloseTimeout: hooksMs(all) },
            [{ fence: lease.fence(this.round++), phase, hooks: this.calls(phase) }],
          ),
        ),
      ));
    if (phase === 'before')
      for (const hook of all) this.before.set(hook.host, [...(this.before.get(hook.host) ?? []), hook.name]);
    if (phase === 'after') this.owed = false;
    return undone;
  }

  /** Its dead-man ran its "after" early, maybe before the freeze: it is evidence of nothing (S7). */
  private undone(host: string, name: string): void {
    const names = this.before.get(host) ?? [];
    if (!names.includes(name)) return;
    this.before.set(
      host,
      names.filter((each) => each !== name),
    );
    this.options.warnings.push(
      `hook ${name} of ${host} was undone by its dead-man before the freeze had ended: the backup does not count on it; see docs/operations.md`,
    );
  }

  private configured(phase: Phase) {
    const { input, missing } = this.options;
    return input.group.quiesce.hooks[phase].filter((hook) => !missing.has(hook.host));
  }

  private calls(phase: Phase) {
    return this.configured(phase).flatMap((hook) => {
      const host = this.options.input.hosts.find((each) => each.name === hook.host);
      return host === undefined ? [] : [{ host, name: hook.name, timeoutS: hook.timeoutS }];
    });
  }
}
