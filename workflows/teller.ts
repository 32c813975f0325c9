/** Tells people how a run goes, by the group's `notify`. A message that can't be sent is a warning in the report, never the run's end. */
import { isCancellation } from '@temporalio/workflow';
import type { Group, NotifyEvent } from '../runbooks/types';
import { describeFailure } from './failures';
import { telling } from './options';

export class Teller {
  constructor(
    private readonly about: { group: Pick<Group, 'name' | 'notify'>; run: string; kind: string; warnings: string[] },
  ) {}

  /** Sends one event to everybody who wants it. */
  async tell(event: NotifyEvent, message: string, more: { step?: string; backupId?: string } = {}): Promise<void> {
    const { group, run, kind, warnings } = this.about;
    if (!group.notify.some((each) => each.on.includes(event))) return;
    try {
      const notice = { event, group: group.name, run, kind, message, ...more };
      await telling.notify.executeWithOptions({ summary: `tell: ${event}` }, [{ to: group.notify, notice }]);
    } catch (error) {
      if (isCancellation(error)) throw error;
      warnings.push(`notification "${event}" could not be sent: ${describeFailure(error).message}`);
    }
  }
}
