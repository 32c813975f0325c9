/** The built-in answers of a fake host, verb by verb, and the state they work on. */
import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import type { Verb } from './args';
import { HostError } from './errors';

export interface FakeJob {
  kind: string;
  startedMs: number;
  endsMs: number;
  stopped: boolean;
  args: Readonly<Record<string, unknown>>;
}

export interface FakeHost {
  name: string;
  bootId: string;
  jobs: Map<string, FakeJob>;
  snapshots: Record<string, unknown>[];
  /** What `store.list` answers: sealed by `store-seal`. */
  backups: { group: string; id: string; run: string; manifest: string; manifestSig: string; state: string }[];
  /** `RUN HOST` → a layout as it was put, gzip'd, base64. */
  layouts: Map<string, string>;
  /** What `rescue.list` answers: kept by `rescue-keep`. */
  media: { group: string; host: string; id: string; build: string; sig: string }[];
  /** The highest term seen, per group. */
  terms: Map<string, number>;
  /** Freeze sessions that hold this host paused now. */
  paused: number;
}

interface Asked {
  host: FakeHost;
  args: Readonly<Record<string, unknown>>;
  /** By the job's kind. */
  jobMs: (kind: string) => number;
}
type Answer = (asked: Asked) => Record<string, unknown>;

/** A size that every fake source has, in bytes. */
const SOURCE_BYTES = 1_048_576;
/** What every fake rescue medium holds. */
export const FAKE_MEDIUM = Buffer.from('a medium that boots nothing');
const none: Answer = () => ({});

export const fakeReplies: Record<Verb, Answer> = {
  probe: ({ host }) => ({
    version: '0.0.0-fake',
    hash: 'fake',
    host: host.name,
    os: 'fake',
    kernel: 'fake',
    bootId: host.bootId,
    timeMs: Date.now(),
    uptimeMs: Math.round(performance.now()),
    systemd: true,
    cgroup: 'v2',
    tools: {},
    stores: [],
    groups: [],
    deadmen: [],
  }),
  check: () => ({
    sources: [
      {
        name: 'data',
        path: '/srv/data',
        realPath: '/srv/data',
        kind: 'btrfs',
        fsUuid: 'fake',
        usedBytes: SOURCE_BYTES,
        freeBytes: 2 ** 40,
      },
    ],
  }),
  layout: () => ({ facts: {} }),
  status: none,
  reach: () => ({ reached: true }),
  snapshots: ({ host, args }) => ({ snapshots: host.snapshots.filter(({ group }) => group === args['group']) }),
  'store.list': ({ host, args }) => ({ backups: host.backups.filter(({ group }) => group === args['group']) }),
  'store.listing': none,
  'store.hold': none,
  'store.release': none,
  'kit.put': none,
  'luks.secret': none,
  'luks.place': none,
  'store.layout.put': ({ host, args }) => {
    host.layouts.set(`${text(args['run'])} ${text(args['host'])}`, text(args['layout']));
    return {};
  },
  'store.layout': ({ host, args }) => {
    const run = host.backups.find(({ group, id }) => group === args['group'] && id === args['id'])?.run ?? '';
    const layout = host.layouts.get(`${run} ${text(args['host'])}`);
    if (layout !== undefined) return { layout };
    const message = `backup ${text(args['id'])} holds no layout of ${text(args['host'])}`;
    throw new HostError({ host: host.name, verb: 'store.layout', code: 'not-found', message });
  },
  'rescue.list': ({ host, args }) => ({
    builds: host.media.filter(
      (each) => each.group === args['group'] && (args['host'] === undefined || each.host === args['host']),
    ),
  }),
  'rescue.file': none,
  'rescue.open': none,
  'rescue.drop': none,
  'store.space': () => ({ freeBytes: 2 ** 42, usedBytes: 0, totalBytes: 2 ** 42 }),
  'lease.take': ({ host, args }) => {
    const group = text(args['group']);
    const asked = Number(args['term']);
    const term = asked > 0 ? asked : (host.terms.get(group) ?? 0) + 1;
    host.terms.set(group, term);
    return { term, untilMs: Date.now() + Number(args['ttl']) * 1000 };
  },
  'lease.renew': ({ args }) => ({ term: args['term'], untilMs: Date.now() + Number(args['ttl']) * 1000 }),
  'lease.release': none,
  freeze: none,
  thaw: none,
  hook: () => ({ exit: 0 }),
  'snapshot.drop': ({ host, args }) => {
    const gone = host.snapshots.filter(
      ({ run, freeze }) => run === args['targetRun'] && (args['freeze'] === -1 || freeze === args['freeze']),
    );
    host.snapshots = host.snapshots.filter((snapshot) => !gone.includes(snapshot));
    return { dropped: gone.map(({ name }) => name) };
  },
  'job.start': ({ host, args, jobMs }) => {
    const job = text(args['job']);
    const attached = host.jobs.has(job);
    const startedMs = Date.now();
    const kind = text(args['kind']);
    const fresh = { kind, startedMs, endsMs: startedMs + jobMs(kind), stopped: false, args };
    if (!attached) host.jobs.set(job, fresh);
    return { job, attached };
  },
  'job.poll': ({ host, args }) => poll(host, host.jobs.get(text(args['job']))),
  'job.stop': ({ host, args }) => {
    const job = host.jobs.get(text(args['job']));
    if (job !== undefined) Object.assign(job, { stopped: true, endsMs: Math.min(job.endsMs, Date.now()) });
    return { state: 'stopped' };
  },
  'job.forget': ({ host, args }) => {
    for (const [name, job] of host.jobs) if (job.args['run'] === args['targetRun']) host.jobs.delete(name);
    return {};
  },
  'grant.key': ({ host }) => ({ pubkey: 'ssh-ed25519 AAAA', signature: `fake ${host.name}` }),
  'grant.add': ({ host }) => ({ hostKeys: ['ssh-ed25519 AAAA'], signature: `fake ${host.name}` }),
  'grant.close': none,
  'restore.check': () => ({
    fsType: 'btrfs',
    fsUuid: 'fake',
    freeBytes: 2 ** 40,
    destination: '/',
    holds: false,
    protected: [],
  }),
  'restore.stop': none,
  'restore.start': none,
  'restore.safety': none,
  'restore.health': () => ({ healthy: true }),
  'workload.pause': none,
  'workload.unpause': none,
  'workload.stop': none,
  'workload.start': none,
  sweep: () => ({ found: [], mended: [] }),
};

