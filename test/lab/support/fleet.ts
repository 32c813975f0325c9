/** Simulated fleets for tests: a typed face over `fleet.sh`, which does the work and also serves the shell. */
import * as path from 'node:path';
import { z } from 'zod';
import { runProgram } from './program';
import type { CommandOptions, Output } from './program';

export { LabError } from './program';
export type { CommandOptions, Output } from './program';

const SCRIPT = path.join(__dirname, 'fleet.sh');
/** Building the hosts' file tree is part of the first raise on a machine. */
const RAISE_TIMEOUT_MS = 400_000;

export interface HostSpec {
  /** Lower-case letters, digits and `-`. */
  name: string;
  /** File system of the disk that holds `/srv`, `/var/lib/docker` and, without `store`, `/backup`. */
  disk: 'btrfs' | 'ext4' | 'xfs';
  /** Starts a dockerd of its own, with the image `bb:1`. */
  docker: boolean;
  /** Runs zfs-fuse with the pool `tank`, 4 GiB, mounted at `/tank`. */
  zfs?: boolean;
  /** Gives `/backup` a disk of its own with this file system. */
  store?: 'btrfs' | 'ext4' | 'xfs';
  /** Size of the disk, as `8G` (the default) or `512M`; the file is sparse. */
  size?: string;
  /** Size of the store's disk, likewise. */
  storeSize?: string;
  /** Boots systemd (in nspawn) instead of a plain init. */
  systemd?: boolean;
}

export interface FleetSpec {
  /** Up to 20 characters; the test's pid is added, so that the same test may run twice at once. */
  name: string;
  hosts: readonly HostSpec[];
}

const hostInfo = z.object({
  name: z.string(),
  address: z.string(),
  disk: z.string(),
  store: z.string(),
  docker: z.boolean(),
  zfs: z.boolean(),
  systemd: z.boolean(),
  /** Folder with the host's logs (`dockerd.log`, `sshd.log`, …), readable from outside. */
  records: z.string(),
  /** Folder with the host's disk images. */
  data: z.string(),
});
const fleetInfo = z.object({
  name: z.string(),
  lan: z.string(),
  directorAddress: z.string(),
  lanAddress: z.string(),
  adminKey: z.string(),
  knownHosts: z.string(),
  hosts: z.array(hostInfo),
});
export type LabHost = z.infer<typeof hostInfo>;

export interface Fleet {
  name: string;
  /** Network namespace of the fleet's bridge (`nsenter --net=/run/netns/…`). */
  lan: string;
  /** This machine's own address on the fleet's network; hosts know it as `director`. */
  directorAddress: string;
  /** Private key file of the administrator, who is root on each host by ssh. */
  adminKey: string;
  /** OpenSSH known_hosts file with each host's key by address. */
  knownHosts: string;
  hosts: readonly LabHost[];
  /** The host of that name; throws when there is none. */
  host(name: string): LabHost;
  /** Runs a shell command as the host's root from outside (no ssh). Throws `LabError` unless `mayFail`. */
  exec(host: string, command: string, options?: CommandOptions): Promise<Output>;
  /** The same through the host's sshd with the administrator's key. */
  ssh(host: string, command: string, options?: CommandOptions): Promise<Output>;
  /** Drops every packet between the two, both ways, silently. A side is a host's name or `director`. */
  cut(a: string, b: string): Promise<void>;
  /** Undoes one cut, or all when called without a pair. */
  heal(a?: string, b?: string): Promise<void>;
  /** Limits a host's network, in kbit/s each way; 0 lifts the limit. */
  limitRate(host: string, kbit: number): Promise<void>;
  /** Power cut: every process of the host dies at once, its mounts and devices are released. */
  killHost(host: string): Promise<void>;
  /** Power on after `killHost`: same disks and root, new boot id. Resolves when ssh and docker answer. */
  bootHost(host: string): Promise<void>;
  /** `killHost`, then `bootHost`. */
  rebootHost(host: string): Promise<void>;
  /** Stops all the host's processes where they are, containers too; `false` lets them go on. */
  hangHost(host: string, hung: boolean): Promise<void>;
  /** `service docker restart` on the host. */
  restartDocker(host: string): Promise<void>;
  /** SIGKILL to a host's dockerd; its init starts it again about a second later. */
  killDocker(host: string): Promise<void>;
  /** Shifts the wall clock as programs started from now on see it, by e.g. `+3600` or `-90` seconds; 0 undoes it. */
  shiftClock(host: string, seconds: number): Promise<void>;
  /** Removes the fleet and everything it left. Safe to call twice. */
  down(): Promise<void>;
}

function lab(args: readonly string[], options: CommandOptions = {}): Promise<Output> {
  return runProgram({ command: [SCRIPT, ...args], ...options });
}

function specText(host: HostSpec): string {
  const options = [`disk=${host.disk}`];
  if (host.docker) options.push('docker');
  if (host.zfs === true) options.push('zfs');
  if (host.store !== undefined) options.push(`store=${host.store}`);
  if (host.size !== undefined) options.push(`size=${host.size}`);
  if (host.storeSize !== undefined) options.push(`store-size=${host.storeSize}`);
  if (host.systemd === true) options.push('systemd');
  return `${host.name}:${options.join(',')}`;
}

/**
 * Raises a fleet and resolves when every host answers to ssh (and docker, zfs where asked for): about 2 s for three hosts,
 * a minute more the first time on a machine. Fleets whose test process died are swept on the way. Needs root.
 */
export async function raiseFleet(spec: FleetSpec): Promise<Fleet> {
  const name = `${spec.name}-${process.pid}`;
  const args = ['up', '--owner', String(process.pid), name, ...spec.hosts.map(specText)];
  try {
    await lab(args, { timeoutMs: RAISE_TIMEOUT_MS });
    return await attachFleet(name);
  } catch (error) {
    await lab(['down', name], { mayFail: true });
    throw error;
  }
}

/** The fleet that stands under this full name, for example one raised from the shell. */
export async function attachFleet(name: string): Promise<Fleet> {
  const info = fleetInfo.parse(JSON.parse((await lab(['info', name])).stdout));
  const run = async (...args: string[]): Promise<void> => {
    await lab(args, { timeoutMs: 180_000 });
  };
  const exec: Fleet['exec'] = (host, command, options) => lab(['exec', name, host, command], options);
  return {
    ...info,
    host(wanted) {
      const found = info.hosts.find((each) => each.name === wanted);
      if (found === undefined) throw new Error(`fleet ${name} has no host ${wanted}`);
      return found;
    },
    exec,
    ssh: (host, command, options) => lab(['ssh', name, host, command], options),
    cut: (a, b) => run('cut', name, a, b),
    heal: (a, b) => (a === undefined || b === undefined ? run('heal', name) : run('heal', name, a, b)),
    limitRate: (host, kbit) => run('rate', name, host, String(kbit)),
    killHost: (host) => run('kill', name, host),
    bootHost: (host) => run('boot', name, host),
    rebootHost: (host) => run('reboot', name, host),
    hangHost: (host, hung) => run(hung ? 'hang' : 'unhang', name, host),
    async restartDocker(host) {
      await exec(host, 'service docker restart', { timeoutMs: 90_000 });
    },
    async killDocker(host) {
      await exec(host, 'pkill -KILL -x dockerd');
    },
    shiftClock: (host, seconds) => run('clock', name, host, String(seconds)),
    down: () => run('down', name),
  };
}
