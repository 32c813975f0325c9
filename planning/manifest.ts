/**
 * The manifest: what a backup says about itself. It lies inside the backup as `resurgo/manifest.json`, signed by the director
 * over its bytes (S19). `manifest-schema.ts` reads it back.
 */
import type { ConsistencyLabel, HookOutcome } from './consistency';
import type { LuksHeader } from './luks-headers';
import type { LayoutEntry } from './recoverable';

export { canonicalJson } from './canonical';

export const MANIFEST_VERSION = 1;

export type BackupState = 'Completed' | 'Partial';

/** What pins a source: a backup of something else under the same path must not pass for it (S14). */
export interface SourceIdentity {
  /** The path with every symlink resolved. */
  realPath: string;
  fsType: string;
  fsUuid: string;
  /** btrfs: the subvolume's path or uuid. */
  subvolume?: string;
  /** zfs: the dataset's name. */
  dataset?: string;
  /** A whole machine: each of its file systems. */
  parts?: { path: string; fsType: string; fsUuid: string }[];
}

interface SourceName {
  /** The host without its deployment's prefix. */
  host: string;
  /** The host as the runbook called it. */
  hostName: string;
  /** Unique on its host. */
  name: string;
  path: string;
  /** Its folder in the backup: `app-1@+srv+data`. */
  tree: string;
  /** Snapshot kind. */
  kind: string;
}

/** A source whose data lies whole in this backup. */
export interface BackedUpSource extends SourceName {
  state: 'ok';
  identity: SourceIdentity;
  label: ConsistencyLabel;
  evidence: string[];
  /** Sum of the regular files' sizes; hard links count once. */
  bytes: number;
  files: number;
  /** All entries of the listing: files, folders, links and the rest. */
  entries: number;
  listingSha256: string;
  /** Bytes that went over the wire. */
  sentBytes: number;
  /** rsync patterns, relative to the source: not in the backup, and protected at a restore (S20). */
  excluded: string[];
  /** Nested subvolumes or child datasets that were snapshotted along (relative paths). */
  nested: string[];
  /** What lies below the source and is not in the backup, and why (S13). */
  skipped: { path: string; reason: string }[];
  /** Of a whole machine: the headers of its encrypted volumes that lie in the tree. */
  luksHeaders?: LuksHeader[];
  startedAt: string;
  endedAt: string;
}

/** A source that should be in this backup and is not (S18). */
export interface MissingSource extends SourceName {
  state: 'missing';
  reason: string;
}

export type ManifestSource = BackedUpSource | MissingSource;

/** When each host went through the freeze: wall clock of the host, ISO 8601 in UTC with milliseconds. */
export interface HostFreeze {
  host: string;
  hostName: string;
  armedAt: string;
  pausedAt: string;
  snapshottedAt: string;
  thawedAt: string;
  /** By the host's monotonic clock. */
  pausedMs: number;
  paused: string[];
  exempt: string[];
  unmatched: string[];
  hooks: HookOutcome[];
}

export interface ManifestContact {
  name: string;
  role: string | null;
  phone: string | null;
  mail: string | null;
}

export interface Manifest {
  resurgoManifest: typeof MANIFEST_VERSION;
  /** UTC of the freeze: `20261121_013000`. */
  id: string;
  group: string;
  deployment: string | null;
  run: string;
  state: BackupState;
  /** ISO 8601, UTC: when the last host was seen paused. */
  frozenAt: string;
  sealedAt: string;
  /** How many freezes this run needed; those before the last were torn. */
  freezeAttempts: number;
  /** From the first host's pause to the last host's thaw. */
  pauseMs: number;
  label: ConsistencyLabel;
  evidence: string[];
  director: { id: string; publicKeyHex: string };
  versions: { resurgo: string; hostkits: Record<string, string> };
  store: { name: string; kind: string; host: string };
  sources: ManifestSource[];
  hosts: HostFreeze[];
  /** One for each host whose layout was asked for; none in backups of former versions. */
  layouts: LayoutEntry[];
  /** The backup before this one, or null. */
  previous: string | null;
  rpoS: number | null;
  rtoS: number | null;
  contacts: ManifestContact[];
  notes: string;
  warnings: string[];
}
