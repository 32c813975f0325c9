/** What of a backup is restored, and where it goes. */
import { PlanningError } from './errors';
import type { BackedUpSource, Manifest, MissingSource } from './manifest';
import type { FleetHost } from './run-input';

type Address = Pick<FleetHost, 'name' | 'address' | 'port'>;

/** One source of a backup, or a part of it. */
export interface SelectedSource {
  source: BackedUpSource;
  /** Relative to the source; null is the whole source. */
  subpath: string | null;
}

export interface Selection {
  selected: SelectedSource[];
  /** Asked for, but not in this backup (S18). */
  missing: MissingSource[];
  /** Whether it is all that the backup holds. */
  whole: boolean;
}

/**
 * Chooses by host (with or without its prefix), source name and absolute path, each narrowing the others; none is everything.
 * A path above sources takes these whole; a path inside a source takes that part of it.
 * @throws PlanningError `not-found` when nothing fits, or what fits is not in this (partial) backup; `ambiguous` when a path
 * lies in sources of several hosts and no host is given
 */
export function selectSources({
  manifest,
  host,
  source,
  path,
}: {
  manifest: Manifest;
  host?: string;
  source?: string;
  path?: string;
}): Selection {
  const wantedPath = path === undefined ? undefined : normalPath(path);
  const named = manifest.sources.filter(
    (each) =>
      (host === undefined || each.host === host || each.hostName === host) &&
      (source === undefined || each.name === source),
  );
  const hits = named.flatMap((each) => {
    const subpath = wantedPath === undefined ? null : within({ source: each.path, wanted: wantedPath });
    return subpath === undefined ? [] : [{ each, subpath }];
  });
  // Of nested sources of one host the innermost holds the path; the outer one's snapshot has an empty folder there.
  const fitting = hits.filter(
    ({ each, subpath }) =>
      subpath === null ||
      !hits.some((other) => other.each.host === each.host && other.each.path.length > each.path.length),
  );
  if (fitting.length === 0) throw nothingFits({ manifest, host, source, path });
  const inside = fitting.filter((hit) => hit.subpath !== null);
  if (inside.length > 1) {
    throw new PlanningError({
      code: 'ambiguous',
      message: `${wantedPath ?? ''} lies in ${inside.map(({ each }) => `${each.host}:${each.name}`).join(' and ')}`,
      next: 'Name the host',
    });
  }
  const selected = fitting.flatMap(({ each, subpath }) => (each.state === 'ok' ? [{ source: each, subpath }] : []));
  const missing = fitting.flatMap(({ each }) => (each.state === 'missing' ? [each] : []));
  if (selected.length === 0) {
    throw new PlanningError({
      code: 'not-found',
      message: `backup ${manifest.id} is partial and lacks ${missing.map((each) => `${each.host}:${each.name} (${each.reason})`).join(', ')}`,
      next: 'Choose another backup: `resurgo list` shows which are whole',
    });
  }
  const whole = selected.length === manifest.sources.length && selected.every((each) => each.subpath === null);
  return { selected, missing, whole };
}

/**
 * A whole machine is not written over while it runs.
 * @throws PlanningError `bad-plan` for a restore over the data's own place that has chosen one
 */
export function refuseMachines({ selected }: Pick<Selection, 'selected'>): void {
  const machines = selected.filter(({ source }) => source.kind === 'system');
  if (machines.length === 0) return;
  const names = machines.map(({ source }) => `${source.hostName}:${source.name}`);
  throw new PlanningError({
    code: 'bad-plan',
    message: `${names.join(', ')} ${names.length === 1 ? 'is a whole machine, which is' : 'are whole machines, which are'} not written over in place`,
    next: 'Whole machines come back with `resurgo recover`; single files with `--path PATH --to FOLDER`; other sources of this backup with `--source NAME`',
  });
}

/** A source of the fleet that data is restored into: fits the runbook's. */
export interface TargetSource {
  /** The runbook's name of the host. */
  host: string;
  hostShort: string;
  name: string;
  path: string;
  exclude: readonly string[];
}

/** A group that data is restored into: fits the runbook's. */
export interface TargetGroup {
  name: string;
  sources: readonly TargetSource[];
  restore: { stop: 'containers' | 'engine' | 'units'; stopOrder: readonly string[] };
}

export interface MappedSource extends SelectedSource {
  target: TargetSource;
}

