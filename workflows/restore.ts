/**
 * Brings a backup back: plan → approval → stop → safety snapshot → data → verify → start → health.
 *
 * Until the approval nothing is changed. From the first stop on, a host's workloads start again only when its data is whole; an
 * operator who aborts in the middle is told in what state each host is, and nothing starts on half-restored data (S21).
 */
import { ApplicationFailure, defineQuery, isCancellation, setHandler } from '@temporalio/workflow';
import type { RestoredItem } from '../activities/restore';
import { counted } from '../planning/counted';
import { sameStore } from '../planning/restore';
import type { RestorePlan } from '../planning/restore';
import { approves, deletionLimit, planHash, SHORT_HASH } from '../planning/restore-approval';
import type { FleetHost, RestoreInput } from '../planning/run-input';
import { describeFailure, runFailure } from './failures';
import { abortedByOperator, always } from './gate';
import { bulk, tidying } from './options';
import { RestoreHosts } from './restore-hosts';
import type { HostState } from './restore-hosts';
import { deletesAt, everyHost, keyOf, planOf } from './restore-items';
import type { Item } from './restore-items';
import { RestoreLook } from './restore-look';
import { RunParts } from './run-parts';
import { sideBySide } from './side-by-side';
import { Tidy } from './tidy';

export interface RestoreReport {
  state: 'Completed' | 'Planned';
  plan: RestorePlan;
  hash: string;
  /** `byContent`: each file's content was compared, not its size and time. */
  items: { destination: string; files: number; bytes: number; deletions: number; byContent?: boolean }[];
  hosts: { host: string; state: HostState }[];
  warnings: string[];
}

/** A plan, and the hash that approves it. */
export interface PlannedRestore {
  plan: RestorePlan;
  hash: string;
}

/** The plan that waits for approval; undefined while it is being made. */
export const planQuery = defineQuery<PlannedRestore | undefined>('plan');

export async function restore(input: RestoreInput): Promise<RestoreReport> {
  return new RestoreRun(input).run();
}

/** One tree that is back. */
interface RestoredPart {
  item: Item;
  result: RestoredItem;
}

/** What stays though the backup lacks it, in words. */
function keptWords({ item, result: { kept = [] } }: RestoredPart): string[] {
  if (kept.length === 0) return [];
  return [`${keyOf(item)}: kept: ${kept.join(', ')}, because it holds what is excluded or mounted`];
}

class RestoreRun extends RunParts {
  private readonly hosts: RestoreHosts;
  private readonly look: RestoreLook;
  /** Set from the first byte on. */
  private writing = false;
  private planned: PlannedRestore | undefined;
  /** Hosts that were away for the lease: nothing of this run lies there, unless they were stopped later. */
  private away: ReadonlySet<string> = new Set();

  constructor(private readonly input: RestoreInput) {
    const { into, run, id } = input;
    super({ setup: into, run, kind: 'restore', title: `restore of ${id} into ${into.group.name}, run ${run}` });
    this.board.backupId(id);
    const { board, gate, lease, warnings } = this;
    this.hosts = new RestoreHosts({ input, board, gate, lease, warnings });
    this.look = new RestoreLook({ input, board, gate, lease });
    setHandler(planQuery, () => this.planned);
  }

  async run(): Promise<RestoreReport> {
    try {
      const report = await this.steps();
      // The report is made already: what its tidying has to say goes into it.
      await always(() => this.tidy(new Tidy({ board: this.board, warnings: report.warnings })));
      this.board.outcome('Completed');
      if (report.state === 'Completed') this.teller.say('success', `restore of ${this.input.id} is done`);
      report.warnings.push(...(await this.teller.told()));
      return report;
    } catch (error) {
      const cancelled = isCancellation(error);
      const failure = describeFailure(error);
      const why = cancelled ? 'the restore was cancelled' : `the restore failed: ${failure.message}`;
      // Said first: starting again what was stopped may be hindered for a long time, and nobody should learn of the failure after that.
      const before = this.describeStates();
      this.teller.say('failure', `${why}${before}`);
      await always(() => this.takeBack());
      const now = this.describeStates();
      if (now !== before) this.teller.say('failure', `${why}${now}`);
      this.board.outcome(cancelled ? 'Cancelled' : 'Failed');
      this.warnings.push(...(await this.teller.told()));
      // A cancellation has no words of its own.
      const message = `${cancelled ? why : failure.message}${this.describeStates()}`;
      if (cancelled && !this.writing && this.hosts.all().length === 0) throw error;
      throw runFailure({ failure, error, message, more: [this.hosts.all()] });
    }
  }

  private async steps(): Promise<RestoreReport> {
    const { input } = this;
    sameStore(input);
    const unreachable = await this.board.step('lease', () => this.lease.take());
    this.away = new Set(unreachable.map((each) => each.host));
    const manifest = await this.look.readBackup();
    const gathered = await this.look.gather({ manifest, away: this.away });
    const { items } = gathered;
    // Known only now not to be a destination.
    for (const { host, message } of unreachable)
      this.warnings.push(`${host} was away and is left as it is: ${message}`);
    const plan = planOf({ input, manifest, ...gathered });
    const hash = planHash(plan);
    this.planned = { plan, hash };
    if (input.planOnly) return this.report({ state: 'Planned', plan, hash, restored: [] });
    await this.approval({ plan, hash });
    await this.look.lookAgain(items);
    const restored = await this.bringBack({ plan, items });
    return this.report({ state: 'Completed', plan, hash, restored });
  }

