/**
 * Enrolment: with the administrator's own access, once, everything that a host needs (docs/hostkit.md). Idempotent: what stands
 * already is left, what was cut off is taken up.
 */
import { counted } from '../../planning/counted';
import type { Runbook } from '../../runbooks/types';
import { ensureDirectorKeys, wouldBeKeys, type DirectorKeys } from '../director-keys';
import { HostError } from '../errors';
import type { HostRef } from '../hosts';
import { fingerprint, KnownHosts, type PublicKey } from '../known-hosts';
import { SshPool } from '../pool';
import { adminRef, hostRef } from '../refs';
import type { Probe } from '../replies';
import { SshHosts } from '../ssh-hosts';
import { probe } from '../verbs/reading';
import { AdminShell, type AdminLogin } from './admin';
import { peersOf } from './config';
import { hostFiles, payload } from './host-files';
import { readHostkit, readScript, type HostkitTree } from './hostkit-tree';
import { Identities } from './identities';
import { bare, ownKeys, rotationUnderWay } from './rotation';
import { keptIdentity, planned } from './planned';
import { survey, type Survey } from './survey';
import { installCommand, packagesFor, toolsOf } from './tools';
import { trustIn, type TrustOptions } from './trust';

export interface EnrollOptions extends Omit<TrustOptions, 'knownHosts'> {
  stateDir: string;
  runbook: Runbook;
  /** Names of hosts of the runbook. */
  hosts: readonly string[];
  /** Per host, as hosts may have different administrators. */
  admin: (host: string) => AdminLogin | Promise<AdminLogin>;
  /** Only says what would change. */
  dryRun?: boolean;
  /** Installs missing tools by the host's package manager; else they are named in one error. */
  installPackages?: boolean;
  /** Replaces the keys of another director that this host lets in. */
  takeOver?: boolean;
  /** Ends the enrolment before anything is installed, with the signal's reason. */
  signal?: AbortSignal;
  /** One line for a person; never holds a secret. */
  log?: (line: { host: string; text: string }) => void;
}

export interface Enrolled {
  host: string;
  /** What was changed, or would be with `dryRun`; empty when all stood already. */
  changes: string[];
  /** How the sweep runs at boot: `systemd`, `openrc`, `cron` or `rc.local`; '' with `dryRun`. */
  bootSweep: string;
  /** `SHA256:…` of the pinned ssh host key. */
  hostKey: string;
  /** What the host said through the director's own key; undefined with `dryRun`. */
  probe: Probe | undefined;
}

export interface EnrollResult {
  enrolled: Enrolled[];
  failed: { host: string; error: Error }[];
  /** Hosts enrolled before that must be updated, as they do not know one of these: its (new) identity, or it as a host behind them. */
  toUpdate: string[];
}

interface Job {
  options: EnrollOptions;
  keys: DirectorKeys;
  knownHosts: KnownHosts;
  identities: Identities;
  hostkit: HostkitTree;
  /** The director's own public keys, without comments; that which a rotation under way replaces is one of them. */
  own: readonly string[];
}

interface Visited {
  host: string;
  shell: AdminShell;
  found: Survey;
  seen: Map<HostRef, PublicKey[]>;
  /** Its identity is another than this director knew, or will be with `dryRun`. */
  renews: boolean;
  /** What `identity.sh` has changed. */
  changes: string[];
}

/** Installing packages and unpacking on a slow host, in ms. */
const INSTALL_MS = 600_000;

/** Enrols hosts, or updates them: the same. One host's failure does not hold up the others. */
export async function enrollHosts(options: EnrollOptions): Promise<EnrollResult> {
  const { stateDir, runbook, hosts } = options;
  const keys = await (options.dryRun === true ? wouldBeKeys : ensureDirectorKeys)({ stateDir });
  const job: Job = {
    options,
    keys,
    own: ownKeys(keys, await rotationUnderWay({ stateDir, keys })),
    knownHosts: await KnownHosts.open({ stateDir }),
    identities: await Identities.open({ stateDir }),
    hostkit: await readHostkit(),
  };
  const failed: EnrollResult['failed'] = [];
  const collect = async <T>(host: string, work: () => Promise<T>): Promise<T[]> => {
    try {
      return [await work()];
    } catch (thrown) {
      failed.push({ host, error: thrown instanceof Error ? thrown : new Error(String(thrown)) });
      return [];
    }
  };
  // All identities first: each host's `peers` names the others.
  const visited: Visited[] = [];
  try {
    for (const host of hosts) {
      visited.push(...(await collect(host, () => visit(job, host))));
      options.signal?.throwIfAborted();
    }
    const enrolled: Enrolled[] = [];
    // A jump must be there before what lies behind it can prove itself.
    for (const wave of waves(runbook, visited)) {
      enrolled.push(...(await Promise.all(wave.map((at) => collect(at.host, () => install(job, at))))).flat());
    }
    // Not before: cut off in between, the next call still sees which are new, and names who must hear of them.
    if (options.dryRun !== true) await job.identities.save();
    enrolled.sort((one, other) => hosts.indexOf(one.host) - hosts.indexOf(other.host));
    // Also where the rest has failed: the identity stands by then, and no later call finds it new.
    const news = visited.filter(({ renews }) => renews).map(({ host }) => host);
    return { enrolled, failed, toUpdate: stale({ job, news, hosts }) };
  } finally {
    for (const { shell } of visited) shell.close();
  }
}

