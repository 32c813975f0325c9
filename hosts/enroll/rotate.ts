/**
 * Replaces the director's login key everywhere: the new one is added to every host, proven by logging in, made the director's
 * own, and only then the old one removed. Cut off at any point it is taken up by the next call.
 */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Runbook } from '../../runbooks/types';
import { ensureNextKey, loadDirectorKeys, promoteNextKey, type DirectorKeys, type SshKeyPair } from '../director-keys';
import { HostError } from '../errors';
import { isMissing, writeAtomic } from '../files';
import { KnownHosts } from '../known-hosts';
import { SshPool } from '../pool';
import { adminRef, hostRef } from '../refs';
import { SshHosts } from '../ssh-hosts';
import { probe } from '../verbs/reading';
import { AdminShell, type AdminLogin } from './admin';
import { readScript } from './hostkit-tree';
import { trustIn } from './trust';

export interface RotateOptions {
  stateDir: string;
  runbook: Runbook;
  /** Every host that this director has enrolled: one left out would know only the old key afterwards. */
  hosts: readonly string[];
  admin: (host: string) => AdminLogin | Promise<AdminLogin>;
  log?: (line: { host: string; text: string }) => void;
}

/** @throws HostError of the first host that failed; the old key goes on working there and everywhere */
export async function rotateKeys(options: RotateOptions): Promise<void> {
  const { stateDir } = options;
  const marker = join(stateDir, 'keys', 'rotation');
  if (!(await exists(marker))) {
    const next = await ensureNextKey({ stateDir });
    const keys = await loadDirectorKeys({ stateDir });
    await everywhere(options, [keys.director, next], 'added the new key');
    await prove(options, { ...keys, director: next });
    // From here on the new key counts, and what is left is removing the old one.
    await writeAtomic({ file: marker, text: 'remove the old key\n', mode: 0o600 });
  }
  if ((await loadDirectorKeys({ stateDir })).directorNext !== undefined) await promoteNextKey({ stateDir });
  const keys = await loadDirectorKeys({ stateDir });
  await everywhere(options, [keys.director], 'removed the old key');
  await prove(options, keys);
  await rm(marker, { force: true });
}

async function everywhere(options: RotateOptions, pairs: readonly SshKeyPair[], text: string): Promise<void> {
  const { stateDir, runbook, hosts, admin, log } = options;
  const knownHosts = await KnownHosts.open({ stateDir });
  const trust = trustIn({ knownHosts, seen: () => undefined });
  const stdin = Buffer.from(pairs.map((pair) => `${pair.publicKey}\n`).join(''));
  for (const host of hosts) {
    const shell = await AdminShell.open({ host: adminRef({ runbook, host }), admin: await admin(host), trust });
    try {
      const { stderr, exit } = await shell.root(await readScript('keys'), { stdin });
      if (exit !== 0) {
        const next = 'mend what the message says and run `resurgo keys rotate` again: it goes on from there';
        const message = stderr.trim() || `exit ${exit ?? 'unknown'}`;
        throw new HostError({ host, verb: 'keys rotate', code: 'enrolment', message, next });
      }
      log?.({ host, text });
    } finally {
      shell.close();
    }
  }
}

async function prove({ stateDir, runbook, hosts }: RotateOptions, keys: DirectorKeys): Promise<void> {
  const fleet = new SshHosts(new SshPool({ keys, knownHosts: await KnownHosts.open({ stateDir }) }));
  try {
    for (const host of hosts) await probe({ hosts: fleet, host: hostRef({ runbook, host }), step: 'keys rotate' });
  } finally {
    await fleet.close();
  }
}

async function exists(file: string): Promise<boolean> {
  try {
    await readFile(file);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}
