/** What a restore does to the workloads around the data: stopped and seen stopped, started again, and asked how they are. */
import { z } from 'zod';
import type { FleetHost } from '../planning/run-input';
import { HEALTH_LANES, healthMs } from '../planning/time-limits';
import type { ActivityDeps, RunFence } from './context';
import { asActivity, fenceFor, forEachLimited, heartbeating } from './context';
import type { RestoreItemRef } from './restore-item';
import { nameOf } from './restore-item';

const stopped = z.looseObject({
  stopped: z.array(z.union([z.string(), z.looseObject({ name: z.string() })])).default([]),
});

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

  async function startWorkloads(input: { fence: RunFence; host: FleetHost }): Promise<void> {
    const step = `start ${input.host.name}`;
    await hosts.call({
      host: input.host,
      verb: 'restore.start',
      step,
      args: { ...fenceFor({ fence: input.fence, step }) },
      timeoutMs: 300_000,
    });
  }

  /** A snapshot of what is about to be overwritten. */
  async function safetySnapshot(input: { fence: RunFence; item: RestoreItemRef }): Promise<void> {
    const step = `safety ${nameOf(input.item)}`;
    await hosts.call({
      host: input.item.destination.host,
      verb: 'restore.safety',
      step,
      // The whole source, also where only a path of it comes back: that is what can be snapshotted.
      args: { ...fenceFor({ fence: input.fence, step }), source: input.item.destination.source?.name },
      timeoutMs: 120_000,
    });
  }

  async function checkHealth(input: {
    fence: RunFence;
    hosts: FleetHost[];
    timeoutS: number;
  }): Promise<{ host: string; healthy: boolean; detail: string }[]> {
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
        return { host: host.name, healthy: reply.healthy !== false, detail: JSON.stringify(reply).slice(0, 500) };
      },
    });
  }

  return {
    stopWorkloads: (input: { fence: RunFence; host: FleetHost }) =>
      asActivity(() => heartbeating({ body: () => stopWorkloads(input) })),
    startWorkloads: (input: { fence: RunFence; host: FleetHost }) =>
      asActivity(() => heartbeating({ body: () => startWorkloads(input) })),
    safetySnapshot: (input: { fence: RunFence; item: RestoreItemRef }) =>
      asActivity(() => heartbeating({ body: () => safetySnapshot(input) })),
    checkHealth: (input: { fence: RunFence; hosts: FleetHost[]; timeoutS: number }) =>
      asActivity(() => heartbeating({ body: () => checkHealth(input) })),
  };
}
