/** Consistency labels: what a backup promises about its data, and the evidence that the promise rests on (S7). */
import { counted } from './counted';

/** From weakest to strongest. `none` is a live copy: its files were read at different moments. */
export const CONSISTENCY_LABELS = ['none', 'crash', 'filesystem', 'application'] as const;
export type ConsistencyLabel = (typeof CONSISTENCY_LABELS)[number];

export interface Consistency {
  label: ConsistencyLabel;
  /** Sentences a person can check; what kept the label from being stronger is among them. */
  evidence: string[];
}

export interface HookOutcome {
  name: string;
  phase: 'before' | 'after';
  ok: boolean;
}

/** How the file systems of a whole machine were held. */
export interface MachineMoment {
  /** By a snapshot: the place, with its kind. */
  held: readonly string[];
  /** Not at all: they were read while they were in use. */
  live: readonly string[];
  /** Read live too, and looked at before and after: what a boot reads hardly ever changes. */
  watched: readonly string[];
  /** What is mounted there and not in the backup. */
  skipped: readonly { path: string; reason: string }[];
}

/** What is known about the moment in which one source was snapshotted. */
export interface SourceMoment {
  /** Snapshot kind of the runbook; `none` is a live copy. */
  kind: string;
  /** Names of the containers that were paused on the source's host. */
  paused: readonly string[];
  /** Running containers that are never touched: our own engine, and what carries an exempt label. */
  exempt: readonly string[];
  /** Running containers that the runbook did not ask to pause: they may have been writing. */
  unmatched: readonly string[];
  unitsStopped?: readonly string[];
  unitsFrozen?: readonly string[];
  /** Whether the file system was synced while everything was paused. */
  syncfs: boolean;
  hooks: readonly HookOutcome[];
  /** Why the instant is torn; empty when it is whole. */
  torn: readonly string[];
  /** Of a whole machine. */
  machine?: MachineMoment;
  /** What of a whole machine was read live and has changed meanwhile. */
  changed?: readonly string[];
}

/** The label of one source. */
export function sourceConsistency(moment: SourceMoment): Consistency {
  if (moment.kind === 'none') {
    return {
      label: 'none',
      evidence: ['live copy: read while it was in use, so its files are from different moments'],
    };
  }
  if (moment.torn.length > 0) {
    return { label: 'none', evidence: moment.torn.map((reason) => `torn instant: ${reason}`) };
  }
  if (moment.kind === 'system') return machineConsistency(moment);
  const evidence = [`${moment.kind} snapshot, atomic`];
  const calm = quiet(moment, evidence);
  const synced = flushed(moment, evidence);
  const prepared = hooked(moment, evidence);
  if (!calm || !synced) return { label: 'crash', evidence };
  return { label: prepared ? 'application' : 'filesystem', evidence };
}

/** A whole machine is never held still: its own services run on. So it is crash consistent at best, and only if nothing of it was read live. */
function machineConsistency(moment: SourceMoment): Consistency {
  const { machine, changed = [] } = moment;
  if (machine === undefined) return { label: 'none', evidence: ['its host did not say what of it a snapshot holds'] };
  const { held, live, watched } = machine;
  const still = watched.filter((path) => !changed.includes(path));
  const evidence = held.length === 0 ? [] : [`held by snapshots, each atomic, one after another: ${list(held)}`];
  if (still.length > 0) evidence.push(`read live, and unchanged since the instant: ${list(still)}`);
  if (changed.length > 0) evidence.push(`read live, and changed while it was read: ${list(changed)}`);
  if (live.length > 0)
    evidence.push(`read live while it was in use, so its files are from different moments: ${list(live)}`);
  if (live.length > 0 || changed.length > 0) return { label: 'none', evidence };
  quiet(moment, evidence);
  flushed(moment, evidence);
  hooked(moment, evidence);
  evidence.push("the machine's own services ran on");
  return { label: 'crash', evidence };
}

/** The label of a group is its weakest source's; without sources it promises nothing. */
export function groupConsistency({
  sources,
}: {
  sources: readonly { name: string; consistency: Consistency }[];
}): Consistency {
  if (sources.length === 0) return { label: 'none', evidence: ['no source was backed up'] };
  const label = sources
    .map((source) => source.consistency.label)
    .reduce((weakest, each) => (rank(each) < rank(weakest) ? each : weakest));
  const weakest = sources.filter((source) => source.consistency.label === label);
  const evidence =
    weakest.length === sources.length
      ? [`${sources.length === 1 ? 'the only source is' : `all ${sources.length} sources are`} ${describeLabel(label)}`]
      : [
          `weakest of ${counted(sources.length, 'source')}: ${weakest.map((source) => source.name).join(', ')} (${describeLabel(label)})`,
        ];
  const shared = weakest[0]?.consistency.evidence ?? [];
  return {
    label,
    evidence: [
      ...evidence,
      ...shared.filter((line) => weakest.every(({ consistency }) => consistency.evidence.includes(line))),
    ],
  };
}

/** A label as people read it. */
export function describeLabel(label: ConsistencyLabel): string {
  return label === 'none' ? 'not consistent (live copy)' : `${label} consistent`;
}

/** Whether `a` promises less than `b`. */
export function isWeaker(a: ConsistencyLabel, b: ConsistencyLabel): boolean {
  return rank(a) < rank(b);
}

function rank(label: ConsistencyLabel): number {
  return CONSISTENCY_LABELS.indexOf(label);
}

/** Nothing that we know of was writing: something was quiesced, and nothing else ran. */
function quiet(moment: SourceMoment, evidence: string[]): boolean {
  const { paused, exempt, unmatched, unitsStopped = [], unitsFrozen = [] } = moment;
  const quiesced = paused.length + unitsStopped.length + unitsFrozen.length;
  if (paused.length > 0) evidence.push(`${counted(paused.length, 'container')} seen paused: ${list(paused)}`);
  if (unitsStopped.length > 0) evidence.push(`units seen stopped: ${list(unitsStopped)}`);
  if (unitsFrozen.length > 0) evidence.push(`units seen frozen: ${list(unitsFrozen)}`);
  if (exempt.length > 0) evidence.push(`never paused, being exempt: ${list(exempt)}`);
  if (unmatched.length > 0) evidence.push(`running and not paused: ${list(unmatched)}`);
  if (quiesced === 0) evidence.push('nothing was paused on this host');
  return quiesced > 0 && unmatched.length === 0;
}

function flushed(moment: SourceMoment, evidence: string[]): boolean {
  evidence.push(moment.syncfs ? 'file system synced while paused' : 'not synced while paused');
  return moment.syncfs;
}

function hooked(moment: SourceMoment, evidence: string[]): boolean {
  const failed = moment.hooks.filter((hook) => !hook.ok);
  const before = moment.hooks.filter((hook) => hook.phase === 'before' && hook.ok);
  if (before.length > 0) evidence.push(`hooks ran well before the freeze: ${list(before.map((hook) => hook.name))}`);
  if (failed.length > 0) evidence.push(`hooks failed: ${list(failed.map((hook) => hook.name))}`);
  return before.length > 0 && !failed.some((hook) => hook.phase === 'before');
}

/** At most ten names: evidence lies in every manifest and in every listing. */
function list(names: readonly string[]): string {
  const shown = names.slice(0, 10).join(', ');
  return names.length > 10 ? `${shown} and ${names.length - 10} more` : shown;
}
