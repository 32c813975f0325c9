/** `resurgo recover`: a lost machine is made again on other disks, from the rescue system that was booted in its place. */
import type { Command } from '@commander-js/extra-typings';
import type { LuksHeader } from '../../planning/luks-headers';
import type { Manifest } from '../../planning/manifest';
import type { MeasuredRto } from '../../planning/recover-phases';
import { rtoVerdict } from '../../planning/recover-phases';
import { recoveryText } from '../../planning/recover-text';
import { isPlanHash, SHORT_HASH } from '../../planning/restore-approval';
import type { RecoverInput } from '../../planning/run-input';
import type { OpenQuestion } from '../../workflows/gate';
import type { PlannedRecovery } from '../../workflows/recover';
import type { RecoverReport } from '../../workflows/recover-report';
import { KEY_HELP, KNOWN_HOSTS } from '../admin-login';
import type { AdminOptions } from '../admin-login';
import { approvePlan } from '../approve-plan';
import { operator, run as inContext } from '../context';
import type { CliContext } from '../context';
import { CliError, EXIT } from '../exit';
import { followTo, followToEnd } from '../follow';
import { bytes, duration, printable, table } from '../output';
import { giveSecrets } from '../recover-secrets';
import { armTarget, rescueOf, targetOf } from '../recover-target';
import { startRun } from '../start-run';
import { entriesOf } from './list';

interface Options extends AdminOptions {
  group?: string;
  backup: string;
  at: string;
  code?: string;
  planOnly?: true;
  armOnly?: true;
  approve?: string;
  grow?: 'last' | 'proportional' | 'none';
  headroom?: number;
  pin: Record<string, string>;
  leaveOut: string[];
  passphrase: Record<string, string>;
  newKey: string[];
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
    .option('--plan-only', 'show the plan and end')
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
    .option('--grow <who>', 'who gets the room of bigger disks: last, proportional or none', grown)
    .option('--headroom <percent>', 'free room that a file system keeps on a smaller disk', percent)
    .option(
      '--old-machine-is-gone',
      'your word for it, where the old machine can not be asked; one that answers is believed',
    )
    .option('--arm-only', 'only let the target know this rescue system, for a run that waits for it')
    .option('--key <file>', KEY_HELP)
    .option('--ask-password', "ask for the administrator's ssh password at the target")
    .option('--ask-sudo', 'ask for the sudo password')
    .option('--known-hosts <file>', 'vouches for ssh host keys', KNOWN_HOSTS)
    .addHelpText(
      'after',
      '\nThe plan says which disks are overwritten, and runs only with your word for exactly it. The target lets the rescue system\nhave the data once its administrator says so: with your own ssh access, as `enroll` uses it.\n\nExample:\n  $ resurgo recover web-1 --at 192.0.2.7 --plan-only\n  $ resurgo recover web-1 --at 192.0.2.7',
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
  const { host, group, runbook } = targetOf(context, { name, group: options.group });
  const found = await rescueOf(context, { host, at: options.at, code: options.code });
  if (!planOnly || options.armOnly === true)
    await armTarget(context, { runbook, group, found, admin: options, again: options.armOnly === true });
  const { pick, setup } = await entriesOf(context, group);
  const entry = pick(options.backup);
  if (entry.problem !== undefined) throw new CliError(`backup ${entry.id} can't be recovered from: ${entry.problem}`);
  const { rescue } = found;
  if (!planOnly || options.armOnly === true)
    await giveSecrets(context, {
      ...{ setup, id: entry.id, headers: headersOf(entry.manifest, host.short), host, rescue },
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
    ...{ setup, host, rescue, id: entry.id },
    policy: {
      grow: options.grow ?? policy.grow,
      headroomPercent: options.headroom ?? policy.headroomPercent,
      ...{ pins: options.pin, leaveOut: options.leaveOut, newKeys: options.newKey },
    },
    oldMachineIsGone: options.oldMachineIsGone === true,
    approve: hash ?? null,
    planOnly,
  };
  const started = await startRun<RecoverInput>(context, {
    kind: 'recover',
    group,
    what: `recovery of ${host.name} from ${entry.id}`,
    summary: `recovery of ${host.name} from ${entry.id} at ${options.at}`,
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
    const shown = planned === undefined ? undefined : { ...planned, text: recoveryText(planned.plan) };
    if (!(await approvePlan(context, { started, planned: shown }))) return EXIT.incomplete;
  }
}

/** The headers of the machine's encrypted volumes that the backup holds. */
function headersOf(manifest: Manifest | undefined, host: string): LuksHeader[] {
  const whole = manifest?.sources.find((each) => each.host === host && each.kind === 'system');
  return whole?.state === 'ok' ? (whole.luksHeaders ?? []) : [];
}

/** A report in words, and the exit code that it means. */
export function showRecoverReport({ out }: CliContext, report: RecoverReport): number {
  const { state, host, backup, plan, hash, oldMachine, recovered, phases, warnings } = report;
  const short = hash.slice(0, SHORT_HASH);
  const possible = plan.blockers.length === 0;
  const told = warnings.filter((each) => recovered !== null || !plan.warnings.includes(each));
  const text =
    recovered === null
      ? [
          recoveryText(plan),
          `old machine: ${oldMachine}`,
          ...told.map((each) => `warning: ${each}`),
          ...(possible ? [`carry it out with --approve ${short}`] : []),
        ]
      : [
          `Completed: ${host} is recovered from ${backup}; it has booted (kernel ${recovered.running}) and answers with its own host key`,
          `${recovered.files} files, ${bytes(recovered.bytes)}, compared with the backup`,
          ...recovered.edits.map(({ path, why }) => `changed ${path}: ${why}`),
          `old machine: ${oldMachine}`,
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
