/** What `survey.sh` found on a host, parsed. */
import { createHash } from 'node:crypto';
import { HostError } from '../errors';
import type { AdminShell } from './admin';
import { readScript } from './hostkit-tree';

export interface Survey {
  missing: string[];
  manager: string;
  systemd: boolean;
  user: string | undefined;
  version: string;
  hash: string;
  /** `ssh-ed25519 AAAA…` */
  identity: string | undefined;
  /** File → sha256 of what stands there, hex. */
  sums: Map<string, string>;
  /** Public keys of directors that are let in now. */
  directors: string[];
  /** Records of a freeze or a restore that stand. */
  standing: string[];
}

export async function survey({
  shell,
  host,
  tools,
}: {
  shell: AdminShell;
  host: string;
  /** What this host needs besides the tools of every host. */
  tools: readonly string[];
}): Promise<Survey> {
  const { stdout, stderr, exit } = await shell.root(await readScript('survey'), { args: tools });
  const facts = stdout.split('\n').map((line) => {
    const [, key = '', value = ''] = /^(\S+) ?(.*)$/.exec(line) ?? [];
    return { key, value };
  });
  const all = (key: string) => facts.filter((fact) => fact.key === key).map((fact) => fact.value);
  if (exit !== 0 || all('root')[0] !== 'yes') {
    const message = `the administrator's login has no root shell: ${stderr.trim()}`;
    throw new HostError({ host, verb: 'enroll', step: 'survey', code: 'enrolment', message });
  }
  const [version = '', hash = ''] = (all('version')[0] ?? '').split(' ');
  const identity = all('identity')[0]?.split(' ').slice(0, 2).join(' ');
  const sums = new Map(all('sum').map((sum) => [sum.split(' ')[0] ?? '', sum.split(' ')[1] ?? '']));
  return {
    missing: all('missing'),
    manager: all('manager')[0] ?? '',
    systemd: all('init')[0] === 'systemd',
    user: all('user')[0],
    version,
    hash,
    identity,
    sums,
    directors: all('director'),
    standing: all('standing'),
  };
}

/** The sum that `survey.sh` gives for this text. */
export function sumOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
