/** The fault campaign: a random fault at a random moment of a random run, and after each what must hold whatever happened. */
import { setTimeout as sleep } from 'node:timers/promises';
import { APPS, CrashLab, nextSecond } from '../crash/support/crash-lab';
import { attend, NOT_ENDED } from '../crash/support/operator';
import { FAULTS } from './kinds';
import { PauseWatch } from './pause-watch';
import { pick, seeded } from './random';

export interface RoundReport {
  round: number;
  run: 'backup' | 'restore';
  kind: string;
  /** What it hit. */
  fault: string;
  /** When it struck, after the run's start, ms. */
  atMs: number;
  /** How long it lasted, ms. */
  forMs: number;
  outcome: string;
  /** How often the operator's gate was answered with `retry`. */
  retries: number;
  /** What waited for the operator, and why. */
  asked: string[];
  tookMs: number;
  /** What did not hold; empty where all is well. */
  broken: string[];
}

const SHORTEST_MS = 500;
const LONGEST_MS = 9_000;
/** The longest pause that the runbook allows (30 s), a hang of the whole host in it, and what a busy machine adds, ms. */
const DEADMAN_MS = 30_000 + LONGEST_MS + 6_000;
/** Backups that are compared with what was frozen after each round, the newest among them; after the last round all are. */
const COMPARED = 4;
/** Of the backups that are listed in the end so many are restored, the newest first. */
const RESTORED = 10;
const MISSED = 'DID NOT STRIKE';

/** Every sealed backup, and what its hosts' files were at its freeze. */
type Known = Map<string, Record<string, string>>;

/** What the rounds before have left behind by design. */
interface Past {
  known: Known;
  /** How long an undisturbed backup takes on this machine now, ms: a fault strikes within this time after a run's start. */
  windowMs: number;
}

/**
 * Runs the campaign on a fleet of its own.
 * @param told called after each round
 */
export async function campaign(options: {
  rounds: number;
  seed: number;
  /** Only these kinds of fault; default all. */
  kinds?: readonly string[];
  /** How many of the backups that are listed in the end are restored beside the data, newest first. Default 10. */
  restored?: number;
  told?: (report: RoundReport) => void;
}): Promise<RoundReport[]> {
  const { rounds, seed, kinds, restored = RESTORED, told } = options;
  const random = seeded(seed);
  const faults = FAULTS.filter((each) => kinds?.includes(each.kind) ?? true);
  const lab = await CrashLab.raise('faults', { storeSize: '8G' });
  const watch = new PauseWatch(lab.fleet.name, APPS);
  const reports: RoundReport[] = [];
  try {
    const past = await undisturbed(lab);
    for (let round = 1; round <= rounds; round += 1) {
      const last = round === rounds;
      const report = await oneRound({ lab, watch, random, past, faults, round, last });
      if (last) report.broken.push(...(await restoreBeside({ lab, past, count: restored })));
      reports.push(report);
      told?.(report);
    }
    return reports;
  } finally {
    await watch.stop();
    await lab.end();
  }
}

/** The first backup, which no fault strikes. */
async function undisturbed(lab: CrashLab): Promise<Past> {
  for (const app of APPS) await lab.churn(app, { round: 0, mib: 8 });
  const frozen = await filesNow(lab);
  const from = Date.now();
  lab.director.startWorker();
  const { outcome, sealed } = await attend(await lab.startBackup());
  const windowMs = Date.now() - from;
  await lab.settle();
  if (sealed === undefined) throw new Error(`a backup that nothing disturbed ended as ${outcome}`);
  return { known: new Map([[sealed, frozen]]), windowMs };
}

async function filesNow(lab: CrashLab): Promise<Record<string, string>> {
  return Object.fromEntries(await Promise.all(APPS.map(async (app) => [app, await lab.digest(app)] as const)));
}

async function oneRound(options: {
  lab: CrashLab;
  watch: PauseWatch;
  random: () => number;
  past: Past;
  faults: typeof FAULTS;
  round: number;
  last: boolean;
}): Promise<RoundReport> {
  const { lab, watch, random, past, faults, round, last } = options;
  const { known } = past;
  const from = Date.now();
  // All is drawn first: what a round does must not depend on what the ones before it took.
  const what = random() < 0.35 ? 'restore' : 'backup';
  const id = pick(random, [...known.keys()]);
  const fault = pick(random, faults);
  const atMs = Math.round(random() * past.windowMs);
  const forMs = Math.round(SHORTEST_MS + random() * (LONGEST_MS - SHORTEST_MS));
  // Never half of what it was: a source that shrinks so is a question of its own (S14).
  const mib = 7 + Math.floor(random() * 6);
  const compared = [0, ...Array.from({ length: COMPARED - 1 }, random)];
  await nextSecond();
  for (const app of APPS) await lab.churn(app, { round, mib });
  const frozen = await filesNow(lab);
  lab.director.startWorker();
  const run = what === 'backup' ? await lab.startBackup() : await lab.startRestore(id);
  const attended = attend(run);
  await sleep(atMs);
  // A fault that the lab could not bring about ends no campaign, and passes for none.
  const struck = await fault.strike(lab, random).catch((error: unknown) => ({
    what: `${fault.kind} ${MISSED} (${String(error)})`,
    heal: () => Promise.resolve(),
  }));
  await sleep(forMs);
  await struck.heal();
  const { outcome, retries, asked, sealed } = await attended;
  await lab.settle();
  if (sealed !== undefined) known.set(sealed, frozen);
  // A restore that was given up leaves its hosts stopped, on purpose: the operator restores again, undisturbed.
  const mended = what === 'restore' && outcome !== 'Completed' ? await restoreAgain({ lab, id }) : outcome;
  const restored = what === 'restore' && mended === 'Completed' ? id : undefined;
  const broken = await whatBroke({ lab, watch, past, restored, compared: last ? 'all' : compared });
  if (what === 'restore' && mended !== 'Completed') broken.push(`restored again, undisturbed: ${mended}`);
  if (outcome.startsWith(NOT_ENDED)) broken.push('the run did not end');
  if (struck.what.includes(MISSED)) broken.push('the fault did not strike');
  const report = {
    round,
    run: what,
    kind: fault.kind,
    fault: struck.what,
    atMs,
    forMs,
    outcome,
    retries,
    asked,
  } as const;
  return { ...report, tookMs: Date.now() - from, broken };
}

