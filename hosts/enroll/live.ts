/**
 * A running rescue Linux becomes the rescue system of a host (`recover --live`): with the administrator's own access the hostkit is put there, at
 * the places that our own image has it. It lies in memory there, as all of that system does: no disk is written to, and a restart forgets it.
 */
import { counted } from '../../planning/counted';
import type { DirectorKeys } from '../director-keys';
import { HostError } from '../errors';
import { encodeValue } from '../request';
import type { Layout } from '../../planning/layout-schema';
import type { FleetHost } from '../../planning/run-input';
import type { KnownHosts } from '../known-hosts';
import { AdminShell, type AdminLogin } from './admin';
import { peersFile } from './config';
import { directorsFile } from './host-files';
import { asRescue, readHostkit, readScript, type HostkitTree } from './hostkit-tree';
import { liveTools } from './live-tools';
import type { LiveTrust } from './live-trust';
import { packTarGz } from './tar';
import { installCommand, packagesFor } from './tools';

export interface EnterOptions {
  /** The machine that is recovered. */
  host: FleetHost;
  rescue: FleetHost;
  /** The administrator's user there. */
  user: string;
  admin: AdminLogin;
  trust: LiveTrust;
  keys: DirectorKeys;
  knownHosts: KnownHosts;
  /** By host, the identities that data may come from: the target's. */
  peers: ReadonlyMap<string, string>;
  /** What the machine is to become, which says what tools that takes. */
  layout: Layout;
  installPackages: boolean;
  /** One line for a person. */
  log: (text: string) => void;
}

/** What `live-survey.sh` has found. */
interface Found {
  reasons: string[];
  live: string | undefined;
  missing: string[];
  manager: string;
  os: string;
}

/** Installing packages and unpacking in a slow rescue system, in ms. */
const INSTALL_MS = 600_000;
const STEP = 'live';

/** Puts the hostkit there, unless it stands; its ssh host key is pinned then. @throws HostError where it is no rescue Linux, or lacks tools */
export async function enterLive(options: EnterOptions): Promise<void> {
  const { rescue, user, admin, trust, knownHosts } = options;
  const shell = await AdminShell.open({
    verb: 'recover',
    host: { ...rescue, user },
    admin,
    trust: trust.trust,
    named: 'the user (--at USER@ADDRESS)',
  }).catch((error: unknown) => {
    throw trust.problem() ?? error;
  });
  try {
    const word = trust.word();
    if (word !== undefined) options.log(`${rescue.name}: ${word}`);
    await install(options, shell);
  } finally {
    shell.close();
  }
  const key = trust.seen();
  if (key !== undefined) await knownHosts.pin({ host: rescue, keys: [key] });
}

async function install(options: EnterOptions, shell: AdminShell): Promise<void> {
  const { host, rescue, keys, layout, installPackages, log } = options;
  const tools = liveTools(layout);
  let found = await surveyLive({ shell, rescue, tools });
  refuseOther({ found, host, rescue });
  if (found.missing.length > 0 && installPackages) {
    const packages = packagesFor(found);
    log(`${rescue.name}: installs ${packages.join(' ')}`);
    await run({ shell, rescue, name: 'packages', args: [found.manager, ...packages] });
    found = await surveyLive({ shell, rescue, tools });
  }
  if (found.missing.length > 0)
    throw failed(rescue, 'missing-tool', `these tools are missing there: ${found.missing.join(', ')}`, {
      next: `run there: ${installCommand(found)}; or recover with --install-packages. Nothing was changed`,
    });
  const hostkit = asRescue(await readHostkit());
  log(
    `${rescue.name} (${found.os || 'its system'}, in memory): gets the hostkit ${hostkit.version} at /usr/local/lib/resurgo, its configuration and this director's key at /etc/resurgo, and a user resurgo; no disk is written to, and its restart forgets it all`,
  );
  const stdin = payload({ ...options, hostkit, director: directorsFile(keys) });
  const output = await run({ shell, rescue, name: 'live-install', args: [host.name], stdin });
  const changes = [...output.matchAll(/^change (.*)$/gm)].length;
  log(`${rescue.name}: ${changes === 0 ? 'all stood already' : `${counted(changes, 'file')} written`}`);
}

