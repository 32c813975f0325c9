/**
 * The machine that is recovered, from the first disk that is written over to the first boot: the plan's steps in their order, then what
 * makes the new system boot. In what state it is is kept at every moment: whoever aborts half-way is told what it is good for.
 */
import { ApplicationFailure } from '@temporalio/workflow';
import type { FixedConfig, NewSystem, RescueRef } from '../activities/recover';
import type { FirstBoot } from '../activities/recover-boot';
import type { PlannedMachine } from '../activities/recover-look';
import type { RestoredItem } from '../activities/restore';
import type { RunFence } from '../activities/context';
import { triedOnHeaders } from '../planning/recover-luks';
import type { RecoveryPolicy } from '../planning/recover-machine';
import type { Device, DiskIdentity, RecoveryPlan, RecoveryStep } from '../planning/recover-plan';
import { byPhase, isLast } from '../planning/recover-phases';
import { diskInWords, list } from '../planning/recover-words';
import type { FleetHost } from '../planning/run-input';
import { describeFailure } from './failures';
import type { OperatorGate } from './gate';
import { bulk, quick, recovering, tidying, unmounting } from './options';
import { headersItem, type RecoverySource } from './recover-source';
import type { Timeline } from './timeline';

/** Until a machine that boots is asked about, in ms: firmware of large machines alone takes minutes. */
const BOOT_MS = 20 * 60_000;

/** How long after its reboot was asked for the rescue system may still answer in the same boot, in ms: then the request was lost. */
const STAY_MS = 60_000;

/** How often the reboot is asked for before a person is. */
const REBOOTS = 3;

/** What headers take beside their own bytes: one that is sent again lies there twice for a moment. */
const HEADERS_MORE = 32 * 2 ** 20;

/** What has become of the machine so far. */
export type MachineState =
  'untouched' | 'half recovered' | 'whole, not booted' | 'rebooted' | 'another booted' | 'running';

export interface Recovered {
  data: RestoredItem;
  fixed: FixedConfig;
  kernel: string | null;
  /** Of the jobs on the new system. */
  notes: string[];
}

interface Options {
  host: FleetHost;
  policy: RecoveryPolicy;
  gate: OperatorGate;
  timeline: Timeline;
  fence: (round: number) => RunFence;
}

export class RecoveredMachine {
  state: MachineState = 'untouched';
  private overwritten: string[] = [];
  private rebootMs = 0;
  private lostReboots = 0;
  private marked = false;
  private newKeys: string[] | undefined;
  private place: { rescue: RescueRef; tree: string } | undefined;

  constructor(private readonly options: Options) {}

  /** Makes, fills and checks the new system, and unmounts it. */
  async make(made: { planned: PlannedMachine; source: RecoverySource; rescue: RescueRef }): Promise<Recovered> {
    const { planned, source, rescue } = made;
    const { steps } = planned.plan;
    this.overwritten = overwritten(planned.plan);
    this.place = { rescue, tree: source.tree };
    await this.headers({ planned, source, rescue });
    let data: RestoredItem | undefined;
    for (const each of byPhase(steps.filter((step) => !isLast(step))))
      await this.options.timeline.phase(each.phase, async () => {
        for (const step of each.steps) {
          if (step.kind === 'restore') data = await this.restore({ source, rescue });
          else await this.carryOut({ step, source, rescue });
        }
      });
    if (data === undefined) throw ApplicationFailure.nonRetryable('the plan brings no data back', 'bad-plan');
    const { newIdentity } = this.options.policy;
    const own = newIdentity === undefined ? {} : { newIdentity };
    const fixed = await this.phase('fix configuration', (fence) =>
      recovering.recoverFix.executeWithOptions({ summary: 'what would mean other disks or cards now' }, [
        { fence, rescue, layout: source.layout, tree: source.tree, host: this.options.host, ...own },
      ]),
    );
    this.marked = fixed.marked === true;
    this.newKeys = fixed.newKeys;
    const { tree } = source;
    const { firmware } = planned.plan;
    const { disks, efiId, sameFirmware, otherEsps: esps } = planned.boot;
    // Under a new volume key a key file that the old one holds may open nothing; it may hold keys of the machine, for a login at boot.
    const isStale = newIdentity === true || steps.some(({ kind }) => kind === 'luks-format');
    const keep = isStale ? undefined : '1';
    const ramfs = { phase: 'initramfs', kind: 'new-initramfs', args: { tree, keep }, rescue } as const;
    const initramfs = await this.newSystem(ramfs);
    // One that names no initramfs, as there was none, must not outlive the making of one.
    const stays = sameFirmware === true && initramfs.kept === true;
    const args = { tree, firmware, id: efiId ?? undefined, keep: stays ? keep : undefined };
    const beside = esps === undefined ? {} : { esps };
    const loader = await this.newSystem({
      phase: 'boot loader',
      kind: 'new-bootloader',
      args,
      disks,
      rescue,
      ...beside,
    });
    // Of a machine that starts by UEFI none is looked at, and older media know no such key.
    const look = { phase: 'verify', kind: 'new-verify', args: { tree, firmware }, rescue } as const;
    const seen = await this.newSystem(firmware === 'bios' ? { ...look, disks } : look);
    for (const each of byPhase(steps.filter(isLast)))
      await this.options.timeline.phase(each.phase, async () => {
        for (const step of each.steps) if (step.kind !== 'restore') await this.carryOut({ step, source, rescue });
      });
    await this.newSystem({ phase: 'unmount', kind: 'new-unmount', args: { tree }, rescue });
    this.state = 'whole, not booted';
    return { data, fixed, kernel: seen.kernel, notes: [...initramfs.warnings, ...loader.warnings, ...seen.warnings] };
  }

