/** `resurgo enroll`, `unenroll`, `keys rotate`: with the administrator's own access, which is asked for and never stored. */
import type { Command } from '@commander-js/extra-typings';
import { enrollHosts } from '../../hosts/enroll/enroll';
import type { EnrollResult } from '../../hosts/enroll/enroll';
import { rotateKeys } from '../../hosts/enroll/rotate';
import { unenrollHost } from '../../hosts/enroll/unenroll';
import { counted } from '../../planning/counted';
import type { Runbook } from '../../runbooks/types';
import { prepareState } from '../../workers/paths';
import { run as inContext } from '../context';
import type { CliContext } from '../context';
import { CliError, EXIT } from '../exit';
import { KEY_HELP, KNOWN_HOSTS, loginOf, textOf } from '../admin-login';
import type { AdminOptions } from '../admin-login';
import { ask, LeftError } from '../ask';

interface EnrollOptions extends AdminOptions {
  all?: true;
  dryRun?: true;
  update?: true;
  installPackages?: true;
  takeOver?: true;
  acceptHostKey?: string;
}

export function registerEnroll(program: Command): void {
  program
    .command('enroll')
    .argument('[hosts...]', 'names of hosts in the runbook')
    .description('set hosts up once, or bring them up to date: user, hostkit, configuration, keys')
    .option('--all', 'every host of the runbook')
    .option('--update', 'the same: an enrolled host gets the present hostkit and configuration')
    .option('--dry-run', 'only say what would change')
    .option('--key <file>', KEY_HELP)
    .option('--ask-password', "ask for the administrator's ssh password")
    .option('--ask-sudo', 'ask for the sudo password')
    .option('--known-hosts <file>', 'vouches for ssh host keys', KNOWN_HOSTS)
    .option('--accept-host-key <fingerprint>', 'SHA256:… of the ssh host key that you have checked')
    .option('--install-packages', "install missing tools with the host's package manager")
    .option('--take-over', "replace another director's keys")
    .addHelpText(
      'after',
      '\nExample:\n  $ resurgo enroll --all --dry-run\n  $ resurgo enroll app-1 target --key ~/.ssh/id_ed25519',
    )
    .action((hosts, options, command) => inContext(command, (context) => enroll(context, hosts, options)));
  program
    .command('unenroll')
    .argument('<host>', 'a host of the runbook')
    .description('undo an enrolment whole; backups stay')
    .option('--force', 'thaw an armed freeze first, and leave snapshots behind')
    .option('--key <file>', KEY_HELP)
    .option('--ask-password', "ask for the administrator's ssh password")
    .option('--ask-sudo', 'ask for the sudo password')
    .option('--known-hosts <file>', 'vouches for ssh host keys', KNOWN_HOSTS)
    .addHelpText('after', '\nExample:\n  $ resurgo unenroll app-1')
    .action((host, options, command) => inContext(command, (context) => unenroll(context, host, options)));
  program
    .command('keys')
    .description("the director's keys")
    .addHelpText('after', '\nExample:\n  $ resurgo keys rotate')
    .command('rotate')
    .description('replace the login key on every enrolled host by a new one; cut off anywhere, the next call goes on')
    .option('--key <file>', KEY_HELP)
    .option('--ask-password', "ask for the administrator's ssh password")
    .option('--ask-sudo', 'ask for the sudo password')
    .option('--known-hosts <file>', 'vouches for ssh host keys', KNOWN_HOSTS)
    .addHelpText('after', '\nExample:\n  $ resurgo keys rotate')
    .action((options, command) => inContext(command, (context) => rotate(context, options)));
}

async function enroll(context: CliContext, names: string[], options: EnrollOptions): Promise<number> {
  const { runbook } = context.runbook();
  const hosts = chosen({ runbook, names, all: options.all === true });
  prepareState(context.stateDir);
  const login = await loginOf(options);
  const leaving = new AbortController();
  const result = await enrollHosts({
    stateDir: context.stateDir,
    runbook,
    hosts,
    admin: () => login,
    dryRun: options.dryRun === true,
    installPackages: options.installPackages === true,
    takeOver: options.takeOver === true,
    acceptHostKey: options.acceptHostKey,
    adminKnownHosts: await textOf(options.knownHosts),
    confirm: process.stdin.isTTY ? (question) => confirmKey(question, leaving) : undefined,
    signal: leaving.signal,
    log: ({ host, text }) => {
      context.out.say(`${host}: ${text}`);
    },
  });
  return report(context, result, options.dryRun === true);
}

/** A host's line of a dry run. */
export function wouldChange({ host, changes }: Pick<EnrollResult['enrolled'][number], 'host' | 'changes'>): string {
  return `${host}: ${changes.length === 0 ? 'nothing to change' : `would change: ${changes.join(', ')}`}`;
}

