/** `resurgo recover`: a lost machine is made again on other disks, from the rescue system that was booted in its place. */
import type { Command } from '@commander-js/extra-typings';
import { counted } from '../../planning/counted';
import type { LuksHeader } from '../../planning/luks-headers';
import type { Manifest } from '../../planning/manifest';
import type { MeasuredRto } from '../../planning/recover-phases';
import { rtoVerdict } from '../../planning/recover-phases';
import { recoveryText } from '../../planning/recover-text';
import { isPlanHash, SHORT_HASH } from '../../planning/restore-approval';
import type { GroupSetup, RecoverInput } from '../../planning/run-input';
import type { OpenQuestion } from '../../workflows/gate';
import type { PlannedRecovery } from '../../workflows/recover';
import type { RecoverReport } from '../../workflows/recover-report';
import type { AdminLogin } from '../../hosts/enroll/admin';
import { KEY_HELP, KNOWN_HOSTS, loginOf } from '../admin-login';
import { approvePlan } from '../approve-plan';
import { operator, run as inContext } from '../context';
import type { CliContext } from '../context';
import { CliError, EXIT } from '../exit';
import { followTo, followToEnd } from '../follow';
import { bytes, duration, printable, table } from '../output';
import { giveSecrets } from '../recover-secrets';
import { liveRescue } from '../recover-live';
import type { LiveOptions } from '../recover-live';
import { armTarget, rescueOf, targetOf } from '../recover-target';
import { startRun } from '../start-run';
import { entriesOf } from './list';

interface Options extends LiveOptions {
  group?: string;
  backup: string;
  code?: string;
  live?: true;
  planOnly?: true;
  armOnly?: true;
  approve?: string;
  grow?: 'last' | 'proportional' | 'none';
  headroom?: number;
  pin: Record<string, string>;
  leaveOut: string[];
  passphrase: Record<string, string>;
  newKey: string[];
  newIdentity?: true;
  oldMachineIsGone?: true;
}

export function registerRecover(program: Command): void {
  program
    .command('recover')
    .argument('<host>', 'a host of the runbook')
    .description('make a lost machine again from bare metal, on the machine that its rescue system has booted')
    .requiredOption('--at <address>', 'where the rescue system is: ADDRESS or ADDRESS:PORT, as its console shows it')
    .option('--group <group>', 'the protection group, where several hold the whole machine')
    .option('--backup <id>', 'a backup id', 'latest')
    .option('--code <code>', "the code on the rescue system's console, where its key was not pinned at the build")
    .option(
      '--live',
      'any rescue Linux that runs there, in memory: the hostkit is sent along. --at may be USER@ADDRESS',
    )
    .option(
      '--fingerprint <fingerprint>',
      'with --live: SHA256:… of its ssh host key, as its console or your hoster tells',
    )
    .option(
      '--live-password',
      'with --live: ask for the ssh password there, where it is another login than at the target',
    )
    .option('--install-packages', 'with --live: install missing tools there with its package manager')
    .option('--plan-only', 'show the plan and end; with --live the hostkit is sent there, and no disk is written to')
    .option('--approve <hash>', 'go on without asking if the plan is exactly this one')
    .option('--pin <disk=serial>', 'which disk takes the place of which; can be repeated', pinned, {})
    .option('--leave-out <disk>', 'a disk of the old machine that is not made again; can be repeated', listed, [])
    .option('--passphrase <volume=file>', 'the passphrase of an encrypted volume; can be repeated', ofVolume, {})
    .option(
      '--new-key <volume>',
      'an encrypted volume that gets a new key, though the backup has its header; can be repeated',
      listed,
      [],
    )
    .option('--new-identity', 'it is a copy: machine id, ssh host keys and the key of the fleet are made anew')
    .option('--grow <who>', 'who gets the room of bigger disks: last, proportional or none', grown)
    .option('--headroom <percent>', 'free room that a file system keeps on a smaller disk', percent)
    .option(
      '--old-machine-is-gone',
      'your word for it, where the old machine can not be asked; one that answers with its own key is believed',
    )
    .option('--arm-only', 'only let the target know this rescue system, for a run that waits for it')
    .option('--key <file>', KEY_HELP)
    .option('--ask-password', "ask for the administrator's ssh password at the target")
    .option('--ask-sudo', 'ask for the sudo password')
    .option('--known-hosts <file>', 'vouches for ssh host keys', KNOWN_HOSTS)
    .addHelpText(
      'after',
      '\nThe plan says which disks are overwritten, and runs only with your word for exactly it. The target lets the rescue system\nhave the data once its administrator says so: with your own ssh access, as `enroll` uses it.\n\nExample:\n  $ resurgo recover web-1 --at 192.0.2.7 --plan-only\n  $ resurgo recover web-1 --at 192.0.2.7\n  $ resurgo recover web-1 --at root@192.0.2.7 --live --live-password --fingerprint SHA256:…',
    )
    .action((host, options, command) => inContext(command, (context) => recover(context, host, options)));
}