async function restoreAgain({ lab, id }: { lab: CrashLab; id: string }): Promise<string> {
  lab.director.startWorker();
  const run = await lab.startRestore(id);
  const { outcome } = await attend(run);
  await lab.settle();
  return outcome;
}

/** Has the newest backups brought back into folders, undisturbed, and compares what arrived with what was frozen. */
async function restoreBeside(options: { lab: CrashLab; past: Past; count: number }): Promise<string[]> {
  const { lab, past, count } = options;
  const broken: string[] = [];
  const backups = await lab.backups();
  lab.director.startWorker();
  for (const { id } of backups.slice(-count)) {
    const folder = `/var/restore/${id}`;
    const { outcome } = await attend(
      await lab.startRestore(id, { mode: 'folder', folder: { host: null, path: folder } }),
    );
    if (outcome !== 'Completed') broken.push(`backup ${id} restored into a folder: ${outcome}`);
    for (const app of APPS) {
      const there = await lab.digest(app, `${folder}/${app}@+srv/files`).catch(String);
      if (there !== past.known.get(id)?.[app])
        broken.push(`backup ${id} restored into a folder: ${app} is not what was frozen`);
      await lab.fleet.exec(app, `rm -rf ${folder}`);
    }
  }
  await lab.settle();
  for (const left of [...(await lab.leftovers()), ...(await lab.remains())]) broken.push(`left by a restore: ${left}`);
  return broken;
}

/** What must hold after every run, however it ended. */
async function whatBroke(options: {
  lab: CrashLab;
  watch: PauseWatch;
  past: Past;
  /** The backup that was just restored. */
  restored: string | undefined;
  /** Which backups are compared with what was frozen: their places in the list, newest 0, oldest 1. */
  compared: readonly number[] | 'all';
}): Promise<string[]> {
  const { lab, watch, past, restored, compared } = options;
  const { known } = past;
  const broken: string[] = [];
  for (const paused of watch.takeLongerThan(DEADMAN_MS)) broken.push(`paused past the dead-man: ${paused}`);
  for (const left of await lab.leftovers()) broken.push(`left: ${left}`);
  for (const left of await lab.remains()) broken.push(`left on disk: ${left}`);
  for (const silent of await lab.silent()) broken.push(`production: ${silent}`);
  const backups = await lab.backups();
  const ids = backups.map(({ id }) => id);
  const chosen = compared === 'all' ? ids : chosenOf({ ids, at: compared });
  const contents = await lab.contents(chosen);
  for (const { id, problem, manifest } of backups) {
    if (problem !== undefined) broken.push(`backup ${id}: ${problem}`);
    if (manifest?.state !== 'Completed') broken.push(`backup ${id} is listed as ${manifest?.state ?? 'nothing'}`);
    if (!known.has(id)) broken.push(`backup ${id} is listed, and no run said that it was made`);
  }
  for (const id of chosen) {
    const held = contents.get(id);
    for (const app of APPS)
      if (held?.files[app] !== known.get(id)?.[app]) broken.push(`backup ${id}: ${app} is not what was frozen`);
    if (held?.lead !== 0 && held?.lead !== 1) broken.push(`backup ${id}: the ledgers are ${held?.lead} apart`);
  }
  for (const id of known.keys()) if (!backups.some((each) => each.id === id)) broken.push(`backup ${id} is gone`);
  if (restored !== undefined)
    for (const app of APPS)
      if ((await lab.digest(app)) !== known.get(restored)?.[app]) broken.push(`${app} is not what ${restored} holds`);
  return broken;
}

/** The backups at those places of the list, oldest first as the store tells them: 0 the newest, towards 1 the older ones. */
function chosenOf({ ids, at }: { ids: readonly string[]; at: readonly number[] }): string[] {
  const places = new Set(at.map((place) => ids.length - 1 - Math.floor(place * ids.length)));
  return ids.filter((_, index) => places.has(index));
}