async function visit(job: Job, host: string): Promise<Visited> {
  const { options, knownHosts, identities } = job;
  const { runbook, dryRun, installPackages } = options;
  const ref = hostRef({ runbook, host });
  const seen = new Map<HostRef, PublicKey[]>();
  const trust = trustIn({
    ...options,
    knownHosts,
    seen: (place, key) => seen.set(place, [...(seen.get(place) ?? []), key]),
  });
  const at = adminRef({ runbook, host });
  const shell = await AdminShell.open({ verb: 'enroll', host: at, admin: await options.admin(host), trust });
  try {
    const tools = toolsOf({ runbook, host });
    const { user = 'resurgo' } = ref;
    const look = () => survey({ shell, host, user, tools, restoreTo: runbook.hosts[host]?.restoreTo ?? [] });
    let found = await look();
    refuseLinks(host, found);
    refuseForeign(job, host, found);
    refuseOtherUser(host, user, found);
    if (found.missing.length > 0 && installPackages === true && dryRun !== true) {
      const packages = packagesFor(found);
      say(job, host, `installs ${packages.join(' ')}`);
      await run(shell, host, 'packages', { args: [found.manager, ...packages], timeoutMs: INSTALL_MS });
      found = await look();
    }
    if (found.missing.length > 0 && dryRun !== true) {
      const next = `run there: ${installCommand(found)}; or run \`resurgo enroll HOST --install-packages\``;
      const message = `these tools are missing: ${found.missing.join(', ')}`;
      throw new HostError({ host, verb: 'enroll', step: 'tools', code: 'missing-tool', message, next });
    }
    const before = identities.of(ref);
    if (dryRun === true)
      return { host, shell, found, seen, renews: before === undefined || keptIdentity(found) !== before, changes: [] };
    const { identity, changes } = await takeIdentity(job, { host, shell });
    identities.set(ref, identity);
    return { host, shell, found, seen, renews: identity !== before, changes };
  } catch (error) {
    shell.close();
    throw error;
  }
}

/** Has the host make its identity, unless it has one that is its root's alone. */
async function takeIdentity(
  job: Job,
  { host, shell }: { host: string; shell: AdminShell },
): Promise<{ identity: string; changes: string[] }> {
  const made = await run(shell, host, 'identity', { args: [host] });
  const identity = /^identity (ssh-ed25519 \S+)/m.exec(made)?.[1];
  if (identity === undefined) throw enrolmentError(host, 'identity', 'the host made no identity key');
  const changes = changesIn(made);
  for (const change of changes) say(job, host, change);
  return { identity, changes };
}

function changesIn(output: string): string[] {
  return [...output.matchAll(/^change (.*)$/gm)].map(([, what]) => what ?? '');
}

/** The hosts by the number of jumps on the way to them. */
function waves(runbook: Runbook, visited: readonly Visited[]): Visited[][] {
  const byDepth: Visited[][] = [];
  for (const at of visited) {
    let depth = 0;
    for (let via = adminRef({ runbook, host: at.host }).via; via !== undefined; via = via.via) depth += 1;
    byDepth[depth] = [...(byDepth[depth] ?? []), at];
  }
  return byDepth.filter((wave) => wave.length > 0);
}

