/**
 * Brings a backup back: plan → approval → stop → safety snapshot → data → verify → start → health.
 *
 * Until the approval nothing is changed. From the first stop on, a host's workloads start again only when its data is whole; an
 * operator who aborts in the middle is told in what state each host is, and nothing starts on half-restored data (S21).
 */
import { ApplicationFailure, defineQuery, isCancellation, setHandler } from '@temporalio/workflow';
import type { RestoredItem } from '../activities/restore';
import type { RestoreItemRef } from '../activities/restore-item';
import type { Manifest } from '../planning/manifest';
import { selectSources } from '../planning/restore';
import type { RestorePlan, SelectedSource, Selection } from '../planning/restore';
import { planHash, SHORT_HASH } from '../planning/restore-approval';
import type { FleetHost, RestoreInput } from '../planning/run-input';
import { allHealthMs } from '../planning/time-limits';
import { describeFailure } from './failures';
import { always } from './gate';
import { bulk, quick, tidying, undoing } from './options';
import { destinations, everyHost, hostNamed, keyOf, planOf, protectionOf, storeOf } from './restore-items';
import type { Item } from './restore-items';
import { RunParts } from './run-parts';
import { Tidy } from './tidy';

/** What has happened to one host so far; an aborted restore reports it. */
export type HostState = 'untouched' | 'stopped' | 'partly restored' | 'restored, stopped' | 'running again';

export interface RestoreReport {
  state: 'Completed' | 'Planned';
  plan: RestorePlan;
  hash: string;
  items: { destination: string; files: number; bytes: number; deletions: number }[];
  hosts: { host: string; state: HostState }[];
  warnings: string[];
}

/** The plan that waits for approval, with its hash; undefined while it is being made. */
export const planQuery = defineQuery<{ plan: RestorePlan; hash: string } | undefined>('plan');

export async function restore(input: RestoreInput): Promise<RestoreReport> {
  return new RestoreRun(input).run();
}

class RestoreRun extends RunParts {
  private readonly states = new Map<string, HostState>();
  /** Set from the first byte on. */
  private writing = false;
  private planned: { plan: RestorePlan; hash: string } | undefined;

  constructor(private readonly input: RestoreInput) {
    const { into, run, id } = input;
    super({ setup: into, run, kind: 'restore', title: `restore of ${id} into ${into.group.name}, run ${run}` });
    this.board.backupId(id);
    setHandler(planQuery, () => this.planned);
  }

  async run(): Promise<RestoreReport> {
    try {
      const report = await this.steps();
      await always(() => this.tidy());
      this.board.outcome('Completed');
      if (report.state === 'Completed')
        await always(() => this.teller.tell('success', `restore of ${this.input.id} is done`));
      return report;
    } catch (error) {
      await always(() => this.takeBack());
      const cancelled = isCancellation(error);
      this.board.outcome(cancelled ? 'Cancelled' : 'Failed');
      const failure = describeFailure(error);
      const message = `${failure.message}${this.describeStates()}`;
      await always(() =>
        this.teller.tell('failure', `the restore ${cancelled ? 'was cancelled' : `failed: ${message}`}`),
      );
      if (cancelled && this.states.size === 0) throw error;
      throw ApplicationFailure.create({
        type: failure.code,
        nonRetryable: true,
        message,
        details: [failure, [...this.states].map(([host, state]) => ({ host, state }))],
        cause: error instanceof Error ? error : undefined,
      });
    }
  }

  private async steps(): Promise<RestoreReport> {
    const { input } = this;
    const unreachable = await this.board.step('lease', () => this.lease.take());
    const { manifest } = await this.board.step('read backup', () =>
      this.gate.must('read backup', () =>
        quick.readBackup({ group: input.from.group, store: storeOf(input), id: input.id }),
      ),
    );
    const { items, selection } = await this.gather(manifest, new Set(unreachable.map((each) => each.host)));
    const plan = planOf({ input, manifest, items, selection });
    const hash = planHash(plan);
    this.planned = { plan, hash };
    if (input.planOnly) return this.report({ state: 'Planned', plan, hash, restored: [] });
    await this.approval({ plan, hash });
    const restored = await this.bringBack({ plan, items });
    return this.report({ state: 'Completed', plan, hash, restored });
  }

  /** Chooses, maps and looks at every destination; counts what would change. Changes nothing. */
  private async gather(
    manifest: Manifest,
    unreachable: ReadonlySet<string>,
  ): Promise<{ items: Item[]; selection: Selection }> {
    const selection = selectSources({ manifest, ...this.input.select });
    const { places: refs, warnings } = destinations({ input: this.input, selection });
    this.warnings.push(...warnings);
    const away = refs.find(({ ref }) => unreachable.has(ref.destination.host.name));
    if (away !== undefined)
      throw ApplicationFailure.nonRetryable(
        `${away.ref.destination.host.name} can't be reached; nothing was changed. Bring it up, or leave it out with --host`,
        'unreachable',
      );
    const items = await this.board.step('look and count', () =>
      Promise.all(refs.map((place) => this.look({ ...place, manifest, selection }))),
    );
    return { items, selection };
  }

