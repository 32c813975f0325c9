/** The start of a worker whose server, or its namespace, is not there yet: it waits for a while, and says what for. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { NativeConnection } from '@temporalio/worker';
import { z } from 'zod';
import { connectClient, connectWorker, whatToCheck, type ConnectionSettings } from './connection';
import { EngineError } from './errors';
import type { Logger } from './logging';

/** How long a worker waits at its start for a server that isn't there yet, ms. */
const BOOT_WAIT_MS = 120_000;
/** How often it says that it still waits, ms. */
const SAY_EVERY_MS = 15_000;
/** How long the server may take to tell of a namespace, ms. */
const ASK_MS = 10_000;
/** Of gRPC. */
const NOT_FOUND = 5;

interface BootOptions {
  settings: ConnectionSettings;
  logger: Logger;
  /** @default 120 s */
  waitMs?: number;
}

/**
 * Connects a worker to its server and waits until its namespace is there; says what it waits for at the first failure, and then every
 * 15 s: a silent worker looks like one that works.
 * @throws EngineUnreachableError, EngineError `config` when the namespace does not exist
 */
export async function connectAtBoot({
  settings,
  logger,
  waitMs = BOOT_WAIT_MS,
}: BootOptions): Promise<NativeConnection> {
  const { address } = settings;
  let why = '';
  const say = (): void => {
    const next = why === '' ? '' : ` (${why})`;
    logger.warn({ address }, `waiting for the Temporal server at ${address}${next}. ${whatToCheck(settings)}`);
  };
  const failed = (error: unknown): void => {
    const first = why === '';
    why = error instanceof Error ? error.message : String(error);
    if (first) say();
  };
  const end = Date.now() + waitMs;
  const timer = setInterval(say, SAY_EVERY_MS);
  try {
    const connection = await connectWorker({ settings, waitMs, onFailed: failed });
    if (settings.external) await namespaceThere({ settings, end, failed });
    return connection;
  } finally {
    clearInterval(timer);
  }
}

/** A young server may get its namespace a moment after it answers. */
async function namespaceThere(options: {
  settings: ConnectionSettings;
  end: number;
  failed: (error: unknown) => void;
}): Promise<void> {
  const { settings, end, failed } = options;
  const { address, namespace } = settings;
  const { connection } = await connectClient({ settings });
  try {
    while (
      await isMissing({
        ask: () =>
          connection.withDeadline(Date.now() + ASK_MS, () =>
            connection.workflowService.describeNamespace({ namespace }),
          ),
      })
    ) {
      const missing = new EngineError({
        code: 'config',
        step: 'looking for the namespace',
        problem: `there is no namespace "${namespace}"`,
        next: `Set TEMPORAL_NAMESPACE (or the profile in temporal.toml) right, or create it: temporal operator namespace create --address ${address} --namespace ${namespace}`,
        host: address,
      });
      failed(missing);
      if (Date.now() >= end) throw missing;
      await sleep(2_000);
    }
  } finally {
    await connection.close();
  }
}

/** Whether the server says that there is no such thing. What else it says, a missing right perhaps, is not for here: the worker will tell. */
async function isMissing({ ask }: { ask: () => Promise<unknown> }): Promise<boolean> {
  try {
    await ask();
    return false;
  } catch (error) {
    return z.object({ code: z.literal(NOT_FOUND) }).safeParse(error).success;
  }
}
