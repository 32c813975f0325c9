/** Holds a group's lease for as long as the run lives, also while it waits for a person for days. */
import { ApplicationFailure, CancellationScope, isCancellation, log, sleep } from '@temporalio/workflow';
import { counted } from '../planning/counted';
import type { FleetHost, GroupSetup } from '../planning/run-input';
import { describeFailure } from './failures';
import { quick, tidying } from './options';
import type { RunFence } from '../activities/context';
import type { RaisedFences } from '../activities/lease';

/** A lease that nobody renews is free after this long; a run renews it three times as often. */
const TTL_S = 3600;

/** The lease of one run. */
export class LeaseKeeper {
  /** Outside of the run's own scope: a run that was cancelled holds its lease until it is taken back. */
  private readonly scope = new CancellationScope({
    cancellable: true,
    parent: new CancellationScope({ cancellable: false }),
  });
  private term = 0;
  private keeping = false;

  /** @param options.series what the run excludes, by default the group's other runs (planning/series.ts) */
  constructor(private readonly options: { setup: GroupSetup; run: string; series?: string }) {}

  /** The fence of a step at its `round`-th retry by the operator. */
  fence(round = 0): RunFence {
    return { group: this.series(), run: this.options.run, term: this.term, round };
  }

  /**
   * Takes the lease at the store and raises the fence on all hosts.
   * @returns the hosts that could not be reached
   */
  async take(): Promise<{ host: string; message: string }[]> {
    const raised = await this.raise();
    if (raised.seen === undefined) return raised.unreachable;
    // The group's store is another one now, or was enrolled again. Were it held by another run, the store would say so.
    const again = await this.raise(raised.seen + 1);
    if (again.seen === undefined) return again.unreachable;
    throw ApplicationFailure.nonRetryable(
      `the hosts have seen term ${again.seen} of group ${this.series()}, and its store gives out lower ones`,
      'fenced',
    );
  }

  /** Raises the fence on further hosts, once the lease is held: a machine that has only now come up. */
  async raiseOn(hosts: FleetHost[]): Promise<void> {
    await quick.raiseFences.executeWithOptions({ summary: `fence ${this.term} on ${counted(hosts.length, 'host')}` }, [
      { ...this.held(), hosts, partial: false },
    ]);
  }

  private async raise(least?: number): Promise<RaisedFences> {
    const { hosts, group } = this.options.setup;
    const { term } = await quick.takeLease.executeWithOptions({ summary: 'lease of the group' }, [
      { ...this.request(), least },
    ]);
    this.term = term;
    if (!this.keeping) void this.keep();
    this.keeping = true;
    return quick.raiseFences.executeWithOptions({ summary: `fence ${term} on ${counted(hosts.length, 'host')}` }, [
      { ...this.held(), partial: group.onUnreachable === 'partial' },
    ]);
  }

  /** Gives it back, on `hosts` and at the store; safe when it was never taken. A host that is away has a lease that runs out by itself. */
  async release(hosts = this.options.setup.hosts): Promise<undefined> {
    this.scope.cancel();
    if (this.term === 0) return undefined;
    await tidying.releaseLease.executeWithOptions({ summary: 'give the group back' }, [{ ...this.held(), hosts }]);
    return undefined;
  }

  private async keep(): Promise<void> {
    try {
      await this.scope.run(async () => {
        for (;;) {
          await sleep((TTL_S * 1000) / 3, { summary: 'renew the lease' });
          await this.renew();
        }
      });
    } catch (error) {
      if (!isCancellation(error)) throw error;
    }
  }

  /** A lease that can't be renewed is tried again at the next turn; when somebody else has it, the hosts refuse the next verb. */
  private async renew(): Promise<void> {
    try {
      await tidying.renewLease.executeWithOptions({ summary: 'hold the group for another hour' }, [this.held()]);
    } catch (error) {
      if (isCancellation(error)) throw error;
      log.warn('the lease could not be renewed', { reason: describeFailure(error).message });
    }
  }

  private series(): string {
    return this.options.series ?? this.options.setup.group.name;
  }

  private request() {
    const { setup, run } = this.options;
    return {
      group: this.series(),
      run,
      owner: `${setup.directorId}/${run}`,
      store: { name: setup.store.name, host: setup.storeHost },
      ttlS: TTL_S,
    };
  }

  private held() {
    return { ...this.request(), term: this.term, hosts: this.options.setup.hosts };
  }
}