  private async look(place: {
    ref: RestoreItemRef;
    selected: SelectedSource;
    manifest: Manifest;
    selection: Selection;
  }): Promise<Item> {
    const { selected, manifest, selection } = place;
    const { input } = this;
    const { tree, subpath, id } = place.ref.backup;
    const name = keyOf(place);
    const { single } =
      subpath === null
        ? { single: false }
        : await this.gate.must(`look up ${subpath}`, () =>
            quick.lookUp.executeWithOptions({ summary: subpath }, [{ store: place.ref.store, id, tree, subpath }]),
          );
    const plain = { ...place.ref, single };
    const check = await this.gate.must(`look at ${name}`, (round) =>
      quick.checkDestination.executeWithOptions({ summary: name }, [{ fence: this.lease.fence(round), item: plain }]),
    );
    // What is protected is known now, and the count must see it.
    const ref = { ...plain, protect: protectionOf({ ref: plain, selected, check, input, manifest, selection }) };
    if (!check.allowed || !check.mounted) return { ref, selected, check, dryRun: { files: 0, bytes: 0, deletions: 0 } };
    const dryRun = await this.gate.must(`count ${name}`, (round) =>
      bulk.countRestore.executeWithOptions({ summary: name }, [{ fence: this.lease.fence(round), item: ref }]),
    );
    return { ref, selected, check, dryRun };
  }

  /** Only a person's word for exactly this plan lets it go on; no time-out does. */
  private async approval({ plan, hash }: { plan: RestorePlan; hash: string }): Promise<void> {
    if (plan.blockers.length > 0)
      throw ApplicationFailure.nonRetryable(
        `this restore is not possible: ${plan.blockers.join('; ')}. Nothing was changed`,
        'blocked',
      );
    const given = this.input.approve;
    if (given !== null) {
      if (given.length >= SHORT_HASH && hash.startsWith(given)) return;
      throw ApplicationFailure.nonRetryable(
        `the plan is another one now than the one you approved (${given}): its hash is ${hash.slice(0, SHORT_HASH)}. Nothing was changed; read it again`,
        'plan-changed',
      );
    }
    const { files, bytes, deletions } = plan.totals;
    const answer = await this.gate.ask({
      step: 'approve',
      failure: {
        code: 'approval',
        message: `${files} files (${bytes} bytes) will be written and ${deletions} entries deleted; stops: ${plan.stops.map((stop) => stop.host).join(', ') || 'nothing'}. Approve plan ${hash.slice(0, SHORT_HASH)}`,
      },
      allowed: ['abort'],
      approve: hash.slice(0, SHORT_HASH),
    });
    if (answer.decision === 'abort')
      throw ApplicationFailure.nonRetryable(`aborted by ${answer.by} before anything was changed`, 'AbortedByOperator');
  }

  private async bringBack({
    plan,
    items,
  }: {
    plan: RestorePlan;
    items: Item[];
  }): Promise<{ item: Item; result: RestoredItem }[]> {
    for (const stop of plan.stops) {
      // Noted before it is done: an answer that was lost may have stopped it.
      this.states.set(stop.host, 'stopped');
      await this.board.step(`stop ${stop.host}`, () =>
        this.gate.must(`stop ${stop.host}`, (round) =>
          quick.stopWorkloads.executeWithOptions({ summary: `stop ${stop.what} on ${stop.host}` }, [
            { fence: this.lease.fence(round), host: this.host(stop.host) },
          ]),
        ),
      );
    }
    await this.board.step('safety snapshots', () =>
      Promise.all(
        items
          .filter((item) => this.input.mode !== 'folder' && item.check.safety !== null)
          .map((item) =>
            this.gate.must(`safety ${keyOf(item)}`, (round) =>
              quick.safetySnapshot.executeWithOptions({ summary: keyOf(item) }, [
                { fence: this.lease.fence(round), item: item.ref },
              ]),
            ),
          ),
      ),
    );
    const restored = await Promise.all(items.map((item) => this.bringBackOne(item)));
    for (const host of plan.starts) await this.start(host);
    await this.health(plan);
    return restored;
  }

  private async bringBackOne(item: Item): Promise<{ item: Item; result: RestoredItem }> {
    const host = item.ref.destination.host.name;
    const step = `restore ${keyOf(item)}`;
    this.writing = true;
    if (this.states.has(host)) this.states.set(host, 'partly restored');
    const result = await this.board.step(
      step,
      () =>
        this.gate.must(step, (round) =>
          bulk.restoreSource.executeWithOptions({ summary: step }, [
            { fence: this.lease.fence(round), item: item.ref },
          ]),
        ),
      (done) => `${done.files} files, ${done.bytes} bytes, ${done.deletions} deleted`,
    );
    return { item, result };
  }

