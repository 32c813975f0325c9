/** The others: what copies the same folder to the same target by root's ssh. All get the fastest cipher, as we take it too. */
import { existsSync } from 'node:fs';
import type { Fleet } from '../../lab/support/fleet';
import { local } from '../../lab/support/product';

/** Debian's packages that the rivals need on both hosts, with what they need and a plain host lacks. */
const PACKAGES = [
  'restic',
  'borgbackup',
  'python3-msgpack',
  'python3-packaging',
  'python3-pkg-resources',
  'libxxhash0',
];

export const RIVALS = ['tar | ssh | tar', 'rsync -a', 'restic', 'borg'] as const;
export type Rival = (typeof RIVALS)[number];
export const FLOOR: Rival = 'tar | ssh | tar';

const script = (rival: Rival, from: string, to: string): { before: string; run: string } => {
  const name = rival.split(' ')[0] ?? '';
  const place = `${to}/${name}`;
  const repo = { restic: `sftp:target:${place}`, borg: `ssh://target${place}` };
  switch (rival) {
    case 'tar | ssh | tar':
      return {
        before: `ssh target mkdir -p ${place}`,
        run: `tar -C ${from} -cf - . | ssh target tar -C ${place} -xpf -`,
      };
    case 'rsync -a':
      return { before: `ssh target mkdir -p ${place}`, run: `rsync -a ${from}/ target:${place}/` };
    case 'restic':
      return {
        before: `ssh target test -d ${place} || restic -q -r ${repo.restic} init`,
        run: `restic -q -r ${repo.restic} backup ${from}`,
      };
    case 'borg':
      return {
        before: `ssh target test -d ${place} || borg init -e none ${repo.borg}`,
        run: `cd ${from} && borg create ${repo.borg}::$(date +%s%N) .`,
      };
  }
};

/** Installs the programs on this machine and puts their files onto both hosts; gives root at the source a way to the target. */
export async function prepareRivals(fleet: Fleet, source: string): Promise<void> {
  if (!existsSync('/usr/bin/restic') || !existsSync('/usr/bin/borg')) {
    local('apt-get', ['update', '-q']);
    local('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...PACKAGES]);
  }
  const files = local('dpkg', ['-L', ...PACKAGES]).split('\n');
  const wanted = files.filter((file) => /^\/usr\/(bin|lib)\/./.test(file) && existsSync(file)).join('\n');
  for (const { name } of fleet.hosts) {
    const pid = local('cat', [`${fleet.host(name).records}/pid`]).trim();
    const copy = `tar -C / --no-recursion -cf - -T - | nsenter --target ${pid} --mount --root --wd tar -C / -xf -`;
    local('/bin/sh', ['-c', copy], wanted);
  }
  const { address } = fleet.host('target');
  const made = await fleet.exec(
    source,
    "mkdir -p /root/.ssh && ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519 && cat /root/.ssh/id_ed25519.pub",
  );
  await fleet.exec('target', `echo '${made.stdout.trim()}' >>/root/.ssh/authorized_keys`);
  const config = `Host target\n  HostName ${address}\n  User root\n  StrictHostKeyChecking accept-new\n  Ciphers aes128-gcm@openssh.com\n  LogLevel ERROR\n`;
  await fleet.exec(source, 'cat >/root/.ssh/config && ssh target true', { input: config });
}

/** Copies `from` to the rival's own folder under `to`. @returns seconds of the copy itself */
export async function runRival(options: {
  fleet: Fleet;
  source: string;
  rival: Rival;
  from: string;
  to: string;
}): Promise<number> {
  const { before, run } = script(options.rival, options.from, options.to);
  const environment =
    'export HOME=/root RESTIC_PASSWORD=bench BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes BORG_RELOCATED_REPO_ACCESS_IS_OK=yes';
  // By ssh, so that it runs on the host's own account of CPU time.
  const { stdout } = await options.fleet.ssh(
    options.source,
    `${environment}; set -e; (${before}) >&2; began=$(date +%s%N); (${run}) >&2; ended=$(date +%s%N); echo $((ended - began))`,
    { timeoutMs: 300_000 },
  );
  return Number(stdout) / 1e9;
}
