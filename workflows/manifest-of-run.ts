/** The manifest of a finished run, from what its steps brought back. */
import type { ChecksResult } from '../activities/checks';
import type { FreezeResult } from '../activities/freeze';
import type { StoreState } from '../activities/store';
import { buildManifest } from '../planning/build-manifest';
import type { BackedUpInput, HostFreezeInput } from '../planning/build-manifest';
import { sourceConsistency } from '../planning/consistency';
import type { MachineMoment, SourceMoment } from '../planning/consistency';
import { earlierFreezeWarnings } from '../planning/earlier-freezes';
import { missingHeader } from '../planning/luks-headers';
import type { Manifest } from '../planning/manifest';
import type { LayoutEntry } from '../planning/recoverable';
import type { BackupInput } from '../planning/run-input';
import type { FreezeReport } from '../planning/torn';
import type { SourceOutcome } from './copy-window';

interface Options {
  input: BackupInput;
  frozen: FreezeResult;
  checks: ChecksResult;
  outcomes: SourceOutcome[];
  store: StoreState;
  warnings: string[];
  layouts: LayoutEntry[];
  /** Hooks that ran well before the freeze, by host. */
  hooksBefore: ReadonlyMap<string, string[]>;
  nowMs: number;
}

/** @throws PlanningError when the run must not become a backup */
export function manifestOf(options: Options): Manifest {
  const { input, frozen, checks, outcomes, store, warnings, nowMs } = options;
  const missing = outcomes.flatMap((each) =>
    each.state === 'missing' ? [{ ...nameOf(each), reason: each.reason }] : [],
  );
  return buildManifest({
    group: input.group.name,
    deployment: input.deployment,
    run: input.run,
    freezeAttempts: (frozen.earlier ?? []).length + 1,
    frozenAtMs: frozen.frozenAtMs,
    pauseMs: frozen.pauseMs,
    sealedAtMs: nowMs,
    // The public key is added by the activity that signs: only it knows the director's keys.
    director: { id: input.directorId, publicKeyHex: '' },
    versions: {
      resurgo: input.version,
      hostkits: Object.fromEntries(checks.hosts.map((each) => [each.host, each.hostkit])),
    },
    store: { name: input.store.name, kind: input.store.kind, host: input.store.hostShort },
    previous: store.ids.at(-1) ?? null,
    rpoS: input.group.rpoS,
    rtoS: input.group.rtoS,
    contacts: input.group.contacts,
    notes: input.group.notes,
    warnings: [...earlierFreezeWarnings(frozen.earlier ?? []), ...warnings, ...outcomes.flatMap(headerWarnings)],
    backedUp: outcomes.flatMap((each) => (each.state === 'ok' ? [backedUp(options, each)] : [])),
    missing,
    layouts: options.layouts,
    hosts: frozen.hosts.map((report) => hostFreeze(options, report)),
    // A person, or the runbook, has let every missing source go by now; the verdict is "Partial" in either case.
    onUnreachable: missing.length > 0 ? 'partial' : input.group.onUnreachable,
  });
}

function nameOf({ source }: SourceOutcome) {
  return {
    host: source.hostShort,
    hostName: source.host,
    name: source.name,
    path: source.path,
    tree: source.tree,
    kind: source.snapshot,
  };
}

function backedUp(options: Options, outcome: SourceOutcome & { state: 'ok' }): BackedUpInput {
  const { source, result } = outcome;
  const machine = machineOf(options, outcome);
  const shown = options.checks.hosts
    .find((each) => each.host === source.host)
    ?.sources.find((each) => each.name === source.name);
  return {
    ...nameOf(outcome),
    identity: {
      realPath: shown?.realPath ?? source.path,
      fsType: shown?.fsType ?? '',
      fsUuid: shown?.fsUuid ?? '',
      ...(shown?.subvolume === undefined ? {} : { subvolume: shown.subvolume }),
      ...(shown?.dataset === undefined ? {} : { dataset: shown.dataset }),
      ...(shown?.parts === undefined ? {} : { parts: shown.parts.map(pinOf) }),
    },
    consistency: sourceConsistency(momentOf(options, outcome)),
    bytes: result.bytes,
    files: result.files,
    entries: result.entries,
    listingSha256: result.listingSha256,
    sentBytes: result.sentBytes,
    excluded: result.excluded ?? source.exclude,
    nested: (shown?.nested ?? []).map((each) => (typeof each === 'string' ? each : JSON.stringify(each))),
    skipped:
      machine !== undefined
        ? [...machine.skipped]
        : (shown?.mountsBelow ?? []).map((each) => ({
            path: typeof each === 'string' ? each : JSON.stringify(each),
            reason: 'another file system is mounted there, and the runbook excludes it',
          })),
    ...(result.luksHeaders === undefined ? {} : { luksHeaders: result.luksHeaders }),
    startedAtMs: result.startedAtMs,
    endedAtMs: result.endedAtMs,
  };
}

function headerWarnings(outcome: SourceOutcome): string[] {
  if (outcome.state === 'missing') return [];
  const { source, result } = outcome;
  return (result.luksMissing ?? []).map((missing) => missingHeader({ host: source.host, missing }));
}

/** What pins a part of a whole machine. */
function pinOf({ path, fsType, fsUuid }: { path: string; fsType: string; fsUuid: string }) {
  return { path, fsType, fsUuid };
}

/** How a whole machine was held, by its host's own words. */
function machineOf({ frozen }: Options, { source }: SourceOutcome): MachineMoment | undefined {
  return frozen.snapshots.find((each) => each.host === source.host && each.source === source.name)?.machine;
}

function momentOf(options: Options, outcome: SourceOutcome & { state: 'ok' }): SourceMoment {
  const { source, result } = outcome;
  const report = options.frozen.hosts.find((each) => each.host === source.host);
  return {
    kind: source.snapshot,
    paused: report?.containers.map((each) => each.name) ?? [],
    exempt: report?.exempt ?? [],
    unmatched: report?.unmatched ?? [],
    unitsStopped: report?.unitsStopped ?? [],
    unitsFrozen: report?.unitsFrozen ?? [],
    // The hostkit syncs between pausing and the snapshot and fails the freeze when it can't, so a report is the evidence.
    syncfs: report !== undefined && source.snapshot !== 'none',
    hooks: (options.hooksBefore.get(source.host) ?? []).map((name) => ({ name, phase: 'before', ok: true })),
    torn: report === undefined ? ['this host took no part in the freeze'] : [],
    ...(source.snapshot === 'system' ? { machine: machineOf(options, outcome), changed: result.changed ?? [] } : {}),
  };
}

function hostFreeze(options: Options, report: HostReport): HostFreezeInput {
  const at = (phase: keyof FreezeReport['phases']): number => report.phases[phase]?.timeMs ?? 0;
  return {
    host: options.input.hosts.find((each) => each.name === report.host)?.short ?? report.host,
    hostName: report.host,
    armedAtMs: at('armed'),
    pausedAtMs: at('paused'),
    snapshottedAtMs: at('snapshotted'),
    thawedAtMs: at('thawed'),
    pausedMs: report.pausedMs,
    paused: report.containers.map((each) => each.name),
    exempt: report.exempt,
    unmatched: report.unmatched,
    hooks: (options.hooksBefore.get(report.host) ?? []).map((name) => ({ name, phase: 'before', ok: true })),
  };
}

type HostReport = FreezeResult['hosts'][number];
