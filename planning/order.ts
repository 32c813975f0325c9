/** In which order things happen: copies biggest first and within limits; hosts stopped and started for a restore. */

export interface CopyItem {
  /** Unique: the source's tree. */
  key: string;
  host: string;
  /** Left out when unknown; such a source starts first, as it may be the longest. */
  bytes?: number;
}

/** Biggest first, so that the longest copy doesn't start last; equal sizes by key. */
export function copyOrder<T extends CopyItem>(items: readonly T[]): T[] {
  const weight = (item: T): number => item.bytes ?? Number.POSITIVE_INFINITY;
  return [...items].sort((a, b) => {
    const [left, right] = [weight(a), weight(b)];
    if (left !== right) return right > left ? 1 : -1;
    return a.key < b.key ? -1 : 1;
  });
}

export interface CopyLimits {
  /** Copies at the same time, over all hosts. */
  parallel: number;
  /** Copies at the same time from one host. Default: no limit of its own. */
  perHost?: number;
}

/**
 * Which of the waiting copies start now. A host at its limit doesn't hold up the others; a limit below 1 counts as 1, so that a
 * run can't come to a standstill.
 */
export function nextToStart<T extends CopyItem>({
  waiting,
  running,
  limits,
}: {
  waiting: readonly T[];
  running: readonly Pick<CopyItem, 'host'>[];
  limits: CopyLimits;
}): T[] {
  const perHost = Math.max(1, limits.perHost ?? Number.POSITIVE_INFINITY);
  let free = Math.max(1, limits.parallel) - running.length;
  const busy = new Map<string, number>();
  for (const { host } of running) busy.set(host, (busy.get(host) ?? 0) + 1);
  const starting: T[] = [];
  for (const item of copyOrder(waiting)) {
    const onHost = busy.get(item.host) ?? 0;
    if (free <= 0) break;
    if (onHost >= perHost) continue;
    starting.push(item);
    busy.set(item.host, onHost + 1);
    free -= 1;
  }
  return starting;
}

export interface OrderedHost {
  name: string;
  labels: readonly string[];
}

/** Labels that mark a swarm's managers (and whatever else must be stopped last, started first). */
export const MANAGER_LABELS: readonly string[] = ['manager', 'swarm-manager'];

/** Stopping: workers (and hosts without a role) together, then managers one by one: the last one keeps the quorum longest. */
export function stopWaves({ hosts }: { hosts: readonly OrderedHost[] }): string[][] {
  const isManager = (host: OrderedHost): boolean => host.labels.some((label) => MANAGER_LABELS.includes(label));
  const workers = names(hosts.filter((host) => !isManager(host)));
  const managers = names(hosts.filter(isManager));
  return [...(workers.length > 0 ? [workers] : []), ...managers.map((manager) => [manager])];
}

/** The waves in which what was stopped is started: the other way round. */
export function startWaves({ stopped }: { stopped: readonly (readonly string[])[] }): string[][] {
  return stopped.map((wave) => [...wave].reverse()).reverse();
}

/**
 * The waves in which a group's hosts stop for a restore. Each word of the runbook's `order` (a host, or a label for all that have it) is
 * a wave, what no word names is the last; where the whole engine stops, a wave's managers follow its other hosts one by one.
 */
export function restoreWaves(options: {
  hosts: readonly OrderedHost[];
  order: readonly string[];
  stop: 'containers' | 'engine' | 'units';
}): string[][] {
  const { hosts, order, stop } = options;
  let left = hosts;
  const words = order.map((word) => {
    const named = left.some((host) => host.name === word)
      ? left.filter((host) => host.name === word)
      : left.filter((host) => host.labels.includes(word));
    left = left.filter((host) => !named.includes(host));
    return named;
  });
  const waves = [...words, left].filter((wave) => wave.length > 0);
  return stop === 'engine' ? waves.flatMap((wave) => stopWaves({ hosts: wave })) : waves.map(names);
}

/** The hosts of some items, each once, sorted. */
export function hostsOf(items: readonly { host: string }[]): string[] {
  return [...new Set(items.map((item) => item.host))].sort();
}

/** A share of the copies with a share of the slots: its batches run one after another, beside the other lanes. */
export interface CopyLane<T> {
  /** Copies of this lane at the same time. */
  parallel: number;
  /** Biggest first; a batch is one child workflow, so that no history grows without bound. */
  batches: T[][];
}

/** What a copy costs besides its bytes, in bytes: connections, grants and listings, so that many small ones weigh too. */
const COPY_OVERHEAD_BYTES = 64 * 1024 * 1024;

/**
 * Deals many copies out into lanes of about equal weight, as many lanes as make batches of about `size`, but never more than
 * `parallel`. All copies of a host are in one lane, which can so keep the limit per host. A batch holds at most twice `size`.
 */
export function copyLanes<T extends CopyItem>({
  items,
  parallel,
  size,
}: {
  items: readonly T[];
  parallel: number;
  size: number;
}): CopyLane<T>[] {
  const byHost = new Map<string, { items: T[]; weight: number }>();
  for (const item of items) {
    const ofHost = byHost.get(item.host) ?? { items: [], weight: 0 };
    ofHost.items.push(item);
    ofHost.weight += COPY_OVERHEAD_BYTES + (item.bytes ?? 0);
    byHost.set(item.host, ofHost);
  }
  const slots = Math.max(1, Math.floor(parallel));
  const count = Math.min(slots, byHost.size, Math.ceil(items.length / Math.max(1, size)));
  const lanes = Array.from({ length: count }, (_, i) => ({
    parallel: Math.floor(slots / count) + (i < slots % count ? 1 : 0),
    items: [] as T[],
    weight: 0,
  }));
  for (const ofHost of [...byHost.values()].sort((a, b) => b.weight - a.weight)) {
    const load = (lane: (typeof lanes)[number]): number => (lane.weight + ofHost.weight) / lane.parallel;
    const lightest = lanes.reduce((best, lane) => (load(lane) < load(best) ? lane : best));
    lightest.items.push(...ofHost.items);
    lightest.weight += ofHost.weight;
  }
  return lanes.map((lane) => ({
    parallel: lane.parallel,
    batches: batches({ items: copyOrder(lane.items), most: 2 * size }),
  }));
}

/** As few batches as hold at most `most` each, about equally long. */
function batches<T>({ items, most }: { items: readonly T[]; most: number }): T[][] {
  const count = Math.ceil(items.length / Math.max(1, most));
  const length = Math.ceil(items.length / Math.max(1, count));
  return Array.from({ length: count }, (_, i) => items.slice(i * length, (i + 1) * length));
}

function names(hosts: readonly OrderedHost[]): string[] {
  return hosts.map((host) => host.name).sort();
}
