/**
 * One backup of one group: lease → checks → layouts → hooks → freeze → copy → seal → snapshots away → report.
 *
 * Nothing is called a backup before the seal; whatever happens before leaves the store at its last sealed state and the hosts as they
 * were. A step that fails for good asks the operator; a cancelled or failed run takes back everything it did.
 */
import { isCancellation, patched } from '@temporalio/workflow';
import type { ChecksResult } from '../activities/checks';
import type { FreezeResult } from '../activities/freeze';
import type { StoreState } from '../activities/store';
import { counted } from '../planning/counted';
import { notRecoverable, notRecoverableText } from '../planning/recoverable';
import type { LayoutEntry, NotRecoverable } from '../planning/recoverable';
import type { BackupInput } from '../planning/run-input';
import { freezeMs } from '../planning/time-limits';
import { BackupHosts } from './backup-hosts';
import { copyAll } from './copies';
import { copyFacts } from './copy-facts';
import type { SourceOutcome } from './copy-window';
import { describeFailure, runFailure } from './failures';
import { FreezeHooks } from './freeze-hooks';
import { always } from './gate';
import { compareIdentities, compareSizes } from './identity-gate';
import { manifestOf } from './manifest-of-run';
import { bulk, freezing, quick, tidying, undoing } from './options';
import { RunParts } from './run-parts';
import { Tidy } from './tidy';

/** How a backup ended. A failed one throws instead, with the same report in its details. */
export interface BackupReport {
  state: 'Completed' | 'Partial';
  id: string;
  /** From the first host's pause to the last host's thaw, ms. */
  pauseMs: number;
  label: string;
  sources: {
    tree: string;
    state: 'ok' | 'missing';
    bytes: number;
    files: number;
    sentBytes: number;
    reason?: string;
  }[];
  /** Hosts whose whole system is in the backup and could not be made again on blank disks; the data are whole all the same. Missing for none. */
  notRecoverable?: NotRecoverable[];
  warnings: string[];
}

/** How many torn instants are repeated before a person is asked (S1). */
const INSTANTS = 3;
/** A host with sick disks takes two minutes, and 64 are asked side by side: a thousand of them within this time. */
const LAYOUTS_TIMEOUT = '1h';

export async function backup(input: BackupInput): Promise<BackupReport> {
  return new BackupRun(input).run();
}

class BackupRun extends RunParts {
  private readonly hosts: BackupHosts;
  private touched = false;
  private readonly hooks: FreezeHooks;

  constructor(private readonly input: BackupInput) {
    super({ setup: input, run: input.run, kind: 'backup', title: `backup of ${input.group.name}, run ${input.run}` });
    const { lease, gate, board, warnings } = this;
    this.hosts = new BackupHosts({ input, lease, gate, warnings });
    const { missing } = this.hosts;
    this.hooks = new FreezeHooks({ input, lease, gate, board, missing, warnings });
  }

  async run(): Promise<BackupReport> {
    try {
      this.teller.say('start', `backup of ${this.input.group.name} begins`);
      const report = await this.steps();
      // The backup is sealed: whatever happens from here on, it is one, so this part is neither cancelled nor does it fail the run.
      await always(() => this.finish(report));
      return report;
    } catch (error) {
      const cancelled = isCancellation(error);
      const failure = describeFailure(error);
      // Said first: taking it back may be hindered for a long time, and nobody should learn of the failure after that.
      const why = cancelled ? 'the backup was cancelled' : `the backup failed: ${failure.message}`;
      this.teller.say('failure', `${why}; what it did is being taken back`);
      await always(() => this.takeBack());
      this.board.outcome(cancelled ? 'Cancelled' : 'Failed');
      this.warnings.push(...(await this.teller.told()));
      const left = this.warnings.length === 0 ? '' : `. Also: ${this.warnings.join('; ')}`;
      if (cancelled) throw error;
      throw runFailure({ failure, error, message: `${failure.message}${left}` });
    }
  }

