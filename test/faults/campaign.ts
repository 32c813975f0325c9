/** The fault campaign: a random fault at a random moment of a random run, and after each what must hold whatever happened. */
import { setTimeout as sleep } from 'node:timers/promises';
import { APPS, CrashLab, nextSecond } from '../crash/support/crash-lab';
import type { Run } from '../crash/support/run';
import { FAULTS } from './kinds';
import { pick, seeded } from './random';

export interface RoundReport {
  round: number;
  run: 'backup' | 'restore';
  fault: string;
  /** When it struck, after the run's start, ms. */
  atMs: number;
  /** How long it lasted, ms. */
  forMs: number;
  outcome: string;
  /** How often the operator's gate was answered with `retry`. */
  retries: number;
  tookMs: number;
  /** What did not hold; empty where all is well. */
  broken: string[];
}

/** Until a run of this size is over, faults included, ms. */
const RUN_MS = 240_000;
/** A fault strikes within this time after the start, ms: an undisturbed run takes about as long. */
const WINDOW_MS = 8_000;
const SHORTEST_MS = 500;
const LONGEST_MS = 9_000;
/** The longest pause that the runbook allows, and what a busy machine may add, ms. */
const DEADMAN_MS = 45_000;
const RETRIES = 6;
const NOT_ENDED = 'NOT ENDED';

/** Every sealed backup, and what its hosts' files were at its freeze. */
type Known = Map<string, Record<string, string>>;

/** What the rounds before have left behind by design. */
interface Past {
  known: Known;
  /** Restores since the last backup: their safety snapshots stay until the next. */
  restores: string[];
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
  told?: (report: RoundReport) => void;
}): Promise<RoundReport[]> {
  const { rounds, seed, kinds, told } = options;
  const random = seeded(seed);
  const faults = FAULTS.filter((each) => kinds?.includes(each.kind) ?? true);
  const lab = await CrashLab.raise('faults', { storeSize: '2G' });
  const past: Past = { known: new Map(), restores: [] };
  const reports: RoundReport[] = [];
  try {
    for (let round = 1; round <= rounds; round += 1) {
      const report = await oneRound({ lab, random, past, faults, round });
      reports.push(report);
      told?.(report);
    }
    return reports;
  } finally {
    await lab.end();
  }
}

async function oneRound(options: {
  lab: CrashLab;
  random: () => number;
  past: Past;
  faults: typeof FAULTS;
  round: number;
}): Promise<RoundReport> {
  const { lab, random, past, faults, round } = options;
  const { known } = past;
  const from = Date.now();
  // All is drawn first: a round's fate must not depend on how fast the machine is.
  const kind = known.size > 0 && random() < 0.35 ? 'restore' : 'backup';
  const id = pick(random, known.size > 0 ? [...known.keys()] : ['']);
  const fault = pick(random, faults);
  const atMs = Math.round(random() * WINDOW_MS);
  const forMs = Math.round(SHORTEST_MS + random() * (LONGEST_MS - SHORTEST_MS));
  // Never half of what it was: a source that shrinks so is a question of its own (S14).
  const mib = 7 + Math.floor(random() * 6);
  await nextSecond();
  for (const app of APPS) await lab.churn(app, { round, mib });
  const frozen = Object.fromEntries(await Promise.all(APPS.map(async (app) => [app, await lab.digest(app)] as const)));
  lab.director.startWorker();
  const run = kind === 'backup' ? await lab.startBackup() : await lab.startRestore(id);
  const attended = attend(run);
  await sleep(atMs);
  // A fault that the lab could not bring about is told, and ends no campaign.
  const struck = await fault.strike(lab, random).catch((error: unknown) => ({
    what: `${fault.kind} DID NOT STRIKE (${String(error)})`,
    heal: () => Promise.resolve(),
  }));
  await sleep(forMs);
  await struck.heal();
  const { outcome, retries, sealed } = await attended;
  await lab.settle();
  if (sealed !== undefined) known.set(sealed, frozen);
  if (kind === 'restore') past.restores.push(run.id);
  else if (sealed !== undefined) past.restores = [];
  const broken = await whatBroke({
    lab,
    past,
    restored: outcome === 'Completed' && kind === 'restore' ? id : undefined,
    from,
  });
  if (outcome.startsWith(NOT_ENDED)) broken.push('the run did not end');
  return { round, run: kind, fault: struck.what, atMs, forMs, outcome, retries, tookMs: Date.now() - from, broken };
}

/** The operator: approves the plan, has a step that waits tried again, and in the end gives up. */
async function attend(run: Run): Promise<{ outcome: string; retries: number; sealed: string | undefined }> {
  const end = Date.now() + RUN_MS;
  let retries = 0;
  while (Date.now() < end) {
    await sleep(400);
    try {
      const { status } = await run.handle.describe();
      if (status.name !== 'RUNNING') return { ...(await outcomeOf(run)), retries };
      for (const question of await run.questions()) {
        if (question.approve !== undefined) await run.approve(question.approve);
        else {
          const decision = retries < RETRIES ? 'retry' : 'abort';
          retries += 1;
          await sleep(2_000);
          await run.decide(question.step, decision);
        }
      }
    } catch {
      // The server or the worker is away just now: the operator asks again.
    }
  }
  return { outcome: `${NOT_ENDED}: ${await run.describeStuck()}`, retries, sealed: undefined };
}

async function outcomeOf(run: Run): Promise<{ outcome: string; sealed: string | undefined }> {
  try {
    const report = await run.result<{ state: string; id?: string }>(10_000);
    return { outcome: report.state, sealed: report.id };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return { outcome: `Failed: ${String(cause)}`, sealed: undefined };
  }
}

/** What must hold after every run, however it ended. */
async function whatBroke(options: {
  lab: CrashLab;
  past: Past;
  /** The backup that was just restored. */
  restored?: string;
  /** When the round began, ms since 1970. */
  from: number;
}): Promise<string[]> {
  const { lab, past, restored, from } = options;
  const { known, restores } = past;
  const broken: string[] = [];
  for (const paused of await lab.pausedLongerThan(DEADMAN_MS, from)) broken.push(`paused past the dead-man: ${paused}`);
  for (const left of await lab.leftovers({ restores })) broken.push(`left: ${left}`);
  for (const silent of await lab.silent()) broken.push(`production: ${silent}`);
  const backups = await lab.backups();
  for (const { id, problem, manifest } of backups) {
    if (problem !== undefined) broken.push(`backup ${id}: ${problem}`);
    if (manifest?.state !== 'Completed') broken.push(`backup ${id} is listed as ${manifest?.state ?? 'nothing'}`);
    const frozen = known.get(id);
    if (frozen === undefined) {
      broken.push(`backup ${id} is listed, and no run said that it was made`);
      continue;
    }
    for (const app of APPS)
      if ((await lab.stored(id, app)) !== frozen[app]) broken.push(`backup ${id}: ${app} is not what was frozen`);
    const lead = await lab.lead(id);
    if (lead !== 0 && lead !== 1) broken.push(`backup ${id}: the ledgers are ${lead} apart`);
  }
  for (const id of known.keys()) if (!backups.some((each) => each.id === id)) broken.push(`backup ${id} is gone`);
  if (restored !== undefined)
    for (const app of APPS)
      if ((await lab.digest(app)) !== known.get(restored)?.[app]) broken.push(`${app} is not what ${restored} holds`);
  return broken;
}
