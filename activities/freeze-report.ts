/** What each host's answers in a freeze say of the instant: its snapshots, and what its part rests on. */
import { z } from 'zod';
import type { FreezeSession, Snapshotted, Thawed } from '../hosts/freeze-session';
import type { MachineMoment } from '../planning/consistency';
import type { FreezeEvent, FreezeReport } from '../planning/torn';

/** One source's snapshot of the instant, as its host named it. */
export interface TakenSnapshot {
  host: string;
  source: string;
  kind: string;
  name: string;
  /** Of a whole machine; missing from older hostkits. */
  machine?: MachineMoment;
}

/** What a host's part in the freeze rests on, for the consistency label (S7). */
export interface HostFreezeReport extends FreezeReport {
  /** Running containers that were left alone: our own engine's. */
  exempt: string[];
  /** Running containers that the runbook doesn't ask to pause. */
  unmatched: string[];
  unitsStopped: string[];
  unitsFrozen: string[];
}

/** Of a host that is armed; what it answers later is added. */
export function newReport(session: FreezeSession): HostFreezeReport {
  const { armed } = session;
  const left = leftAlone.parse(armed.left);
  return {
    host: session.host,
    phases: { armed: { timeMs: armed.timeMs, uptimeMs: armed.uptimeMs } },
    directorMs: {},
    torn: '',
    deadmanFired: false,
    containers: [],
    pausedMs: 0,
    events: [],
    exempt: left.filter((each) => each.why === 'exempt').map((each) => each.name),
    unmatched: left.filter((each) => each.why === 'no').map((each) => each.name),
    unitsStopped: armed.units.filter((unit) => !byFreezing(unit)).map((unit) => unit.name),
    unitsFrozen: armed.units.filter(byFreezing).map((unit) => unit.name),
  };
}

function byFreezing(unit: object): boolean {
  return 'by' in unit && unit.by === 'freeze';
}

/** Containers that were left as they are: `exempt` (our own engine's), `already` (paused by others), `no` (not asked for). */
const leftAlone = z.array(z.looseObject({ name: z.string(), why: z.string() })).default([]);

export function namedSnapshots({ host, answer }: { host: string; answer: Snapshotted }): TakenSnapshot[] {
  return answer.snapshots.map(({ source, kind = '', name = '', held, live, watched, skipped }) => ({
    ...{ host, source, kind, name },
    ...(held === undefined || live === undefined || watched === undefined || skipped === undefined
      ? {}
      : { machine: { held, live, watched, skipped } }),
  }));
}

export function readThaw({ report, thawed }: { report: FreezeReport; thawed: Thawed }): void {
  report.phases.thawed = { timeMs: thawed.timeMs, uptimeMs: thawed.uptimeMs };
  report.torn = thawed.torn;
  report.deadmanFired = thawed.deadmanFired;
  report.pausedMs = thawed.pausedMs;
  report.containers = thawed.containers.map((each) =>
    typeof each === 'string'
      ? { id: each, name: each }
      : { id: each.id, name: each.name, ...(each.state === undefined ? {} : { state: each.state }) },
  );
  report.events = readEvents(thawed.events);
}

/** The host's list of violations; a number or nothing means that it reports them only in `torn`. */
function readEvents(events: unknown): FreezeEvent[] {
  if (!Array.isArray(events)) return [];
  return events.map((each: unknown) => {
    const record = typeof each === 'object' && each !== null ? (each as Partial<Record<string, unknown>>) : {};
    return {
      action: typeof record.action === 'string' ? record.action : 'event',
      name: typeof record.name === 'string' ? record.name : 'unknown',
      ...(typeof record.timeMs === 'number' ? { timeMs: record.timeMs } : {}),
    };
  });
}
