/**
 * Replaces the director's login key everywhere: the new one is added to every host, proven by logging in, made the director's
 * own, and only then the old one removed. Cut off before the new key is the director's own, the next call goes on with that key;
 * after that each call makes a fresh one, so that a key which leaks while a host is away can always be replaced.
 */
import { join } from 'node:path';
import type { Runbook } from '../../runbooks/types';
import {
  ensureNextKey,
  loadDirectorKeys,
  nextKeyMade,
  promoteNextKey,
  type DirectorKeys,
  type SshKeyPair,
} from '../director-keys';
import { HostError, isAway, type HostErrorCode } from '../errors';
import type { HostRef } from '../hosts';
import { KnownHosts, placeOf, type PublicKey } from '../known-hosts';
import { SshPool } from '../pool';
import { adminRef, hostRef } from '../refs';
import { rescueName } from '../rescue-ref';
import { SshHosts } from '../ssh-hosts';
import { probe } from '../verbs/reading';
import { AdminShell, type AdminLogin, type ScriptOutput } from './admin';
import { readScript } from './hostkit-tree';
import { Identities } from './identities';
import { bare, isSpread, markRotation, ownKeys, rotationUnderWay, unmarkRotation, type Rotation } from './rotation';
import { trustIn } from './trust';

export interface RotateOptions {
  stateDir: string;
  /** Must name every host that this director has enrolled: one left out would go on letting the old key in, and no other. */
  runbook: Runbook;
  admin: (host: string) => AdminLogin | Promise<AdminLogin>;
  /** The text of the administrator's own known_hosts. */
  adminKnownHosts?: string;
  log?: (line: { host: string; text: string }) => void;
}

export interface RotateResult {
  /** These let the new key in, and only that. */
  rotated: string[];
  /** These may still let an old key in; the next call gives them the key that is new then. */
  failed: { host: string; error: Error }[];
  /** Hosts of the runbook that this director has not enrolled, or not to the end. */
  leftOut: string[];
  /** When the new key was made, if an earlier call did so and was cut off; undefined for a key of this call. */
  takenUp: Date | undefined;
}

interface Job extends RotateOptions {
  knownHosts: KnownHosts;
}

/**
 * A host that can't be reached does not hold up the others: it is told as failed. One that answers and can't be changed does, as the
 * director would lock itself out there.
 *
 * @throws Error before anything is changed when this director has enrolled hosts that the runbook does not name; HostError while the
 * old key still goes on working everywhere
 */
export async function rotateKeys(options: RotateOptions): Promise<RotateResult> {
  const { stateDir } = options;
  const job = { ...options, knownHosts: await KnownHosts.open({ stateDir }) };
  const { hosts, leftOut } = await enrolledHosts(job);
  const takenUp = await nextKeyMade({ stateDir });
  const unreached = await spreadUnlessDone(job, hosts);
  if ((await loadDirectorKeys({ stateDir })).directorNext !== undefined) await promoteNextKey({ stateDir });
  const keys = await loadDirectorKeys({ stateDir });
  const away = unreached.map(({ host }) => host);
  const rest = hosts.filter((host) => !away.includes(host));
  const own = ownKeys(keys, await rotationUnderWay({ stateDir, keys }));
  const removal = { hosts: rest, keys, pairs: [keys.director], own, text: 'removed the old key' };
  const failed = [...unreached, ...(await publish(job, removal))];
  if (failed.length === 0) await unmarkRotation({ stateDir });
  const rotated = hosts.filter((name) => !failed.some(({ host }) => host === name));
  return { rotated, failed, leftOut, takenUp };
}

/** The codes of a host that is not the machine that was enrolled, or where no enrolment of this director's stands. */
const NOT_OURS: readonly HostErrorCode[] = ['host-key-changed', 'host-key-unknown', 'exists', 'not-enrolled'];
/** The host is away or not this director's: the old key is of no use to it there either. */
const outOfReach = (error: Error): boolean =>
  isAway(error) || (error instanceof HostError && NOT_OURS.includes(error.code));

/** Spreads the next key, unless an earlier call did and was cut off before it made that key the director's own. */
async function spreadUnlessDone(job: Job, hosts: readonly string[]): Promise<RotateResult['failed']> {
  const { stateDir } = job;
  const keys = await loadDirectorKeys({ stateDir });
  const former = await rotationUnderWay({ stateDir, keys });
  return isSpread(keys, former) ? [] : spreadNextKey(job, hosts, former);
}

/** Adds the new key to the hosts, and says from then on that it is the one that counts. Resolves to those that could not be reached. */
async function spreadNextKey(
  job: Job,
  hosts: readonly string[],
  former: Rotation | undefined,
): Promise<RotateResult['failed']> {
  const { stateDir } = job;
  const next = await ensureNextKey({ stateDir });
  const old = await loadDirectorKeys({ stateDir });
  const keys = { ...old, director: next };
  const pairs = [old.director, next];
  const failed = await publish(job, { hosts, keys, pairs, own: ownKeys(old, former), text: 'added the new key' });
  const blocking = failed.length === hosts.length ? failed : failed.filter(({ error }) => !outOfReach(error));
  const [first, ...others] = blocking.map(({ error }) => error);
  if (first !== undefined && others.length === 0) throw first;
  if (first !== undefined)
    throw new Error([first, ...others].map(({ message }) => message).join('\n'), { cause: first });
  // Hosts that an earlier rotation did not reach have older keys: without these they would be taken for another director's.
  const gone = new Set([bare(old.director.publicKey), ...(former?.old ?? [])]);
  await markRotation({ stateDir, next: bare(next.publicKey), old: [...gone] });
  return failed;
}

