/**
 * The freeze: one barrier over all hosts of a group (S1). Armed everywhere → paused everywhere → snapshotted everywhere → thawed
 * everywhere. All or nothing: whatever goes wrong on one host thaws all of them, and what was snapshotted is dropped.
 *
 * It is one activity because a retry must never mix two instants: a new attempt begins with a new number and a new set of snapshots.
 */
import { performance } from 'node:perf_hooks';
import { activityInfo, ApplicationFailure, Context } from '@temporalio/activity';
import { z } from 'zod';
import type { FreezeSession } from '../hosts/freeze-session';
import { HostError, isAway } from '../hosts/errors';
import type { HostRef } from '../hosts/hosts';
import { cutOffFreezes, INSTANTS_PER_TRY } from '../planning/earlier-freezes';
import type { EarlierFreeze } from '../planning/earlier-freezes';
import { attemptNumber } from '../planning/fencing';
import { judgeFreeze, pauseWindow } from '../planning/torn';
import type { ActivityDeps, RunFence } from './context';
import { asActivity, fenceFor, forEachLimited, heartbeating } from './context';
import { namedSnapshots, newReport, readThaw } from './freeze-report';
import type { HostFreezeReport, TakenSnapshot } from './freeze-report';

export interface FreezeInput {
  fence: RunFence;
  hosts: HostRef[];
  /** The dead-man's limit, seconds; a host's own configuration may lower it. */
  maxPauseS: number;
  /** How many torn instants are repeated before a person is asked. */
  instants: number;
  /** `partial`: a host that can't be armed is left out and reported as missing. */
  onUnreachable: 'fail' | 'partial';
}

export interface FreezeResult {
  /** The freeze number of this run under which the snapshots are known on the hosts. */
  freeze: number;
  /** The instant: the wall clock when the last host was confirmed paused, ms since 1970. */
  frozenAtMs: number;
  /** From the first host's pause to the last host's thaw, ms, by the director's clock. */
  pauseMs: number;
  hosts: HostFreezeReport[];
  snapshots: TakenSnapshot[];
  /** Hosts that were left out, with the reason. */
  missing: { host: string; code: string; message: string }[];
  /** The freezes of this step that did not count, and for how long each held the hosts; missing from runs of older versions. */
  earlier?: EarlierFreeze[];
}

interface Recorded {
  session: FreezeSession;
  report: HostFreezeReport;
  snapshots: TakenSnapshot[];
}

