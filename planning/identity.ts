/** Is each source still what it was at the last backup? What is not stops at the operator gate (S14). */
import { counted } from './counted';
import type { Manifest, SourceIdentity } from './manifest';

/** A source as it was pinned by the newest backup that holds it. */
export interface PinnedSource {
  /** The host's short name. */
  host: string;
  name: string;
  kind: string;
  identity: SourceIdentity;
  bytes: number;
  files: number;
  /** The backup that pins it. */
  backup: string;
}

/** A source as its host's `check` shows it now. */
export interface PresentSource {
  /** The host's short name. */
  host: string;
  name: string;
  kind: string;
  realPath: string;
  fsType: string;
  fsUuid: string;
  subvolume?: string;
  dataset?: string;
  parts?: readonly { path: string; fsType: string; fsUuid: string }[];
  mounted: boolean;
  /** Bytes in use below the source, where the host knows. */
  usedBytes?: number;
  files?: number;
  /** More than this share lost stops the run; of the runbook. */
  shrinkLimitPercent: number;
}

export interface IdentityProblem {
  /** `app-1:data` */
  source: string;
  host: string;
  name: string;
  kind: 'gone' | 'path' | 'unmounted' | 'filesystem' | 'subvolume' | 'dataset' | 'kind' | 'emptied' | 'shrunk';
  message: string;
}

/** The newest pin of each source, over the sealed backups from newest to oldest: a partial backup pins only what it holds. */
export function pinsOf({ manifests }: { manifests: readonly Manifest[] }): PinnedSource[] {
  const pins = new Map<string, PinnedSource>();
  for (const manifest of [...manifests].sort((a, b) => (a.id < b.id ? 1 : -1))) {
    for (const source of manifest.sources) {
      const key = keyOf(source);
      if (source.state !== 'ok' || pins.has(key)) continue;
      const { host, name, kind, identity, bytes, files } = source;
      pins.set(key, { host, name, kind, identity, bytes, files, backup: manifest.id });
    }
  }
  return [...pins.values()].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

/**
 * What differs from the last backup in a way that a person must look at. A source that was never backed up has no pin and no
 * problem; a pin whose source has left the runbook is the runbook's decision.
 * @param expected keys `host:name` of the sources that the runbook names; one that was pinned and is not present is `gone`
 */
export function identityProblems({
  pinned,
  present,
  expected = present.map(keyOf),
}: {
  pinned: readonly PinnedSource[];
  present: readonly PresentSource[];
  expected?: readonly string[];
}): IdentityProblem[] {
  return pinned
    .filter((pin) => expected.includes(keyOf(pin)))
    .flatMap((pin) => {
      const now = present.find((source) => keyOf(source) === keyOf(pin));
      return now === undefined ? [problem(pin, 'gone', 'its host does not show it any more')] : compare(pin, now);
    });
}

function compare(pin: PinnedSource, now: PresentSource): IdentityProblem[] {
  const problems: IdentityProblem[] = [];
  const was = pin.identity;
  const changed = (kind: IdentityProblem['kind'], what: string, before: string, after: string): void => {
    if (before !== after) problems.push(problem(pin, kind, `${what} was ${shown(before)} and is ${shown(after)}`));
  };
  if (!now.mounted) problems.push(problem(pin, 'unmounted', 'its file system is not mounted'));
  changed('path', 'its real path', was.realPath, now.realPath);
  changed('filesystem', 'its file system', `${was.fsType} ${was.fsUuid}`, `${now.fsType} ${now.fsUuid}`);
  changed('subvolume', 'its subvolume', was.subvolume ?? '', now.subvolume ?? '');
  changed('dataset', 'its dataset', was.dataset ?? '', now.dataset ?? '');
  changed('kind', 'its snapshot kind', pin.kind, now.kind);
  for (const part of was.parts ?? []) {
    const here = now.parts?.find((each) => each.path === part.path);
    if (here === undefined) problems.push(problem(pin, 'unmounted', `its file system at ${part.path} is not mounted`));
    else
      changed(
        'filesystem',
        `its file system at ${part.path}`,
        `${part.fsType} ${part.fsUuid}`,
        `${here.fsType} ${here.fsUuid}`,
      );
  }
  return [...problems, ...sizeProblems(pin, now)];
}

function sizeProblems(pin: PinnedSource, now: PresentSource): IdentityProblem[] {
  const emptied =
    (pin.bytes > 0 && now.usedBytes === 0) || (pin.files > 0 && now.files === 0)
      ? [
          problem(
            pin,
            'emptied',
            `it held ${counted(pin.files, 'file')} with ${counted(pin.bytes, 'byte')} and is empty now`,
          ),
        ]
      : [];
  if (emptied.length > 0) return emptied;
  const shrunk = (what: string, before: number, after: number | undefined): IdentityProblem[] => {
    if (after === undefined || before === 0) return [];
    const lostPercent = ((before - after) / before) * 100;
    if (lostPercent <= now.shrinkLimitPercent) return [];
    const message = `it lost ${Math.floor(lostPercent)} % of its ${what} (${before} → ${after}); the limit is ${now.shrinkLimitPercent} %`;
    return [problem(pin, 'shrunk', message)];
  };
  return [...shrunk('bytes', pin.bytes, now.usedBytes), ...shrunk('files', pin.files, now.files)];
}

function problem(pin: PinnedSource, kind: IdentityProblem['kind'], what: string): IdentityProblem {
  const source = keyOf(pin);
  return {
    source,
    host: pin.host,
    name: pin.name,
    kind,
    message: `${source}: ${what} (compared with backup ${pin.backup})`,
  };
}

function keyOf({ host, name }: { host: string; name: string }): string {
  return `${host}:${name}`;
}

function shown(value: string): string {
  return value.trim() === '' ? 'none' : value;
}
