/**
 * The hosts that a restore stops: wave by wave, snapshotted, started again the other way round and asked how they are. What state each
 * of them is in is kept at every moment: an operator who aborts half-way is told, and nothing starts on half-restored data (S21).
 */
import { ApplicationFailure } from '@temporalio/workflow';
import { counted } from '../planning/counted';
import type { RestorePlan } from '../planning/restore';
import { wavesOf } from '../planning/restore';
import type { FleetHost, RestoreInput } from '../planning/run-input';
import { allHealthMs } from '../planning/time-limits';
import type { Board } from './board';
import type { OperatorGate } from './gate';
import type { LeaseKeeper } from './lease-keeper';
import { quick, undoing } from './options';
import { hostNamed, keyOf, safetyOf } from './restore-items';
import type { Item } from './restore-items';
import { sideBySide } from './side-by-side';
import type { Tidy } from './tidy';

/** What has happened to one host so far; an aborted restore reports it. */
export type HostState = 'untouched' | 'stopped' | 'partly restored' | 'restored, stopped' | 'running again';

/** Hosts that are stopped, snapshotted or started at the same time: far below what Temporal lets wait at once. */
export const HOSTS_AT_ONCE = 200;

interface Options {
  input: RestoreInput;
  board: Board;
  gate: OperatorGate;
  lease: LeaseKeeper;
  warnings: string[];
}

/** Create it at the run's start; it knows its hosts from {@link RestoreHosts.stopAll} on. */
export class RestoreHosts {
  private readonly states = new Map<string, HostState>();
  /** In which order they start; known from the first stop on. */
  private waves: string[][] = [];

  constructor(private readonly options: Options) {}

  /** In the order of stopping. */
  all(): { host: string; state: HostState }[] {
    return [...this.states].map(([host, state]) => ({ host, state }));
  }

  /** Notes what became of a host's data. A host whose workloads were not stopped has no state. */
  note(host: string, state: HostState): void {
    if (this.states.has(host)) this.states.set(host, state);
  }

  /** Stops what uses the data and sees it stopped. */
  async stopAll(plan: RestorePlan): Promise<void> {
    this.waves = plan.starts;
    for (const { host } of plan.stops) this.states.set(host, 'untouched');
    for (const wave of wavesOf(plan.stops))
      await sideBySide({ items: wave, limit: HOSTS_AT_ONCE, each: (host) => this.stop({ plan, host }) });
  }

  /** A snapshot of all that is about to be overwritten. */
  async safety(items: Item[]): Promise<void> {
    const { input, gate, board, lease } = this.options;
    await board.step('safety snapshots', () =>
      sideBySide({
        items: safetyOf({ input, items }),
        limit: HOSTS_AT_ONCE,
        each: ({ item, freeze }) =>
          gate.must(`safety ${keyOf(item)}`, (round) =>
            quick.safetySnapshot.executeWithOptions({ summary: keyOf(item) }, [
              { fence: lease.fence(round), item: item.ref, freeze },
            ]),
          ),
      }),
    );
  }

  /** Starts again what was stopped: the last wave first. */
  async startAll(): Promise<void> {
    for (const wave of this.waves)
      await sideBySide({ items: wave, limit: HOSTS_AT_ONCE, each: (host) => this.start(host) });
  }

  /** What was started must also do well: a workload that dies on the data that came back is no success. */
  async health(): Promise<void> {
    const { input, gate, board, lease, warnings } = this.options;
    if (this.states.size === 0) return;
    const timeoutS = input.into.group.restore.health.reduce((sum, each) => sum + each.timeoutS, 0);
    const hosts = [...this.states.keys()].map((host) => this.host(host));
    const startToCloseTimeout = allHealthMs({ timeoutS, hosts: hosts.length });
    const results = await board.step('health', () =>
      gate.must('health', (round) =>
        quick.checkHealth.executeWithOptions(
          { summary: `how ${counted(hosts.length, 'host does', 'hosts do')}`, startToCloseTimeout },
          [{ fence: lease.fence(round), hosts, timeoutS }],
        ),
      ),
    );
    warnings.push(...results.flatMap((each) => each.warnings));
    const sick = results.filter((each) => !each.healthy);
    if (sick.length === 0) return;
    throw ApplicationFailure.nonRetryable(
      `the data is back and verified, but not all is well on it: ${sick.map((each) => `${each.host}: ${each.detail}`).join('; ')}`,
      'unhealthy',
    );
  }

  /**
   * After a run that did not finish: what was only stopped, or is whole, runs again. Where one host is half restored the others wait
   * with it: half of a fleet on old data is no fleet.
   */
  async startAgain({ tidy, round }: { tidy: Tidy; round: number }): Promise<void> {
    if ([...this.states.values()].includes('partly restored')) return;
    const fence = this.options.lease.fence(round);
    for (const wave of this.waves) {
      const items = wave.filter((host) => ['stopped', 'restored, stopped'].includes(this.states.get(host) ?? ''));
      const each = (host: string): Promise<void> =>
        tidy.step(`start ${host}`, async () => {
          const told = await undoing.startWorkloads.executeWithOptions({ summary: `start again on ${host}` }, [
            { fence, host: this.host(host) },
          ]);
          warn(this.options.warnings, told);
          this.states.set(host, 'running again');
          return undefined;
        });
      await sideBySide({ items, limit: HOSTS_AT_ONCE, each });
    }
  }

  /** A sentence on what state the hosts are in and what to do about it; empty where nothing was done to any of them. */
  describe(): string {
    const all = this.all();
    if (all.every(({ state }) => state === 'untouched')) return '';
    const now = `Hosts now: ${all.map(({ host, state }) => `${host} ${state}`).join(', ')}`;
    const half = all.filter(({ state }) => state === 'partly restored').map(({ host }) => host);
    if (half.length === 0) return now;
    const { name } = this.options.input.into.group;
    return `${now}. What is stopped stays stopped, over a reboot too; so do the containers and units that were stopped on ${half.join(', ')}, where the data is half restored: restore again, or start all of it as it is with \`resurgo start ${name} --as-it-is\`. \`resurgo snapshots ${name}\` shows what was there before`;
  }

  private async stop({ plan, host }: { plan: RestorePlan; host: string }): Promise<void> {
    const { gate, board, lease } = this.options;
    const what = plan.stops.find((stop) => stop.host === host)?.what ?? '';
    // Noted before it is done: an answer that was lost may have stopped it.
    this.states.set(host, 'stopped');
    await board.step(`stop ${host}`, () =>
      gate.must(`stop ${host}`, (round) =>
        quick.stopWorkloads.executeWithOptions({ summary: `stop ${what} on ${host}` }, [
          { fence: lease.fence(round), host: this.host(host) },
        ]),
      ),
    );
  }

  private async start(host: string): Promise<void> {
    const { gate, board, lease } = this.options;
    const told = await board.step(`start ${host}`, () =>
      gate.must(`start ${host}`, (round) =>
        quick.startWorkloads.executeWithOptions({ summary: `start what was stopped on ${host}` }, [
          { fence: lease.fence(round), host: this.host(host) },
        ]),
      ),
    );
    warn(this.options.warnings, told);
    this.states.set(host, 'running again');
  }

  private host(name: string): FleetHost {
    return hostNamed({ input: this.options.input, name });
  }
}

/** Each warning once, however often its step was tried. A step that was skipped has told nothing. */
function warn(warnings: string[], told: string[] | undefined): void {
  warnings.push(...(told ?? []).filter((each) => !warnings.includes(each)));
}