function poll(host: FakeHost, job: FakeJob | undefined): Record<string, unknown> {
  if (job === undefined) return { state: 'unknown' };
  const { startedMs, endsMs, stopped, args } = job;
  const share = Math.min(1, (Date.now() - startedMs) / Math.max(1, endsMs - startedMs));
  const progress = {
    bytes: Math.round(SOURCE_BYTES * share),
    totalBytes: SOURCE_BYTES,
    files: Math.round(100 * share),
  };
  if (Date.now() < endsMs) return { state: 'running', progress, startedMs };
  if (stopped) return { state: 'exited', exit: 143, progress, result: {}, tail: 'stopped', startedMs, endedMs: endsMs };
  if (job.kind === 'store-seal') seal(host, args);
  if (job.kind === 'rescue-keep') keepMedia(host, args);
  return { state: 'exited', exit: 0, progress, result: resultOf({ host, job }), tail: '', startedMs, endedMs: endsMs };
}

function resultOf({ host, job }: { host: FakeHost; job: FakeJob }): Record<string, unknown> {
  const { kind, args } = job;
  // Each host's own, as listings are: a thousand equal ones would make the manifest look shorter than it gets.
  const sha256 = createHash('sha256').update(host.name).digest('hex');
  const results: Record<string, Record<string, unknown>> = {
    listing: { entries: 101, files: 100, bytes: SOURCE_BYTES, sha256 },
    send: { bytes: SOURCE_BYTES, sentBytes: SOURCE_BYTES, files: 100, entries: 101, sha256 },
    'store-open': { last: '', usedBytes: 0, wholeSeconds: false, changed: [] },
    'store-compare': { entries: 101, differences: [] },
    'store-seal': { id: args['id'] },
    'restore-send': { files: 100, bytes: SOURCE_BYTES, deletions: 0, listing: { sha256: '0'.repeat(64) } },
    'new-director': { hostKeys: [`ssh-ed25519 AAAA${'C'.repeat(64)}`] },
    'new-identity': { changed: ['/etc/machine-id'], left: [], whole: true },
    'new-fix': { written: [], was: [], left: [], relabel: false, notes: [], marked: true },
    'new-verify': { problems: [], kernel: '6.1.0-fake' },
    'rescue-build': builtMedia(args),
    'rescue-send': { bytes: FAKE_MEDIUM.length, sentBytes: FAKE_MEDIUM.length },
    'rescue-keep': { id: args['id'], removed: [] },
    'restore-verify': { equal: true, count: 0, differences: [] },
  };
  return results[kind] ?? {};
}

/** The media of a build, by what was asked for; each holds {@link FAKE_MEDIUM}. */
function builtMedia(args: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const sha256 = createHash('sha256').update(FAKE_MEDIUM).digest('hex');
  const outputs = text(args['outputs']).split('\n');
  const names = [
    ...(outputs.some((each) => each !== 'pxe') ? ['rescue.iso'] : []),
    ...(outputs.includes('pxe') ? ['vmlinuz', 'initramfs.img'] : []),
  ];
  return {
    kernel: '6.1.0-fake',
    modules: 900,
    firmware: 20,
    programs: 120,
    initramfsBytes: FAKE_MEDIUM.length,
    secureBoot: true,
    files: names.map((name) => ({
      ...{ name, bytes: FAKE_MEDIUM.length, sha256 },
      pinned: args['pinned'] === true && name === 'rescue.iso',
    })),
    ...(args['pinned'] === true ? { hostKey: 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIfake rescue' } : {}),
  };
}

/** Media of the same id are the same media, with what is said of them now. */
function keepMedia(host: FakeHost, args: Readonly<Record<string, unknown>>): void {
  const [of, id] = [text(args['host']), text(args['id'])];
  const group = text(args['group']).replace(/\.rescue$/, '');
  const medium = { group, host: of, id, build: text(args['build']), sig: text(args['buildSig']) };
  host.media = [...host.media.filter((each) => each.host !== of || each.id !== id), medium];
}

/** Sealing again is the same backup. */
function seal(host: FakeHost, args: Readonly<Record<string, unknown>>): void {
  const id = text(args['id']);
  if (host.backups.some((backup) => backup.id === id && backup.group === args['group'])) return;
  const { group, run, manifest, manifestRest, manifestSig } = args;
  const sent = Buffer.from(text(manifest) + text(manifestRest), 'base64');
  const plain = sent[0] === 0x1f && sent[1] === 0x8b ? gunzipSync(sent) : sent;
  const signed = { manifest: plain.toString('base64'), manifestSig: text(manifestSig) };
  const texts = { group: text(group), run: text(run), ...signed };
  host.backups.push({ id, ...texts, state: 'sealed' });
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
