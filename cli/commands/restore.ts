/** `resurgo restore`: shows the plan, asks for its approval, follows the run. */
import { createInterface } from 'node:readline/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from '@commander-js/extra-typings';
import type { WorkflowHandle } from '@temporalio/client';
import { runId, workflowId } from '../../planning/ids';
import { CONTROL_QUEUE } from '../../planning/queues';
import { wavesOf } from '../../planning/restore';
import type { RestorePlan } from '../../planning/restore';
import { SHORT_HASH } from '../../planning/restore-approval';
import type { RestoreInput } from '../../planning/run-input';
import type { DecideInput, OpenQuestion } from '../../workflows/gate';
import type { RestoreReport } from '../../workflows/restore';
import { CliContext, operator, run as inContext } from '../context';
import { CliError, EXIT } from '../exit';
import { followToEnd, tellQuestions } from '../follow';
import { look } from '../look';
import { bytes, table } from '../output';
import { entriesOf, pick } from './list';

interface Options {
  host?: string;
  source?: string;
  path?: string;
  to?: string;
  into?: string;
  keepExtra?: true;
  newDisk?: true;
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
  const { entries, name, setup } = await entriesOf(context, asked.group);
  const entry = pick({ entries, id: asked.id, group: name });
  if (entry.problem !== undefined) throw new CliError(`backup ${entry.id} can't be restored: ${entry.problem}`);
  if (options.to !== undefined && options.into !== undefined)
    throw new CliError('--to and --into exclude each other', EXIT.usage);
  const into = options.into === undefined ? setup : (await new CliContext({ runbook: options.into }).group(name)).setup;
  const run = runId({ nowMs: Date.now(), random: Math.random() });
  const input: RestoreInput = {
    run,
    requestedBy: operator(),
    into,
    from: { group: name, store: setup.store.name, storeHost: setup.storeHost },
    id: entry.id,
    select: { host: options.host, source: options.source, path: options.path },
    mode: options.to !== undefined ? 'folder' : options.into !== undefined ? 'into' : 'in-place',
    folder: options.to === undefined ? null : folderOf(options.to),
    deletes: options.keepExtra !== true,
    newDisk: options.newDisk === true,
    approve: options.approve ?? null,
    planOnly: options.planOnly === true,
  };
  const { client } = await context.engine();
  const id = workflowId({ kind: 'restore', group: into.group.name, run });
  const handle = await client.workflow.start('restore', {
    workflowId: id,
    taskQueue: CONTROL_QUEUE,
    args: [input],
    staticSummary: `restore of ${entry.id} into ${into.group.name}${options.to === undefined ? '' : `, folder ${options.to}`}`,
  });
  out.say(`restore of ${entry.id}, run ${run}`);
  const comeBack = `resurgo watch ${run}`;
  if (options.approve === undefined && !input.planOnly) {
    const decided = await approve({ context, handle, run, comeBack });
    if (!decided) return EXIT.incomplete;
  }
  return followToEnd({
    handle,
    out,
    comeBack,
    leaveWaiting: true,
    show: (report) => showReport(context, report as RestoreReport),
  });
}

/** Waits for the plan, shows it and asks. Never proceeds by itself: without a terminal the run stays at its gate. */
async function approve({
  context,
  handle,
  run,
  comeBack,
}: {
  context: CliContext;
  handle: WorkflowHandle;
  run: string;
  comeBack: string;
}): Promise<boolean> {
  const planned = await planWhenReady({ context, handle, comeBack });
  if (planned === 'waits') return false;
  // A run that ended before it had a plan says why in its result.
  if (planned === 'ended') return true;
  const short = planned.hash.slice(0, SHORT_HASH);
  context.out.result({
    json: { type: 'plan', run, hash: planned.hash, plan: JSON.parse(JSON.stringify(planned.plan)) as never },
    text: planText(planned.plan),
  });
  if (planned.plan.blockers.length > 0) return true;
  if (!process.stdin.isTTY || context.out.json) {
    context.out.warn(
      `the run waits for the approval of this plan: resurgo approve ${run} ${short}    (or: resurgo abort ${run})`,
    );
    return false;
  }
  const ask = createInterface({ input: process.stdin, output: process.stderr });
  const typed = (await ask.question(`Type ${short} to go on, anything else to abort: `)).trim();
  ask.close();
  const answer: DecideInput =
    typed === short
      ? { decision: 'approve', step: 'approve', hash: typed, by: operator() }
      : { decision: 'abort', step: 'approve', by: operator() };
  await handle.executeUpdate<string, [DecideInput]>('decide', { args: [answer] });
  return true;
}

interface Planned {
  plan: RestorePlan;
  hash: string;
}

/**
 * Until the run asks for the approval of its plan. What it asks before that (a host that can't be reached) is shown, as by `backup`:
 * `waits` where nobody sits at a terminal to answer it.
 */
async function planWhenReady(options: {
  context: CliContext;
  handle: WorkflowHandle;
  comeBack: string;
}): Promise<Planned | 'ended' | 'waits'> {
  const { context, handle, comeBack } = options;
  for (let told = false; ;) {
    const { status, needsOperator } = await look(handle);
    if (status !== 'RUNNING') return 'ended';
    if (needsOperator) {
      const questions = await handle.query<OpenQuestion[]>('questions');
      const planned = await handle.query<Planned | undefined>('plan');
      if (planned !== undefined && questions.some((each) => each.step === 'approve')) return planned;
      if (questions.length > 0 && !told) {
        await tellQuestions({ handle, out: context.out, comeBack });
        if (!process.stdin.isTTY) return 'waits';
      }
      told = questions.length > 0;
    } else told = false;
    await sleep(300);
  }
}

/** The plan in words: what is stopped, written, deleted and kept. */
export function planText(plan: RestorePlan): string {
  const rows = plan.items.map((item) => [
    `${item.source.host}:${item.source.path}${item.subpath === null ? '' : `/${item.subpath}`}`,
    `→ ${item.destination.host}:${item.destination.path}`,
    `${item.files} files`,
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

function showReport({ out }: CliContext, report: RestoreReport): number {
  const { state, items, hosts, warnings, hash, plan } = report;
  const short = hash.slice(0, SHORT_HASH);
  const text =
    state === 'Planned'
      ? [planText(plan), `plan ${short}; carry it out with --approve ${short}`]
      : [
          'Completed: every restored file was compared with the backup',
          table(
            items.map((each) => [
              each.destination,
              `${each.files} files`,
              bytes(each.bytes),
              `${each.deletions} deleted`,
            ]),
          ),
          ...hosts.map((each) => `${each.host}: ${each.state}`),
          ...warnings.map((each) => `warning: ${each}`),
        ];
  out.result({ json: { type: 'ended', state, hash, items, hosts, warnings }, text: text.join('\n') });
  return EXIT.ok;
}

/** `app-1:/var/restore` or `/var/restore`. */
function folderOf(text: string): { host: string | null; path: string } {
  const colon = text.indexOf(':');
  const [host, path] = colon < 0 ? [null, text] : [text.slice(0, colon), text.slice(colon + 1)];
  if (!path.startsWith('/'))
    throw new CliError(`--to wants an absolute folder, like app-1:/var/restore, not "${text}"`, EXIT.usage);
  return { host, path: path.replace(/\/+$/, '') || '/' };
}
