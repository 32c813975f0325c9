/** Which hosts a backup is of: those that answer, and whoever decides about those that don't (S18). */
import { ApplicationFailure } from '@temporalio/workflow';
import type { BackupInput, FleetHost } from '../planning/run-input';
import type { OperatorGate } from './gate';
import type { LeaseKeeper } from './lease-keeper';

/** A host that does not answer, and may again. */
const AWAY: ReadonlySet<string> = new Set(['unreachable', 'timeout', 'connection-lost', 'session-lost']);

interface Away {
  host: string;
  message: string;
}

export class BackupHosts {
  /** Host name → why it is not part of this backup. */
  readonly missing = new Map<string, string>();

  constructor(
    private readonly parts: { input: BackupInput; gate: OperatorGate; lease: LeaseKeeper; warnings: string[] },
  ) {}

  /** A target that is away at night may be back by morning; what else keeps the lease from being had ends the run before anything is done. */
  takeLease(): Promise<Away[]> {
    return this.parts.gate.must(
      'lease',
      () => this.parts.lease.take(),
      (failure) => AWAY.has(failure.code),
    );
  }

  /** Hosts that can't be reached: left out where the runbook allows a partial backup, a question for the operator otherwise (S18). */
  async without(unreachable: readonly Away[]): Promise<'as seen' | 'look again'> {
    const first = unreachable.find((each) => !this.missing.has(each.host));
    if (first === undefined) return 'as seen';
    if (this.parts.input.group.onUnreachable === 'fail') {
      const names = unreachable.map((each) => each.host).join(', ');
      const answer = await this.parts.gate.ask({
        step: 'reach hosts',
        failure: { code: 'unreachable', host: first.host, message: `${names} can't be reached: ${first.message}` },
        allowed: ['retry', 'skip', 'abort'],
      });
      if (answer.decision === 'abort')
        throw ApplicationFailure.nonRetryable(`aborted by ${answer.by}: ${names} can't be reached`, 'unreachable');
      if (answer.decision === 'retry') {
        await this.without(await this.takeLease());
        return 'look again';
      }
    }
    for (const each of unreachable) {
      this.missing.set(each.host, each.message);
      this.parts.warnings.push(`${each.host} is not in this backup: ${each.message}`);
    }
    return 'as seen';
  }

  present(): FleetHost[] {
    return this.parts.input.hosts.filter((host) => !this.missing.has(host.name));
  }

  /** The group's hosts and the store's, each once. */
  everyone(): FleetHost[] {
    const all = this.present();
    return all.some((host) => host.name === this.parts.input.storeHost.name)
      ? all
      : [...all, this.parts.input.storeHost];
  }
}
