/** `resurgo restore`: shows the plan, asks for its approval, follows the run. */
import { posix } from 'node:path';
import type { Command } from '@commander-js/extra-typings';
import { counted } from '../../planning/counted';
import { sameStore, wavesOf } from '../../planning/restore';
import type { RestorePlan } from '../../planning/restore';
import { isPlanHash, SHORT_HASH } from '../../planning/restore-approval';
import type { RestoreInput } from '../../planning/run-input';
import type { OpenQuestion } from '../../workflows/gate';
import type { PlannedRestore, RestoreReport } from '../../workflows/restore';
import { approvePlan } from '../approve-plan';
import { CliContext, operator, run as inContext } from '../context';
import { CliError, EXIT } from '../exit';
import { followTo, followToEnd } from '../follow';
import { bytes, printable, table } from '../output';
import { startRun } from '../start-run';
import { entriesOf } from './list';

interface Options {
  host?: string;
  source?: string;
  path?: string;
  to?: string;
  into?: string;
  keepExtra?: true;
  newDisk?: true;
  checksum?: true;
  approve?: string;
  planOnly?: true;
}

export function registerRestore(program: Command): void {
  program
    .command('restore')
    .argument('<id>', 'a backup id, or `latest`')
    .argument('[group]', 'the protection group')
    .description('bring a backup back: all of it, one host, one source or one path')
    .option('--host <name>', 'only this host')
    .option('--source <name>', 'only this source')
    .option('--path <path>', 'only this path, as it was on the host')
    .option('--to <[host:]folder>', 'into a folder beside the data; nothing is stopped')
    .option('--into <runbook>', "into another runbook's fleet, by unprefixed host names")
    .option('--keep-extra', "don't delete what the backup doesn't hold")
    .option('--new-disk', 'in place, onto another file system than was backed up: its disk was replaced')
    .option('--checksum', 'compare files by content, not by size and time: every file is read on both sides')
    .option('--approve <hash>', 'go on without asking if the plan is exactly this one')
    .option('--plan-only', 'show the plan and end')
    .addHelpText('after', '\nExample:\n  $ resurgo restore latest portal --host app-1 --path /srv/data/reports')
    .action((id, group, options, command) => inContext(command, (context) => restore(context, { id, group, options })));
}

async function restore(
  context: CliContext,
  asked: { id: string; group: string | undefined; options: Options },
): Promise<number> {
  const { out } = context;
  const { options } = asked;
  const folder = checked(options);
  const { pick, name, setup } = await entriesOf(context, asked.group);
  const entry = pick(asked.id);
  if (entry.problem !== undefined) throw new CliError(`backup ${entry.id} can't be restored: ${entry.problem}`);
  const into = options.into === undefined ? setup : (await new CliContext({ runbook: options.into }).group(name)).setup;
  const from = { group: name, store: setup.store.name, storeHost: setup.storeHost };
  sameStore({ into, from });
  const planOnly = options.planOnly === true;
  const input: Omit<RestoreInput, 'run'> = {
    requestedBy: operator(),
    into,
    from,
    id: entry.id,
    select: { host: options.host, source: options.source, path: options.path },
    mode: folder !== null ? 'folder' : options.into !== undefined ? 'into' : 'in-place',
    folder,
    deletes: options.keepExtra !== true,
    newDisk: options.newDisk === true,
    checksum: options.checksum === true,
    approve: options.approve ?? null,
    planOnly,
  };
  const started = await startRun<RestoreInput>(context, {
    kind: 'restore',
    group: into.group.name,
    what: `restore of ${entry.id}`,
    summary: `restore of ${entry.id} into ${into.group.name}${options.to === undefined ? '' : `, folder ${options.to}`}`,
    input: (run) => ({ ...input, run }),
  });
  const following = {
    handle: started.handle,
    out,
    comeBack: started.comeBack,
    leaveWaiting: true,
    show: (report: unknown) => showRestoreReport(context, report as RestoreReport),
  };
  if (options.approve !== undefined || planOnly) return followToEnd(following);
  const asks = (questions: readonly OpenQuestion[]): boolean => questions.some((each) => each.step === 'approve');
  const code = await followTo({ ...following, stopAt: asks });
  if (code !== 'reached') return code;
  const planned = await started.handle.query<PlannedRestore | undefined>('plan');
  const shown = planned === undefined ? undefined : { ...planned, text: planText(planned.plan) };
  const going = await approvePlan(context, { started, planned: shown });
  return going ? followToEnd(following) : EXIT.incomplete;
}

