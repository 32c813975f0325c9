/**
 * The arguments of every verb of the hostkit (docs/hostkit.md), as the director writes them. Names are camelCase here
 * and snake_case on the wire (`maxPause` → `max_pause`); a field that is `undefined` is not sent.
 */

/** The fence keys that every mutating verb carries (S3): a host refuses a term or an attempt lower than it has seen. */
export interface Fence {
  /** A group, or `GROUP.rescue` for its rescue media (planning/series.ts). */
  group: string;
  run: string;
  /** The lease's term, handed out by the store (S4). */
  term: number;
  /** The step's key within the run, stable over retries. */
  step: string;
  /** The attempt of this step, from 1. */
  attempt: number;
}

/** How a source's (or a puller's) rsync reaches its peer, and which grant it uses there. */
export interface Peer {
  /** `out`: this job connects to the peer, which the other keys name; `in`: the peer has connected (job `dial`). */
  dial: 'out' | 'in';
  /** The name that the peer is enrolled under; its identity signed `peerKey`. */
  peer?: string;
  peerHost?: string;
  peerPort?: number;
  peerUser?: string;
  /** The peer's ssh host key, `ssh-ed25519 BASE64`: it came with the grant and is pinned (S28). */
  peerKey?: string;
  /** `resurgo-host RUN GRANT HOSTKEY`, signed by the peer's identity. */
  signature?: string;
}

export type GrantPurpose = 'receive' | 'send';

/** What a grant opens: exactly one place, in one direction (S25). */
export type GrantScope =
  | { scope: 'store'; store: string; tree: string }
  | { scope: 'backup'; store: string; id: string; tree: string; subpath?: string }
  | { scope: 'snapshot'; source: string }
  | { scope: 'restore'; source: string; subpath?: string }
  | { scope: 'folder'; path: string; tree: string; subpath?: string }
  /** Rescue media of a host on their way into a store. */
  | { scope: 'rescue'; store: string; host: string; id: string };

type Loose = Record<string, string | number | boolean | undefined>;

/** The kinds of durable jobs, each with its own keys. */
export interface JobArgs extends Record<RescueJob, Loose> {
  listing: { source: string } | { store: string; tree: string; id?: string };
  send: Peer & {
    source: string;
    grant: string;
    /** How many rsync streams side by side. */
    streams: number;
    /** KiB per second; 0 is no limit. */
    bandwidthKib: number;
    /** I/O priority of the copy. */
    io: 'normal' | 'low' | 'idle';
    /** Compare by content instead of by size and time (the periodic run of S10). */
    checksum?: boolean;
    /** The sum of the listing that job `listing` has made of this snapshot; without, the job makes one. */
    listing?: string;
    /** Nothing of this tree lies at the target. */
    fresh?: boolean;
    /** The tree of the listing with this sum lies at the target, as it was sealed: only what differs is visited. */
    base?: string;
  };
  /** Held by the receiver: connects to the sender and puts its own jailed daemon on the line, until it is stopped. */
  dial: GrantScope & {
    grant: string;
    peer: string;
    peerHost: string;
    peerPort: number;
    peerUser: string;
    peerKey: string;
    signature: string;
    lanes: number;
    /** One tar stream is taken instead of the daemon's protocol: in a rescue system alone. */
    stream?: boolean;
  };
  'store-open': { store: string };
  'store-compare': {
    store: string;
    tree: string;
    sha256: string;
    /** A live copy: differences are told, not fatal. */
    live?: boolean;
  };
  'store-seal': {
    store: string;
    id: string;
    /** The manifest's bytes, base64. */
    manifest: string;
    /** What of it does not fit one line. */
    manifestRest?: string;
    /** 64 raw bytes, base64. */
    manifestSig: string;
    /** The runbook's text, base64. */
    runbook?: string;
    /** The trees that this backup holds, base64 of one a line; anything else in `current` goes. */
    trees?: string;
  };
  'restore-send': Peer & {
    store: string;
    id: string;
    tree: string;
    subpath?: string;
    grant: string;
    dryRun: boolean;
    delete: boolean;
    /** rsync patterns, base64 of one a line. */
    excludes?: string;
    maxDelete?: number;
    checksum?: boolean;
    /** False: without the headers of encrypted volumes, which lie in the tree of a whole machine. */
    headers?: boolean;
    bandwidthKib?: number;
    io?: 'normal' | 'low' | 'idle';
    dial?: 'out' | 'in';
    /** As one tar, to a receiver that was granted that (lib/tar-stream.sh). */
    stream?: boolean;
  };
  /** The destination's own listing against the one that came with the data; `extra`: other files may lie there too. */
  'restore-verify': {
    source?: string;
    path?: string;
    tree: string;
    subpath?: string;
    sha256: string;
    extra: boolean;
    excludes?: string;
  };
  'store-remove': { store: string; id: string };
  'rescue-build': {
    modules: 'common' | 'needed' | 'all';
    /** Whether the rescue system's ssh host key is in the image. */
    pinned: boolean;
    network: 'captured' | 'dhcp';
    /** Kinds of media, one a line. */
    outputs: string;
    /** The sum of the host's layout: the rescue system tells what it was built for. */
    layout: string;
  };
  'rescue-send': Peer & { grant: string; bandwidthKib: number; io: 'normal' | 'low' | 'idle' };
  'rescue-keep': {
    store: string;
    host: string;
    id: string;
    /** build.json, base64. */
    build: string;
    /** 64 raw bytes, base64. */
    buildSig: string;
    /** `SHA256 BYTES NAME`, one a line. */
    files: string;
    /** How many builds of the host stay. */
    keep: number;
  };
}
export type JobKind = keyof JobArgs;