  /** Only a person's word for exactly this plan lets it go on; no time-out does. */
  private async approval({ plan, hash }: PlannedRestore): Promise<void> {
    if (plan.blockers.length > 0)
      throw ApplicationFailure.nonRetryable(`this restore is not possible: ${plan.blockers.join('; ')}`, 'blocked');
    const given = this.input.approve;
    if (given !== null) {
      if (approves({ approval: given, hash })) return;
      throw ApplicationFailure.nonRetryable(
        `the plan is another one now than the one you approved (${given}): its hash is ${hash.slice(0, SHORT_HASH)}. Read it again`,
        'plan-changed',
      );
    }
    const { files, bytes, deletions } = plan.totals;
    const answer = await this.gate.ask({
      step: 'approve',
      failure: {
        code: 'approval',
        message: `${counted(files, 'file')} (${counted(bytes, 'byte')}) will be written and ${counted(deletions, 'entry', 'entries')} deleted; stops: ${plan.stops.map((stop) => stop.host).join(', ') || 'nothing'}. Approve plan ${hash.slice(0, SHORT_HASH)}`,
      },
      allowed: ['abort'],
      approve: hash,
    });
    if (answer.decision === 'abort') throw abortedByOperator({ step: 'approve', by: answer.by, reason: answer.reason });
  }

  private async bringBack({ plan, items }: { plan: RestorePlan; items: Item[] }): Promise<RestoredPart[]> {
    await this.hosts.stopAll(plan);
    await this.hosts.safety(items);
    const left = new Set(items);
    const restored = await sideBySide({
      items,
      limit: this.input.into.group.transfer.parallel,
      each: async (item) => {
        const part = await this.bringBackOne(item);
        left.delete(item);
        const { name } = item.ref.destination.host;
        const more = [...left].some((other) => other.ref.destination.host.name === name);
        if (!more) this.hosts.note(name, 'restored, stopped');
        return part;
      },
    });
    await this.hosts.startAll();
    await this.hosts.health();
    return restored;
  }

  private async bringBackOne(item: Item): Promise<RestoredPart> {
    const host = item.ref.destination.host.name;
    const step = `restore ${keyOf(item)}`;
    this.writing = true;
    this.hosts.note(host, 'partly restored');
    const result = await this.board.step(
      step,
      () =>
        this.gate.must(step, (round) =>
          bulk.restoreSource.executeWithOptions({ summary: step }, [
            {
              fence: this.lease.fence(round),
              item: item.ref,
              fsUuid: item.check.fsUuid,
              nested: item.check.nested,
              mountPoint: item.check.mountPoint,
              ...(deletesAt(item.ref) ? { maxDelete: deletionLimit(item.dryRun.deletions) } : {}),
            },
          ]),
        ),
      (done) => `${counted(done.files, 'file')}, ${counted(done.bytes, 'byte')}, ${done.deletions} deleted`,
    );
    return { item, result };
  }

  /** The end of a run that did not finish: what was only stopped runs again; half-restored hosts stay stopped, and blocked. */
  private async takeBack(): Promise<void> {
    const round = this.gate.roundsSoFar() + 1;
    const fence = this.lease.fence(round);
    if (fence.term === 0) return;
    const tidy = new Tidy({ board: this.board, warnings: this.warnings });
    // No timer where nothing was stopped.
    if (this.hosts.all().length > 0)
      await this.teller.alarmed('start again', () => this.hosts.startAgain({ tidy, round }));
    const clean = { fence, hosts: this.visited() };
    await tidy.step('close grants', () => tidying.closeGrants.executeWithOptions({ summary: 'close grants' }, [clean]));
    await this.tidy(tidy, clean);
  }

  private async tidy(
    tidy: Tidy,
    clean = { fence: this.lease.fence(this.gate.roundsSoFar()), hosts: this.visited() },
  ): Promise<void> {
    await tidy.step('forget run', () =>
      tidying.forgetRun.executeWithOptions({ summary: 'jobs and keys of this run' }, [clean]),
    );
    await tidy.step('release lease', () => this.lease.release(this.visited(this.input.into.hosts)));
  }

  /** Where this run was: a host that it found away at its start is not tried for minutes when it ends. */
  private visited(hosts = everyHost(this.input)): FleetHost[] {
    const { from } = this.input;
    const stopped = new Set(this.hosts.all().map((each) => each.host));
    return hosts.filter(({ name }) => !this.away.has(name) || stopped.has(name) || name === from.storeHost.name);
  }

  private report(options: {
    state: RestoreReport['state'];
    plan: RestorePlan;
    hash: string;
    restored: RestoredPart[];
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
        byContent: result.byContent,
      })),
      hosts: this.hosts.all(),
      warnings: [...plan.warnings, ...restored.flatMap(keptWords), ...this.warnings],
    };
  }

  private describeStates(): string {
    const left = this.warnings.length === 0 ? '' : `. Also: ${this.warnings.join('; ')}`;
    const now =
      this.writing && this.input.mode === 'folder'
        ? 'The folder may hold a part of the backup; nothing else was changed'
        : this.hosts.describe() || 'Nothing was changed';
    return `. ${now}${left}`;
  }
}