  private async steps(): Promise<BackupReport> {
    const unreachable = await this.board.step('lease', () => this.hosts.takeLease());
    await this.hosts.without(unreachable);
    const [checks, store] = await this.board.step('checks', () => this.check());
    const opened = await this.touch(() =>
      this.gate.must('open store', (round) =>
        bulk.openStore.executeWithOptions({ summary: `roll back to ${store.last?.id ?? 'empty'}` }, [
          this.storeInput(round),
        ]),
      ),
    );
    // Before the freeze, so that looking prolongs no pause.
    const layouts = await this.layouts();
    const frozen = await this.freeze();
    for (const host of frozen.missing) this.hosts.missing.set(host.host, host.message);
    const outcomes = await this.copy({ checks, store, opened, frozen });
    await compareSizes({
      gate: this.gate,
      input: this.input,
      missing: this.hosts.missing,
      checks,
      store,
      warnings: this.warnings,
      outcomes,
    });
    const manifest = manifestOf({
      input: this.input,
      frozen,
      checks,
      outcomes,
      store,
      warnings: this.warnings,
      layouts: layouts.filter(({ host }) => this.hosts.present().some(({ short }) => short === host)),
      hooksBefore: this.hooks.before,
      nowMs: Date.now(),
    });
    this.board.backupId(manifest.id);
    await this.board.step(
      'seal',
      () =>
        this.gate.must('seal', (round) =>
          bulk.sealBackup.executeWithOptions({ summary: `seal ${manifest.id}` }, [
            { ...this.storeInput(round), manifest, runbookText: this.input.runbookText },
          ]),
        ),
      () => manifest.id,
    );
    const bare = layouts.length === 0 ? [] : notRecoverable(manifest);
    return {
      state: manifest.state,
      id: manifest.id,
      pauseMs: manifest.pauseMs,
      label: manifest.label,
      sources: manifest.sources.map((each) =>
        each.state === 'ok'
          ? { tree: each.tree, state: each.state, bytes: each.bytes, files: each.files, sentBytes: each.sentBytes }
          : { tree: each.tree, state: each.state, bytes: 0, files: 0, sentBytes: 0, reason: each.reason },
      ),
      ...(bare.length === 0 ? {} : { notRecoverable: bare }),
      warnings: manifest.warnings,
    };
  }

  private async check(): Promise<[ChecksResult, StoreState]> {
    const { group } = this.input;
    const store = { name: this.input.store.name, host: this.input.storeHost };
    const both = await this.gate.must('checks', () =>
      Promise.all([
        quick.checkHosts.executeWithOptions({ summary: `look at ${counted(this.hosts.present().length, 'host')}` }, [
          {
            ...{ group: group.name, hosts: this.hosts.present(), sources: group.sources, asked: group },
            storeHost: store.host,
            store: this.input.store,
            partial: group.onUnreachable === 'partial',
          },
        ]),
        quick.readStore.executeWithOptions({ summary: `read store ${store.name}` }, [{ group: group.name, store }]),
      ]),
    );
    // A host that has just come back is the likeliest to lack a mount: what was seen without it is not enough (S14).
    if ((await this.hosts.without(both[0].unreachable)) === 'look again') return this.check();
    await compareIdentities({
      gate: this.gate,
      input: this.input,
      missing: this.hosts.missing,
      checks: both[0],
      store: both[1],
      warnings: this.warnings,
    });
    return both;
  }

  /** What a recovery onto blank disks needs besides the data, of every host. One that can't be read is a warning and no failure. */
  private async layouts(): Promise<LayoutEntry[]> {
    // Runs that began before layouts were kept go on without.
    if (!patched('layouts')) return [];
    const systems = this.input.group.sources.filter(({ snapshot }) => snapshot === 'system').map(({ host }) => host);
    const read = await this.board.step('layouts', () =>
      this.gate.must('layouts', (round) =>
        quick.captureLayouts.executeWithOptions(
          {
            summary: `layouts of ${counted(this.hosts.present().length, 'host')}`,
            startToCloseTimeout: LAYOUTS_TIMEOUT,
          },
          [{ ...this.storeInput(round), hosts: this.hosts.present(), systems }],
        ),
      ),
    );
    this.warnings.push(...read.warnings);
    return read.layouts;
  }

