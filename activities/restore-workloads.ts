/** What a restore does to the workloads around the data: stopped and seen stopped, started again, and asked how they are. */
import { z } from 'zod';
import type { Reply } from '../hosts/replies';
import type { FleetHost } from '../planning/run-input';
import { goneWhileStopped } from '../planning/gone-while-stopped';
import { keptStopped } from '../planning/kept-stopped';
import { HEALTH_LANES, healthMs } from '../planning/time-limits';
import type { ActivityDeps, RunFence } from './context';
import { asActivity, fenceFor, forEachLimited, heartbeating } from './context';
import type { RestoreItemRef } from './restore-item';
import { nameOf } from './restore-item';

const stopped = z.looseObject({
  stopped: z.array(z.union([z.string(), z.looseObject({ name: z.string() })])).default([]),
});

export interface SafetyInput {
  fence: RunFence;
  item: RestoreItemRef;
  /** Another number for each source of a host. */
  freeze: number;
}

export interface HealthInput {
  fence: RunFence;
  hosts: FleetHost[];
  /** What the configured health commands of a host may take together, in seconds. */
  timeoutS: number;
}

/** How one host does after its workloads were started. */
export interface Health {
  host: string;
  healthy: boolean;
  /** What is wrong, a line for people; empty when all is well. */
  detail: string;
  /** What is not wrong, but not well yet either. */
  warnings: string[];
}

/** Makes the activities `stopWorkloads`, `startWorkloads`, `safetySnapshot` and `checkHealth`. */
export function workloadActivities({ hosts }: ActivityDeps) {
  /** Stops, sees stopped, and blocks the start of what uses the data (S21); returns what was stopped. */
  async function stopWorkloads(input: { fence: RunFence; host: FleetHost }): Promise<string[]> {
    const step = `stop ${input.host.name}`;
    const reply = await hosts.call({
      host: input.host,
      verb: 'restore.stop',
      step,
      args: { ...fenceFor({ fence: input.fence, step }) },
      timeoutMs: 300_000,
    });
    return stopped.parse(reply).stopped.map((each) => (typeof each === 'string' ? each : each.name));
  }

  /**
   * Starts exactly what was stopped; returns warnings: what was removed meanwhile can't be started again by anybody, and what another
   * restore of the host needs stopped starts with that one.
   */
  async function startWorkloads(input: { fence: RunFence; host: FleetHost }): Promise<string[]> {
    const step = `start ${input.host.name}`;
    const { gone, kept } = await hosts.call({
      host: input.host,
      verb: 'restore.start',
      step,
      args: { ...fenceFor({ fence: input.fence, step }) },
      timeoutMs: 300_000,
    });
    return [...gone.map(goneWhileStopped), ...keptStopped(kept)].map((line) => `${input.host.name}: ${line}`);
  }

  /** A snapshot of what is about to be overwritten; `freeze` tells the sources of one host apart. */
  async function safetySnapshot(input: SafetyInput): Promise<void> {
    const step = `safety ${nameOf(input.item)}`;
    await hosts.call({
      host: input.item.destination.host,
      verb: 'restore.safety',
      step,
      // The whole source, also where only a path of it comes back: that is what can be snapshotted.
      args: {
        ...fenceFor({ fence: input.fence, step }),
        source: input.item.destination.source?.name,
        freeze: input.freeze,
      },
      timeoutMs: 120_000,
    });
  }

  async function checkHealth(input: HealthInput): Promise<Health[]> {
    return forEachLimited({
      items: input.hosts,
      limit: HEALTH_LANES,
      each: async (host) => {
        const step = `health ${host.name}`;
        const reply = await hosts.call({
          host,
          verb: 'restore.health',
          step,
          args: { ...fenceFor({ fence: input.fence, step }) },
          timeoutMs: healthMs(input),
        });
        return healthOf(host.name, reply);
      },
    });
  }

  return {
    stopWorkloads: (input: { fence: RunFence; host: FleetHost }) =>
      asActivity(() => heartbeating({ body: () => stopWorkloads(input) })),
    startWorkloads: (input: { fence: RunFence; host: FleetHost }) =>
      asActivity(() => heartbeating({ body: () => startWorkloads(input) })),
    safetySnapshot: (input: SafetyInput) => asActivity(() => heartbeating({ body: () => safetySnapshot(input) })),
    checkHealth: (input: HealthInput) => asActivity(() => heartbeating({ body: () => checkHealth(input) })),
  };
}

function healthOf(host: string, reply: Reply<'restore.health'>): Health {
  const { healthy = true, checks, containers } = reply;
  const sick = containers.filter(({ state }) => !['well', 'starting'].includes(state));
  const failed = checks.filter(({ exit }) => exit !== 0);
  const slow = containers.filter(({ state }) => state === 'starting');
  const detail = [
    ...sick.map(({ name, state, why }) => `container ${name} is ${state}: ${why}`),
    ...failed.map(({ name, exit, tail }) => `${name} ended with exit ${exit}: ${tail.slice(-300)}`),
  ].join('; ');
  const warnings = slow.map(({ name, why }) => `${host}: container ${name} is still starting: ${why}`);
  if (healthy && sick.length > 0) warnings.push(`${host}: ${detail}`);
  return { host, healthy, detail: healthy ? '' : detail, warnings };
}
