/** What `survey.sh` found on a host, parsed. */
import { HostError } from '../errors';
import type { AdminShell } from './admin';
import { readScript, sumOf, type HostkitTree } from './hostkit-tree';

export interface Survey {
  missing: string[];
  manager: string;
  /** What runs the sweep at boot. */
  boot: BootSweep;
  user: string | undefined;
  /** The user of an earlier enrolment, where it had another name. */
  otherUser: string | undefined;
  version: string;
  hash: string;
  /** Part of the installed hostkit → sha256 of what stands there, hex. */
  parts: Map<string, string>;
  /** Paths of what root runs or reads, whose owner, mode or kind is not as it was installed. */
  loose: string[];
  /** Of the folders of what root runs and reads, those that are symbolic links: `PATH → TARGET`. */
  links: string[];
  /** `ssh-ed25519 AAAA…` */
  identity: string | undefined;
  /** Others than root can have read the identity's private key, so that it gets another. */
  disclosed: boolean;
  /** File → sha256 of what stands there, hex. */
  sums: Map<string, string>;
  /** Public keys of directors that are let in now. */
  directors: string[];
  /** Records of a freeze or a restore that stand. */
  standing: string[];
  /** Of the folders for restores, those that are not there. */
  noFolders: string[];
}

export type BootSweep = 'systemd' | 'openrc' | 'cron' | 'rc.local';
const BOOT_SWEEP_KINDS: readonly BootSweep[] = ['systemd', 'openrc', 'cron', 'rc.local'];

export async function survey({
  shell,
  host,
  user,
  tools,
  restoreTo,
}: {
  shell: AdminShell;
  host: string;
  /** The unprivileged user that it is to have. */
  user: string;
  /** What this host needs besides the tools of every host. */
  tools: readonly string[];
  /** Its folders for restores. */
  restoreTo: readonly string[];
}): Promise<Survey> {
  const stdin = Buffer.from(restoreTo.map((path) => `${path}\n`).join(''));
  const { stdout, stderr, exit } = await shell.root(await readScript('survey'), {
    step: 'survey',
    args: [user, ...tools],
    stdin,
  });
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
  const parts = new Map(all('part').map((part) => [part.slice(part.indexOf(' ') + 1), part.split(' ')[0] ?? '']));
  return {
    missing: all('missing'),
    manager: all('manager')[0] ?? '',
    boot: BOOT_SWEEP_KINDS.find((each) => each === all('boot')[0]) ?? 'rc.local',
    user: all('user')[0],
    otherUser: all('other-user')[0],
    version,
    hash,
    parts,
    loose: all('loose'),
    links: all('link'),
    identity,
    disclosed: all('disclosed')[0] === 'yes',
    sums,
    directors: all('director'),
    standing: all('standing'),
    noFolders: all('folder'),
  };
}

/** What of the installed hostkit is not what this director carries: changed, missing or too much; paths below its folder. */
export function damagedParts({ found, hostkit }: { found: Pick<Survey, 'parts'>; hostkit: HostkitTree }): string[] {
  const want = new Map(hostkit.files.map(({ path, content }) => [path, sumOf(content)]));
  const paths = new Set([...want.keys(), ...found.parts.keys()]);
  return [...paths].filter((path) => want.get(path) !== found.parts.get(path)).sort();
}