  /** Reboots it and waits until it answers as itself. */
  async boot({ rescue }: { rescue: RescueRef }): Promise<FirstBoot> {
    await this.phase('reboot', (fence) => this.reboot({ fence, rescue }));
    const up = await this.phase('first boot', (fence) => this.firstBoot({ fence, rescue }));
    const { newKeys: hostKeys } = this;
    if (hostKeys !== undefined) {
      const { host } = this.options;
      const summary = `pin the new ssh host keys of ${host.name}`;
      await this.must('know the copy', () => quick.knowCopy.executeWithOptions({ summary }, [{ host, hostKeys }]));
    }
    this.state = 'running';
    return up;
  }

  private reboot({ fence, rescue }: { fence: RunFence; rescue: RescueRef }): Promise<void> {
    this.state = 'rebooted';
    this.rebootMs = Date.now();
    const again = this.lostReboots === 0 ? {} : { again: this.lostReboots };
    return recovering.rebootRescue.executeWithOptions({ summary: 'reboot the machine' }, [{ fence, rescue, ...again }]);
  }

  /** A request for the reboot that came to nothing is made again, without a person a few times, and then at each retry. */
  private async firstBoot({ fence, rescue }: { fence: RunFence; rescue: RescueRef }): Promise<FirstBoot> {
    const { host } = this.options;
    const mark = this.marked ? { mark: fence.run } : {};
    for (let waits = 1; ; waits += 1) {
      if (this.state === 'whole, not booted') await this.reboot({ fence, rescue });
      this.state = 'rebooted';
      try {
        return await recovering.awaitMachine.executeWithOptions({ summary: `wait for ${host.name} itself` }, [
          { host, rescue, sinceMs: this.rebootMs, forMs: BOOT_MS, stayMs: STAY_MS, ...mark },
        ]);
      } catch (error) {
        const { code } = describeFailure(error);
        if (code === 'not-recovered') this.state = 'another booted';
        if (code !== 'not-rebooted') throw error;
        this.state = 'whole, not booted';
        this.lostReboots += 1;
        if (waits === REBOOTS) throw error;
      }
    }
  }

  /**
   * Lets go of what a run that ended in the middle has mounted and opened: the next plan would be refused for disks in use.
   * @param fence later than all tries before. @returns what to warn of
   */
  async letGo({ fence }: { fence: RunFence }): Promise<string[]> {
    if (this.state !== 'half recovered' || this.place === undefined) return [];
    const { rescue, tree } = this.place;
    const { host } = rescue;
    const still = (why: string) => [
      `${host.name} still holds what was mounted of the new system (${why}): restart the rescue system before recovering again`,
    ];
    try {
      // Its jobs first: what still receives or writes there holds the mounts.
      const { unreachable } = await tidying.forgetRun.executeWithOptions({ summary: `jobs on ${host.name}` }, [
        { fence, hosts: [host] },
      ]);
      if (unreachable.length > 0) return still('it does not answer');
      await unmounting.newSystem.executeWithOptions({ summary: `unmount the new system` }, [
        { fence, rescue, kind: 'new-unmount', args: { tree } },
      ]);
      return [];
    } catch (error) {
      const { code, message } = describeFailure(error);
      // Another boot of it holds nothing, and another run's system is its own affair.
      return ['rebooted', 'host-key-changed', 'fenced'].includes(code) ? [] : still(message);
    }
  }