  private async freeze(): Promise<FreezeResult> {
    const { maxPauseS } = this.input.group.quiesce;
    this.touched = true;
    const startToCloseTimeout = freezeMs({ maxPauseS, instants: INSTANTS });
    const once = (round: number): Promise<FreezeResult> =>
      freezing.freeze.executeWithOptions(
        { summary: `freeze ${counted(this.hosts.present().length, 'host')} together`, startToCloseTimeout },
        [
          {
            fence: this.lease.fence(round),
            hosts: this.hosts.present(),
            maxPauseS,
            instants: INSTANTS,
            onUnreachable: this.input.group.onUnreachable,
          },
        ],
      );
    return this.board.step(
      'freeze',
      () => this.gate.must('freeze', (round) => this.hooks.around(() => once(round))),
      (value) => `paused for ${value.pauseMs} ms`,
    );
  }

  private copy(known: Parameters<typeof copyFacts>[0]): Promise<SourceOutcome[]> {
    const { input, lease, gate, board } = this;
    return copyAll({ input, missing: this.hosts.missing, lease, gate, board, ...copyFacts(known) });
  }

  /** A good backup's end: the snapshots go, the hosts forget the run. What can't be tidied is a warning, not a failure. */
  private async finish(report: BackupReport): Promise<void> {
    const tidy = new Tidy({ board: this.board, warnings: report.warnings });
    const hosts = this.hosts.present();
    const clean = { fence: this.lease.fence(this.gate.roundsSoFar()), hosts };
    this.board.set('remove snapshots', 'running');
    await tidy.step('remove snapshots', () =>
      tidying.dropSnapshots.executeWithOptions({ summary: `snapshots of ${counted(hosts.length, 'host')}` }, [clean]),
    );
    await tidy.step('forget run', () =>
      tidying.forgetRun.executeWithOptions({ summary: 'jobs and keys of this run' }, [
        { ...clean, hosts: this.hosts.everyone() },
      ]),
    );
    await tidy.step('release lease', () => this.lease.release(this.hosts.present()));
    if (!tidy.left) this.board.set('remove snapshots', 'done');
    this.board.outcome(report.state);
    const bare = report.notRecoverable ?? [];
    const words = [`backup ${report.id} is ${report.state}`, ...bare.map(notRecoverableText)].join('; ');
    this.teller.say(report.state === 'Partial' || bare.length > 0 ? 'failure' : 'success', words, {
      backupId: report.id,
    });
    report.warnings.push(...(await this.teller.told()));
  }

  /** Undoes a run that did not become a backup. Production first, then the store, then the traces. */
  private async takeBack(): Promise<void> {
    const clean = { fence: this.lease.fence(this.gate.roundsSoFar() + 1), hosts: this.hosts.everyone() };
    if (clean.fence.term === 0) return;
    const tidy = new Tidy({ board: this.board, warnings: this.warnings });
    if (this.touched) {
      await tidy.step('thaw', () =>
        this.teller.alarmed('thaw', () =>
          undoing.thawAll.executeWithOptions({ summary: 'thaw whatever is still paused' }, [clean]),
        ),
      );
      await tidy.step('hooks after', () => this.hooks.takeBack());
      await tidy.step('close grants', () =>
        tidying.closeGrants.executeWithOptions({ summary: 'close grants' }, [clean]),
      );
      await tidy.step('forget run', () =>
        tidying.forgetRun.executeWithOptions({ summary: 'stop and forget jobs' }, [clean]),
      );
      await tidy.step('drop snapshots', () =>
        tidying.dropSnapshots.executeWithOptions({ summary: 'drop snapshots' }, [clean]),
      );
    }
    await tidy.step('release lease', () => this.lease.release(this.hosts.present()));
  }

  private async touch<T>(body: () => Promise<T>): Promise<T> {
    this.touched = true;
    return this.board.step('open store', body);
  }

  private storeInput(round: number) {
    return { fence: this.lease.fence(round), store: { name: this.input.store.name, host: this.input.storeHost } };
  }
}