async function surveyLive(options: { shell: AdminShell; rescue: FleetHost; tools: string[] }): Promise<Found> {
  const { shell, rescue, tools } = options;
  const output = await run({ shell, rescue, name: 'live-survey', args: tools });
  const all = (key: string) => [...output.matchAll(new RegExp(`^${key} (.*)$`, 'gm'))].map(([, value]) => value ?? '');
  if (all('root')[0] !== 'yes') throw failed(rescue, 'enrolment', "the administrator's login has no root shell");
  const [live] = all('live');
  const reasons = all('refuse');
  if (reasons.length === 0 && all('rescue')[0] !== 'yes') reasons.push('it did not say what it is');
  return {
    reasons,
    live,
    missing: all('missing'),
    manager: all('manager')[0] ?? '',
    os: all('os')[0] ?? '',
  };
}

/** There is no way around it: who has mistyped an address would say yes to everything. */
function refuseOther({ found, host, rescue }: { found: Found; host: FleetHost; rescue: FleetHost }): void {
  const { reasons, live } = found;
  const at = `${rescue.address}:${rescue.port}`;
  if (reasons.length > 0)
    throw failed(rescue, 'not-allowed', `what runs at ${at} is no rescue Linux: ${reasons.join('; ')}`, {
      next: 'look at the address (--at). Where it is right, boot a rescue system there; one that has a disk mounted outside of /mnt and /media is to unmount it. Nothing was changed',
    });
  if (live !== undefined && live !== host.name)
    throw failed(rescue, 'not-allowed', `at ${at} ${live} is being recovered, and not ${host.name}`, {
      next: `look at the address (--at), recover ${live}, or restart what runs there. Nothing was changed`,
    });
}

/** The tar.gz that `live-install.sh` takes on stdin. */
function payload(options: EnterOptions & { hostkit: HostkitTree; director: string }): Buffer {
  const { host, peers, hostkit, director } = options;
  const text = (path: string, content: string, mode = 0o600) => ({ path, mode, content: Buffer.from(content) });
  return packTarGz([
    ...hostkit.files.map((file) => ({ ...file, path: `hostkit/${file.path}` })),
    text('hostkit/VERSION', `${hostkit.version} ${hostkit.hash}\n`, 0o644),
    text('etc/host.conf', `host ${encodeValue(host.name)}\nrestore-to /mnt/new\nrestore-to /mnt/headers\n`),
    text('etc/rescue.host', `${host.name}\n`, 0o644),
    text('etc/director.keys', director),
    text('etc/peers', peersFile(peers)),
  ]);
}

async function run(options: {
  shell: AdminShell;
  rescue: FleetHost;
  name: 'packages' | 'live-survey' | 'live-install';
  args: readonly string[];
  stdin?: Uint8Array;
}): Promise<string> {
  const { shell, rescue, name, args, stdin } = options;
  const script = await readScript(name);
  const { stdout, stderr, exit } = await shell.root(script, { step: name, args, stdin, timeoutMs: INSTALL_MS });
  if (exit === 0) return stdout;
  throw failed(rescue, exit === 3 ? 'not-allowed' : 'enrolment', stderr.trim() || `exit ${exit ?? 'unknown'}`);
}

function failed(
  rescue: FleetHost,
  code: 'not-allowed' | 'missing-tool' | 'enrolment',
  message: string,
  { next = 'mend what the message says, and recover again: it goes on from there' }: { next?: string } = {},
): HostError {
  return new HostError({ host: rescue.name, verb: 'recover', step: STEP, code, message, next });
}
