/** What `recover` settles before its run begins: whose machine, which rescue system, and that the target lets it have the data. */
import type { AdminLogin } from '../hosts/enroll/admin';
import { armRescue } from '../hosts/enroll/arm-rescue';
import { HostError } from '../hosts/errors';
import { rescueAt } from '../hosts/rescue-host';
import { confirmRescue } from '../hosts/rescue-login';
import { probe } from '../hosts/verbs/reading';
import { fleetHost } from '../planning/run-input';
import type { FleetHost } from '../planning/run-input';
import type { Runbook } from '../runbooks/types';
import { prepareState } from '../workers/paths';
import { textOf } from './admin-login';
import type { CliContext } from './context';
import { CliError, EXIT } from './exit';

/** How long a target lets a rescue system have the data: a recovery that waits for a person over a long weekend still goes on. */
const ARMED_DAYS = 7;

/** A rescue system that is the right one, and its identity. */
export interface FoundRescue {
  rescue: FleetHost;
  identity: { key: string; fingerprint: string };
  /** By whose word the ssh host key of a running rescue Linux is its own. */
  word?: string | undefined;
}

/** The host, and the group whose backups hold all of it. @throws CliError */
export function targetOf(
  context: CliContext,
  { name, group }: { name: string; group: string | undefined },
): { host: FleetHost; group: string; runbook: Runbook } {
  const { runbook } = context.runbook();
  if (!Object.hasOwn(runbook.hosts, name))
    throw new CliError(
      `the runbook has no host "${name}"; it knows ${Object.keys(runbook.hosts).join(', ')}`,
      EXIT.usage,
    );
  const host = fleetHost({ runbook, name });
  const whole = Object.values(runbook.groups).filter(({ sources }) =>
    sources.some((source) => source.host === name && source.snapshot === 'system'),
  );
  const names = whole.map((each) => each.name);
  if (group !== undefined) {
    // Backups may hold what the runbook no longer names: what the chosen one lacks, the run says.
    if (Object.hasOwn(runbook.groups, group)) return { host, group, runbook };
    throw new CliError(
      `the runbook has no group "${group}"; it knows ${Object.keys(runbook.groups).join(', ')}`,
      EXIT.usage,
    );
  }
  const [only, ...more] = names;
  if (only === undefined)
    throw new CliError(
      `no group of the runbook backs up all of ${name}: it wants a source { host: ${name}, path: /, snapshot: system }. Name the group of an older backup with --group`,
      EXIT.usage,
    );
  if (more.length > 0)
    throw new CliError(`several groups hold all of ${name}, name one with --group: ${names.join(', ')}`, EXIT.usage);
  return { host, group: only, runbook };
}

/** Sees that what answers is that host's rescue system (S30). @throws CliError, HostError */
export async function rescueOf(
  context: CliContext,
  { host, at, code }: { host: FleetHost; at: string; code: string | undefined },
): Promise<FoundRescue> {
  let rescue: FleetHost;
  try {
    rescue = rescueAt({ host, at });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new CliError(`--at: ${error.message}`, EXIT.usage);
  }
  prepareState(context.stateDir);
  await confirmRescue({ stateDir: context.stateDir, rescue, code });
  return identityOf(context, { host, rescue, at });
}

/** Whose rescue system it is, and its identity, by its own word. @throws CliError, HostError */
export async function identityOf(
  context: CliContext,
  { host, rescue, at }: { host: FleetHost; rescue: FleetHost; at: string },
): Promise<FoundRescue> {
  const { host: name, identity, identityKey } = await probe({ hosts: await context.hosts(), host: rescue });
  if (name !== host.name)
    throw new CliError(
      `at ${at} runs the rescue system of ${name}, not of ${host.name}. Recover ${name}, or boot the media of ${host.name}`,
    );
  if (identity === undefined || identityKey === undefined)
    throw new HostError({
      host: rescue.name,
      verb: 'probe',
      code: 'hostkit-old',
      message: 'it does not tell its identity, without which no target gives it data',
      next: 'build its media again (`resurgo rescue build`), and boot them',
    });
  return { rescue, identity: { key: identityKey, fingerprint: identity } };
}

/** Lets the target know the rescue system, unless it does. @throws HostError, CliError */
export async function armTarget(
  context: CliContext,
  options: {
    runbook: Runbook;
    group: string;
    found: FoundRescue;
    /** The administrator's login, where it is needed. */
    login: () => Promise<AdminLogin>;
    /** The file of the administrator's known_hosts. */
    knownHosts: string;
    again: boolean;
  },
): Promise<void> {
  const { runbook, group, found, login, again } = options;
  const { rescue, identity } = found;
  const { setup } = await context.group(group);
  const target = setup.storeHost;
  const { peers } = await probe({ hosts: await context.hosts(), host: target });
  if (!again && peers?.[rescue.name] === identity.fingerprint) return;
  const until = new Date(Date.now() + ARMED_DAYS * 86_400_000);
  await armRescue({
    ...{ stateDir: context.stateDir, runbook, target: target.name, name: rescue.name, identity: identity.key, until },
    admin: await login(),
    adminKnownHosts: await textOf(options.knownHosts),
  });
  context.out.say(
    `${target.name} lets ${rescue.name} have the backups of ${group} until ${until.toISOString().slice(0, 10)}`,
  );
}
