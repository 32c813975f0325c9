/**
 * Which backups stay and which go, with a reason for each. A pure decision over what the store lists; whoever removes asks again
 * right before (holds and bases may have changed).
 *
 * `last` keeps the newest N. `daily`, `weekly` (ISO), `monthly` and `yearly` keep the newest backup of each of the newest N days,
 * weeks, … (UTC) *that have one*: days without a backup do not use up the count. Only complete backups count.
 */
import { PlanningError } from './errors';
import { backupId, parseBackupId } from './ids';

export interface KeepPolicy {
  last: number;
  daily: number;
  weekly: number;
  monthly: number;
  yearly: number;
}

export interface RetainedBackup {
  id: string;
  state: 'Completed' | 'Partial' | 'Failed';
}

export interface RetentionInput {
  backups: readonly RetainedBackup[];
  keep: KeepPolicy;
  nowMs: number;
  /** Ids that a person put on hold. */
  holds?: readonly string[];
  /** Ids that the next replication builds on, at either end. */
  replicationBases?: readonly string[];
  /** Ids that a running restore, verify, drill or replication reads. */
  inUse?: readonly string[];
  /** The newest backup that a verify, restore or drill proved. */
  lastVerified?: string | null;
  /** So many of the newest complete backups stay whatever the policy says; at least 1, which is the default. */
  minNewest?: number;
}

export interface RetentionDecision {
  id: string;
  action: 'keep' | 'remove';
  reasons: string[];
}

/** A backup from the future: one of two clocks is wrong, and every age computed from them too. */
export class ClockSkewError extends PlanningError {
  override readonly name = 'ClockSkewError';

  constructor(readonly ids: readonly string[]) {
    super({
      code: 'clock-skew',
      message: `backup ${ids.join(', ')} lies in the future of this clock, so no age can be trusted and nothing is removed`,
      next: "Compare the director's clock with the hosts' (`resurgo doctor`), set it right, then prune again",
    });
  }
}

/**
 * Decides for every backup, newest first.
 * @throws ClockSkewError when an id lies after `nowMs`
 * @throws PlanningError for an id that is none or listed twice, or a policy that is not of whole numbers
 */
export function planRetention(input: RetentionInput): RetentionDecision[] {
  checkPolicy(input);
  const newestFirst = sorted(input);
  const complete = newestFirst.filter((backup) => backup.state === 'Completed').map((backup) => backup.id);
  const minNewest = Math.max(1, input.minNewest ?? 1);
  const reasons = new Map<string, string[]>(newestFirst.map((backup) => [backup.id, []]));
  const keepFor = (id: string, reason: string): void => void reasons.get(id)?.push(reason);

  for (const id of complete.slice(0, minNewest)) keepFor(id, `among the newest ${minNewest}`);
  for (const id of complete.slice(0, input.keep.last)) keepFor(id, `last ${input.keep.last}`);
  for (const period of PERIODS) {
    for (const [bucket, id] of newestPerBucket({
      ids: complete,
      bucketOf: BUCKETS[period],
      count: input.keep[period],
    })) {
      keepFor(id, `${period} ${bucket}`);
    }
  }
  for (const id of new Set(input.holds)) keepFor(id, 'on hold');
  for (const id of new Set(input.replicationBases)) keepFor(id, 'base of a replication');
  for (const id of new Set(input.inUse)) keepFor(id, 'in use');
  if (typeof input.lastVerified === 'string') keepFor(input.lastVerified, 'the last verified backup');

  // A partial backup may hold the newest data of the hosts that did answer: it goes only when enough complete ones are newer.
  const oldestOfNewest = complete[minNewest - 1];
  for (const backup of newestFirst) {
    if (backup.state === 'Partial' && (oldestOfNewest === undefined || backup.id > oldestOfNewest)) {
      keepFor(backup.id, `partial, and fewer than ${minNewest} complete backups are newer`);
    }
  }
  return newestFirst.map((backup) => decide({ backup, kept: reasons.get(backup.id) ?? [], keep: input.keep }));
}

type Period = 'daily' | 'weekly' | 'monthly' | 'yearly';
const PERIODS = ['daily', 'weekly', 'monthly', 'yearly'] as const satisfies readonly Period[];

const BUCKETS: Record<Period, (ms: number) => string> = {
  daily: (ms) => iso(ms).slice(0, 10),
  weekly: isoWeek,
  monthly: (ms) => iso(ms).slice(0, 7),
  yearly: (ms) => iso(ms).slice(0, 4),
};

/** `2026-W47`: the ISO week of a moment (UTC); the week belongs to the year that its Thursday lies in. */
export function isoWeek(ms: number): string {
  const day = 86_400_000;
  const midnight = Math.floor(ms / day) * day;
  const mondayBased = (new Date(midnight).getUTCDay() + 6) % 7;
  const thursday = midnight + (3 - mondayBased) * day;
  const year = new Date(thursday).getUTCFullYear();
  const week = Math.floor((thursday - Date.UTC(year, 0, 1)) / (7 * day)) + 1;
  return `${year}-W${String(week).padStart(2, '0')}`;
}

/** `last 3, daily 7, weekly 4, monthly 12, yearly 0` */
export function keepText({ last, daily, weekly, monthly, yearly }: KeepPolicy): string {
  return `last ${last}, daily ${daily}, weekly ${weekly}, monthly ${monthly}, yearly ${yearly}`;
}

function decide({
  backup,
  kept,
  keep,
}: {
  backup: RetainedBackup;
  kept: readonly string[];
  keep: KeepPolicy;
}): RetentionDecision {
  if (kept.length > 0) return { id: backup.id, action: 'keep', reasons: [...kept] };
  const why = {
    Completed: `not among ${keepText(keep)}`,
    Partial: 'partial, does not count, and complete backups are newer',
    Failed: 'failed, holds nothing that counts',
  }[backup.state];
  return { id: backup.id, action: 'remove', reasons: [why] };
}

/** `ids` newest first; of each of the newest `count` buckets the first. */
function newestPerBucket({
  ids,
  bucketOf,
  count,
}: {
  ids: readonly string[];
  bucketOf: (ms: number) => string;
  count: number;
}): Map<string, string> {
  const buckets = new Map<string, string>();
  for (const id of ids) {
    const bucket = bucketOf(parseBackupId(id));
    if (!buckets.has(bucket) && buckets.size < count) buckets.set(bucket, id);
  }
  return buckets;
}

function sorted({ backups, nowMs }: RetentionInput): RetainedBackup[] {
  const ids = backups.map((backup) => backup.id);
  const twice = ids.filter((id, i) => ids.indexOf(id) !== i);
  if (twice.length > 0) {
    throw new PlanningError({
      code: 'bad-name',
      message: `the store lists ${twice.join(', ')} twice`,
      next: 'Look at the store with `resurgo list`, and remove nothing until it lists each backup once',
    });
  }
  const future = ids.filter((id) => parseBackupId(id) > nowMs);
  if (future.length > 0) throw new ClockSkewError(future);
  return [...backups].sort((a, b) => (a.id < b.id ? 1 : -1));
}

function checkPolicy({ keep, nowMs, minNewest = 1 }: RetentionInput): void {
  const counts = { ...keep, minNewest };
  const wrong = Object.entries(counts).filter(([, count]) => !Number.isInteger(count) || count < 0);
  if (wrong.length > 0) {
    throw new PlanningError({
      code: 'bad-policy',
      message: `keep: ${wrong.map(([name, count]) => `${name} is ${count}`).join(', ')}`,
      next: "Give whole numbers from 0 in the group's `keep`",
    });
  }
  backupId({ frozenAtMs: nowMs });
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
