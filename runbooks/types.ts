/**
 * What a runbook is once it has been read: plain data that survives JSON, with every default filled in. Durations are whole
 * seconds (`…S`), sizes are bytes, shares are percent; what was left out and has no default is `null`.
 * Every map is keyed by the name that its entry also carries.
 */

/** Containers that carry this label are never paused or stopped: they are our own engine (Temporal, its database, a worker). */
export const ENGINE_LABEL = 'resurgo.engine=true';

export const SNAPSHOT_KINDS = ['btrfs', 'zfs', 'lvm', 'lvm-thin', 'none', 'system'] as const;
/** Kinds that a runbook may already name, and that validation refuses until they are built. */
export const LATER_SNAPSHOT_KINDS = ['gluster'] as const;
export const STORE_KINDS = ['btrfs', 'zfs', 'hardlink'] as const;
export const NOTIFY_EVENTS = ['start', 'success', 'failure', 'needs-operator'] as const;

export const RESCUE_MODULES = ['common', 'needed', 'all'] as const;
export const RESCUE_NETWORKS = ['captured', 'dhcp'] as const;
export const RESCUE_OUTPUTS = ['iso', 'usb', 'pxe'] as const;

export type SnapshotKind = (typeof SNAPSHOT_KINDS)[number];
export type StoreKind = (typeof STORE_KINDS)[number];
export type NotifyEvent = (typeof NOTIFY_EVENTS)[number];

export interface Runbook {
  version: 1;
  /** Prefix of the host names (`prod` for `prod-app-1`), or null. */
  deployment: string | null;
  hosts: Record<string, Host>;
  stores: Record<string, Store>;
  groups: Record<string, Group>;
}

export interface Host {
  /** As written in the runbook. */
  name: string;
  /** The name without the deployment's prefix: what backups call this host. */
  short: string;
  /** Host name or IP address that ssh connects to. */
  address: string;
  port: number;
  /** The unprivileged user that the director works as, once enrolled. */
  user: string;
  /** The administrator's own login, used for enrolment alone. */
  adminUser: string;
  /** Name of the host to jump through, or null. */
  via: string | null;
  labels: string[];
  /** Folders that a restore into a folder may write below. */
  restoreTo: string[];
}

export interface Store {
  name: string;
  /** Name of the host that holds it: the backup target. */
  host: string;
  hostShort: string;
  kind: StoreKind;
  /** An absolute folder, or the dataset's name for `zfs`. */
  place: string;
  compression: string;
  /** Share of the store's space that a backup must leave free. */
  reservePercent: number;
}

/** What is frozen at one instant, backed up and restored together. */
export interface Group {
  name: string;
  /** Every host that takes part in the freeze (of sources, units, hooks, and `quiesce.hosts`), in the file's order of hosts. */
  hosts: string[];
  sources: Source[];
  quiesce: Quiesce;
  restore: RestorePolicy;
  recover: RecoverPolicy;
  /** Name of the store. */
  target: string;
  /** Name of the store or host that a later replication sends to, or null. */
  remote: string | null;
  transfer: Transfer;
  onUnreachable: 'fail' | 'partial';
  rpoS: number;
  rtoS: number | null;
  keep: Keep;
  schedule: Schedule | null;
  rescue: RescuePolicy;
  notify: Notify[];
  contacts: Contact[];
  notes: string;
}

export interface Source {
  host: string;
  hostShort: string;
  /** Unique on its host within the group. */
  name: string;
  /** Absolute, without a slash at the end (but `/` itself). */
  path: string;
  /** Folder of this source in a backup: `app-1@+srv+data`. */
  tree: string;
  snapshot: SnapshotKind;
  /** `lvm` and `system`: the share of its volume that a classic LVM snapshot gets as room of its own at the start. */
  snapshotRoomPercent: number;
  /** `system`: whether the headers of the host's encrypted volumes are in the backup. */
  luksHeaders: boolean;
  /** rsync patterns, relative to the source. */
  exclude: string[];
  /** A source that lost more than this share of its size since the last backup waits for a person (S14). */
  shrinkLimitPercent: number;
}