/** Kinds of jobs that are there in a rescue system alone: each is a step of a recovery (`activities/recover-requests.ts` has their keys). */
export const RESCUE_JOBS = [
  'disk-wipe',
  'disk-table',
  'md-create',
  'luks-check',
  'luks-format',
  'luks-restore',
  'lvm-pv',
  'lvm-vg',
  'lvm-lv',
  'lvm-uuids',
  'lvm-read-only',
  'mkfs-ext',
  'mkfs-xfs',
  'mkfs-btrfs',
  'mkfs-vfat',
  'btrfs-subvolumes',
  'btrfs-read-only',
  'mkswap',
  'swap-file',
  'zpool-create',
  'zfs-create',
  'zpool-finish',
  'mount-new',
  'mount-zfs',
  'new-fix',
  'new-director',
  'new-identity',
  'new-initramfs',
  'new-bootloader',
  'new-verify',
  'new-unmount',
  'new-reboot',
] as const;
export type RescueJob = (typeof RESCUE_JOBS)[number];

/** @throws RangeError for a kind that no rescue system has */
export function rescueJob(kind: string): RescueJob {
  const found = RESCUE_JOBS.find((each) => each === kind);
  if (found === undefined) throw new RangeError(`no rescue system has a job ${kind}`);
  return found;
}

type NoArgs = Record<string, never>;
interface InGroup {
  group: string;
}
interface InStore extends InGroup {
  store: string;
}

/** One file of a host's rescue media in a store. */
export interface RescueFile extends InStore {
  /** The host's name without the deployment's prefix. */
  host: string;
  id: string;
  name: string;
}

/** Verb → its arguments. */
export interface VerbArgs {
  probe: NoArgs;
  check: InGroup;
  /** `part`: all where it is left out, as an older hostkit knows none. */
  layout: { part?: 'network' };
  status: InGroup;
  snapshots: InGroup;
  /** A peer as its host configuration names it, and where its ssh listens. */
  reach: { peer: string; peerHost: string; peerPort: number };
  'store.list': InStore;
  'store.listing': InStore & { id: string; tree: string };
  'store.space': InStore;
  'store.layout': InStore & { id: string; host: string };
  /** `host`: its name without the deployment's prefix; `layout`: gzip'd JSON, base64. */
  'store.layout.put': Fence & { store: string; host: string; layout: string };
  'store.hold': Fence & { store: string; id: string; name: string };
  'store.release': Fence & { store: string; id: string; name: string };
  /** In a rescue system: the passphrase (base64) of an encrypted volume, kept in its memory until job `luks-format` or `luks-restore` has used it. */
  'luks.secret': { uuid: string; passphrase: string };
  /** In a rescue system: the hostkit of this director in the place of its own. `tree` and `rest`: the tar.gz of its parts, base64 in two pieces. */
  'kit.put': { version: string; sum: string; tree: string; rest?: string };
  /** In a rescue system: a place in its memory, of so many bytes, for headers from the backup. */
  'luks.place': Fence & { tree: string; bytes: number };
  'rescue.list': InStore & { host?: string };
  'rescue.file': RescueFile;
  'rescue.open': Fence & { store: string; host: string; id: string };
  'rescue.drop': Fence & { store: string; host: string; id: string };
  /** `least`: the lowest term that will do. */
  'lease.take': InGroup & { store?: string; run: string; owner: string; term: number; ttl: number; least?: number };
  'lease.renew': InGroup & { store?: string; run: string; owner: string; term: number; ttl: number };
  'lease.release': InGroup & { store?: string; run: string; owner: string; term: number };
  freeze: Fence & { freeze: number; maxPause: number };
  thaw: Fence;
  hook: Fence & { phase: 'before' | 'after'; name: string };
  'snapshot.drop': Fence & { targetRun: string; freeze: number };
  'job.start': Fence & { job: string; kind: JobKind } & Loose;
  'job.poll': {
    job: string;
    /** Answer when the job has ended, or after so many ms (10,000 at most). Default 0. */
    waitMs?: number;
  };
  'job.stop': Fence & { job: string };
  'job.forget': Fence & { targetRun: string };
  'grant.key': Fence & { grant: string; purpose: GrantPurpose };
  'grant.add': Fence & {
    grant: string;
    purpose: GrantPurpose;
    pubkey: string;
    /** The host whose identity signed the key. */
    peer: string;
    signature: string;
    expiresS: number;
  } & Loose;
  'grant.close': Fence & { grant?: string };
  'restore.check': InGroup & { run: string } & Loose;
  'restore.stop': Fence & Loose;
  'restore.start': Fence & Loose;
  'restore.safety': Fence & Loose;
  'restore.health': Fence & Loose;
  'workload.pause': Fence & { maxPause: number };
  'workload.unpause': Fence;
  'workload.stop': Fence;
  'workload.start': Fence;
  /** `targetRun` is said to be dead by the director; the others are judged by the host. */
  sweep: { group: string; fix: boolean; targetRun?: string };
}

/** Every verb of the hostkit. */
export type Verb = keyof VerbArgs;
