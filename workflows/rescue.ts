/**
 * Rescue media for hosts of a group: lease of the media → look at each host → build it there → send it to the store → keep it → note its
 * host key → start it in a virtual machine, where the director has one.
 *
 * Hosts are built side by side, started one after the other. The lease is that of the group's rescue media and not the group's own: what is
 * made here lies beside the backups, so neither waits for the other. A host that fails for good is a question; the others go on.
 */
import { ApplicationFailure, isCancellation } from '@temporalio/workflow';
import type { BuiltRescue, RescueStep } from '../activities/rescue';
import { backupId } from '../planning/ids';
import { formatBytes } from '../planning/progress';
import type { FleetHost, RescueInput } from '../planning/run-input';
import { BOOT_PACKAGES, startsNotBy } from '../planning/rescue-firmware';
import { rescueSeries } from '../planning/series';
import { describeFailure } from './failures';
import { bulk, quick, tidying } from './options';
import { RunParts } from './run-parts';
import { sideBySide } from './side-by-side';
import { Tidy } from './tidy';

/** How one host's media came out. */
export type RescueOutcome = { host: string } & (
  | {
      state: 'ok';
      id: string;
      verdict: 'made' | 'booted';
      bytes: number;
      /** Whether the image holds the rescue system's host key, and so is a secret. */
      pinned: boolean;
      secureBoot: boolean;
      biosBoot?: boolean;
      uefiBoot?: boolean;
      /** Older builds that went. */
      removed: string[];
    }
  | { state: 'missing'; reason: string }
);

/** How a build ended. `Partial`: a host was left out, or its media would not start. */
export interface RescueReport {
  state: 'Completed' | 'Partial';
  media: RescueOutcome[];
  warnings: string[];
}

/** Builds at the same time, whatever the group allows of copies: each takes a host's processor for a while, and the store's disk. */
const SIDE_BY_SIDE = 4;

interface Made {
  host: FleetHost;
  outcome: Extract<RescueOutcome, { state: 'ok' }>;
  built: BuiltRescue;
  layoutSha256: string;
}

export async function rescue(input: RescueInput): Promise<RescueReport> {
  return new RescueRun(input).run();
}

class RescueRun extends RunParts {
  /** Host → the build that has begun, and is not in the list yet. */
  private readonly open = new Map<string, RescueStep>();
  private unbooted = false;

  constructor(private readonly input: RescueInput) {
    super({
      setup: input,
      run: input.run,
      kind: 'rescue',
      title: `rescue media of ${input.group.name}, run ${input.run}`,
      series: rescueSeries(input.group.name),
    });
  }

  run(): Promise<RescueReport> {
    return this.toldIfFailed({
      steps: () => this.steps(),
      tidy: () => this.tidy(),
      failed: 'building rescue media failed',
    });
  }

  private async steps(): Promise<RescueReport> {
    const { hosts, group } = this.input;
    // A host that is away is asked about where it is looked at.
    await this.board.step('lease', () => this.lease.take());
    for (const host of hosts) this.board.set(stepOf(host), 'waiting');
    const limit = Math.min(SIDE_BY_SIDE, group.transfer.parallel);
    const made = await sideBySide({ items: hosts, limit, each: (host) => this.make(host) });
    const media: RescueOutcome[] = [];
    for (const each of made) media.push('built' in each ? await this.start(each) : each);
    if (!media.some(({ state }) => state === 'ok'))
      throw ApplicationFailure.nonRetryable('no rescue media were built: every host was left out', 'failed');
    const whole = media.every(({ state }) => state === 'ok') && !this.unbooted;
    return { state: whole ? 'Completed' : 'Partial', media, warnings: this.warnings };
  }

  /** One host's media, until they are in the store's list. */
  private async make(host: FleetHost): Promise<Made | Extract<RescueOutcome, { state: 'missing' }>> {
    const step = stepOf(host);
    const gated = await this.gate.run({
      step,
      allowed: this.input.hosts.length > 1 ? ['retry', 'skip', 'abort'] : ['retry', 'abort'],
      attempt: (round) => this.attempt(host, round),
      skipAtOnce: ({ code, host: failed }) =>
        this.input.group.onUnreachable === 'partial' && code === 'unreachable' && failed === host.name,
    });
    if (!gated.skipped) return gated.value;
    this.board.set(step, 'skipped', gated.failure.message);
    return { host: host.name, state: 'missing', reason: `left out by ${gated.by}: ${gated.failure.message}` };
  }

