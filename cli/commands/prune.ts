/** `resurgo prune`: what the runbook's `keep` lets go, with the reason for each; removes it once a person has seen the list. */
import type { Command } from '@commander-js/extra-typings';
import { genuineSigners } from '../../hosts/adopted-signers';
import { readPrunable } from '../../hosts/prunable';
import { counted } from '../../planning/counted';
import { checkClocks, planPrune } from '../../planning/prune';
import type { PruneInput, PrunePlan } from '../../planning/prune';
import type { PruneReport } from '../../workflows/prune';
import { ask } from '../ask';
import { operator, run as inContext } from '../context';
import type { CliContext } from '../context';
import { CliError, EXIT } from '../exit';
import { followToEnd } from '../follow';
import { bytes, table } from '../output';
import { startRun } from '../start-run';

export function registerPrune(program: Command): void {
  program
    .command('prune')
    .argument('[group]', 'the protection group; may be left out when the runbook has one')
    .description("remove the backups that the group's `keep` lets go")
    .option('--dry-run', 'show what would go and why, and end')
    .option('--yes', 'go on without asking')
    .addHelpText(
      'after',
      '\nOnly whole backups count. Held, damaged and unreadable ones stay, and so do those signed by\na key that is unknown here. The target keeps its own floor whatever is asked.\nExit code 3 when something that was to go is still there.\n\nExample:\n  $ resurgo prune portal --dry-run',
    )
    .action((group, options, command) => inContext(command, (context) => prune(context, group, options)));
}

async function prune(
  context: CliContext,
  asked: string | undefined,
  options: { dryRun?: true; yes?: true },
): Promise<number> {
  const { out } = context;
  const { setup } = await context.group(asked);
  const hosts = await context.hosts();
  const group = setup.group.name;
  const genuine = await genuineSigners({ stateDir: context.stateDir });
  const read = await readPrunable({ hosts, storeHost: setup.storeHost, store: setup.store.name, group, genuine });
  checkClocks(read);
  const plan = planPrune({
    backups: read.backups,
    keep: setup.group.keep,
    nowMs: Math.min(read.directorMs, read.storeMs),
  });
  const show = planText({ plan, group });
  out.event({ type: 'plan', group, freesBytes: plan.freesBytes, backups: plan.decisions.map((each) => ({ ...each })) });
  if (plan.remove.length === 0 || options.dryRun === true) {
    if (!out.json) out.result({ json: null, text: show });
    return EXIT.ok;
  }
  if (!out.json) process.stdout.write(`${show}\n`);
  if (options.yes !== true && !(await agreedTo(context, plan))) {
    out.warn('nothing was removed');
    return EXIT.cancelled;
  }
  return carryOut(context, { setup, plan });
}

/** Only typed words let it go on; without a terminal `--yes` is needed. @throws CliError without either */
async function agreedTo({ out }: CliContext, plan: PrunePlan): Promise<boolean> {
  if (!process.stdin.isTTY || out.json)
    throw new CliError(
      'nothing was removed: there is nobody to ask here. Look at --dry-run, then give --yes',
      EXIT.usage,
    );
  const words = `remove ${plan.remove.length}`;
  const question = `Type "${words}" to go on, anything else to leave it: `;
  return (await ask({ question, left: 'nothing was removed' })) === words;
}

async function carryOut(
  context: CliContext,
  { setup, plan }: { setup: Awaited<ReturnType<CliContext['group']>>['setup']; plan: PrunePlan },
): Promise<number> {
  const { out } = context;
  const group = setup.group.name;
  const { handle, comeBack } = await startRun<PruneInput>(context, {
    kind: 'prune',
    group,
    what: `prune of ${group}`,
    summary: `prune of ${group}: ${plan.remove.length} of ${counted(plan.decisions.length, 'backup')}`,
    input: (run) => ({ ...setup, run, requestedBy: operator(), approved: plan.remove }),
  });
  return followToEnd({
    handle,
    out,
    comeBack,
    show: (report) => showPruneReport(context, report as PruneReport),
  });
}

/** The plan in words, newest first. */
export function planText({ plan, group }: { plan: PrunePlan; group: string }): string {
  if (plan.decisions.length === 0) return `${group} has no backup: nothing to prune`;
  const rows = plan.decisions.map(({ id, action, state, usedBytes, reasons }) => [
    id,
    action === 'keep' ? 'keep' : 'REMOVE',
    state ?? 'unusable',
    usedBytes === null ? '' : bytes(usedBytes),
    reasons.join('; '),
  ]);
  const frees = plan.freesBytes === 0 ? '' : `, which frees ${bytes(plan.freesBytes)} at least`;
  const sum =
    plan.remove.length === 0
      ? 'nothing goes'
      : `${plan.remove.length} of ${plan.decisions.length} ${plan.remove.length === 1 ? 'goes' : 'go'}${frees}`;
  return `${table(rows)}\n${sum}`;
}

/** A report in words, and the exit code that it means. */
export function showPruneReport({ out }: CliContext, report: PruneReport): number {
  const { state, removed, kept, warnings } = report;
  const freed = removed.reduce((sum, each) => sum + (each.freedBytes ?? 0), 0);
  out.result({
    json: {
      type: 'ended',
      state,
      removed: removed.map((each) => ({ ...each })),
      kept: kept.map((each) => ({ ...each })),
      warnings,
    },
    text: [
      `${state}: ${removed.length} removed${freed === 0 ? '' : ` (${bytes(freed)})`}, ${kept.length} kept`,
      ...warnings.map((each) => `warning: ${each}`),
    ].join('\n'),
  });
  return state === 'Completed' ? EXIT.ok : EXIT.incomplete;
}