async function install(job: Job, { host, shell, found, seen, changes: before }: Visited): Promise<Enrolled> {
  const { options, keys, knownHosts, identities, hostkit } = job;
  const { runbook, dryRun } = options;
  const files = hostFiles({ runbook, host, keys, identities });
  const ref = hostRef({ runbook, host });
  const hostKey = [...([...seen].find(([place]) => place.name === host)?.[1] ?? knownHosts.keysOf(ref))];
  const fingerprints = hostKey.map(fingerprint).join(', ');
  if (dryRun === true) {
    return {
      host,
      changes: planned({ found, files, hostkit }),
      bootSweep: '',
      hostKey: fingerprints,
      probe: undefined,
    };
  }
  const stdin = payload({ files, hostkit });
  const output = await run(shell, host, 'install', { args: [files.user, found.boot], stdin, timeoutMs: INSTALL_MS });
  const changes = [...before, ...changesIn(output)];
  for (const [place, pins] of seen) await knownHosts.pin({ host: place, keys: pins });
  const done = changes.length === 0 ? 'all stood already' : `${counted(changes.length, 'file')} written`;
  say(job, host, `${done}, ssh host key ${fingerprints}, sweep at boot by ${found.boot}`);
  return { host, changes, bootSweep: found.boot, hostKey: fingerprints, probe: await confirmEnrolled(job, ref) };
}

/** The proof: the director's own key gets an answer from the hostkit that was just installed. */
async function confirmEnrolled({ keys, knownHosts, hostkit }: Job, host: HostRef): Promise<Probe> {
  const hosts = new SshHosts(new SshPool({ keys, knownHosts }));
  try {
    const answer = await probe({ hosts, host, step: 'verify enrolment' });
    if (answer.hash === hostkit.hash && answer.host === host.name) return answer;
    throw enrolmentError(
      host.name,
      'verify',
      `it answers as ${answer.host} with hostkit ${answer.version} ${answer.hash}`,
    );
  } finally {
    await hosts.close();
  }
}

/** What root reads and runs lies in folders of its own; where a link leads, others may own. It is not dropped: what it leads to may be in use. */
function refuseLinks(host: string, { links }: Survey): void {
  if (links.length === 0) return;
  const next =
    'put a folder of root in its place, with what it leads to moved there, and run `resurgo enroll HOST` again';
  const message = `${links.join(' and ')}: a symbolic link where a folder of root's own must be; nothing was changed`;
  throw new HostError({ host, verb: 'enroll', step: 'survey', code: 'enrolment', message, next });
}

/** A host that another director uses is not taken from it by the way. One that a rotation did not reach is this director's. */
function refuseForeign({ own, options }: Job, host: string, found: Survey): void {
  const foreign = found.directors.filter((key) => !own.includes(bare(key)));
  if (foreign.length === 0 || foreign.length < found.directors.length || options.takeOver === true) return;
  const next = 'unenrol it from there (`resurgo unenroll HOST`), or take it over with --take-over';
  const message = `another director is enrolled here (its key: ${foreign.join(', ')})`;
  throw new HostError({ host, verb: 'enroll', step: 'survey', code: 'exists', message, next });
}

/** The former user would go on letting the director in. */
function refuseOtherUser(host: string, user: string, { otherUser }: Survey): void {
  if (otherUser === undefined) return;
  const next = `unenrol it first (\`resurgo unenroll HOST\`), or write \`user: ${otherUser}\` in the runbook`;
  const message = `it was enrolled with the user ${otherUser}, and the runbook names ${user}; nothing was changed`;
  throw new HostError({ host, verb: 'enroll', step: 'survey', code: 'enrolment', message, next });
}

function stale({ job, news, hosts }: { job: Job; news: readonly string[]; hosts: readonly string[] }): string[] {
  const { runbook } = job.options;
  const others = Object.keys(runbook.hosts).filter((host) => !hosts.includes(host));
  return others.filter(
    (host) =>
      job.identities.of(hostRef({ runbook, host })) !== undefined &&
      (peersOf({ runbook, host }).some((peer) => news.includes(peer)) ||
        news.some((fresh) => runbook.hosts[fresh]?.via === host)),
  );
}

async function run(
  shell: AdminShell,
  host: string,
  name: 'packages' | 'identity' | 'install',
  options: { args?: readonly string[]; stdin?: Uint8Array; timeoutMs?: number },
): Promise<string> {
  const { stdout, stderr, exit } = await shell.root(await readScript(name), { step: name, ...options });
  if (exit !== 0) throw enrolmentError(host, name, stderr.trim() || `exit ${exit ?? 'unknown'}`);
  return stdout;
}

function enrolmentError(host: string, step: string, message: string): HostError {
  return new HostError({ host, verb: 'enroll', step, code: 'enrolment', message });
}

function say({ options }: Job, host: string, text: string): void {
  options.log?.({ host, text });
}
