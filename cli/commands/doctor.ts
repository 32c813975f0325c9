/** `resurgo doctor`: what a backup of a group would meet, host by host, and how to mend each thing. */
import type { Command } from '@commander-js/extra-typings';
import { doctor } from '../../hosts/doctor';
import type { Finding } from '../../hosts/doctor';
import { connectClient } from '../../workers/connection';
import { engineSettings, engineStatus } from '../../workers/engine';
import type { EngineStatus } from '../../workers/engine';
import { run as inContext } from '../context';
import type { CliContext } from '../context';
import { EXIT } from '../exit';
import { table } from '../output';
import { heldFindings } from './doctor-held';
import { START_A_WORKER, servingNow } from '../serving';

export function registerDoctor(program: Command): void {
  program
    .command('doctor')
    .argument('[group]', 'the protection group')
    .description('check hosts, store and engine; say how to mend what is wrong, and what is not protected')
    .option('--fix', 'remove what dead runs have left')
    .option('--all', 'show also what is well')
    .addHelpText('after', '\nExample:\n  $ resurgo doctor portal\n  $ resurgo doctor portal --fix')
    .action((group, options, command) => inContext(command, (context) => examine(context, group, options)));
}

/** Exit 0 when nothing fails, 1 otherwise; warnings alone are no failure. */
async function examine(
  context: CliContext,
  name: string | undefined,
  options: { fix?: true; all?: true },
): Promise<number> {
  const { runbook, setup } = await context.group(name);
  const hosts = await context.hosts();
  const fix = options.fix === true;
  const onHosts = async (): Promise<Finding[]> => {
    // First: a run whose lease was given back is over for its hosts too, and what it left may go.
    const held = await heldFindings({ hosts, setup, stateDir: context.stateDir, fix });
    return [...(await doctor({ runbook, group: setup.group.name, hosts, fix })), ...held];
  };
  const [engine, found] = await Promise.all([engineFinding(context), onHosts()]);
  const findings = [...found, engine];
  const shown = options.all === true ? findings : findings.filter((each) => each.level !== 'ok');
  const count = (level: Finding['level']): number => findings.filter((each) => each.level === level).length;
  const verdict = `${setup.group.name}: ${count('fail')} to mend before a backup, ${count('warn')} to look at, ${count('ok')} well`;
  const rows = shown.map((each) => [
    each.level.toUpperCase(),
    each.host,
    each.check,
    each.message + (each.mend === '' ? '' : ` — ${each.mend}`),
  ]);
  context.out.result({
    json: { group: setup.group.name, findings: findings.map((each) => ({ ...each })) },
    text: [...(rows.length === 0 ? [] : [table(rows)]), verdict].join('\n'),
  });
  return count('fail') === 0 ? EXIT.ok : EXIT.failed;
}

/** An engine that is down is no fault: the next command starts it. An external one that doesn't answer, or that nobody works for, is. */
async function engineFinding({ stateDir }: CliContext): Promise<Finding> {
  const now = await engineStatus({ stateDir });
  const base = { host: 'director', check: 'engine' };
  const { address = '', external } = now;
  if (now.serving && (await isServed(now))) return { ...base, level: 'ok', message: `serving at ${address}`, mend: '' };
  if (now.serving) {
    const message = `serving at ${address}, but without a worker: runs and schedules stand still until one serves it`;
    // The next command starts the embedded one.
    return { ...base, level: external ? 'fail' : 'warn', message, mend: START_A_WORKER };
  }
  if (!external) return { ...base, level: 'ok', message: 'not running; the next run starts it', mend: '' };
  return {
    ...base,
    level: 'fail',
    message: `the Temporal server at ${address} does not answer`,
    mend: 'start it, or unset TEMPORAL_ADDRESS to use the embedded one',
  };
}

/** A worker of ours is seen as a process; of another one the server knows. */
async function isServed(now: EngineStatus): Promise<boolean> {
  const { external, address, namespace, uiUrl, worker } = now;
  if (!external || address === undefined) return worker?.ready === true;
  const { client, connection } = await connectClient({
    settings: engineSettings({ address, namespace, uiUrl, external }),
  });
  try {
    return (await servingNow(client.workflow)) === 'serving';
  } finally {
    await connection.close();
  }
}
