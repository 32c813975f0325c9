/** Replies of the verbs that only read: `probe`, `check`, `layout`, `status`, `snapshots`, `store.*`. */
import { z } from 'zod';
import { factsSchema } from '../../planning/layout-facts';
import { container, count, deadman, evidence, leftOut, snapshot } from './common';

export const probe = z.object({
  version: z.string(),
  /** Content hash of the installed hostkit; `damaged` or `loose` when it no longer is as it was installed. */
  hash: z.string(),
  host: z.string(),
  os: z.string(),
  kernel: z.string(),
  bootId: z.string(),
  /** The host's wall clock, ms since 1970. */
  timeMs: count,
  /** The host's monotonic clock, ms since boot. */
  uptimeMs: count,
  systemd: z.boolean(),
  cgroup: z.union([z.string(), z.number()]).transform(String),
  /** Tool → its version or path; `false`, `null` or '' when it is missing. */
  tools: z.record(z.string(), z.union([z.string(), z.boolean(), z.null()])),
  stores: z.array(z.union([z.string().transform((name) => ({ name })), z.looseObject({ name: z.string() })])),
  groups: z.array(z.union([z.string(), z.looseObject({ group: z.string() }).transform((entry) => entry.group)])),
  deadmen: z.array(z.union([z.string().transform((group) => ({ group })), deadman])),
  /** Fingerprint of the host's own identity; older hostkits don't tell, nor `peers`. */
  identity: z.string().optional(),
  /** The identity's public key: a rescue system makes its own at each boot, and the target must be told of it. */
  identityKey: z
    .string()
    .regex(/^ssh-ed25519 [A-Za-z0-9+/]+=*$/)
    .optional(),
  /** Host → fingerprint of the identity that this one knows it by. */
  peers: z.record(z.string(), z.string()).optional(),
  /** The run that has made this system again last, null where none has; older hostkits don't tell. */
  recovered: z.string().nullable().optional(),
});

export const checkedSource = z.object({
  name: z.string(),
  path: z.string(),
  realPath: z.string().default(''),
  kind: z.string(),
  fsType: z.string().default(''),
  fsUuid: z.string().default(''),
  subvolume: z.string().optional(),
  dataset: z.string().optional(),
  device: z.string().default(''),
  mounted: z.boolean().default(true),
  /** Subvolumes or child datasets below the source (S13). */
  nested: z.array(z.union([z.string(), evidence])).default([]),
  mountsBelow: z.array(z.union([z.string(), evidence])).default([]),
  /** The file systems of a whole machine. */
  parts: z.array(z.object({ path: z.string(), kind: z.string(), fsType: z.string(), fsUuid: z.string() })).optional(),
  /** What is mounted on a whole machine and left out. */
  skipped: z.array(leftOut).optional(),
  usedBytes: count.default(0),
  /** What a copy of all of it holds at least, before compression; 0 where the host can't say. */
  leastBytes: count.default(0),
  freeBytes: count.default(0),
  problems: z.array(z.string()).default([]),
});

export const check = z.object({
  /** What is amiss with the group as a whole on this host. */
  problems: z.array(z.string()).default([]),
  sources: z.array(checkedSource),
  containers: z.array(container).default([]),
  units: z
    .array(z.union([z.string().transform((name) => ({ name })), z.looseObject({ name: z.string() })]))
    .default([]),
  /** Container volumes, mounts and databases that lie outside any source, as text. */
  unprotected: z.array(z.union([z.string(), evidence.transform((entry) => JSON.stringify(entry))])).default([]),
  /** SHA-256, hex, of the lines that the host's configuration has of the group, by their first word. Older hostkits don't tell. */
  config: z.record(z.string(), z.string()).optional(),
  /** SHA-256, hex, of each label whose containers the host never pauses, percent-encoded. Older hostkits don't tell. */
  exempt: z.array(z.string()).optional(),
  /** Of a whole machine: `PROGRAM PACKAGE` of what it lacks for rescue media, for any of them and by their kinds. Older hostkits don't tell. */
  rescue: z.record(z.string(), z.array(z.string())).optional(),
});

/** Whether a peer's ssh answers this host; `said`: what came instead. */
export const reach = z.object({ reached: z.boolean(), said: z.string().default('') });

/** What the host's tools say of its disks, its boot set-up and its network; `planning/layout-read.ts` makes sense of it. */
export const layout = z.object({ facts: factsSchema });

const mention = z.union([z.string().transform((name) => ({ name })), z.looseObject({})]);

/** What exists of a group on one host now; each entry names its run where it has one. */
export const status = z.object({
  leases: z.array(mention).default([]),
  grants: z.array(mention).default([]),
  jobs: z.array(mention).default([]),
  snapshots: z.array(mention).default([]),
  deadmen: z.array(mention).default([]),
  paused: z.array(mention).default([]),
  runs: z.array(mention).default([]),
  /** The run that keeps the group stopped for a restore that is not finished; older hostkits don't tell. */
  restore: z.string().optional(),
});

export const snapshots = z.object({ snapshots: z.array(snapshot) });

/** One sealed (or unfinished) backup in a store. */
export const storedBackup = z.looseObject({
  id: z.string(),
  run: z.string().optional(),
  state: z.string().optional(),
  /** The manifest's bytes as sealed, base64; its signature is over exactly these. */
  manifest: z.string().optional(),
  manifestSig: z.string().optional(),
  usedBytes: count.optional(),
  /** Names of what holds it. */
  holds: z.array(z.string()).optional(),
});
export const storeList = z.object({
  backups: z.array(storedBackup),
  /** The run that `current` is open for. */
  incomplete: z.string().nullish(),
});

/** The line before the gzip'd bytes of `store.listing`. */
export const storeListing = z.object({ bytes: count.optional(), sha256: z.string().optional() });

/** A sealed layout, gzip'd, base64. */
export const storeLayout = z.object({ layout: z.base64() });
/** Rescue media as they lie in a store; `build` and `sig` are build.json and its signature, base64, empty where they are missing. */
export const rescueList = z.object({
  builds: z.array(
    z.object({ host: z.string(), id: z.string(), build: z.string(), sig: z.string(), usedBytes: count.default(0) }),
  ),
});

/** The line before the bytes of `rescue.file`. */
export const rescueFile = z.object({ bytes: count });

export const storeSpace = z.looseObject({
  freeBytes: count,
  usedBytes: count.optional(),
  totalBytes: count.optional(),
  reservePercent: z.number().optional(),
  /** Of the store's file system, as `stat` names it. */
  fsType: z.string().default(''),
  /** What is unsafe about how the store is mounted (S29). */
  warnings: z.array(z.string()).default([]),
});
