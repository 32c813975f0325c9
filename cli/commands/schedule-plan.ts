/** A group's schedule as the runbook wants it, as the server has it, and what lies between the two. */
import type { Client, ScheduleDescription, ScheduleOptions } from '@temporalio/client';
import { ScheduleNotFoundError, ScheduleOverlapPolicy } from '@temporalio/client';
import { z } from 'zod';
import { canonicalJson } from '../../planning/canonical';
import { scheduleId } from '../../planning/ids';
import { CONTROL_QUEUE } from '../../planning/queues';
import type { GroupSetup } from '../../planning/run-input';
import type { Schedule } from '../../runbooks/types';
import type { ScheduledBackupInput } from '../../workflows/scheduled-backup';
import { CliError } from '../exit';

/** What the runbook wants of one group that has a schedule. */
export interface WantedSchedule {
  schedule: Schedule;
  input: ScheduledBackupInput;
}

/** The type of the workflow that a schedule starts. */
const WORKFLOW = 'scheduledBackup';

/** The wanted schedule of a group, or undefined where its runbook has none. */
export function wantedSchedule({ setup, version }: { setup: GroupSetup; version: string }): WantedSchedule | undefined {
  const { schedule } = setup.group;
  if (schedule === null) return undefined;
  return { schedule, input: { ...setup, version, requestedBy: 'schedule', checksum: false } };
}

/** What the server has of a group; undefined when it has nothing. */
export async function standingSchedule({
  client,
  group,
}: {
  client: Client;
  group: string;
}): Promise<ScheduleDescription | undefined> {
  try {
    return await client.schedule.getHandle(scheduleId({ group })).describe();
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return undefined;
    throw error;
  }
}

/** What a schedule on the server carries of us; another program's schedule of this id carries less. */
const carried = z.looseObject({
  directorId: z.string().optional(),
  version: z.string().optional(),
  runbookText: z.string().optional(),
  group: z.looseObject({ schedule: z.looseObject({ paused: z.boolean() }).nullish() }).optional(),
});

/** In which respects the server's schedule is not what the runbook wants; empty when it is. One short sentence each. */
export function driftOf({ found, wanted }: { found: ScheduleDescription; wanted: WantedSchedule }): string[] {
  const { schedule, input } = wanted;
  const { action, policies, spec } = found;
  const was = carried.safeParse(action.args?.[0]).data ?? {};
  const now: Record<string, unknown> = { ...input };
  const changed = (key: string): boolean => canonicalJson(was[key] ?? null) !== canonicalJson(now[key] ?? null);
  const { schedule: oldSchedule, ...oldGroup } = was.group ?? {};
  const { schedule: newSchedule, ...newGroup } = input.group;
  const timed = newSchedule === null ? null : { ...newSchedule, paused: null };
  const wasTimed = oldSchedule === undefined || oldSchedule === null ? null : { ...oldSchedule, paused: null };
  const drift = [
    canonicalJson(wasTimed) === canonicalJson(timed) ? '' : 'the schedule in the runbook has changed',
    canonicalJson(oldGroup) === canonicalJson(newGroup) ? '' : 'the group has changed',
    ['hosts', 'store', 'storeHost', 'deployment'].some(changed) ? 'a host or the store has changed' : '',
    was.version === input.version ? '' : `it was applied by version ${was.version ?? 'unknown'}`,
    was.directorId === input.directorId ? '' : `it was applied by ${was.directorId ?? 'somebody else'}`,
    spec.jitter === undefined || spec.jitter === schedule.jitterS * 1000 ? '' : 'its jitter was changed on the server',
    policies.catchupWindow === schedule.catchupS * 1000 ? '' : 'its catch-up window was changed on the server',
    policies.overlap === ScheduleOverlapPolicy.SKIP ? '' : 'its overlap policy was changed on the server',
    action.workflowType === WORKFLOW && action.taskQueue === CONTROL_QUEUE ? '' : 'it starts another workflow',
  ].filter((each) => each !== '');
  // The text alone differs: a comment, another group. It is carried into each backup, so it counts, but says little beside the rest.
  if (drift.length === 0 && changed('runbookText')) drift.push("the runbook's text has changed");
  return drift;
}

