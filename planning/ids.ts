/** Names that a run gives: a backup's id, the run's id, its workflows' ids, its remote jobs' names. */
import { PlanningError } from './errors';
import { sha256Hex } from './sha256';

/** `20261121_013000`: UTC of the freeze, in whole seconds. */
const BACKUP_ID = /^(\d{4})(\d{2})(\d{2})_(\d{2})(\d{2})(\d{2})$/;
const RUN_ID = /^[a-z0-9][a-z0-9-]{7,47}$/;
const GROUP = /^[a-z0-9][a-z0-9-]{0,39}$/;
const JOB_LIMIT = 96;

/**
 * A backup's id: UTC at the freeze.
 * @param frozenAtMs ms since 1970; fractions of a second are cut off
 * @throws PlanningError outside the years 1970–9999
 */
export function backupId({ frozenAtMs }: { frozenAtMs: number }): string {
  return stamp(frozenAtMs).replace('t', '_').replace('z', '');
}

/** Whether the text is a backup's id of a real moment. */
export function isBackupId(id: string): boolean {
  return instantOf(id) !== undefined;
}

/**
 * The moment of the freeze in ms since 1970.
 * @throws PlanningError when it is no id, or names a day or an hour that does not exist
 */
export function parseBackupId(id: string): number {
  const instant = instantOf(id);
  if (instant !== undefined) return instant;
  throw new PlanningError({
    code: 'bad-name',
    message: `"${id}" is not a backup's id`,
    next: 'An id is the UTC of the freeze, like 20261121_013000; `resurgo list` shows them',
  });
}

/** Whether backup `a` was frozen after backup `b`. @throws PlanningError when either is no id */
export function isNewer(a: string, b: string): boolean {
  return parseBackupId(a) > parseBackupId(b);
}

/**
 * A run's id, like `r20261121t013000z-4f3a2b`: made once, by the client, and carried in the workflow's input (S31).
 * @param random from [0, 1): `Math.random()` of the client
 */
export function runId({ nowMs, random }: { nowMs: number; random: number }): string {
  const suffix = Math.floor((random - Math.floor(random)) * 0x1000000);
  return `r${stamp(nowMs)}-${suffix.toString(16).padStart(6, '0')}`;
}

/** Whether the hosts take this as a run's id. */
export function isRunId(run: string): boolean {
  return RUN_ID.test(run);
}

/**
 * The name of a durable remote job. Different (run, step, key) never share a name: what a name can't carry as it is, is told
 * apart by a hash as the fourth part.
 */
export function jobName({ run, step, key = '' }: { run: string; step: string; key?: string }): string {
  if (!isRunId(run)) throw badRun(run);
  const parts = key === '' ? [step] : [step, key];
  const plain = [run, ...parts].join('.');
  if (parts.every((part) => /^[a-z0-9-]+$/.test(part)) && plain.length <= JOB_LIMIT) return plain;
  const hash = sha256Hex(JSON.stringify([run, step, key])).slice(0, 20);
  const room = JOB_LIMIT - run.length - hash.length - 3;
  const stepSlug = slug(step).slice(0, Math.floor(room / 2));
  const keySlug = slug(key).slice(0, room - stepSlug.length);
  return [run, stepSlug, keySlug, hash].join('.');
}

export const WORKFLOW_KINDS = [
  'backup',
  'restore',
  'rescue',
  'recover',
  'replicate',
  'verify',
  'prune',
  'drill',
  'failover',
  'hand',
] as const;
export type WorkflowKind = (typeof WORKFLOW_KINDS)[number];

/** `backup/portal/r2026…`: what an operator sees first in the Temporal UI. @throws PlanningError for a bad group or run */
export function workflowId({ kind, group, run }: { kind: WorkflowKind; group: string; run: string }): string {
  if (!GROUP.test(group)) throw badGroup(group);
  if (!isRunId(run)) throw badRun(run);
  return `${kind}/${group}/${run}`;
}

/** The reverse of {@link workflowId}; undefined for any other id. */
export function parseWorkflowId(id: string): { kind: WorkflowKind; group: string; run: string } | undefined {
  const [kind, group, run, ...rest] = id.split('/');
  const known = WORKFLOW_KINDS.find((each) => each === kind);
  if (known === undefined || group === undefined || run === undefined || rest.length > 0) return undefined;
  return GROUP.test(group) && isRunId(run) ? { kind: known, group, run } : undefined;
}

/** The id of a group's schedule. @throws PlanningError for a bad group */
export function scheduleId({ group, kind = 'backup' }: { group: string; kind?: WorkflowKind }): string {
  if (!GROUP.test(group)) throw badGroup(group);
  return `schedule/${kind}/${group}`;
}

function instantOf(id: string): number | undefined {
  const match = BACKUP_ID.exec(id);
  if (match === null) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number);
  if (year < 1970) return undefined;
  const ms = Date.UTC(year, month - 1, day, hour, minute, second);
  // Date.UTC rolls 31 February over into March; an id that does not come back as itself never was a moment.
  return backupId({ frozenAtMs: ms }) === id ? ms : undefined;
}

/** `20261121t013000z` */
function stamp(ms: number): string {
  if (!Number.isFinite(ms) || ms < 0 || ms >= Date.UTC(10000, 0)) {
    throw new PlanningError({
      code: 'bad-name',
      message: `${ms} is not a moment between 1970 and 9999`,
      next: 'Check the clock of the director (`timedatectl`)',
    });
  }
  const iso = new Date(ms).toISOString();
  return `${iso.slice(0, 10).replaceAll('-', '')}t${iso.slice(11, 19).replaceAll(':', '')}z`;
}

function slug(text: string): string {
  return (
    text
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-+|-+$/g, '') || 'x'
  );
}

function badRun(run: string): PlanningError {
  return new PlanningError({
    code: 'bad-name',
    message: `"${run}" is not a run's id`,
    next: '`resurgo runs` lists them',
  });
}

function badGroup(group: string): PlanningError {
  return new PlanningError({
    code: 'bad-name',
    message: `"${group}" is not a group's name`,
    next: 'A group is named with a-z, 0-9 and -, at most 40 characters',
  });
}