/** @throws Error when the runbook does not name a host that this director has enrolled, be it by half */
async function enrolledHosts({
  stateDir,
  runbook,
  knownHosts,
  log,
}: Job): Promise<{ hosts: string[]; leftOut: string[] }> {
  const pinned = new Set(knownHosts.places());
  const identified = new Set((await Identities.open({ stateDir })).places());
  const names = Object.keys(runbook.hosts);
  const placeNamed = (host: string) => placeOf(hostRef({ runbook, host }));
  const named = new Set(names.map(placeNamed));
  // The rescue system of a host is known by the key in its media: there is nothing to rotate.
  const rescues = new Set(names.map(rescueName));
  const strangers = [...new Set([...pinned, ...identified])].filter(
    (place) => !named.has(place) && !rescues.has(place),
  );
  if (strangers.length > 0) {
    throw new Error(
      `this director has also enrolled ${strangers.join(', ')}, which this runbook does not name: they would keep the old key. Nothing was changed. ` +
        `Next: name a runbook with all of its hosts (-r FILE), or unenrol those first with the runbook that names them (\`resurgo -r FILE unenroll HOST\`); of a host that is gone for good, remove the lines from ${filesIn(stateDir)}`,
    );
  }
  // In one of the two alone: an enrolment that was cut off, or a proxy jump that was itself never enrolled.
  const hosts = names.filter((host) => pinned.has(placeNamed(host)) && identified.has(placeNamed(host)));
  if (hosts.length === 0)
    throw new Error('this director has enrolled no host of this runbook. Next: `resurgo enroll --all`');
  const leftOut = names.filter((host) => !hosts.includes(host));
  for (const host of leftOut.filter((name) => pinned.has(placeNamed(name)) || identified.has(placeNamed(name)))) {
    const next = `run \`resurgo enroll ${host}\`, with --take-over should it then speak of another director`;
    log?.({
      host,
      text: `left out: its enrolment has not come to its end, and it may let the old key in. Next: ${next}`,
    });
  }
  return { hosts, leftOut };
}

function filesIn(stateDir: string): string {
  return `${join(stateDir, 'known_hosts')} and ${join(stateDir, 'identities')}`;
}

interface Publication {
  hosts: readonly string[];
  /** Prove it: `director` must be let in. */
  keys: DirectorKeys;
  /** All that are let in. */
  pairs: readonly SshKeyPair[];
  /** A host that lets in none of these, but others, is another director's. */
  own: readonly string[];
  text: string;
}

/** Makes the hosts let in these keys and no others. Resolves to those where it is not proven. */
async function publish(job: Job, { hosts, keys, pairs, own, text }: Publication): Promise<RotateResult['failed']> {
  const fleet = new SshHosts(new SshPool({ keys, knownHosts: job.knownHosts }));
  const failed: RotateResult['failed'] = [];
  try {
    for (const host of hosts) {
      try {
        await replaceKeys(job, { host, pairs, own });
        await probe({ hosts: fleet, host: hostRef({ runbook: job.runbook, host }), step: 'keys rotate' });
        job.log?.({ host, text });
      } catch (thrown) {
        failed.push({ host, error: thrown instanceof Error ? thrown : new Error(String(thrown)) });
      }
    }
    return failed;
  } finally {
    await fleet.close();
  }
}

async function replaceKeys(
  job: Job,
  { host, pairs, own }: Pick<Publication, 'pairs' | 'own'> & { host: string },
): Promise<void> {
  const { runbook, admin, knownHosts, adminKnownHosts } = job;
  const seen = new Map<HostRef, PublicKey[]>();
  const trust = trustIn({
    knownHosts,
    adminKnownHosts,
    seen: (place, key) => seen.set(place, [...(seen.get(place) ?? []), key]),
  });
  const stdin = Buffer.from(pairs.map((pair) => `${pair.publicKey}\n`).join(''));
  const at = adminRef({ runbook, host });
  const shell = await AdminShell.open({ verb: 'keys rotate', host: at, admin: await admin(host), trust });
  try {
    const output = await shell.root(await readScript('keys'), { step: 'keys', args: own, stdin });
    if (output.exit !== 0) throw refusal(job, host, output);
  } finally {
    shell.close();
  }
  for (const [place, pins] of seen) await knownHosts.pin({ host: place, keys: pins });
}

function refusal({ stateDir }: Job, host: string, { stdout, stderr, exit }: ScriptOutput): HostError {
  const at = { host, verb: 'keys rotate' };
  const again = 'then run `resurgo keys rotate` again: it goes on from there';
  const foreign = [...stdout.matchAll(/^foreign (.*)$/gm)].map(([, key]) => key ?? '');
  if (foreign.length > 0) {
    const message = `another director is enrolled here (its key: ${foreign.join(', ')}); nothing was changed here`;
    const next = `take it over (\`resurgo enroll HOST --take-over\`), or leave it to that director and remove its lines from ${filesIn(stateDir)}; ${again}`;
    return new HostError({ ...at, code: 'exists', message, next });
  }
  if (/^not-enrolled$/m.test(stdout)) {
    const message = 'no enrolment stands here, or only half of one';
    return new HostError({ ...at, code: 'not-enrolled', message, next: `run \`resurgo enroll HOST\`, ${again}` });
  }
  const message = stderr.trim() || `exit ${exit ?? 'unknown'}`;
  return new HostError({ ...at, code: 'enrolment', message, next: `mend what the message says, ${again}` });
}
