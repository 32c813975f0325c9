/**
 * `resurgo status`: is every group backed up as it should be? The store answers for the backups, so this works with the engine down;
 * the engine adds the next run and the runs that wait for a person.
 */
import type { Command } from '@commander-js/extra-typings';
import type { Client } from '@temporalio/client';
import { genuineSigners } from '../../hosts/adopted-signers';
import { isGenuine, newestWhole, readBackups } from '../../hosts/backups';
import type { StoreEntry } from '../../hosts/backups';
import { HostError } from '../../hosts/errors';
import { status as statusAt } from '../../hosts/verbs/reading';
import { byHandWords, isByHand } from '../../planning/by-hand';
import { parseBackupId, parseWorkflowId } from '../../planning/ids';
import { notRecoverable, notRecoverableText } from '../../planning/recoverable';
import type { GroupSetup } from '../../planning/run-input';
import { packageVersion } from '../../workers/bundle';
import { connectClient } from '../../workers/connection';
import { heldLeases } from '../../workers/ended-leases';
import { engineSettings, engineStatus } from '../../workers/engine';
import { searchAttributeKeys } from '../../workers/search-attributes';
import { run } from '../context';
import type { CliContext } from '../context';
import { EXIT } from '../exit';
import { duration, printable, table } from '../output';
import { START_A_WORKER, servingNow } from '../serving';
import { notAskedWords, stoppedByRestores, stoppedWords } from './status-stopped';
import { scheduleDrift, standingSchedule, wantedSchedule } from './schedule-plan';

/** How long the engine may take to answer; the store's part must not wait for it. */
const ENGINE_MS = 5_000;

export function registerStatus(program: Command): void {
  program
    .command('status')
    .argument('[group]', 'the protection group; all of the runbook without it')
    .description('the last good backup of each group, its age against the rpo, the next run, runs that wait')
    .addHelpText(
      'after',
      '\nExit code 1 when a group has no whole backup, its last one is older than its rpo, its store can not be read, or a\nrestore that is over keeps it stopped; partial backups do not count. Runs that wait for you are shown, and do not change the code.\n\nExample:\n  $ resurgo status portal',
    )
    .action((group, _options, command) => run(command, (context) => status(context, group)));
}

/** `ok`, or why not. */
type Verdict = 'ok' | 'late' | 'none' | 'unreadable' | 'clock' | 'stopped';

interface StoreSide {
  verdict: Verdict;
  /** Newest whole backup. */
  id: string | undefined;
  ageMs: number | undefined;
  notes: string[];
}

interface EngineSide {
  nextRun: Date | undefined;
  paused: boolean;
  /** In which respects the schedule is not what the runbook says: it keeps the runbook as it was when it was applied. */
  drift: string[];
  /** Run ids that wait for a person. */
  waiting: string[];
  running: string[];
}

async function status(context: CliContext, asked: string | undefined): Promise<number> {
  const { runbook } = context.runbook();
  const names = asked === undefined ? Object.keys(runbook.groups) : [asked];
  const setups = await Promise.all(names.map(async (name) => (await context.group(name)).setup));
  const hosts = await context.hosts();
  const genuine = await genuineSigners({ stateDir: context.stateDir });
  const [stores, stopped, engine] = await Promise.all([
    Promise.all(setups.map((setup) => storeSide({ hosts, setup, genuine }))),
    Promise.all(setups.map((setup) => stoppedByRestores({ hosts, setup }))),
    engineSides({ stateDir: context.stateDir, setups }),
  ]);
  const rows = setups.map((setup, i) => {
    const [store, side] = [stores[i] ?? UNKNOWN, engine.sides?.get(setup.group.name)];
    const { stopped: runs, away } = stopped[i] ?? { stopped: [], away: [] };
    const underWay = side === undefined ? undefined : [...side.waiting, ...side.running];
    const half = stoppedWords({ group: setup.group.name, stopped: runs, underWay });
    const verdict: Verdict = half.length > 0 && store.verdict === 'ok' ? 'stopped' : store.verdict;
    const notes = [...half, ...notAskedWords({ away }), ...store.notes, ...neverPruned(setup)];
    return { setup, store: { ...store, verdict }, engine: side, notes };
  });
  const bad = rows.some((each) => each.store.verdict !== 'ok');
  const lines = rows.map(({ setup, store, engine: side, notes }) => [
    setup.group.name,
    VERDICTS[store.verdict],
    store.id ?? 'no whole backup',
    store.ageMs === undefined ? '' : `${duration(store.ageMs)} old, rpo ${duration(setup.group.rpoS * 1000)}`,
    next({ setup, side, problem: engine.problem }),
    [...notes, ...drifted({ setup, side }), ...waits(side)].join('; '),
  ]);
  context.out.result({
    json: {
      ok: !bad,
      engine: engine.problem ?? 'serving',
      groups: rows.map(({ setup, store, engine: side, notes }) => ({
        group: setup.group.name,
        verdict: store.verdict,
        lastGood: store.id,
        ageS: store.ageMs === undefined ? undefined : Math.round(store.ageMs / 1000),
        rpoS: setup.group.rpoS,
        notes,
        nextRun: side?.nextRun?.toISOString(),
        schedulePaused: side?.paused,
        scheduleDrift: side?.drift,
        waiting: side?.waiting,
        running: side?.running,
      })),
    },
    text: [
      table([['group', '', 'last good backup', 'age', 'next run', ''], ...lines]),
      ...(engine.problem === undefined
        ? []
        : [
            printable(
              engine.sides === undefined
                ? `${engine.problem}: next runs and runs that wait are not known`
                : engine.problem,
            ),
          ]),
    ].join('\n'),
  });
  return bad ? EXIT.failed : EXIT.ok;
}

