/** What the engine knows of past and present runs: whether they live, and on which hosts they worked. */
import { defaultPayloadConverter, type Client, type WorkflowExecutionInfo } from '@temporalio/client';
import { z } from 'zod';
import type { HostRef } from '../hosts/hosts';
import { parseWorkflowId } from '../planning/ids';
import { groupOf, rescueSeries } from '../planning/series';
import type { KnownRun } from '../planning/sweep';

/** Group, or its rescue media (planning/series.ts) → the hosts by name, the store's among them. */
export type Places = Map<string, Map<string, HostRef>>;

/** The newest so many executions are looked at. */
const LIMIT = 1000;

const hostShape: z.ZodType<HostRef> = z.looseObject({
  name: z.string(),
  address: z.string(),
  port: z.number().optional(),
  user: z.string().optional(),
  get via() {
    return hostShape.optional();
  },
});
const setupShape = z.looseObject({
  group: z.looseObject({ name: z.string() }),
  hosts: z.array(hostShape),
  storeHost: hostShape,
});
/** The inputs of the workflows, as far as they say where a run works. */
const backupShape = setupShape;
const restoreShape = z.looseObject({
  into: setupShape,
  from: z.looseObject({ group: z.string(), storeHost: hostShape }),
});
const recoverShape = z.looseObject({ setup: setupShape });

/** All runs that the engine remembers, and the hosts of the newest run of each kind and group. */
export async function knownRuns({
  client,
}: {
  client: Client;
}): Promise<{ runs: Map<string, KnownRun>; places: Places }> {
  const runs = new Map<string, KnownRun & { startedMs: number }>();
  const newest = new Map<string, WorkflowExecutionInfo>();
  let seen = 0;
  for await (const info of client.workflow.list({ pageSize: 200 })) {
    if ((seen += 1) > LIMIT) break;
    const parsed = parseWorkflowId(info.workflowId);
    if (parsed === undefined) continue;
    const { kind, group, run } = parsed;
    const before = runs.get(run);
    const startedMs = info.startTime.getTime();
    const state = stateOf(info.status.name);
    // After a reset two executions have one id: the run lives as long as one of them does, else the later one says how it ended.
    if (before === undefined || state === 'running' || (before.state !== 'running' && before.startedMs < startedMs))
      runs.set(run, { run, kind, state, startedMs, closedMs: info.closeTime?.getTime() ?? 0 });
    const about = newest.get(`${kind} ${group}`);
    if (about === undefined || about.startTime < info.startTime) newest.set(`${kind} ${group}`, info);
  }
  const places: Places = new Map();
  for (const [about, info] of newest)
    addPlaces({ places, rescue: about.startsWith('rescue '), input: await inputOf({ client, info }) });
  // The newest build may have been of one host; an older one that died was of another.
  for (const [series, hosts] of places)
    if (groupOf(series) !== series) for (const [name, host] of places.get(groupOf(series)) ?? []) hosts.set(name, host);
  return { runs, places };
}

function stateOf(status: string): KnownRun['state'] {
  return status === 'RUNNING' ? 'running' : status === 'COMPLETED' ? 'completed' : 'ended';
}

function addPlaces({ places, rescue, input }: { places: Places; rescue: boolean; input: unknown }): void {
  for (const { group, hosts } of placesOf(input)) {
    const series = rescue ? rescueSeries(group) : group;
    const known = places.get(series) ?? new Map<string, HostRef>();
    for (const host of hosts) known.set(host.name, host);
    places.set(series, known);
  }
}

/** Where a run of this input works: the hosts of its group with their store's, and the store that it reads from. */
export function placesOf(input: unknown): { group: string; hosts: HostRef[] }[] {
  const restore = restoreShape.safeParse(input).data;
  const setup = restore?.into ?? recoverShape.safeParse(input).data?.setup ?? backupShape.safeParse(input).data;
  return [
    ...(setup === undefined ? [] : [{ group: setup.group.name, hosts: [...setup.hosts, setup.storeHost] }]),
    ...(restore === undefined ? [] : [{ group: restore.from.group, hosts: [restore.from.storeHost] }]),
  ];
}

/** What the run was started with: the first event of its history. */
async function inputOf({ client, info }: { client: Client; info: WorkflowExecutionInfo }): Promise<unknown> {
  const { history } = await client.workflowService.getWorkflowExecutionHistory({
    namespace: client.options.namespace,
    execution: { workflowId: info.workflowId, runId: info.runId },
    maximumPageSize: 1,
  });
  const payload = history?.events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads?.[0];
  return payload === undefined ? undefined : defaultPayloadConverter.fromPayload(payload);
}