/**
 * Both runbooks have to mean one and the same store: the run's lease is the one of the group that gets the data, and only as it is
 * the backup's too does it keep that backup from being pruned, and other runs away from the store (S3, S4).
 * @throws PlanningError `bad-plan`
 */
export function sameStore({
  into,
  from,
}: {
  into: { group: { name: string }; store: { name: string }; storeHost: Address };
  from: { group: string; store: string; storeHost: Address };
}): void {
  const ours = placeOf({ group: into.group.name, store: into.store.name, host: into.storeHost });
  const theirs = placeOf({ group: from.group, store: from.store, host: from.storeHost });
  if (ours === theirs) return;
  throw new PlanningError({
    code: 'bad-plan',
    message: `the backup lies in ${theirs}, and the runbook of the fleet that it is to go into has ${ours}`,
    next: 'Give both runbooks the same target (name, address and port), store and group: docs/operations.md, "Restore into another fleet"',
  });
}

function placeOf({ group, store, host }: { group: string; store: string; host: Address }): string {
  return `store ${store} on ${host.name} (${host.address}, port ${host.port}), group ${group}`;
}

/**
 * Finds for each selected source its place in a fleet: the same host name without the prefix, and the same source name (or,
 * failing that, the same path).
 * @throws PlanningError `not-found` when nothing finds a place
 */
export function mapInto({ selected, runbook }: { selected: readonly SelectedSource[]; runbook: TargetGroup }): {
  mapped: MappedSource[];
  unmatched: { source: SelectedSource; reason: string }[];
} {
  const mapped: MappedSource[] = [];
  const unmatched: { source: SelectedSource; reason: string }[] = [];
  for (const each of selected) {
    const onHost = runbook.sources.filter((target) => target.hostShort === each.source.host);
    const target =
      onHost.find((candidate) => candidate.name === each.source.name) ??
      onHost.find((candidate) => candidate.path === each.source.path);
    if (target !== undefined && !mapped.some((taken) => taken.target === target)) mapped.push({ ...each, target });
    else unmatched.push({ source: each, reason: unmatchedReason({ each, onHost, target, group: runbook.name }) });
  }
  if (mapped.length === 0) {
    throw new PlanningError({
      code: 'not-found',
      message: `nothing fits into group ${runbook.name}: ${unmatched.map((each) => each.reason).join('; ')}`,
      next: 'Compare host names without their prefix and source names of both runbooks, or restore into a folder with --to',
    });
  }
  return { mapped, unmatched };
}

function unmatchedReason({
  each,
  onHost,
  target,
  group,
}: {
  each: SelectedSource;
  onHost: readonly TargetSource[];
  target: TargetSource | undefined;
  group: string;
}): string {
  const { host, name } = each.source;
  if (onHost.length === 0) return `group ${group} has no host "${host}"`;
  if (target !== undefined) return `${host}:${name} would go to ${target.path}, where another source goes already`;
  return `host "${host}" of group ${group} has no source "${name}", only ${onHost.map((source) => source.name).join(', ')}`;
}

/** null: the source lies in the wanted path and is taken whole; a text: the part of it; undefined: they don't meet. */
function within({ source, wanted }: { source: string; wanted: string }): string | null | undefined {
  const base = source === '/' ? '/' : `${source}/`;
  const above = wanted === '/' ? '/' : `${wanted}/`;
  if (source === wanted || base.startsWith(above)) return null;
  return wanted.startsWith(base) ? wanted.slice(base.length) : undefined;
}

function normalPath(path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (!path.startsWith('/') || parts.includes('..')) {
    throw new PlanningError({
      code: 'bad-plan',
      message: `"${path}" is not an absolute path without ".."`,
      next: 'Give the path as it was on the host, like /srv/data/file',
    });
  }
  return `/${parts.join('/')}`;
}

function nothingFits({
  manifest,
  host,
  source,
  path,
}: {
  manifest: Manifest;
  host: string | undefined;
  source: string | undefined;
  path: string | undefined;
}): PlanningError {
  const asked = [
    host === undefined ? '' : `host ${host}`,
    source === undefined ? '' : `source ${source}`,
    path === undefined ? '' : `path ${path}`,
  ].filter((part) => part !== '');
  return new PlanningError({
    code: 'not-found',
    message: `backup ${manifest.id} holds nothing for ${asked.join(', ') || 'this choice'}`,
    next: `It holds ${manifest.sources.map((each) => `${each.host}:${each.name} (${each.path})`).join(', ')}`,
  });
}