/** As {@link driftOf}, where either may be missing. */
export function scheduleDrift(options: {
  found: ScheduleDescription | undefined;
  wanted: WantedSchedule | undefined;
}): string[] {
  const { found, wanted } = options;
  if (found === undefined) return wanted === undefined ? [] : ['not applied yet'];
  return wanted === undefined ? ['the runbook has no schedule for it'] : driftOf({ found, wanted });
}

export type Applied = 'created' | 'updated' | 'unchanged' | 'removed' | 'none';

/**
 * Makes the server's schedule what the runbook wants; doing it again changes nothing. A pause that a person made on the server stays
 * until the runbook's own `paused` changes, or `unpause` is asked for.
 * @throws CliError when the schedule is another director's
 */
export async function applySchedule(options: {
  client: Client;
  group: string;
  directorId: string;
  wanted: WantedSchedule | undefined;
  unpause: boolean;
}): Promise<Applied> {
  const { client, group, directorId, wanted, unpause } = options;
  const found = await standingSchedule({ client, group });
  if (found !== undefined) refuseForeign({ found, group, directorId });
  const handle = client.schedule.getHandle(scheduleId({ group }));
  if (wanted === undefined) {
    if (found === undefined) return 'none';
    await handle.delete();
    return 'removed';
  }
  if (found === undefined) {
    await client.schedule.create(optionsOf({ wanted, group, paused: wanted.schedule.paused }));
    return 'created';
  }
  const paused = pausedAfter({ found, wanted, unpause });
  const note = paused === found.state.paused ? found.state.note : undefined;
  if (driftOf({ found, wanted }).length === 0 && paused === found.state.paused && !pausedChanged({ found, wanted }))
    return 'unchanged';
  await handle.update(() => {
    const fresh = optionsOf({ wanted, group, paused });
    return { ...fresh, state: { ...fresh.state, ...(note === undefined ? {} : { note }) } };
  });
  return 'updated';
}

/** Removes a group's schedule, whoever applied it: the operator names it. Runs that it started go on. */
export async function removeSchedule({ client, group }: { client: Client; group: string }): Promise<boolean> {
  try {
    await client.schedule.getHandle(scheduleId({ group })).delete();
    return true;
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return false;
    throw error;
  }
}

function pausedBefore(found: ScheduleDescription): boolean | undefined {
  return carried.safeParse(found.action.args?.[0]).data?.group?.schedule?.paused;
}

function pausedChanged({ found, wanted }: { found: ScheduleDescription; wanted: WantedSchedule }): boolean {
  return pausedBefore(found) !== wanted.schedule.paused;
}

function pausedAfter(options: { found: ScheduleDescription; wanted: WantedSchedule; unpause: boolean }): boolean {
  const { found, wanted, unpause } = options;
  if (unpause) return false;
  return pausedChanged(options) ? wanted.schedule.paused : found.state.paused;
}

function refuseForeign(options: { found: ScheduleDescription; group: string; directorId: string }): void {
  const { found, group, directorId } = options;
  const owner = carried.safeParse(found.action.args?.[0]).data?.directorId;
  if (owner === directorId) return;
  throw new CliError(
    `the schedule of ${group} on this server was applied by ${owner ?? 'somebody else'}, and this is ${directorId}: two directors must not back up one group. ` +
      `If it is yours to take over: resurgo schedule remove ${group}, then apply again`,
  );
}

function optionsOf(options: { wanted: WantedSchedule; group: string; paused: boolean }): ScheduleOptions {
  const { wanted, group, paused } = options;
  const { schedule, input } = wanted;
  return {
    scheduleId: scheduleId({ group }),
    spec: { cronExpressions: [schedule.cron], jitter: schedule.jitterS * 1000, timezone: 'UTC' },
    action: {
      type: 'startWorkflow',
      workflowType: WORKFLOW,
      workflowId: `scheduled/${group}`,
      taskQueue: CONTROL_QUEUE,
      args: [input],
      staticSummary: `scheduled backup of ${group}${schedule.prune === false ? '' : ', then prune'}`,
    },
    // A run that still waits for a person is not overtaken by the next one.
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: schedule.catchupS * 1000 },
    state: { paused, ...(paused ? { note: 'paused by the runbook' } : {}) },
  };
}