/** Makes the activity `freeze`. */
export function freezeActivities({ hosts, logger }: ActivityDeps) {
  async function freeze({ input, earlier }: { input: FreezeInput; earlier: EarlierFreeze[] }): Promise<FreezeResult> {
    const { fence } = input;
    const attempt = fenceFor({ fence, step: 'freeze' });
    const log = logger.child({ run: fence.run, step: 'freeze' });
    await hosts.warm({ hosts: input.hosts });
    for (let instant = 0; instant < input.instants; instant += 1) {
      // Attempt and instant together make a number that no earlier try of this run has used.
      const number = attempt.attempt * INSTANTS_PER_TRY + instant;
      const taken = await oneInstant({ input, number, earlier });
      const reports = taken.recorded.map((each) => each.report);
      const pauseMs = pauseWindow({ reports }).groupMs;
      if (taken.verdict.torn) {
        for (const { host, message: reason } of taken.verdict.reasons)
          log.warn({ host, freeze: number, reason }, 'the instant was torn; its snapshots are dropped');
        const reason = taken.verdict.reasons.map(({ host, message }) => `${host}: ${message}`).join('; ');
        earlier.push({ freeze: number, stillMs: pauseMs, reason });
        await dropAll({ fence, hosts: input.hosts, number });
        continue;
      }
      return {
        freeze: number,
        frozenAtMs: taken.frozenAtMs,
        pauseMs,
        hosts: reports,
        snapshots: taken.recorded.flatMap((each) => each.snapshots),
        missing: taken.missing,
        earlier,
      };
    }
    const last = earlier.at(-1)?.reason ?? 'unknown';
    throw ApplicationFailure.create({
      type: 'torn',
      nonRetryable: true,
      message: `${input.instants} instants in a row were torn, the last because of ${last}. Nothing is paused and no snapshot is left; find what restarts or unpauses containers during the pause, then retry`,
      details: [{ code: 'torn' }],
    });
  }

  /** Takes one instant over all hosts; whatever happens, nothing is paused when it returns or throws. */
  async function oneInstant({
    input,
    number,
    earlier,
  }: {
    input: FreezeInput;
    number: number;
    earlier: EarlierFreeze[];
  }) {
    const { open, missing } = await armAll({ input, number });
    try {
      await inParallel(open, async (each) => {
        each.report.directorMs.pauseSentAt = performance.now();
        const paused = await each.session.pause();
        each.report.directorMs.pausedAt = performance.now();
        each.report.phases.paused = { timeMs: paused.timeMs, uptimeMs: paused.uptimeMs };
      });
      const frozenAtMs = Date.now();
      await inParallel(open, async (each) => {
        each.report.directorMs.snapshotSentAt = performance.now();
        const answer = await each.session.snapshot();
        each.report.directorMs.snapshottedAt = performance.now();
        each.report.phases.snapshotted = { timeMs: answer.timeMs, uptimeMs: answer.uptimeMs };
        each.snapshots = namedSnapshots({ host: each.session.host, answer });
      });
      await inParallel(open, async (each) => {
        each.report.directorMs.thawSentAt = performance.now();
        const thawed = await each.session.thaw();
        each.report.directorMs.thawedAt = performance.now();
        readThaw({ report: each.report, thawed });
      });
      const reports = open.map((each) => each.report);
      const verdict = judgeFreeze({ hosts: open.map((each) => each.session.host), reports });
      return { recorded: open, missing, frozenAtMs, verdict };
    } catch (error) {
      await closeAll(open);
      earlier.push({ freeze: number, stillMs: stillMs({ open, error, input }), reason: messageOf(error) });
      await dropAll({ fence: input.fence, hosts: input.hosts, number });
      throw error;
    } finally {
      await closeAll(open);
    }
  }

  async function armAll({ input, number }: { input: FreezeInput; number: number }) {
    const open: Recorded[] = [];
    const missing: FreezeResult['missing'] = [];
    const failures: Error[] = [];
    await Promise.all(
      input.hosts.map(async (host) => {
        try {
          const fence = fenceFor({ fence: input.fence, step: 'freeze' });
          const session = await hosts.openFreeze({
            host,
            fence,
            freeze: number,
            maxPauseS: input.maxPauseS,
            step: 'freeze',
          });
          open.push({ session, report: newReport(session), snapshots: [] });
        } catch (error) {
          if (input.onUnreachable === 'partial' && isAway(error)) {
            missing.push({ host: host.name, code: error.code, message: error.message });
          } else {
            failures.push(error instanceof Error ? error : new Error(String(error)));
          }
        }
      }),
    );
    if (failures.length > 0 || open.length === 0) {
      await closeAll(open);
      throw (
        failures[0] ??
        ApplicationFailure.nonRetryable(
          'no host of this group can be reached, so there is nothing to back up',
          'unreachable',
        )
      );
    }
    return { open, missing };
  }

  async function dropAll({
    fence,
    hosts: all,
    number,
  }: {
    fence: RunFence;
    hosts: HostRef[];
    number: number;
  }): Promise<void> {
    await Promise.allSettled(
      all.map((host) =>
        hosts.call({
          host,
          verb: 'snapshot.drop',
          step: 'drop torn snapshots',
          args: { ...fenceFor({ fence, step: 'freeze' }), targetRun: fence.run, freeze: number },
        }),
      ),
    );
  }

  /** Reverses on every host whatever a freeze of this group still holds; safe to repeat. */
  async function thawAll(input: { fence: RunFence; hosts: HostRef[] }): Promise<{ unreachable: string[] }> {
    const unreachable: string[] = [];
    await forEachLimited({
      items: input.hosts,
      limit: 64,
      each: async (host) => {
        try {
          await hosts.call({ host, verb: 'thaw', step: 'thaw', args: fenceFor({ fence: input.fence, step: 'thaw' }) });
        } catch (error) {
          // Its own dead-man thaws a host that can't be reached; the run's report names it.
          if (!(error instanceof HostError) || error.code !== 'unreachable') throw error;
          unreachable.push(host.name);
        }
      },
    });
    return { unreachable };
  }

  /** One try of the step; what former tries held still comes with their last heartbeat. */
  async function oneTry(input: FreezeInput): Promise<FreezeResult> {
    const info = activityInfo();
    const earlier = heldBefore.safeParse(info.heartbeatDetails).data?.earlier ?? [];
    const numberOf = (temporalAttempt: number) => attemptNumber({ round: input.fence.round, temporalAttempt });
    const tries = Array.from({ length: info.attempt - 1 }, (_, index) => numberOf(index + 1));
    earlier.push(...cutOffFreezes({ earlier, tries, maxPauseS: input.maxPauseS }));
    const details = () => ({ step: 'freeze', earlier });
    try {
      return await heartbeating({ details, body: () => freeze({ input, earlier }) });
    } catch (error) {
      const { attempt } = fenceFor({ fence: input.fence, step: 'freeze' });
      // One that came to no pause is told as well, or the next would take it for cut off.
      if (!earlier.some(({ freeze }) => Math.floor(freeze / INSTANTS_PER_TRY) === attempt))
        earlier.push({ freeze: attempt * INSTANTS_PER_TRY, stillMs: 0, reason: messageOf(error) });
      Context.current().heartbeat(details());
      throw error;
    }
  }

  return {
    freeze: (input: FreezeInput) => asActivity(() => oneTry(input)),
    thawAll: (input: { fence: RunFence; hosts: HostRef[] }) =>
      asActivity(() => heartbeating({ body: () => thawAll(input) })),
  };
}

const heldBefore = z.looseObject({
  earlier: z.array(z.object({ freeze: z.number(), stillMs: z.number(), reason: z.string() })),
});

/** How long a freeze that broke has held its hosts, ms; of one that went away nobody knows more than when its dead-man let it go. */
function stillMs({ open, error, input }: { open: Recorded[]; error: unknown; input: FreezeInput }): number {
  const began = open.flatMap(({ report }) => report.directorMs.pauseSentAt ?? []);
  if (began.length === 0) return 0;
  const seenMs = performance.now() - Math.min(...began);
  return Math.round(isAway(error) ? Math.max(seenMs, input.maxPauseS * 1000) : seenMs);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** All at once; when one fails, the others are awaited first, so that nothing of this phase is still under way. */
async function inParallel(all: Recorded[], each: (one: Recorded) => Promise<void>): Promise<void> {
  const settled = await Promise.allSettled(all.map(each));
  const failed = settled.find((one) => one.status === 'rejected');
  if (failed !== undefined) throw failed.reason instanceof Error ? failed.reason : new Error(String(failed.reason));
}

async function closeAll(open: Recorded[]): Promise<void> {
  await Promise.all(open.map((each) => each.session.close()));
}
