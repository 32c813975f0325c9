/**
 * Was it one instant? Reads what every host and the director recorded of a freeze and decides whether its snapshots count (S1).
 * Missing evidence counts against the instant: a freeze is whole only where that is shown.
 */

/** A host's own clocks at the end of a phase. */
export interface HostTime {
  /** Wall clock, ms since 1970. */
  timeMs: number;
  /** Monotonic, ms since boot. */
  uptimeMs: number;
}

export const FREEZE_PHASES = ['armed', 'paused', 'snapshotted', 'thawed'] as const;
export type FreezePhase = (typeof FREEZE_PHASES)[number];

/** The director's monotonic clock (ms) around each word of the session: when it was sent, when its answer was read. */
export interface DirectorTimes {
  pauseSentAt: number;
  pausedAt: number;
  snapshotSentAt: number;
  snapshottedAt: number;
  thawSentAt: number;
  thawedAt: number;
}

/** Something that ran, or may have run, between arming and thawing: from the host's engine log. */
export interface FreezeEvent {
  /** What happened: `unpause`, `start`, `restart`, `die`, `engine-restart`, … */
  action: string;
  /** The container or unit. */
  name: string;
  timeMs?: number;
}

export interface FrozenContainer {
  id: string;
  name: string;
  /** As seen just before thawing; `paused` is the only good one. Left out where the host did not look. */
  state?: string;
}

/** All that is known of one host's part in one freeze. */
export interface FreezeReport {
  /** The runbook's name of the host. */
  host: string;
  phases: Partial<Record<FreezePhase, HostTime>>;
  directorMs: Partial<DirectorTimes>;
  /** The host's own verdict: empty, or why its instant does not count. */
  torn: string;
  deadmanFired: boolean;
  engineRestarted?: boolean;
  containers: FrozenContainer[];
  /** How long the host was paused by its own monotonic clock. */
  pausedMs: number;
  /** Violations only: pausing and unpausing by ourselves is not among them. */
  events: FreezeEvent[];
}

export interface TornReason {
  /** The host, or `*` where it is one of the barrier over all. */
  host: string;
  code:
    | 'missing-report'
    | 'missing-evidence'
    | 'barrier'
    | 'order'
    | 'rebooted'
    | 'deadman-fired'
    | 'engine-restarted'
    | 'event'
    | 'container-state'
    | 'host-says';
  message: string;
}

export interface FreezeVerdict {
  torn: boolean;
  reasons: TornReason[];
}

/**
 * Decides whether a freeze is torn, and says everything that speaks against it.
 * @param hosts every host that takes part; one without a report tears the instant
 */
export function judgeFreeze({
  hosts,
  reports,
}: {
  hosts: readonly string[];
  reports: readonly FreezeReport[];
}): FreezeVerdict {
  const reasons = [...missingReports({ hosts, reports }), ...reports.flatMap(judgeHost), ...judgeBarrier(reports)];
  return { torn: reasons.length > 0, reasons };
}

const DIRECTOR_ORDER = [
  'pauseSentAt',
  'pausedAt',
  'snapshotSentAt',
  'snapshottedAt',
  'thawSentAt',
  'thawedAt',
] as const satisfies readonly (keyof DirectorTimes)[];

function missingReports({
  hosts,
  reports,
}: {
  hosts: readonly string[];
  reports: readonly FreezeReport[];
}): TornReason[] {
  const wrong = (host: string, message: string): TornReason => ({ host, code: 'missing-report', message });
  const none = hosts.length === 0 ? [wrong('*', 'no host takes part, so nothing was frozen')] : [];
  const perHost = hosts.flatMap((host) => {
    const count = reports.filter((report) => report.host === host).length;
    return count === 1 ? [] : [wrong(host, `${count} reports where exactly one is expected`)];
  });
  const strangers = reports
    .filter((report) => !hosts.includes(report.host))
    .map((report) => wrong(report.host, 'a report of a host that does not take part'));
  return [...none, ...perHost, ...strangers];
}

