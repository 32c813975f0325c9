/** `resurgo runs`, `watch`, `retry`, `skip`, `abort`, `cancel`: what runs now, what waits for a person, and the person's answer. */
import type { Command } from '@commander-js/extra-typings';
import type { Client, WorkflowExecutionInfo, WorkflowHandle } from '@temporalio/client';
import { parseWorkflowId } from '../../planning/ids';
import type { DecideInput } from '../../workflows/gate';
import { operator, run as inContext } from '../context';
import type { CliContext } from '../context';
import { CliError, EXIT } from '../exit';
import { followToEnd } from '../follow';
import { questionsOf } from '../look';
import { duration, table } from '../output';
import { showReport } from './reports';
import { answerRun, NO_WORKER, servingNow } from '../serving';

const ANSWERS = {
  retry: 'try the step again',
  skip: 'leave the step out; the result is then partial',
  abort: 'end the run and take back what it did',
} as const;

export function registerRuns(program: Command): void {
  program
    .command('runs')
    .description('runs that are under way, and which of them wait for you')
    .option('--all', 'also those that have ended')
    .addHelpText('after', '\nExample:\n  $ resurgo runs')
    .action((options, command) => inContext(command, (context) => runs(context, options)));
  program
    .command('watch')
    .argument('<run>', 'a run id, as `resurgo runs` shows it, or the beginning of one')
    .description('follow a run until it ends; Ctrl-C only detaches')
    .addHelpText('after', '\nExample:\n  $ resurgo watch r20261121t013000z-4f3a2b')
    .action((id, _options, command) => inContext(command, (context) => watch(context, id)));
  for (const [verb, what] of Object.entries(ANSWERS) as [keyof typeof ANSWERS, string][]) {
    program
      .command(verb)
      .argument('<run>', 'the run that waits')
      .argument('[step]', 'the step, where several wait')
      .option('--reason <text>', 'why, for the history')
      .description(`answer a run that waits: ${what}`)
      .addHelpText('after', `\nExample:\n  $ resurgo ${verb} r20261121t013000z-4f3a2b "copy app-1:data"`)
      .action((id, step, options, command) =>
        inContext(command, (context) =>
          decide(context, { id, answer: { decision: verb, step, by: operator(), reason: options.reason } }),
        ),
      );
  }
  program
    .command('approve')
    .argument('<run>', 'the run whose plan waits')
    .argument('<hash>', 'the hash that the plan shows')
    .description('approve a destructive plan, by its hash')
    .addHelpText('after', '\nExample:\n  $ resurgo approve r20261121t013000z-4f3a2b 1f2e3d4c5b6a')
    .action((id, hash, _options, command) =>
      inContext(command, (context) =>
        decide(context, { id, answer: { decision: 'approve', step: 'approve', hash, by: operator() } }),
      ),
    );
  program
    .command('cancel')
    .argument('<run>', 'the run')
    .description('cancel a run; what it did is taken back')
    .addHelpText('after', '\nExample:\n  $ resurgo cancel r20261121t013000z-4f3a2b')
    .action((id, _options, command) => inContext(command, (context) => cancel(context, id)));
}

/** So many runs are listed. */
const MOST_RUNS = 200;

async function runs(context: CliContext, options: { all?: true }): Promise<number> {
  const past = await context.standingEngine();
  if (past === 'stopped')
    throw new CliError(
      'the engine is stopped: nothing runs, and which runs stand still only it can tell. Start it with `resurgo engine start`; they go on then',
    );
  if (past === undefined) {
    context.out.result({ json: { runs: [] }, text: `nothing runs: ${context.neverRan()}` });
    return EXIT.ok;
  }
  const { client } = past;
  const found: WorkflowExecutionInfo[] = [];
  const query = options.all === true ? '' : "ExecutionStatus = 'Running'";
  for await (const info of client.workflow.list({ query, pageSize: 100 })) {
    if (parseWorkflowId(info.workflowId) !== undefined && found.push(info) > MOST_RUNS) break;
  }
  const isCut = found.length > MOST_RUNS;
  if (isCut) found.pop();
  const rows = await Promise.all(found.map((info) => row(client, info)));
  const text =
    rows.length === 0
      ? 'nothing runs'
      : table([['run', 'what', 'since', 'state', ''], ...rows.map((each) => each.cells)]);
  context.out.result({ json: { runs: rows.map((each) => each.json) }, text });
  if (isCut)
    context.out.warn(
      `there are more: these are the newest ${MOST_RUNS}; the Temporal UI, or \`temporal workflow list\`, has all`,
    );
  return EXIT.ok;
}