export type ContainerChoice = { mode: 'all' } | { mode: 'none' } | { mode: 'label'; label: string };

export interface Quiesce {
  /** The dead-man's limit: nothing stays paused longer (S2). */
  maxPauseS: number;
  containers: ContainerChoice;
  /** Labels (`key=value`) of containers that are never touched; always holds {@link ENGINE_LABEL}. */
  exempt: string[];
  units: Unit[];
  hooks: { before: Command[]; after: Command[] };
}

export interface Unit {
  host: string;
  hostShort: string;
  /** With its suffix: `postgresql.service`. */
  name: string;
  by: 'stop' | 'freeze';
}

/** A program on a host: a hook, which is called with `before|after GROUP RUN`, or a health check, called without arguments. */
export interface Command {
  host: string;
  hostShort: string;
  name: string;
  command: string;
  timeoutS: number;
}

export interface RestorePolicy {
  /** What is stopped before data is written in place, and started after. */
  stop: 'containers' | 'engine' | 'units';
  /** As written: host names and labels. */
  order: string[];
  /** All of the group's hosts in the order in which they are stopped; they are started the other way round. */
  stopOrder: string[];
  health: Command[];
}

/** How a machine is made again from bare metal. */
export interface RecoverPolicy {
  /** `identical-disks`: a plan that overwrites only the host's own or blank disks needs nobody's word. */
  approve: 'ask' | 'identical-disks';
  grow: 'last' | 'proportional' | 'none';
  headroomPercent: number;
  /** Of encrypted volumes. Runs and schedules of before they were known hold none. */
  passphrases?: PassphraseSource[];
}

/** Where the passphrase of a host's encrypted volume lies. */
export interface PassphraseSource {
  host: string;
  /** The mapping's name, or the volume's UUID. */
  volume: string;
  secret: Secret;
}

export interface Transfer {
  /** Who opens the connection: the source (`push`) or the target (`pull`). */
  direction: 'push' | 'pull';
  /** Limit of one run over all its sources together; 0 is no limit. */
  bandwidthBytesPerS: number;
  io: 'normal' | 'low' | 'idle';
  /** Sources copied at the same time. */
  parallel: number;
  /** Streams for one large source. */
  streams: number;
}

/** How many backups are kept of each age; `last` counts whatever their age. */
export interface Keep {
  last: number;
  daily: number;
  weekly: number;
  monthly: number;
  yearly: number;
}

/** How rescue media of the group's hosts are built. */
export interface RescuePolicy {
  modules: (typeof RESCUE_MODULES)[number];
  network: (typeof RESCUE_NETWORKS)[number];
  outputs: (typeof RESCUE_OUTPUTS)[number][];
  /** How many builds of each host stay in the store, besides those that the target keeps by itself. */
  keep: number;
  /** Whether the rescue system's ssh host key is in the image. */
  pinnedKey: boolean;
}

export interface Schedule {
  /** Five fields, UTC. */
  cron: string;
  jitterS: number;
  /** How late a missed run may still start. */
  catchupS: number;
  paused: boolean;
  /** Whether each whole backup is followed by a prune that nobody is asked about. A schedule that an older version applied doesn't say: it prunes. */
  prune?: boolean;
}

export interface Notify {
  kind: 'webhook' | 'ping';
  url: string;
  on: NotifyEvent[];
  /** Where the webhook's signing secret is read from, or null. */
  secret: Secret | null;
}

/** Where a secret lies; the secret itself is never in a runbook. */
export interface Secret {
  from: 'file' | 'env' | 'command';
  /** A file's path, a variable's name, or a program's path. */
  value: string;
}

export interface Contact {
  name: string;
  role: string | null;
  phone: string | null;
  mail: string | null;
}