  /** A sentence on what the machine is now, and what to do about it. */
  describe(): string {
    const { name } = this.options.host;
    const disks = list(this.overwritten);
    const copy = this.options.policy.newIdentity === true ? ' --new-identity' : '';
    switch (this.state) {
      case 'untouched':
        return 'Nothing was written';
      case 'half recovered':
        return `${name} is half recovered: ${disks} overwritten, and it does not boot. Run \`resurgo recover ${name}${copy}\` again; the backup is as it was`;
      case 'whole, not booted':
        return `The new system of ${name} is whole and verified on ${disks}, and was not booted: restart the machine without the rescue medium`;
      case 'rebooted':
        return `The new system of ${name} is whole and verified on ${disks}, and was rebooted, but was not seen to answer: look at its console`;
      case 'another booted':
        return `The new system of ${name} is whole and verified on ${disks}, and the machine has booted another: take the other's disk out, or set the boot order`;
      case 'running':
        return `${name} is recovered and runs`;
    }
  }

  private carryOut(options: { step: RecoveryStep; source: RecoverySource; rescue: RescueRef }): Promise<void> {
    const { step, source, rescue } = options;
    if (step.kind === 'restore') throw new Error('data is no job');
    // Noted before it is done: an answer that was lost may have done it.
    if (step.destroys.length > 0) this.state = 'half recovered';
    return this.must(step.key, (fence) =>
      recovering.recoverStep.executeWithOptions({ summary: step.says }, [{ fence, rescue, step, tree: source.tree }]),
    );
  }

  /** Headers come first, and are tried with the passphrases given: until then nothing is written. */
  private async headers(made: { planned: PlannedMachine; source: RecoverySource; rescue: RescueRef }): Promise<void> {
    const { planned, source, rescue } = made;
    const { newKeys } = this.options.policy;
    const steps = triedOnHeaders({ steps: planned.plan.steps, headers: source.headers, newKeys });
    if (steps.length === 0) return;
    const { tree, item } = source;
    const bytes = source.headers.reduce((sum, each) => sum + each.bytes, HEADERS_MORE);
    await this.options.timeline.phase('headers', async () => {
      await this.must('place of headers', (fence) =>
        recovering.placeHeaders.executeWithOptions({ summary: rescue.host.name }, [{ fence, rescue, tree, bytes }]),
      );
      await this.must('headers', (fence) =>
        bulk.restoreSource.executeWithOptions({ summary: `headers from ${item.store.host.name}` }, [
          { fence, item: headersItem(item), fsUuid: '', bootId: rescue.bootId },
        ]),
      );
      for (const step of steps)
        await this.must(`check ${step.key}`, (fence) =>
          recovering.checkHeader.executeWithOptions({ summary: step.name }, [{ fence, rescue, step, tree }]),
        );
    });
  }

  private restore({ source, rescue }: { source: RecoverySource; rescue: RescueRef }): Promise<RestoredItem> {
    const { item } = source;
    const summary = `restore ${item.backup.tree} from ${item.store.host.name}`;
    return this.must('restore', (fence) =>
      bulk.restoreSource.executeWithOptions({ summary }, [{ fence, item, fsUuid: '', bootId: rescue.bootId }]),
    );
  }

  private newSystem(options: {
    phase: string;
    kind: Parameters<typeof recovering.newSystem>[0]['kind'];
    args: Record<string, string | undefined>;
    disks?: DiskIdentity[];
    esps?: Device[];
    rescue: RescueRef;
  }): Promise<NewSystem> {
    const { phase, ...input } = options;
    return this.phase(phase, (fence) =>
      recovering.newSystem.executeWithOptions({ summary: phase }, [{ fence, ...input }]),
    );
  }

  private phase<T>(phase: string, attempt: (fence: RunFence) => Promise<T>): Promise<T> {
    return this.options.timeline.phase(phase, () => this.must(phase, attempt));
  }

  /** A step that nothing lets out. One of a rescue system that has lost all is not asked about: the run begins anew. */
  private must<T>(step: string, attempt: (fence: RunFence) => Promise<T>): Promise<T> {
    const { gate, fence } = this.options;
    return gate.must(
      step,
      (round) => attempt(fence(round)),
      ({ code }) => code !== 'rebooted' && code !== 'still-there',
    );
  }
}

function overwritten({ disks }: RecoveryPlan): string[] {
  return disks.filter(({ fate }) => fate === 'overwritten').map(diskInWords);
}