async function row(client: Client, info: WorkflowExecutionInfo) {
  const parsed = parseWorkflowId(info.workflowId);
  const running = info.status.name === 'RUNNING';
  const questions = running ? ((await questionsOf(client.workflow.getHandle(info.workflowId))) ?? []) : [];
  const state = questions.length > 0 ? 'waits for you' : info.status.name.toLowerCase();
  const [run, kind, group] = [parsed?.run ?? '', parsed?.kind ?? '', parsed?.group ?? ''];
  const first = questions[0];
  return {
    cells: [
      run,
      `${kind} ${group}`,
      `${duration(Date.now() - info.startTime.getTime())} ago`,
      state,
      first === undefined ? '' : `${first.step}: ${first.failure.message}`,
    ],
    json: {
      run,
      kind,
      group,
      workflowId: info.workflowId,
      startedAt: info.startTime.toISOString(),
      status: info.status.name,
      questions: questions.map((each) => ({ step: each.step, message: each.failure.message, allowed: each.allowed })),
    },
  };
}

/** The run that an operator named, and the engine that knows it. @throws CliError when none or several fit */
export async function namedRun(context: CliContext, id: string): Promise<{ client: Client; handle: WorkflowHandle }> {
  // As the beginning of a run's id it would fit every run.
  if (id.trim() === '') throw new CliError('name a run; `resurgo runs` lists them', EXIT.usage);
  const past = await context.pastEngine();
  if (past === undefined) throw new CliError(`there is no run ${id}: ${context.neverRan()}`);
  return { client: past.client, handle: await handleOf(past.client, id) };
}

async function handleOf(client: Client, id: string): Promise<WorkflowHandle> {
  if (parseWorkflowId(id) !== undefined) return client.workflow.getHandle(id);
  const fitting: string[] = [];
  for await (const info of client.workflow.list({ pageSize: 200 })) {
    const parsed = parseWorkflowId(info.workflowId);
    // A reset leaves two executions under one id.
    if (parsed?.run.startsWith(id) === true && !fitting.includes(info.workflowId)) fitting.push(info.workflowId);
    if (fitting.length > 1) break;
  }
  const [only, ...more] = fitting;
  if (only === undefined) throw new CliError(`there is no run ${id}; \`resurgo runs --all\` lists them`);
  if (more.length > 0) throw new CliError(`several runs begin with ${id}: ${fitting.join(', ')}`);
  return client.workflow.getHandle(only);
}

async function watch(context: CliContext, id: string): Promise<number> {
  const { handle } = await namedRun(context, id);
  return followToEnd({
    handle,
    out: context.out,
    comeBack: `resurgo watch ${id}`,
    show: (report) => showReport(context, { kind: parseWorkflowId(handle.workflowId)?.kind, report }),
  });
}

/** An ended run takes no word any more. @throws CliError that says how it ended */
async function mustRun(handle: WorkflowHandle): Promise<void> {
  const { status, closeTime } = await handle.describe();
  if (status.name === 'RUNNING') return;
  const [run, how] = [parseWorkflowId(handle.workflowId)?.run ?? handle.workflowId, status.name.toLowerCase()];
  const ago = closeTime === undefined ? '' : ` ${duration(Date.now() - closeTime.getTime())} ago`;
  throw new CliError(`${run} has ended${ago} (${how}), so nothing was sent to it; its report: resurgo show ${run}`);
}

async function decide(context: CliContext, { id, answer }: { id: string; answer: DecideInput }): Promise<number> {
  const { handle } = await namedRun(context, id);
  await mustRun(handle);
  const said = await answerRun({ handle, answer });
  context.out.result({ json: { answered: said }, text: said });
  return EXIT.ok;
}

async function cancel(context: CliContext, id: string): Promise<number> {
  const { client, handle } = await namedRun(context, id);
  await mustRun(handle);
  await handle.cancel();
  context.out.result({
    json: { cancelling: handle.workflowId },
    text: `cancelling ${handle.workflowId}; follow it with: resurgo watch ${id}`,
  });
  // The server has the word, and only a worker acts on it.
  if ((await servingNow(client.workflow)) !== 'serving') context.out.warn(NO_WORKER);
  return EXIT.ok;
}