/** The plan in words: what is stopped, written, deleted and kept. */
export function planText(plan: RestorePlan): string {
  const rows = plan.items.map((item) => [
    `${item.source.host}:${item.source.path}${item.subpath === null ? '' : `/${item.subpath}`}`,
    `→ ${item.destination.host}:${item.destination.path}`,
    counted(item.files, 'file'),
    bytes(item.bytes),
    `${item.deletions} deleted`,
    item.safety === null ? 'no safety snapshot' : `${item.safety} safety snapshot`,
  ]);
  const samples = plan.items.flatMap((item) =>
    item.deletionSamples
      .slice(0, 5)
      .map((each) => `  deletes ${item.destination.host}:${item.destination.path}/${each}`),
  );
  return [
    `backup ${plan.backup.id} of ${plan.backup.group} (${plan.backup.state}, ${plan.backup.label} consistent), signed by ${plan.backup.directorId}`,
    table(rows),
    ...samples,
    ...(plan.checksum === true ? ['files are compared by content'] : []),
    plan.stops.length === 0 ? 'nothing is stopped' : `stops, in this order: ${stopsText(plan)}`,
    ...plan.warnings.map((each) => `warning: ${each}`),
    ...plan.blockers.map((each) => `NOT POSSIBLE: ${each}`),
  ].join('\n');
}

/** `containers on app-1 and app-2, then on db-1`: what is stopped together, and what after it. */
function stopsText({ stops }: RestorePlan): string {
  const waves = wavesOf(stops).map((hosts) => hosts.join(' and '));
  return `${stops[0]?.what ?? ''} on ${waves.join(', then on ')}`;
}

/** A report in words, and the exit code that it means. */
export function showRestoreReport({ out }: CliContext, report: RestoreReport): number {
  const { state, items, hosts, warnings, hash, plan } = report;
  const short = hash.slice(0, SHORT_HASH);
  const possible = plan.blockers.length === 0;
  const text =
    state === 'Planned'
      ? [
          planText(plan),
          // What the run has to say beside its plan: a host that was away, something that could not be tidied.
          ...warnings.filter((each) => !plan.warnings.includes(each)).map((each) => `warning: ${each}`),
          ...(possible ? [`plan ${short}; carry it out with --approve ${short}`] : []),
        ]
      : [
          `Completed: every restored file was compared with the backup ${items.every((each) => each.byContent === true) ? 'by content' : 'by size, time and attributes'}`,
          table(
            items.map((each) => [
              each.destination,
              counted(each.files, 'file'),
              bytes(each.bytes),
              `${each.deletions} deleted`,
            ]),
          ),
          ...hosts.map((each) => `${each.host}: ${each.state}`),
          ...warnings.map((each) => `warning: ${each}`),
        ];
  const planned = state === 'Planned' ? { plan: JSON.parse(JSON.stringify(plan)) as never } : {};
  out.result({ json: { type: 'ended', state, hash, items, hosts, warnings, ...planned }, text: text.join('\n') });
  if (!possible) throw new CliError(`the plan can not be carried out: ${plan.blockers.map(printable).join('; ')}`);
  return EXIT.ok;
}

/** What can be wrong with the options alone is said before anything is asked of hosts. Returns the folder of `--to`. @throws CliError */
function checked({ path, to, into, approve: hash }: Options): RestoreInput['folder'] {
  if (to !== undefined && into !== undefined) throw new CliError('--to and --into exclude each other', EXIT.usage);
  if (hash !== undefined && !isPlanHash(hash))
    throw new CliError(
      `--approve wants the hash that the plan shows, at least its first ${SHORT_HASH} digits, not "${hash}"`,
      EXIT.usage,
    );
  if (path !== undefined)
    nameable({ option: '--path', path, like: '/srv/data/file', instead: 'restore the folder above it' });
  return to === undefined ? null : folderOf(to);
}

/** What the hosts take as a path: an absolute one, of at most this many bytes. */
const MOST_PATH_BYTES = 4096;

/** @throws CliError for a path that no host takes */
function nameable(asked: { option: string; path: string; like: string; instead: string }): void {
  const { option, path, like, instead } = asked;
  const refuse = (why: string): never => {
    throw new CliError(why, EXIT.usage);
  };
  // As the hosts see bytes: U+0080 to U+009F are none of these.
  if (Array.from(path).some((char) => char < ' ' || char === '\u007f'))
    refuse(`${option}: a path with control characters can't be named (${JSON.stringify(path)}); ${instead}`);
  if (!path.startsWith('/') || path.split('/').includes('..'))
    refuse(`${option} wants an absolute path without "..", like ${like}, not "${path}"`);
  if (Buffer.byteLength(path) > MOST_PATH_BYTES)
    refuse(`${option}: a path of more than ${MOST_PATH_BYTES} bytes can't be named; ${instead}`);
}

/** `app-1:/var/restore` or `/var/restore`. */
function folderOf(text: string): { host: string | null; path: string } {
  const colon = text.indexOf(':');
  const [host, path] = colon < 0 ? [null, text] : [text.slice(0, colon), text.slice(colon + 1)];
  const [option, like, instead] = ['--to', 'app-1:/var/restore', 'name another folder'];
  nameable({ option, path, like, instead });
  return { host, path: posix.normalize(path).replace(/\/+$/, '') || '/' };
}
