/** `resurgo schedule`: Temporal schedules from the runbook; each firing backs its group up, and then prunes it where the runbook says what to keep. */
import type { Command } from '@commander-js/extra-typings';
import type { Client, ScheduleDescription } from '@temporalio/client';
import { scheduleId } from '../../planning/ids';
import { keepText } from '../../planning/retention';
import type { GroupSetup } from '../../planning/run-input';
import { packageVersion } from '../../workers/bundle';
import { run as inContext } from '../context';
import type { CliContext } from '../context';
import { CliError, EXIT } from '../exit';
import { duration, table } from '../output';
import { applySchedule, removeSchedule, scheduleDrift, standingSchedule, wantedSchedule } from './schedule-plan';
import type { Applied } from './schedule-plan';

/** Runs of the future that `show` lists. */
const NEXT_RUNS = 3;

export function registerSchedule(program: Command): void {
  const schedule = program
    .command('schedule')
    .description('regular backups, from the runbook (cron in UTC)')
    .addHelpText('after', '\nExample:\n  $ resurgo schedule apply');
  schedule
    .command('apply')
    .argument('[group]', 'the protection group; all of the runbook without it')
    .description("make the server's schedules what the runbook says; doing it again changes nothing")
    .option('--unpause', 'also lift a pause that somebody made on the server')
    .addHelpText(
      'after',
      '\nWhere the group writes `keep` (or `schedule.prune: true`), each whole backup is followed by a prune: it removes what\n`keep` lets go, by hand made ones too, and asks nobody. `resurgo prune GROUP --dry-run` shows what that is, and\n`resurgo hold` keeps one backup from it. Without `keep` a schedule removes nothing.\n\nExample:\n  $ resurgo schedule apply',
    )
    .action((group, options, command) => inContext(command, (context) => apply(context, { group, ...options })));
  schedule
    .command('show')
    .argument('[group]', 'the protection group; all of the runbook without it')
    .description('next runs, pauses, and where the server differs from the runbook')
    .addHelpText('after', '\nExample:\n  $ resurgo schedule show portal')
    .action((group, _options, command) => inContext(command, (context) => show(context, group)));
  schedule
    .command('remove')
    .argument('<group>', 'the protection group; it need not be in the runbook any more')
    .description('take a schedule away; runs that it has started go on')
    .addHelpText('after', '\nExample:\n  $ resurgo schedule remove portal')
    .action((group, _options, command) => inContext(command, (context) => remove(context, group)));
}

const WORDS: Record<Applied, string> = {
  created: 'scheduled',
  updated: 'changed to what the runbook says',
  unchanged: 'as it was',
  removed: 'removed: the runbook has no schedule for it',
  none: 'no schedule in the runbook',
};

async function apply(context: CliContext, options: { group?: string; unpause?: true }): Promise<number> {
  const { out } = context;
  const groups = await groupsOf(context, options.group);
  const { client, engine } = await context.engine();
  const version = packageVersion();
  const done: { group: string; setup: GroupSetup; applied: Applied; next: Date | undefined; paused: boolean }[] = [];
  for (const group of groups) {
    const { setup } = await context.group(group);
    const wanted = wantedSchedule({ setup, version });
    const unpause = options.unpause === true;
    const applied = await applySchedule({ client, group, directorId: setup.directorId, wanted, unpause });
    const found = wanted === undefined ? undefined : await standingSchedule({ client, group });
    done.push({ group, setup, applied, next: found?.info.nextActionTimes[0], paused: found?.state.paused === true });
  }
  out.result({
    json: {
      schedules: done.map(({ group, setup, applied, next, paused }) => ({
        group,
        applied,
        next: next?.toISOString(),
        paused,
        prunes: setup.group.schedule?.prune,
      })),
    },
    text: [
      table(done.map(({ group, applied, next, paused }) => [group, WORDS[applied], paused ? 'paused' : nextRun(next)])),
      ...done.flatMap(({ setup }) => prunesText(setup)),
    ].join('\n'),
  });
  for (const { setup } of done) if (setup.group.schedule?.prune === false) out.warn(prunesNothing(setup));
  if (!engine.external && done.some((each) => each.next !== undefined))
    out.warn(
      'the embedded engine fires schedules only while it runs: start it at boot (`resurgo engine start`, or the units in deploy/)',
    );
  return EXIT.ok;
}

