/** Undoes an enrolment whole; backups and the runbook stay. */
import type { Runbook } from '../../runbooks/types';
import { HostError } from '../errors';
import { KnownHosts } from '../known-hosts';
import { adminRef, hostRef } from '../refs';
import { rescuePlace } from '../rescue-ref';
import { AdminShell, type AdminLogin } from './admin';
import { readScript } from './hostkit-tree';
import { Identities } from './identities';
import { trustIn, type TrustOptions } from './trust';

export interface UnenrollOptions extends Omit<TrustOptions, 'knownHosts'> {
  stateDir: string;
  runbook: Runbook;
  host: string;
  admin: AdminLogin;
  /** Thaws an armed freeze first, and leaves snapshots behind. Without it both are a refusal. */
  force?: boolean;
}

/** How long ending jobs and receivers may take, in ms. */
const REMOVE_MS = 180_000;

/** @throws HostError `busy` when a freeze, a restore or snapshots stand there; `enrolment` when a script failed */
export async function unenrollHost(options: UnenrollOptions): Promise<void> {
  const { stateDir, runbook, host, admin, force } = options;
  const knownHosts = await KnownHosts.open({ stateDir });
  const trust = trustIn({ ...options, knownHosts, seen: () => undefined });
  const shell = await AdminShell.open({ verb: 'unenroll', host: adminRef({ runbook, host }), admin, trust });
  try {
    const args = force === true ? ['force'] : [];
    const { stdout, stderr, exit } = await shell.root(await readScript('remove'), {
      step: 'remove',
      args,
      timeoutMs: REMOVE_MS,
    });
    if (exit === 0 && stdout.includes('removed')) {
      const ref = hostRef({ runbook, host });
      const identities = await Identities.open({ stateDir });
      identities.set(ref, undefined);
      await identities.save();
      await knownHosts.unpin({ host: ref });
      await knownHosts.unpin({ host: rescuePlace(host) });
      return;
    }
    const message = stderr.trim() || `exit ${exit ?? 'unknown'}`;
    const code = exit === 3 ? 'busy' : 'enrolment';
    const next = 'do what the message says, then run `resurgo unenroll HOST` again: it goes on from there';
    throw new HostError({ host, verb: 'unenroll', code, message, next, retryable: false });
  } finally {
    shell.close();
  }
}