function judgeHost(report: FreezeReport): TornReason[] {
  const { host } = report;
  const reasons: TornReason[] = [...directorOrder(report), ...hostClock(report)];
  if (report.torn !== '') reasons.push({ host, code: 'host-says', message: report.torn });
  if (report.deadmanFired) {
    reasons.push({ host, code: 'deadman-fired', message: 'the dead-man fired, so containers ran again' });
  }
  if (report.engineRestarted === true) {
    reasons.push({ host, code: 'engine-restarted', message: 'the container engine restarted while it was frozen' });
  }
  for (const event of report.events) {
    reasons.push({ host, code: 'event', message: `${event.name}: ${event.action} while it was frozen` });
  }
  for (const { name, id, state } of report.containers) {
    if (state === undefined || state === 'paused') continue;
    const who = name === '' ? id : name;
    reasons.push({ host, code: 'container-state', message: `${who} was ${state}, not paused, when thawing began` });
  }
  return reasons;
}

function directorOrder({ host, directorMs }: FreezeReport): TornReason[] {
  const missing = DIRECTOR_ORDER.filter((key) => !Number.isFinite(directorMs[key]));
  if (missing.length > 0) {
    return [{ host, code: 'missing-evidence', message: `the director recorded no ${missing.join(', ')}` }];
  }
  return pairs(DIRECTOR_ORDER)
    .filter(([before, after]) => (directorMs[after] ?? 0) < (directorMs[before] ?? 0))
    .map(([before, after]) => ({ host, code: 'order', message: `${after} lies before ${before}` }));
}

function hostClock({ host, phases }: FreezeReport): TornReason[] {
  const missing = FREEZE_PHASES.filter((phase) => !Number.isFinite(phases[phase]?.uptimeMs));
  if (missing.length > 0) {
    return [{ host, code: 'missing-evidence', message: `the host confirmed no ${missing.join(', ')}` }];
  }
  return pairs(FREEZE_PHASES)
    .filter(([before, after]) => (phases[after]?.uptimeMs ?? 0) < (phases[before]?.uptimeMs ?? 0))
    .map(([before, after]) => ({
      host,
      code: 'rebooted',
      message: `its uptime at "${after}" is below that at "${before}": the host rebooted in the middle`,
    }));
}

/** Nobody snapshots before everybody is paused; nobody thaws before everybody's snapshot is confirmed. */
function judgeBarrier(reports: readonly FreezeReport[]): TornReason[] {
  return [
    ...crossed({ reports, starts: 'snapshotSentAt', after: 'pausedAt', doing: 'its snapshot', done: 'paused' }),
    ...crossed({ reports, starts: 'thawSentAt', after: 'snapshottedAt', doing: 'thawing', done: 'snapshotted' }),
  ];
}

function crossed({
  reports,
  starts,
  after,
  doing,
  done,
}: {
  reports: readonly FreezeReport[];
  starts: keyof DirectorTimes;
  after: keyof DirectorTimes;
  doing: string;
  done: string;
}): TornReason[] {
  const last = reports.reduce<{ host: string; ms: number } | undefined>((latest, { host, directorMs }) => {
    const ms = directorMs[after];
    return ms !== undefined && (latest === undefined || ms > latest.ms) ? { host, ms } : latest;
  }, undefined);
  if (last === undefined) return [];
  return reports.flatMap(({ host, directorMs }) => {
    const ms = directorMs[starts];
    if (ms === undefined || ms >= last.ms) return [];
    const early = Math.ceil(last.ms - ms);
    return [{ host, code: 'barrier', message: `${doing} began ${early} ms before ${last.host} was ${done}` }];
  });
}

/** How long the fleet, and each host, stood still. */
export interface PauseWindow {
  /** From the first host's pause to the last host's thaw, by the director's clock, ms. */
  groupMs: number;
  /** `ms` by the director's clock (an upper bound), `ownMs` by the host's. */
  hosts: { host: string; ms: number; ownMs: number }[];
}

/** The pause as the fleet's users felt it. Hosts whose times are unknown are left out. */
export function pauseWindow({ reports }: { reports: readonly FreezeReport[] }): PauseWindow {
  const known = reports.flatMap(({ host, pausedMs, directorMs: { pauseSentAt, thawedAt } }) =>
    pauseSentAt === undefined || thawedAt === undefined ? [] : [{ host, pausedMs, from: pauseSentAt, to: thawedAt }],
  );
  if (known.length === 0) return { groupMs: 0, hosts: [] };
  const from = Math.min(...known.map((each) => each.from));
  const to = Math.max(...known.map((each) => each.to));
  return {
    groupMs: Math.round(to - from),
    hosts: known.map((each) => ({ host: each.host, ms: Math.round(each.to - each.from), ownMs: each.pausedMs })),
  };
}

function pairs<T>(items: readonly T[]): [T, T][] {
  return items.slice(1).map((item, i) => [items[i] ?? item, item]);
}