/** What goes after each backup, before it is gone. */
export function prunesText({ group: { name, schedule, keep } }: GroupSetup): string[] {
  if (schedule?.prune !== true) return [];
  return [
    `${name}: each whole backup then removes, unasked, what \`keep\` lets go (it keeps ${keepText(keep)}); resurgo prune ${name} --dry-run shows what`,
  ];
}

export function prunesNothing({ group: { name, keep } }: GroupSetup): string {
  return `the schedule of ${name} removes no old backups: the runbook writes no \`keep\` (or \`schedule.prune: false\`). By the defaults a prune would keep ${keepText(keep)}: write a \`keep\` if that is to be done after each backup, and see with \`resurgo prune ${name} --dry-run\` what goes`;
}

async function show(context: CliContext, asked: string | undefined): Promise<number> {
  const groups = await groupsOf(context, asked);
  const past = await context.pastEngine();
  const rows = await Promise.all(groups.map((group) => shown(context, { client: past?.client, group })));
  context.out.result({
    json: { schedules: rows.map((each) => each.json) },
    text: table([['group', 'schedule', 'next runs', ''], ...rows.map((each) => each.cells)]),
  });
  return EXIT.ok;
}

async function shown(context: CliContext, { client, group }: { client: Client | undefined; group: string }) {
  const { setup } = await context.group(group);
  const wanted = wantedSchedule({ setup, version: packageVersion() });
  const found = client === undefined ? undefined : await standingSchedule({ client, group });
  const drift = scheduleDrift({ found, wanted });
  const next = found?.info.nextActionTimes.slice(0, NEXT_RUNS) ?? [];
  return {
    cells: [
      group,
      wanted?.schedule.cron ?? '-',
      found?.state.paused === true ? `paused${noteOf(found)}` : next.map(minute).join(', '),
      [...drift.map((each) => `${each}: resurgo schedule apply ${group}`), ...lateRuns(found)].join('; '),
    ],
    json: {
      group,
      id: scheduleId({ group }),
      cron: wanted?.schedule.cron,
      applied: found !== undefined,
      paused: found?.state.paused,
      note: found?.state.note,
      next: next.map((each) => each.toISOString()),
      drift,
      skippedOverlap: found?.info.numActionsSkippedOverlap,
      missedCatchup: found?.info.numActionsMissedCatchupWindow,
      running: found?.info.runningActions.map((each) => each.workflow.workflowId),
    },
  };
}

function lateRuns(found: ScheduleDescription | undefined): string[] {
  const { numActionsSkippedOverlap: overlap = 0, numActionsMissedCatchupWindow: missed = 0 } = found?.info ?? {};
  return [
    overlap > 0 ? `${overlap} skipped because one was still running` : '',
    missed > 0 ? `${missed} missed because the engine was down` : '',
  ].filter((each) => each !== '');
}

function noteOf({ state: { note } }: ScheduleDescription): string {
  return note === undefined || note === '' ? '' : ` (${note})`;
}

async function remove(context: CliContext, group: string): Promise<number> {
  const past = await context.pastEngine();
  if (past === undefined) throw new CliError(`${group} has no schedule: ${context.neverRan()}`);
  if (!(await removeSchedule({ client: past.client, group })))
    throw new CliError(`${group} has no schedule on this server; \`resurgo schedule show\` lists them`);
  context.out.result({ json: { removed: group }, text: `the schedule of ${group} is gone` });
  return EXIT.ok;
}

/** The named group, or all of the runbook. */
async function groupsOf(context: CliContext, asked: string | undefined): Promise<string[]> {
  if (asked !== undefined) return [(await context.group(asked)).setup.group.name];
  const { runbook } = context.runbook();
  return Object.keys(runbook.groups);
}

function nextRun(next: Date | undefined): string {
  return next === undefined ? '' : `next ${minute(next)} (in ${duration(next.getTime() - Date.now())})`;
}

/** `2026-11-21 01:30 UTC` */
function minute(date: Date): string {
  return `${date.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
