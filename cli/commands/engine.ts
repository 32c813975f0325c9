/** `resurgo engine` and `resurgo worker`: the processes behind the runs. */
import type { Command } from '@commander-js/extra-typings';
import { parseWorkflowId } from '../../planning/ids';
import { connectClient } from '../../workers/connection';
import { engineSettings, engineStatus, startEngine, stopEngine } from '../../workers/engine';
import { run } from '../context';
import type { CliContext } from '../context';
import { EXIT } from '../exit';

/** Loaded when it is asked for: the worker's packages would double what every other command takes to start. */
async function worker(): Promise<number> {
  const { runWorker } = await import('../../workers/worker-main.js');
  // Its own arguments are the engine's when it starts one; here the environment says all.
  return runWorker({ argv: [] });
}

export function registerEngine(program: Command): void {
  const engine = program
    .command('engine')
    .description('the embedded Temporal server and its worker')
    .addHelpText('after', '\nExample:\n  $ resurgo engine status');
  engine
    .command('start')
    .description('start what is not running')
    .addHelpText('after', '\nExample:\n  $ resurgo engine start')
    .action((_options, command) => run(command, start));
  engine
    .command('stop')
    .description('stop both; runs stay in the database and go on at the next start; those under way are named')
    .addHelpText('after', '\nExample:\n  $ resurgo engine stop')
    .action((_options, command) => run(command, stop));
  engine
    .command('status')
    .description('what runs, and where the UI is')
    .addHelpText('after', '\nExample:\n  $ resurgo engine status')
    .action((_options, command) => run(command, status));
  program
    .command('worker')
    .description('run a worker in the foreground, for systemd; SIGTERM detaches from running jobs')
    .addHelpText('after', '\nExample:\n  $ TEMPORAL_ADDRESS=temporal:7233 resurgo worker')
    .action((_options, command) => run(command, worker));
}

async function start({ out, stateDir }: CliContext): Promise<number> {
  const { engine, startedServer, startedWorker } = await startEngine({ stateDir });
  const what = engine.external ? 'external server' : startedServer || startedWorker ? 'started' : 'was running';
  out.result({
    json: { ...engine, startedServer, startedWorker },
    text: `${what}: ${engine.address}${engine.uiUrl === undefined ? '' : `, UI ${engine.uiUrl}`}`,
  });
  return EXIT.ok;
}

/** So long may the server take to say what runs: it is to be stopped, whatever it says. */
const LOOK_MS = 5_000;

/** The runs that the stop leaves standing. */
async function underWay(stateDir: string): Promise<{ kind: string; group: string; run: string }[]> {
  try {
    const now = await engineStatus({ stateDir });
    const { address, namespace, uiUrl, external } = now;
    if (external || !now.serving || address === undefined) return [];
    const settings = engineSettings({ address, namespace, uiUrl, external });
    const { client, connection } = await connectClient({ settings, waitMs: LOOK_MS });
    try {
      return await connection.withDeadline(Date.now() + LOOK_MS, async () => {
        const found = [];
        for await (const { workflowId } of client.workflow.list({ query: "ExecutionStatus = 'Running'" })) {
          const parsed = parseWorkflowId(workflowId);
          if (parsed !== undefined) found.push(parsed);
        }
        return found;
      });
    } finally {
      await connection.close();
    }
  } catch {
    return [];
  }
}

async function stop({ out, stateDir }: CliContext): Promise<number> {
  const standing = await underWay(stateDir);
  const { server, worker } = await stopEngine({ stateDir });
  out.result({
    json: { server, worker, standing: standing.map(({ kind, group, run: id }) => ({ kind, group, run: id })) },
    text: `server: ${server}, worker: ${worker}`,
  });
  if (standing.length > 0)
    out.warn(
      `under way, and standing still until the next start (\`resurgo engine start\`): ${standing.map((each) => `${each.kind} of ${each.group}, run ${each.run}`).join('; ')}. Nothing stays paused; copies at the hosts go on meanwhile`,
    );
  return EXIT.ok;
}

async function status({ out, stateDir }: CliContext): Promise<number> {
  const now = await engineStatus({ stateDir });
  const worker =
    now.worker === undefined
      ? 'no worker of ours'
      : `worker ${now.worker.pid}${now.worker.ready ? '' : ' (not ready)'}`;
  const server = now.serving ? `serving at ${now.address ?? ''}` : 'not running';
  out.result({ json: { ...now }, text: `${server}; ${worker}${now.uiUrl === undefined ? '' : `; UI ${now.uiUrl}`}` });
  return now.serving ? EXIT.ok : EXIT.failed;
}
