/** Where the product is measured: a fleet, a director with a Temporal server, and a worker whose remote commands are timed. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { FAKE_RESCUE } from '../../../hosts/fake';
import { SshHosts } from '../../../hosts/ssh-hosts';
import { runId, workflowId } from '../../../planning/ids';
import { CONTROL_QUEUE } from '../../../planning/queues';
import { groupSetup } from '../../../planning/run-input';
import { packageVersion } from '../../../workers/bundle';
import { type Product, type ProductSpec, raiseProduct } from '../../lab/support/product';
import { cpuMeter } from './cpu';
import type { Span } from './recording';
import { startRecordedWorker } from './recorded-worker';

/** One finished backup. */
export interface Ran {
  id: string;
  workflowId: string;
  pauseMs: number;
  sentBytes: number;
  /** The workflow's own beginning and end, ms since 1970. */
  startedMs: number;
  closedMs: number;
  /** Everything that was done on the hosts. */
  spans: Span[];
  copies: Copied[];
}

const copied = z.looseObject({
  tree: z.string(),
  sentBytes: z.number(),
  startedAtMs: z.number(),
  endedAtMs: z.number(),
  compareMs: z.number(),
});
type Copied = z.infer<typeof copied>;

const report = z.looseObject({
  state: z.literal('Completed'),
  id: z.string(),
  pauseMs: z.number(),
  sources: z.array(z.looseObject({ sentBytes: z.number() })),
});

export interface Stand {
  product: Product;
  /** CPU seconds of the fleet so far. */
  cpu: () => number;
  /** A backup of that group, whole or the bench fails. */
  backup(group: string): Promise<Ran>;
  down(): Promise<void>;
}

/** Raises it; `down` takes everything away. */
export async function raiseStand(spec: ProductSpec): Promise<Stand> {
  const product = await raiseProduct(spec);
  try {
    return await working(product);
  } catch (error) {
    await product.down();
    throw error;
  }
}

async function working(product: Product): Promise<Stand> {
  const { stateDir } = product;
  const cpu = cpuMeter(product.fleet);
  const worker = await startRecordedWorker({
    stateDir,
    hosts: await SshHosts.open({ stateDir }),
    rescue: FAKE_RESCUE,
    cpu,
  });
  const { client, hosts, keys } = worker;

  async function backup(group: string): Promise<Ran> {
    const runbookText = readFileSync(product.runbookFile, 'utf8');
    const directorId = `director-${keys.signing.publicHex.slice(0, 12)}`;
    const run = runId({ nowMs: Date.now(), random: Math.random() });
    const handle = await client.workflow.start('backup', {
      workflowId: workflowId({ kind: 'backup', group, run }),
      taskQueue: CONTROL_QUEUE,
      args: [
        {
          ...groupSetup({ runbook: product.runbook, group, runbookText, directorId }),
          ...{ run, requestedBy: 'bench', checksum: false, version: packageVersion() },
        },
      ],
    });
    hosts.spans.length = 0;
    const { id, pauseMs, sources } = report.parse(await handle.result());
    const { startTime, closeTime } = await handle.describe();
    if (closeTime === undefined) throw new Error(`${handle.workflowId} has a result and no end`);
    return {
      id,
      workflowId: handle.workflowId,
      pauseMs,
      sentBytes: sources.reduce((sum, each) => sum + each.sentBytes, 0),
      startedMs: startTime.getTime(),
      closedMs: closeTime.getTime(),
      spans: [...hosts.spans],
      copies: copiesOf(await handle.fetchHistory()),
    };
  }

  return {
    product,
    cpu,
    backup,
    async down() {
      await worker.stop();
      await product.down();
    },
  };
}

interface History {
  events?:
    | readonly {
        activityTaskCompletedEventAttributes?: { result?: { payloads?: { data?: unknown }[] | null } | null } | null;
      }[]
    | null;
}

/** What the steps `copySource` have reported. */
function copiesOf({ events }: History): Copied[] {
  return (events ?? []).flatMap((event) => {
    const data = event.activityTaskCompletedEventAttributes?.result?.payloads?.[0]?.data;
    if (!(data instanceof Uint8Array) || data.length === 0) return [];
    const parsed = copied.safeParse(JSON.parse(Buffer.from(data).toString('utf8')));
    return parsed.success ? [parsed.data] : [];
  });
}

/** The end of the last command of that kind, ms since 1970, and the CPU seconds then. @throws when there was none */
export function lastOf(ran: Ran, what: RegExp): Span {
  const found = ran.spans.filter((span) => what.test(span.what)).sort((a, b) => a.to - b.to);
  const last = found.at(-1);
  if (last === undefined) throw new Error(`no remote command of run ${ran.workflowId} is ${String(what)}`);
  return last;
}