const VERDICTS: Record<Verdict, string> = {
  ok: 'ok',
  late: 'BEYOND RPO',
  none: 'NO BACKUP',
  unreadable: 'UNREADABLE',
  clock: 'CLOCK',
  stopped: 'STOPPED',
};
const UNKNOWN: StoreSide = { verdict: 'unreadable', id: undefined, ageMs: undefined, notes: [] };

interface Asked {
  hosts: Awaited<ReturnType<CliContext['hosts']>>;
  setup: GroupSetup;
}

async function storeSide({ hosts, setup, genuine }: Asked & { genuine: readonly string[] }): Promise<StoreSide> {
  try {
    const { storeHost, store, group } = setup;
    const [{ backups, incomplete }, byHand] = await Promise.all([
      readBackups({ hosts, storeHost, store: store.name, group: group.name, step: 'status' }),
      heldByHand({ hosts, setup }),
    ]);
    const side = judged({ backups, genuine, incomplete, rpoS: group.rpoS, nowMs: Date.now() });
    return { ...side, notes: [...byHand, ...side.notes] };
  } catch (error) {
    return { ...UNKNOWN, notes: [error instanceof Error ? error.message : String(error)] };
  }
}

/** An operator's hand that holds the group now: no backup can begin under it. */
async function heldByHand({ hosts, setup }: Asked): Promise<string[]> {
  const { storeHost, group } = setup;
  try {
    const now = await statusAt({ hosts, host: storeHost, group: group.name, step: 'status' });
    return heldLeases(now)
      .filter(({ run }) => isByHand(run))
      .map(({ run, owner, untilMs }) => {
        const until =
          untilMs === undefined ? '' : ` until ${new Date(untilMs).toISOString().slice(11, 19)} UTC at the latest`;
        return `HELD BY HAND (${owner})${until}, no backup begins: ${byHandWords({ run, group: group.name })}`;
      });
  } catch (error) {
    // What keeps the store from answering is told by its list.
    if (!(error instanceof HostError)) throw error;
    return [];
  }
}

/** What a store's list says of a group: only whole, readable backups count (S18), signed by a key that this director knows (S19). */
export function judged(options: {
  backups: readonly StoreEntry[];
  /** Public keys, hex. */
  genuine: readonly string[];
  incomplete: string | null;
  rpoS: number;
  nowMs: number;
}): StoreSide {
  const { backups, genuine, incomplete, rpoS, nowMs } = options;
  const known = backups.filter((each) => isGenuine(each, genuine));
  const last = newestWhole(known)?.id;
  const later = backups.filter((each) => last === undefined || each.id > last);
  const partial = later.filter((each) => each.manifest?.state === 'Partial' && each.problem === undefined).length;
  const broken = backups.filter((each) => each.problem !== undefined).map((each) => each.id);
  const foreign = backups.filter((each) => each.signedBy !== undefined && !known.includes(each)).length;
  const bare = known.find((each) => each.id === last)?.manifest;
  const notes = [
    ...(bare === undefined ? [] : notRecoverable(bare).map(notRecoverableText)),
    foreign > 0 ? `${foreign} signed by a key unknown here, see resurgo adopt` : '',
    partial > 0 ? `${partial} partial since` : '',
    broken.length > 0 ? `unusable: ${broken.join(', ')}` : '',
    incomplete === null ? '' : `run ${incomplete} is writing, or died while it was`,
  ].filter((each) => each !== '');
  if (last === undefined) return { verdict: 'none', id: undefined, ageMs: undefined, notes };
  const ageMs = nowMs - parseBackupId(last);
  // Newer than now: one of two clocks is wrong, and the age is worth nothing.
  if (ageMs < 0)
    return { verdict: 'clock', id: last, ageMs: undefined, notes: ['it lies in the future of this clock', ...notes] };
  return { verdict: ageMs > rpoS * 1000 ? 'late' : 'ok', id: last, ageMs, notes };
}

