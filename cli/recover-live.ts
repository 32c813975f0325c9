/** `recover --live`: a running rescue Linux of any make is made the rescue system of the host, before its run begins. */
import { loadDirectorKeys } from '../hosts/director-keys';
import { enterLive } from '../hosts/enroll/live';
import { liveTrust } from '../hosts/enroll/live-trust';
import { Identities } from '../hosts/enroll/identities';
import type { AdminLogin } from '../hosts/enroll/admin';
import { HostError } from '../hosts/errors';
import { KnownHosts } from '../hosts/known-hosts';
import { readLayout } from '../hosts/layouts';
import { liveAt } from '../hosts/rescue-host';
import type { FleetHost, GroupSetup } from '../planning/run-input';
import type { Runbook } from '../runbooks/types';
import { prepareState } from '../workers/paths';
import { textOf } from './admin-login';
import type { AdminOptions } from './admin-login';
import { ask, askHidden } from './ask';
import type { CliContext } from './context';
import { CliError, EXIT } from './exit';
import { printable } from './output';
import { identityOf, type FoundRescue } from './recover-target';

export interface LiveOptions extends AdminOptions {
  at: string;
  fingerprint?: string;
  livePassword?: true;
  installPackages?: true;
}

/** Whose machine it becomes, of which backup. */
interface Wanted {
  host: FleetHost;
  runbook: Runbook;
  setup: GroupSetup;
  id: string;
  /** The administrator's login, where it is that at the target too. */
  login: () => Promise<AdminLogin>;
}

/** Sends the hostkit there, and asks it who it is. @throws CliError, HostError where it is no rescue Linux, or its key is nobody's word */
export async function liveRescue(context: CliContext, wanted: Wanted, options: LiveOptions): Promise<FoundRescue> {
  const { host, runbook, setup, id, login } = wanted;
  const { stateDir, out } = context;
  const { rescue, admin: user } = placeOf({ host, at: options.at });
  prepareState(stateDir);
  const [keys, knownHosts, identities] = await Promise.all([
    loadDirectorKeys({ stateDir }),
    KnownHosts.open({ stateDir }),
    Identities.open({ stateDir }),
  ]);
  const target = setup.storeHost;
  const identity = identities.of(target);
  if (identity === undefined)
    throw new CliError(
      `this director does not know the identity of ${target.name}, which sends the data: run \`resurgo enroll ${target.name} --update\` first`,
    );
  const at = { hosts: await context.hosts(), storeHost: target, store: setup.store.name, group: setup.group.name };
  const { layout } = await readLayout({ ...at, id, host: host.short });
  const trust = liveTrust({
    ...{ knownHosts, host: host.name, hosts: Object.keys(runbook.hosts), fingerprint: options.fingerprint },
    adminKnownHosts: await textOf(options.knownHosts),
    confirm: process.stdin.isTTY && !out.json ? confirmKey : undefined,
  });
  await enterLive({
    ...{ host, rescue, user, trust, keys, knownHosts, layout },
    admin: options.livePassword === true ? await passwordThere() : await login(),
    peers: new Map([[target.name, identity]]),
    installPackages: options.installPackages === true,
    log: (text) => {
      // It holds what the rescue system says of itself.
      out.say(printable(text));
    },
  });
  try {
    return { ...(await identityOf(context, { host, rescue, at: options.at })), word: trust.word() };
  } catch (error) {
    if (!(error instanceof HostError) || error.code !== 'auth-refused') throw error;
    const { verb, code, reason: message } = error;
    const next =
      'its sshd lets in no second user of root: look there at PermitRootLogin, AllowUsers and AuthorizedKeysFile (sshd -T), and recover again';
    throw new HostError({ host: rescue.name, verb, code, message, next });
  }
}

/** @throws CliError for what is no address */
function placeOf(where: { host: FleetHost; at: string }): ReturnType<typeof liveAt> {
  try {
    return liveAt(where);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new CliError(`--at: ${error.message}`, EXIT.usage);
  }
}

/** A hoster's rescue system often has a password of its own, while the target takes the administrator's key. */
async function passwordThere(): Promise<AdminLogin> {
  const password = await askHidden('ssh password of the running rescue system: ');
  return { login: { password }, sudoPassword: password };
}

async function confirmKey(shown: { host: { address: string }; fingerprint: string; also: string }): Promise<boolean> {
  const { host, fingerprint, also } = shown;
  const question = `the rescue system at ${host.address} shows the ssh host key ${fingerprint}${also}. Is that what its own console, or your hoster, tells? [yes/no] `;
  return (await ask({ question, left: 'nothing was changed' })) === 'yes';
}