  private async start(host: string): Promise<void> {
    this.states.set(host, 'restored, stopped');
    await this.board.step(`start ${host}`, () =>
      this.gate.must(`start ${host}`, (round) =>
        quick.startWorkloads.executeWithOptions({ summary: `start what was stopped on ${host}` }, [
          { fence: this.lease.fence(round), host: this.host(host) },
        ]),
      ),
    );
    this.states.set(host, 'running again');
  }

  private async health(plan: RestorePlan): Promise<void> {
    const { health } = this.input.into.group.restore;
    const hosts = [...new Set(health.map((each) => each.host))].filter((host) =>
      plan.stops.some((stop) => stop.host === host),
    );
    if (hosts.length === 0) return;
    const timeoutS = health.reduce((sum, each) => sum + each.timeoutS, 0);
    const startToCloseTimeout = allHealthMs({ timeoutS, hosts: hosts.length });
    const results = await this.board.step('health', () =>
      this.gate.must('health', (round) =>
        quick.checkHealth.executeWithOptions({ summary: hosts.join(', '), startToCloseTimeout }, [
          { fence: this.lease.fence(round), hosts: hosts.map((host) => this.host(host)), timeoutS },
        ]),
      ),
    );
    for (const each of results) if (!each.healthy) this.warnings.push(`${each.host} is not healthy: ${each.detail}`);
    const sick = results.filter((each) => !each.healthy);
    if (sick.length > 0)
      throw ApplicationFailure.nonRetryable(
        `the data is back and verified, but ${sick.map((each) => `${each.host} is not healthy: ${each.detail}`).join('; ')}`,
        'unhealthy',
      );
  }

  /** The end of a run that did not finish: what was only stopped runs again; half-restored hosts stay stopped, and blocked. */
  private async takeBack(): Promise<void> {
    const fence = this.lease.fence(this.gate.roundsSoFar() + 1);
    if (fence.term === 0) return;
    const tidy = new Tidy({ board: this.board, warnings: this.warnings });
    // Where one host is half restored the others wait with it: half of a fleet on old data is no fleet.
    const half = [...this.states.values()].includes('partly restored');
    for (const [host, state] of this.states) {
      if (half || (state !== 'stopped' && state !== 'restored, stopped')) continue;
      await tidy.step(`start ${host}`, async () => {
        await undoing.startWorkloads.executeWithOptions({ summary: `start again on ${host}` }, [
          { fence, host: this.host(host) },
        ]);
        this.states.set(host, 'running again');
        return undefined;
      });
    }
    const clean = { fence, hosts: everyHost(this.input) };
    await tidy.step('close grants', () => tidying.closeGrants.executeWithOptions({ summary: 'close grants' }, [clean]));
    await this.tidy(tidy, clean);
  }

  private async tidy(
    tidy = new Tidy({ board: this.board, warnings: this.warnings }),
    clean = { fence: this.lease.fence(this.gate.roundsSoFar()), hosts: everyHost(this.input) },
  ): Promise<void> {
    await tidy.step('forget run', () =>
      tidying.forgetRun.executeWithOptions({ summary: 'jobs and keys of this run' }, [clean]),
    );
    await tidy.step('release lease', () => this.lease.release());
  }

  private report(options: {
    state: RestoreReport['state'];
    plan: RestorePlan;
    hash: string;
    restored: { item: Item; result: RestoredItem }[];
  }): RestoreReport {
    const { state, plan, hash, restored } = options;
    return {
      state,
      plan,
      hash,
      items: restored.map(({ item, result }) => ({
        destination: keyOf(item),
        files: result.files,
        bytes: result.bytes,
        deletions: result.deletions,
      })),
      hosts: [...this.states].map(([host, hostState]) => ({ host, state: hostState })),
      warnings: [...plan.warnings, ...this.warnings],
    };
  }

  private describeStates(): string {
    const left = this.warnings.length === 0 ? '' : `. Also: ${this.warnings.join('; ')}`;
    if (this.writing && this.input.mode === 'folder')
      return `. The folder may hold a part of the backup; nothing else was changed${left}`;
    if (this.states.size === 0) return `. Nothing was changed${left}`;
    return `. Hosts now: ${[...this.states].map(([host, state]) => `${host} ${state}`).join(', ')}. A host that is partly restored stays stopped: restore it again, or start it as it is with \`resurgo start ${this.input.into.group.name} --as-it-is\``;
  }

  private host(name: string): FleetHost {
    return hostNamed({ input: this.input, name });
  }
}