async function recover(context: CliContext, name: string, options: Options): Promise<number> {
  const { out } = context;
  const { approve: hash, planOnly = false } = options;
  if (hash !== undefined && !isPlanHash(hash))
    throw new CliError(
      `--approve wants the hash that the plan shows, at least its first ${SHORT_HASH} digits, not "${hash}"`,
      EXIT.usage,
    );
  refuseMixed(options);
  const { host, group, runbook } = targetOf(context, { name, group: options.group });
  // What has to be there on a running rescue Linux depends on the machine that it is to make.
  const before = options.live === true ? await backupOf(context, { group, id: options.backup }) : undefined;
  // A passphrase is asked for once, whatever the key is for.
  let opened: Promise<AdminLogin> | undefined;
  const login = (): Promise<AdminLogin> => (opened ??= loginOf(options));
  const found =
    before === undefined
      ? await rescueOf(context, { host, at: options.at, code: options.code })
      : await liveRescue(context, { ...before, host, runbook, login }, options);
  if (!planOnly || options.armOnly === true)
    await armTarget(context, {
      ...{ runbook, group, found, login, knownHosts: options.knownHosts },
      again: options.armOnly === true,
    });
  const { setup, id, manifest } = before ?? (await backupOf(context, { group, id: options.backup }));
  const { rescue } = found;
  if (!planOnly || options.armOnly === true)
    await giveSecrets(context, {
      ...{ setup, id, headers: headersOf(manifest, host.short), host, rescue },
      ...{ files: options.passphrase, newKeys: options.newKey },
    });
  if (options.armOnly === true) {
    out.result({
      json: { armed: rescue.name },
      text: `${setup.storeHost.name} knows ${rescue.name} now; the run that waits can go on: resurgo retry RUN`,
    });
    return EXIT.ok;
  }
  const { recover: policy } = setup.group;
  const input: Omit<RecoverInput, 'run'> = {
    requestedBy: operator(),
    ...{ setup, host, rescue, id, rescueWord: found.word },
    policy: {
      grow: options.grow ?? policy.grow,
      headroomPercent: options.headroom ?? policy.headroomPercent,
      ...{ pins: options.pin, leaveOut: options.leaveOut, newKeys: options.newKey },
      ...(options.newIdentity === true ? { newIdentity: true } : {}),
    },
    oldMachineIsGone: options.oldMachineIsGone === true,
    approve: hash ?? null,
    planOnly,
  };
  const started = await startRun<RecoverInput>(context, {
    kind: 'recover',
    group,
    what: `recovery of ${host.name} from ${id}`,
    summary: `recovery of ${host.name} from ${id} at ${options.at}`,
    input: (run) => ({ ...input, run }),
  });
  const following = {
    ...{ handle: started.handle, out, comeBack: started.comeBack, leaveWaiting: true },
    show: (report: unknown) => showRecoverReport(context, report as RecoverReport),
  };
  if (hash !== undefined || planOnly) return followToEnd(following);
  // What else it asks is told by following; after a rescue system that booted anew it asks for its plan once more.
  for (;;) {
    const asks = (questions: readonly OpenQuestion[]): boolean => questions.some((each) => each.step === 'approve');
    const code = await followTo({ ...following, stopAt: asks });
    if (code !== 'reached') return code;
    const planned = await started.handle.query<PlannedRecovery | undefined>('plan');
    const shown = planned === undefined ? undefined : { ...planned, text: approvalText(planned) };
    if (!(await approvePlan(context, { started, planned: shown }))) return EXIT.incomplete;
  }
}

/** @throws CliError for options that are about another kind of rescue system */
function refuseMixed({ live, code, fingerprint, livePassword, installPackages }: Options): void {
  const liveOnly = {
    '--fingerprint': fingerprint,
    '--live-password': livePassword,
    '--install-packages': installPackages,
  };
  const [lone] = Object.entries(liveOnly).flatMap(([name, value]) => (value === undefined ? [] : [name]));
  if (live !== true && lone !== undefined)
    throw new CliError(`${lone} is about a running rescue Linux: give --live too`, EXIT.usage);
  if (live === true && code !== undefined)
    throw new CliError(
      '--code is about our own rescue system, whose console shows one; a running rescue Linux is known by --fingerprint',
      EXIT.usage,
    );
}

