/** What an enrolment puts on a host: made of the runbook, this director's keys and the identities that it knows, and packed for `install.sh`. */
import type { Runbook } from '../../runbooks/types';
import type { DirectorKeys } from '../director-keys';
import { hostRef } from '../refs';
import { hostConfig, jumpFile, peersFile, peersOf, sudoers } from './config';
import type { HostkitTree } from './hostkit-tree';
import type { Identities } from './identities';
import { packTarGz } from './tar';

export interface HostFiles {
  /** The unprivileged user that the director logs in as. */
  user: string;
  config: string;
  directorKeys: string;
  peers: string;
  sudoers: string;
  /** '' where no host lies behind this one. */
  jump: string;
  /** The folders that a restore beside the data may write below. */
  restoreTo: readonly string[];
}

/** Where the sweep at boot is told of, and how; in rc.local by lines among those of others. */
export const BOOT_SWEEPS = {
  systemd: {
    path: '/etc/systemd/system/resurgo-sweep.service',
    text: `[Unit]
Description=Resurgo: reverse what a power cut left
After=local-fs.target docker.service
ConditionPathExists=/usr/local/lib/resurgo/sweep-boot

[Service]
Type=oneshot
ExecStart=/bin/sh /usr/local/lib/resurgo/sweep-boot

[Install]
WantedBy=multi-user.target
`,
  },
  openrc: {
    path: '/etc/local.d/resurgo.start',
    text: '#!/bin/sh\nexec /bin/sh /usr/local/lib/resurgo/sweep-boot\n',
  },
  cron: { path: '/etc/cron.d/resurgo', text: '@reboot root /bin/sh /usr/local/lib/resurgo/sweep-boot\n' },
} as const;

/** @throws RangeError for a host that the runbook does not know */
export function hostFiles({
  runbook,
  host,
  keys,
  identities,
}: {
  runbook: Runbook;
  host: string;
  keys: DirectorKeys;
  identities: Identities;
}): HostFiles {
  const entry = runbook.hosts[host];
  if (entry === undefined) throw new RangeError(`the runbook has no host ${host}`);
  const known = new Map<string, string>();
  for (const peer of peersOf({ runbook, host })) {
    const key = identities.of(hostRef({ runbook, host: peer }));
    if (key !== undefined) known.set(peer, key);
  }
  return {
    user: entry.user,
    config: hostConfig({ runbook, host, signerHex: keys.signing.publicHex }),
    directorKeys: directorsFile(keys),
    peers: peersFile(known),
    sudoers: sudoers({ user: entry.user }),
    jump: jumpFile({ runbook, host, jumpKey: keys.jump.publicKey }),
    restoreTo: entry.restoreTo,
  };
}

/** `director.keys`: of a rotation under way both. */
export function directorsFile({ director, directorNext }: DirectorKeys): string {
  const pairs = [director, ...(directorNext === undefined ? [] : [directorNext])];
  return pairs.map(({ publicKey }) => `${publicKey}\n`).join('');
}

/** The tar.gz that `install.sh` takes on stdin. */
export function payload({ files, hostkit }: { files: HostFiles; hostkit: HostkitTree }): Buffer {
  const version = Buffer.from(`${hostkit.version} ${hostkit.hash}\n`);
  const text = (path: string, content: string) => ({ path, mode: 0o600, content: Buffer.from(content) });
  return packTarGz([
    ...hostkit.files.map((file) => ({ ...file, path: `hostkit/${file.path}` })),
    { path: 'hostkit/VERSION', mode: 0o644, content: version },
    text('etc/host.conf', files.config),
    text('etc/director.keys', files.directorKeys),
    text('etc/peers', files.peers),
    text('etc/restore-to', files.restoreTo.map((path) => `${path}\n`).join('')),
    text('sudoers', files.sudoers),
    text('jump', files.jump),
    ...Object.entries(BOOT_SWEEPS).map(([kind, sweep]) => text(`boot/${kind}`, sweep.text)),
  ]);
}