function report({ out }: CliContext, { enrolled, failed, toUpdate }: EnrollResult, dryRun: boolean): number {
  const update =
    toUpdate.length === 0
      ? []
      : [`run next, so that they know the new hosts: resurgo enroll --update ${toUpdate.join(' ')}`];
  out.result({
    json: {
      enrolled: enrolled.map(({ host, changes, hostKey, bootSweep }) => ({ host, changes, hostKey, bootSweep })),
      failed: failed.map(({ host, error }) => ({ host, message: error.message })),
      toUpdate,
      dryRun,
    },
    text: [
      ...(dryRun ? enrolled.map(wouldChange) : []),
      `${enrolled.length} of ${counted(enrolled.length + failed.length, 'host')} ${dryRun ? 'looked at' : 'enrolled'}`,
      ...update,
    ].join('\n'),
  });
  for (const { error } of failed) out.warn(error.message);
  if (failed.length === 0) return EXIT.ok;
  return enrolled.length === 0 ? EXIT.failed : EXIT.incomplete;
}

async function unenroll(context: CliContext, host: string, options: AdminOptions & { force?: true }): Promise<number> {
  const { runbook } = context.runbook();
  chosen({ runbook, names: [host], all: false });
  const adminKnownHosts = await textOf(options.knownHosts);
  await unenrollHost({
    stateDir: context.stateDir,
    runbook,
    host,
    admin: await loginOf(options),
    force: options.force === true,
    adminKnownHosts,
  });
  context.out.result({ json: { unenrolled: host }, text: `${host}: nothing of Resurgo is left there but the backups` });
  return EXIT.ok;
}

async function rotate(context: CliContext, options: AdminOptions): Promise<number> {
  const { runbook } = context.runbook();
  const login = await loginOf(options);
  const { rotated, failed, leftOut, takenUp } = await rotateKeys({
    stateDir: context.stateDir,
    runbook,
    admin: () => login,
    adminKnownHosts: await textOf(options.knownHosts),
    log: ({ host, text }) => {
      context.out.say(`${host}: ${text}`);
    },
  });
  const names = failed.map(({ host }) => host).join(', ');
  const aside = leftOut.length === 0 ? '' : `; not enrolled, so left out: ${leftOut.join(', ')}`;
  const left = `not changed, so the old key may still be let in there: ${names}. Run \`resurgo keys rotate\` again when they can be reached; until then the director may be locked out there. Of a host that is gone for ever, remove the lines from known_hosts and identities in ${context.stateDir}`;
  const older =
    takenUp === undefined
      ? []
      : [
          `the new key is that of a rotation which was cut off, made ${takenUp.toISOString()}: if it may have leaked since, run \`resurgo keys rotate\` once more`,
        ];
  const done =
    failed.length === 0
      ? 'every enrolled host knows the new key, and only that'
      : `the new key, and only that, is known to ${rotated.join(', ') || 'no host'}`;
  context.out.result({
    json: {
      rotated: failed.length === 0,
      hosts: rotated,
      failed: failed.map(({ host, error }) => ({ host, message: error.message })),
      leftOut,
      takenUp: takenUp?.toISOString() ?? null,
    },
    text: [`${done}${aside}`, ...older, ...(failed.length === 0 ? [] : [left])].join('\n'),
  });
  for (const { error } of failed) context.out.warn(error.message);
  if (failed.length === 0) return EXIT.ok;
  return rotated.length === 0 ? EXIT.failed : EXIT.incomplete;
}

/** @throws CliError for none, or a name that the runbook doesn't have */
function chosen({ runbook, names, all }: { runbook: Runbook; names: string[]; all: boolean }): string[] {
  const known = Object.keys(runbook.hosts);
  if (all) return known;
  if (names.length === 0) throw new CliError(`name hosts, or --all: ${known.join(', ')}`, EXIT.usage);
  const stranger = names.find((name) => !known.includes(name));
  if (stranger !== undefined)
    throw new CliError(`the runbook has no host "${stranger}"; it knows ${known.join(', ')}`, EXIT.usage);
  return names;
}

/** Who leaves here leaves the whole enrolment, not one host of it. */
async function confirmKey(
  { host, fingerprint }: { host: { name: string; address: string }; fingerprint: string },
  leaving: AbortController,
): Promise<boolean> {
  const question = `${host.name} (${host.address}) shows the ssh host key ${fingerprint}. Is that its key? [yes/no] `;
  try {
    return (await ask({ question, left: 'no host was enrolled; begin again at any time' })) === 'yes';
  } catch (error) {
    if (!(error instanceof LeftError)) throw error;
    leaving.abort(error);
    return false;
  }
}