async function backupOf(
  context: CliContext,
  { group, id: wanted }: { group: string; id: string },
): Promise<{ setup: GroupSetup; id: string; manifest: Manifest | undefined }> {
  const { pick, setup } = await entriesOf(context, group);
  const { id, problem, manifest } = pick(wanted);
  if (problem !== undefined) throw new CliError(`backup ${id} can't be recovered from: ${problem}`);
  return { setup, id, manifest };
}

/** The headers of the machine's encrypted volumes that the backup holds. */
function headersOf(manifest: Manifest | undefined, host: string): LuksHeader[] {
  const whole = manifest?.sources.find((each) => each.host === host && each.kind === 'system');
  return whole?.state === 'ok' ? (whole.luksHeaders ?? []) : [];
}

/** The plan, with what it rests on. */
function approvalText({ plan, oldMachine, rescueSystem }: PlannedRecovery): string {
  const old = oldMachine === undefined ? [] : [`old machine: ${oldMachine}`];
  return [recoveryText(plan), ...[...old, ...rescueText(rescueSystem)].map(printable)].join('\n');
}

function rescueText(word: string | undefined): string[] {
  return word === undefined ? [] : [`rescue system: ${word}`];
}

/** A report in words, and the exit code that it means. */
export function showRecoverReport({ out }: CliContext, report: RecoverReport): number {
  const { state, host, backup, plan, hash, oldMachine, rescueSystem, recovered, phases, warnings } = report;
  const short = hash.slice(0, SHORT_HASH);
  const possible = plan.blockers.length === 0;
  const told = warnings.filter((each) => recovered !== null || !plan.warnings.includes(each));
  const text =
    recovered === null
      ? [
          recoveryText(plan),
          `old machine: ${oldMachine}`,
          ...rescueText(rescueSystem),
          ...told.map((each) => `warning: ${each}`),
          ...(possible ? [`carry it out with --approve ${short}`] : []),
        ]
      : [
          `Completed: ${host} is recovered from ${backup}; it has booted (kernel ${recovered.running}) and answers with its own host key`,
          `${counted(recovered.files, 'file')}, ${bytes(recovered.bytes)}, compared with the backup`,
          ...recovered.edits.map(({ path, why }) => `changed ${path}: ${why}`),
          `old machine: ${oldMachine}`,
          ...rescueText(rescueSystem),
          table([['phase', 'took'], ...phases.map(({ phase, seconds }) => [phase, duration(seconds * 1000)])]),
          rtoText(recovered.rto),
          ...told.map((each) => `warning: ${each}`),
        ];
  if (recovered === null) out.event({ type: 'plan', hash, plan: JSON.parse(JSON.stringify(plan)) as never });
  out.result({
    json: { type: 'ended', ...(JSON.parse(JSON.stringify(report)) as Record<string, never>) },
    text: text.map((line) => (line.includes('\n') ? line : printable(line))).join('\n'),
  });
  if (state === 'Planned' && !possible)
    throw new CliError(`the plan can not be carried out: ${plan.blockers.map(printable).join('; ')}`);
  return EXIT.ok;
}

function rtoText(rto: MeasuredRto): string {
  const verdict = rtoVerdict(rto);
  const took = `recovered in ${duration(rto.fromStartS * 1000)}, ${duration(rto.fromApprovalS * 1000)} of it after the approval`;
  return verdict === undefined ? took : `${took}; ${verdict}`;
}

function pinned(text: string, before: Record<string, string>): Record<string, string> {
  return paired({ text, before, why: '--pin wants DISK=SERIAL, such as sda=WD-1234' });
}

function ofVolume(text: string, before: Record<string, string>): Record<string, string> {
  return paired({ text, before, why: '--passphrase wants VOLUME=FILE, such as cryptroot=/run/secrets/root' });
}

function paired(options: { text: string; before: Record<string, string>; why: string }): Record<string, string> {
  const { text, before, why } = options;
  const [, key, value] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  if (key === undefined || value === undefined) throw new CliError(`${why}, not "${text}"`, EXIT.usage);
  return { ...before, [key]: value };
}

function listed(text: string, before: string[]): string[] {
  return [...before, text];
}

function grown(text: string): 'last' | 'proportional' | 'none' {
  if (text === 'last' || text === 'proportional' || text === 'none') return text;
  throw new CliError(`--grow is last, proportional or none, not "${text}"`, EXIT.usage);
}

function percent(text: string): number {
  const [, number] = /^(\d{1,4})%?$/.exec(text) ?? [];
  if (number === undefined || Number(number) > 1000)
    throw new CliError(`--headroom is a share from 0 to 1000 percent, not "${text}"`, EXIT.usage);
  return Number(number);
}
