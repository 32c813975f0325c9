/**
 * Lets a target know a rescue system's identity, for some days. It takes the administrator's own access: who has stolen the director's keys
 * alone can't have backups sent to a machine of his (S27).
 */
import type { Runbook } from '../../runbooks/types';
import { HostError } from '../errors';
import { KnownHosts } from '../known-hosts';
import { adminRef } from '../refs';
import { AdminShell, type AdminLogin } from './admin';
import { readScript } from './hostkit-tree';
import { trustIn, type TrustOptions } from './trust';

export interface ArmOptions extends Omit<TrustOptions, 'knownHosts'> {
  stateDir: string;
  runbook: Runbook;
  /** The target, by its name in the runbook. */
  target: string;
  /** What the rescue system is called, `web-1.rescue`. */
  name: string;
  /** `ssh-ed25519 AAAA…` */
  identity: string;
  until: Date;
  admin: AdminLogin;
}

const WHY: Readonly<Record<string, string>> = {
  'not-enrolled': 'it is not enrolled, so there is nothing to arm',
  'too-old':
    'its ssh-keygen does not keep the limit `valid-before` of a signer: arming would be for ever. It wants OpenSSH 8.7 or later',
};

/** @throws HostError `enrolment` where the target could not be armed */
export async function armRescue(options: ArmOptions): Promise<void> {
  const { stateDir, runbook, target, name, identity, until, admin } = options;
  const knownHosts = await KnownHosts.open({ stateDir });
  const trust = trustIn({ ...options, knownHosts, seen: () => undefined });
  const shell = await AdminShell.open({ verb: 'recover', host: adminRef({ runbook, host: target }), admin, trust });
  try {
    const args = [name, identity, String(Math.round(until.getTime() / 1000))];
    const { stdout, stderr, exit } = await shell.root(await readScript('arm'), { step: 'arm', args });
    if (exit === 0 && stdout.includes('armed')) return;
    const message = WHY[stdout.trim()] ?? (stderr.trim() || `exit ${exit ?? 'unknown'}`);
    const next = 'mend what the message says, then run `resurgo recover` again';
    throw new HostError({ host: target, verb: 'recover', step: 'arm', code: 'enrolment', message, next });
  } finally {
    shell.close();
  }
}