  private async attempt(host: FleetHost, round: number): Promise<Made> {
    const { group, store, options } = this.input;
    const { policy } = options;
    this.board.set(stepOf(host), 'running');
    const { layoutSha256 } = await quick.checkRescue.executeWithOptions({ summary: `look at ${host.name}` }, [
      { host, group: group.name },
    ]);
    // The same on a later try: what has been built or sent stays.
    const id = this.open.get(host.name)?.id ?? backupId({ frozenAtMs: Date.now() });
    const at = { fence: this.lease.fence(round), host, store: { name: store.name, host: this.input.storeHost }, id };
    this.open.set(host.name, at);
    const built = await bulk.buildRescue.executeWithOptions({ summary: `build on ${host.name}` }, [
      { ...at, policy, layoutSha256 },
    ]);
    const { bandwidthBytesPerS, direction, io } = group.transfer;
    const share = Math.min(SIDE_BY_SIDE, group.transfer.parallel, this.input.hosts.length);
    const transfer = { direction, io, bandwidthBytesPerS: Math.floor(bandwidthBytesPerS / share) };
    await bulk.sendRescue.executeWithOptions({ summary: `send ${id} of ${host.name}` }, [{ ...at, transfer }]);
    const made = { host, built, layoutSha256 };
    const { removed } = await bulk.keepRescue.executeWithOptions({ summary: `keep ${id} of ${host.name}` }, [
      { ...at, keep: policy.keep, build: this.said({ ...made, id }) },
    ]);
    this.open.delete(host.name);
    const { hostKey } = built;
    if (hostKey !== null)
      await quick.pinRescue.executeWithOptions({ summary: `host key of ${host.name}.rescue` }, [{ host, hostKey }]);
    const not = startsNotBy(built);
    if (not !== undefined)
      this.warnings.push(
        `${host.name}: its media do not start by ${not}, as the host has no boot code for that. For a machine with ${not} install ${BOOT_PACKAGES[not]} there (Debian), and build again`,
      );
    const { biosBoot, uefiBoot } = built;
    const bytes = built.files.reduce((sum, each) => sum + each.bytes, 0);
    this.board.set(stepOf(host), 'done', `${id}, ${formatBytes(bytes)}`);
    return {
      ...made,
      outcome: {
        ...{ host: host.name, state: 'ok', id, verdict: 'made', bytes, removed },
        ...{ pinned: hostKey !== null, secureBoot: built.secureBoot },
        ...(biosBoot === undefined ? {} : { biosBoot, uefiBoot }),
      },
    };
  }

  /** Starts the media, where that is wanted and can be. Media that do not start stay as made, and the report says so: nobody is asked. */
  private async start({ host, outcome, built, layoutSha256 }: Made): Promise<RescueOutcome> {
    const { store, options, storeHost } = this.input;
    if (options.bootCheck === 'never') return outcome;
    const step = `boot ${host.name}`;
    const { id } = outcome;
    const at = {
      fence: this.lease.fence(this.gate.roundsSoFar()),
      host,
      store: { name: store.name, host: storeHost },
      id,
    };
    this.board.set(step, 'running');
    try {
      const booted = await bulk.bootRescue.executeWithOptions({ summary: `start ${id} of ${host.name}` }, [
        { ...at, build: { files: built.files, hostKey: built.hostKey } },
      ]);
      if (booted === null) {
        this.notStarted({
          step,
          state: 'skipped',
          message: 'the director has no QEMU',
          fault: options.bootCheck === 'always',
        });
        return outcome;
      }
      const build = this.said({ host, built, layoutSha256, id, bootedAt: booted.bootedAt });
      await bulk.keepRescue.executeWithOptions({ summary: `${id} of ${host.name} boots` }, [
        { ...at, keep: options.policy.keep, build },
      ]);
      this.board.set(step, 'done', `${booted.seconds} s ${booted.how}`);
      return { ...outcome, verdict: 'booted' };
    } catch (error) {
      if (isCancellation(error)) throw error;
      const failure = describeFailure(error);
      // Another run has the media now: nothing may be written under it.
      if (failure.code === 'fenced') throw error;
      this.notStarted({ step, state: 'failed', message: failure.message, fault: true });
      return outcome;
    }
  }

  private notStarted(how: { step: string; state: 'skipped' | 'failed'; message: string; fault: boolean }): void {
    this.board.set(how.step, how.state, how.message);
    if (!how.fault) return;
    this.unbooted = true;
    this.warnings.push(`${how.step}: ${how.message}`);
  }

  /** What build.json says. */
  private said(of: Pick<Made, 'host' | 'built' | 'layoutSha256'> & { id: string; bootedAt?: string }) {
    const { host, built, layoutSha256, id, bootedAt = null } = of;
    const { policy } = this.input.options;
    return {
      ...built,
      ...{ resurgoRescue: 1 as const, id, host: host.short, hostName: host.name, layoutSha256, bootedAt },
      ...{ chosen: policy.modules, network: policy.network, version: this.input.version },
      verdict: bootedAt === null ? ('made' as const) : ('booted' as const),
      directorId: this.input.directorId,
    };
  }

  private async tidy(): Promise<void> {
    const fence = this.lease.fence(this.gate.roundsSoFar() + 1);
    if (fence.term === 0) return;
    const tidy = new Tidy({ board: this.board, warnings: this.warnings });
    const { hosts, storeHost } = this.input;
    for (const at of this.open.values()) {
      await tidy.step(`drop ${at.host.name}`, async () => {
        await tidying.dropRescue.executeWithOptions({ summary: `drop ${at.id} of ${at.host.name}` }, [
          { ...at, fence },
        ]);
        return undefined;
      });
    }
    const everyone = hosts.some(({ name }) => name === storeHost.name) ? hosts : [...hosts, storeHost];
    await tidy.step('forget run', () =>
      tidying.forgetRun.executeWithOptions({ summary: 'jobs and images of this run' }, [{ fence, hosts: everyone }]),
    );
    await tidy.step('release lease', () => this.lease.release());
  }
}

function stepOf(host: FleetHost): string {
  return `build ${host.name}`;
}