/** What a running engine knows; it is not started for this, and its trouble is not the store's. */
async function engineSides(options: {
  stateDir: string;
  setups: readonly GroupSetup[];
}): Promise<{ sides: Map<string, EngineSide> | undefined; problem: string | undefined }> {
  const { stateDir, setups } = options;
  try {
    const now = await engineStatus({ stateDir });
    const { address, namespace, uiUrl, external } = now;
    if (!now.serving || address === undefined) {
      return {
        sides: undefined,
        problem: external ? `the engine at ${address ?? '?'} does not answer` : 'the engine is not running',
      };
    }
    const settings = engineSettings({ address, namespace, uiUrl, external });
    const { client, connection } = await connectClient({ settings, waitMs: ENGINE_MS });
    try {
      const sides = await connection.withDeadline(Date.now() + ENGINE_MS, () =>
        Promise.all(setups.map(async (setup) => [setup.group.name, await engineSide({ client, setup })] as const)),
      );
      // A worker of ours is seen as a process; of another one the server knows.
      const served = external ? (await servingNow(client.workflow)) === 'serving' : now.worker?.ready === true;
      const problem = served
        ? undefined
        : `the engine runs without a worker, so nothing is backed up: ${START_A_WORKER}`;
      return { sides: new Map(sides), problem };
    } finally {
      await connection.close();
    }
  } catch (error) {
    return {
      sides: undefined,
      problem: `the engine can't be asked (${error instanceof Error ? error.message : String(error)})`,
    };
  }
}

async function engineSide({ client, setup }: { client: Client; setup: GroupSetup }): Promise<EngineSide> {
  const group = setup.group.name;
  const wanted = wantedSchedule({ setup, version: packageVersion() });
  const found = await standingSchedule({ client, group });
  const side: EngineSide = {
    nextRun: found?.info.nextActionTimes[0],
    paused: found?.state.paused === true,
    drift: scheduleDrift({ found, wanted }),
    waiting: [],
    running: [],
  };
  const query = `ExecutionStatus = 'Running' AND ${searchAttributeKeys.group.name} = '${group}'`;
  for await (const { workflowId, typedSearchAttributes } of client.workflow.list({ query, pageSize: 50 })) {
    const parsed = parseWorkflowId(workflowId);
    if (parsed === undefined) continue;
    const waits = typedSearchAttributes.get(searchAttributeKeys.needsOperator) === true;
    (waits ? side.waiting : side.running).push(parsed.run);
  }
  return side;
}

function next(options: { setup: GroupSetup; side: EngineSide | undefined; problem: string | undefined }): string {
  const { setup, side } = options;
  if (side === undefined) return setup.group.schedule === null ? 'no schedule' : '?';
  if (side.paused) return 'paused';
  if (side.nextRun !== undefined) return `in ${duration(side.nextRun.getTime() - Date.now())}`;
  return setup.group.schedule === null ? 'no schedule' : `not applied: resurgo schedule apply ${setup.group.name}`;
}

/** Nobody sees from outside that a store fills. */
function neverPruned({ group }: GroupSetup): string[] {
  return group.schedule?.prune === false
    ? ['its schedule removes no old backups (the runbook writes no `keep`, or `schedule.prune: false`)']
    : [];
}

/** A schedule that is not applied at all stands in the column of the next run. */
function drifted({ setup, side }: { setup: GroupSetup; side: EngineSide | undefined }): string[] {
  if (side?.nextRun === undefined && side?.paused !== true) return [];
  if (side.drift.length === 0) return [];
  return [`its SCHEDULE IS OLD (${side.drift.join(', ')}): resurgo schedule apply ${setup.group.name}`];
}

function waits(side: EngineSide | undefined): string[] {
  return [
    ...(side?.waiting ?? []).map((each) => `run ${each} WAITS FOR YOU`),
    ...(side?.running ?? []).map((each) => `run ${each} is under way`),
  ];
}
