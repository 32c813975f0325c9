/** Which package brings a tool that a host needs, by package manager. */
import type { Runbook } from '../../runbooks/types';

const PACKAGES: Record<string, Record<string, string>> = {
  'apt-get': {
    find: 'findutils',
    stat: 'coreutils',
    awk: 'mawk',
    'ssh-keygen': 'openssh-client',
    ...common('attr', 'acl'),
  },
  dnf: { find: 'findutils', stat: 'coreutils', awk: 'gawk', 'ssh-keygen': 'openssh', ...common('attr', 'acl') },
  zypper: {
    find: 'findutils',
    stat: 'coreutils',
    awk: 'gawk',
    'ssh-keygen': 'openssh-common',
    ...common('attr', 'acl'),
  },
  apk: { find: 'findutils', stat: 'coreutils', awk: 'gawk', 'ssh-keygen': 'openssh-keygen', ...common('attr', 'acl') },
};

function common(attr: string, acl: string): Record<string, string> {
  return {
    rsync: 'rsync',
    sudo: 'sudo',
    visudo: 'sudo',
    getfattr: attr,
    setfattr: attr,
    getfacl: acl,
    flock: 'util-linux',
    setsid: 'util-linux',
    unshare: 'util-linux',
    gzip: 'gzip',
    base64: 'coreutils',
    od: 'coreutils',
    timeout: 'coreutils',
    openssl: 'openssl',
  };
}

/** What a host needs besides the tools of every host: a store checks whose key has signed a manifest. */
export function toolsOf({ runbook, host }: { runbook: Pick<Runbook, 'stores'>; host: string }): string[] {
  return Object.values(runbook.stores).some((store) => store.host === host) ? ['openssl'] : [];
}

/** The packages for the missing tools, each once; empty for a manager that is not known. */
export function packagesFor({ missing, manager }: { missing: readonly string[]; manager: string }): string[] {
  const table = PACKAGES[manager] ?? {};
  return [...new Set(missing.flatMap((tool) => table[tool] ?? []))].sort();
}

/** The command that a person would type to install them. */
export function installCommand({ missing, manager }: { missing: readonly string[]; manager: string }): string {
  const packages = packagesFor({ missing, manager }).join(' ');
  const verbs: Record<string, string> = {
    'apt-get': 'apt-get install -y --no-install-recommends',
    dnf: 'dnf install -y',
    zypper: 'zypper install -y',
    apk: 'apk add',
  };
  const verb = verbs[manager];
  return verb === undefined || packages === '' ? `install ${missing.join(', ')} by hand` : `${verb} ${packages}`;
}
