/**
 * The runbooks that lie in a target's backups, read with the administrator's own access: for who has lost the director and the runbook too. They
 * are not signed: whoever may write to the target may have changed them, so a person reads what is to be gone by.
 */
import { gunzipSync } from 'node:zlib';
import { z } from 'zod';
import { HostError } from '../errors';
import type { HostRef } from '../hosts';
import { KnownHosts } from '../known-hosts';
import { AdminShell, type AdminLogin } from './admin';
import { readScript } from './hostkit-tree';
import { trustIn, type TrustOptions } from './trust';

export interface FoundRunbook {
  store: string;
  group: string;
  /** The backup that it lies in. */
  id: string;
  text: string;
}

const reply = z.object({ ok: z.literal(true), id: z.string().regex(/^\d{8}_\d{6}$/), runbook: z.base64() });
const refusal = z.looseObject({ ok: z.literal(false), message: z.string() });
/** What a store or a group may be called: whoever adopts it copies it into a command. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
/** For all groups together, in ms: each has a time of its own there, and a target may keep many. */
const ALL_MS = 30 * 60_000;
/** No runbook is longer. */
const MOST_BYTES = 1024 * 1024;

/** The newest of each group, and what a group had to say that has none. @throws HostError where the target can't be asked */
export async function readRunbooks(
  options: Omit<TrustOptions, 'knownHosts'> & { stateDir: string; target: HostRef; admin: AdminLogin },
): Promise<{ found: FoundRunbook[]; problems: string[] }> {
  const { stateDir, target, admin } = options;
  const knownHosts = await KnownHosts.open({ stateDir });
  const trust = trustIn({ ...options, knownHosts, seen: () => undefined });
  const named = 'the user (USER@ADDRESS)';
  const shell = await AdminShell.open({ verb: 'adopt', host: target, admin, trust, named });
  try {
    const { stdout, stderr, exit } = await shell.root(await readScript('runbooks'), {
      step: 'runbooks',
      timeoutMs: ALL_MS,
    });
    if (exit !== 0)
      throw new HostError({
        ...{ host: target.name, verb: 'adopt', step: 'runbooks', code: 'enrolment' },
        message: stderr.trim() || `exit ${exit ?? 'unknown'}`,
        next: 'look at the address: it is the target that keeps the backups',
      });
    const answers = stdout.split('\n').filter((line) => line !== '');
    const read = answers.map(readAnswer);
    return {
      found: read.flatMap((each) => (typeof each === 'string' ? [] : [each])),
      problems: read.filter((each) => typeof each === 'string'),
    };
  } finally {
    shell.close();
  }
}

/** One line of `runbooks.sh`, or what is wrong with it. */
function readAnswer(line: string): FoundRunbook | string {
  const [, store = '', group = '', text = ''] = /^(\S+) (\S+) (.*)$/.exec(line) ?? [];
  if (!NAME.test(store) || !NAME.test(group)) return `what the target answered names no group: ${line.slice(0, 80)}`;
  try {
    const value: unknown = JSON.parse(text);
    const refused = refusal.safeParse(value);
    if (refused.success) return `${group}: ${refused.data.message}`;
    const { id, runbook } = reply.parse(value);
    const bytes = gunzipSync(Buffer.from(runbook, 'base64'), { maxOutputLength: MOST_BYTES });
    return { store, group, id, text: bytes.toString('utf8') };
  } catch {
    return `${group}: what the target answered is no runbook; its hostkit may be of an older Resurgo: copy resurgo/runbook.yaml of the newest backup by hand`;
  }
}
