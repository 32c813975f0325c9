/** Puts a manifest together from what a run has gathered, and gives the run's verdict. */
import type { Consistency } from './consistency';
import { groupConsistency } from './consistency';
import { counted } from './counted';
import { PlanningError } from './errors';
import { backupId, isNewer } from './ids';
import type { BackedUpSource, HostFreeze, Manifest, ManifestSource, MissingSource } from './manifest';
import { MANIFEST_VERSION } from './manifest';

/** A backed-up source before its label is split into the manifest's two fields. */
export type BackedUpInput = Omit<BackedUpSource, 'label' | 'evidence' | 'state' | 'startedAt' | 'endedAt'> & {
  consistency: Consistency;
  startedAtMs: number;
  endedAtMs: number;
};

/** One host's part of the freeze, with times in ms since 1970 (of that host's clock). */
export type HostFreezeInput = Omit<HostFreeze, 'armedAt' | 'pausedAt' | 'snapshottedAt' | 'thawedAt'> & {
  armedAtMs: number;
  pausedAtMs: number;
  snapshottedAtMs: number;
  thawedAtMs: number;
};

export type ManifestInput = Pick<
  Manifest,
  | 'group'
  | 'deployment'
  | 'run'
  | 'freezeAttempts'
  | 'pauseMs'
  | 'director'
  | 'versions'
  | 'store'
  | 'previous'
  | 'rpoS'
  | 'rtoS'
  | 'contacts'
  | 'notes'
  | 'warnings'
  | 'layouts'
> & {
  /** When the last host was seen paused, ms since 1970 by the director's clock: the backup's id comes from it. */
  frozenAtMs: number;
  sealedAtMs: number;
  backedUp: readonly BackedUpInput[];
  missing: readonly Omit<MissingSource, 'state'>[];
  hosts: readonly HostFreezeInput[];
  onUnreachable: 'fail' | 'partial';
};

/**
 * The manifest of a run that is ready for its seal. Sources come sorted by tree, hosts by name.
 * @throws PlanningError when the run must not become a backup: nothing backed up, something missing where the runbook does not
 * allow it, two sources in one tree, or an id that is not newer than the previous one's (S17)
 */
export function buildManifest(input: ManifestInput): Manifest {
  const id = backupId({ frozenAtMs: input.frozenAtMs });
  const verdict = runVerdict({
    ok: input.backedUp.length,
    missing: input.missing.length,
    sealed: true,
    onUnreachable: input.onUnreachable,
  });
  if (verdict.state === 'Failed') {
    throw new PlanningError({
      code: 'bad-manifest',
      message: `run ${input.run} must not be sealed: ${verdict.reason}`,
      next: 'Mend what is missing and retry the run, or set `on_unreachable: partial` in the runbook',
      step: 'seal',
    });
  }
  if (input.previous !== null && !isNewer(id, input.previous)) {
    throw new PlanningError({
      code: 'clock-skew',
      message: `the new backup's id ${id} is not newer than ${input.previous}, the newest in store ${input.store.name}`,
      next: "Compare the director's clock with the hosts' (`resurgo doctor`) and run the backup again",
      host: input.store.host,
      step: 'seal',
    });
  }
  const consistency = groupConsistency({
    sources: input.backedUp.map(({ host, name, consistency: each }) => ({
      name: `${host}:${name}`,
      consistency: each,
    })),
  });
  return {
    resurgoManifest: MANIFEST_VERSION,
    id,
    group: input.group,
    deployment: input.deployment,
    run: input.run,
    state: verdict.state,
    frozenAt: iso(input.frozenAtMs),
    sealedAt: iso(input.sealedAtMs),
    freezeAttempts: input.freezeAttempts,
    pauseMs: input.pauseMs,
    label: consistency.label,
    evidence: consistency.evidence,
    director: input.director,
    versions: input.versions,
    store: input.store,
    sources: allSources(input),
    hosts: [...input.hosts].sort((a, b) => (a.hostName < b.hostName ? -1 : 1)).map(hostFreeze),
    layouts: [...input.layouts].sort((a, b) => (a.host < b.host ? -1 : 1)),
    previous: input.previous,
    rpoS: input.rpoS,
    rtoS: input.rtoS,
    contacts: input.contacts,
    notes: input.notes,
    warnings: input.warnings,
  };
}

export type RunVerdict =
  | { state: 'Completed'; exitCode: 0; reason: string }
  | { state: 'Partial'; exitCode: 3; reason: string }
  | { state: 'Failed'; exitCode: 1; reason: string };

/** What a run came to. Only a sealed backup with every source is a success; a partial one never is (S18). */
export function runVerdict({
  ok,
  missing,
  sealed,
  onUnreachable,
  failure = '',
}: {
  /** Sources that are whole in the backup. */
  ok: number;
  /** Sources that should be there and are not. */
  missing: number;
  sealed: boolean;
  onUnreachable: 'fail' | 'partial';
  /** Why the run ended early; empty when it did not. */
  failure?: string;
}): RunVerdict {
  const failed = (reason: string): RunVerdict => ({ state: 'Failed', exitCode: 1, reason });
  if (failure !== '') return failed(failure);
  if (!sealed) return failed('nothing was sealed');
  if (ok === 0) return failed('no source was backed up');
  if (missing === 0)
    return {
      state: 'Completed',
      exitCode: 0,
      reason: `${ok === 1 ? 'the only source is' : `all ${ok} sources are`} in the backup`,
    };
  const reason = `${missing} of ${counted(ok + missing, 'source')} ${missing === 1 ? 'is' : 'are'} missing`;
  return onUnreachable === 'partial' ? { state: 'Partial', exitCode: 3, reason } : failed(reason);
}

function allSources({ backedUp, missing, run }: ManifestInput): ManifestSource[] {
  const sources: ManifestSource[] = [
    ...backedUp.map(({ consistency, startedAtMs, endedAtMs, ...source }) => ({
      ...source,
      state: 'ok' as const,
      label: consistency.label,
      evidence: consistency.evidence,
      startedAt: iso(startedAtMs),
      endedAt: iso(endedAtMs),
    })),
    ...missing.map((source) => ({ ...source, state: 'missing' as const })),
  ].sort((a, b) => (a.tree < b.tree ? -1 : 1));
  const twice = sources.find((source, i) => source.tree === sources[i + 1]?.tree);
  if (twice !== undefined) {
    throw new PlanningError({
      code: 'bad-manifest',
      message: `run ${run}: two sources share the folder ${twice.tree}`,
      next: 'Give the hosts names that differ without their prefix, or split the group',
      host: twice.hostName,
      step: 'seal',
    });
  }
  return sources;
}

function hostFreeze({ armedAtMs, pausedAtMs, snapshottedAtMs, thawedAtMs, ...rest }: HostFreezeInput): HostFreeze {
  return {
    ...rest,
    armedAt: iso(armedAtMs),
    pausedAt: iso(pausedAtMs),
    snapshottedAt: iso(snapshottedAtMs),
    thawedAt: iso(thawedAtMs),
  };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
