/** Which Temporal server to use and how to reach it: the same settings as `temporal` itself reads, for client and worker alike. */
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import type { NativeConnection, NativeConnectionOptions } from '@temporalio/worker';
import { EngineError, EngineUnreachableError } from './errors';
import { dataConverter } from './payloads';

/** How to reach one Temporal server. */
export interface ConnectionSettings {
  /** `host:port` of the frontend. */
  address: string;
  namespace: string;
  /** True when Temporal's own configuration names the server; false for our embedded one. */
  external: boolean;
  tls?: NativeConnectionOptions['tls'];
  apiKey?: string;
  metadata?: Record<string, string>;
}

/** The namespace when the configuration names none; the embedded server always uses it. */
export const DEFAULT_NAMESPACE = 'default';

/**
 * Settings from Temporal's environment configuration (`TEMPORAL_ADDRESS`, `TEMPORAL_PROFILE`, `TEMPORAL_CONFIG_FILE` or
 * `~/.config/temporalio/temporal.toml`, with mTLS and API keys), or undefined when it names no address.
 * @throws EngineError `config` when the configuration can't be read
 */
export function externalSettings(env: NodeJS.ProcessEnv = process.env): ConnectionSettings | undefined {
  const overrideEnvVars = Object.fromEntries(
    // An empty variable means "not set", as for `temporal` itself.
    Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== ''),
  );
  try {
    const { TEMPORAL_CONFIG_FILE: file } = overrideEnvVars;
    // The library takes a missing one for an empty one; whoever names a file means it, and would get the embedded server.
    if (file !== undefined && !existsSync(file))
      throw new Error(`TEMPORAL_CONFIG_FILE names ${file}, and there is no such file`);
    const { connectionOptions, namespace } = loadClientConnectConfig({ overrideEnvVars });
    const { address, tls, apiKey, metadata } = connectionOptions;
    if (address === undefined) return undefined;
    return {
      address,
      namespace: namespace ?? DEFAULT_NAMESPACE,
      external: true,
      tls,
      apiKey,
      metadata: metadata === undefined ? undefined : textOnly(metadata),
    };
  } catch (error) {
    throw new EngineError({
      code: 'config',
      step: "reading Temporal's configuration",
      problem: error instanceof Error ? error.message : String(error),
      next: 'Mend the TEMPORAL_* variables or temporal.toml (see `temporal config list`), or unset them to use the embedded server.',
      cause: error,
    });
  }
}

/** A connected client; close the connection when done. */
export interface ConnectedClient {
  client: Client;
  connection: Connection;
}

/**
 * Connects a client, trying again until `waitMs` (default 10 s) have passed.
 * @throws EngineUnreachableError when no server answers in that time
 */
export async function connectClient({
  settings,
  waitMs = 10_000,
}: {
  settings: ConnectionSettings;
  waitMs?: number;
}): Promise<ConnectedClient> {
  const { address, namespace, tls, apiKey, metadata } = settings;
  const connection = await retry({ settings, waitMs }, (leftMs) =>
    Connection.connect({ address, tls, apiKey, metadata, connectTimeout: Math.min(5_000, leftMs) }),
  );
  return { connection, client: new Client({ connection, namespace, dataConverter }) };
}

/**
 * Connects a worker, trying again until `waitMs` (default 60 s) have passed: the SDK itself gives up at the first refusal,
 * and a worker often starts beside its server.
 * @throws EngineUnreachableError when no server answers in that time
 */
export async function connectWorker({
  settings,
  waitMs = 60_000,
  onFailed,
}: {
  settings: ConnectionSettings;
  waitMs?: number;
  /** Told of each attempt that failed. */
  onFailed?: (error: unknown) => void;
}): Promise<NativeConnection> {
  // Loaded late: commands that only need a client should not wait for the native library.
  const sdk = await import('@temporalio/worker');
  const { address, tls, apiKey, metadata } = settings;
  return retry({ settings, waitMs, onFailed }, async (leftMs) => {
    const giveUp = new AbortController();
    const connecting = sdk.NativeConnection.connect({ address, tls, apiKey, metadata });
    const late = sleep(leftMs, undefined, { signal: giveUp.signal }).then(() => {
      throw new Error(`nothing within ${leftMs} ms`);
    });
    try {
      return await Promise.race([connecting, late]);
    } finally {
      giveUp.abort();
      late.catch(() => undefined);
      connecting.catch(() => undefined);
    }
  });
}

/** Whether a Temporal server answers at this address now. */
export async function isServing(address: string, limitMs = 2_000): Promise<boolean> {
  try {
    const connection = await Connection.connect({ address, connectTimeout: limitMs });
    await connection.close();
    return true;
  } catch {
    return false;
  }
}

async function retry<T>(
  { settings, waitMs, onFailed }: { settings: ConnectionSettings; waitMs: number; onFailed?: (error: unknown) => void },
  connect: (leftMs: number) => Promise<T>,
): Promise<T> {
  const end = Date.now() + waitMs;
  for (let pauseMs = 100; ; pauseMs = Math.min(pauseMs * 2, 2_000)) {
    try {
      return await connect(Math.max(end - Date.now(), 100));
    } catch (error) {
      onFailed?.(error);
      if (Date.now() + pauseMs >= end) throw unreachable(settings, error);
      await sleep(pauseMs);
    }
  }
}

function unreachable(settings: ConnectionSettings, cause: unknown): EngineUnreachableError {
  return new EngineUnreachableError({ address: settings.address, next: whatToCheck(settings), cause });
}

/** What an operator does when no server answers, as a sentence. */
export function whatToCheck({ external }: ConnectionSettings): string {
  return external
    ? 'Check that the server runs and that TEMPORAL_ADDRESS (or the profile in temporal.toml) and its TLS settings are right; unset it to use the embedded server.'
    : 'Run `resurgo engine status`, then `resurgo engine start`; the server writes its log to logs/temporal.log in the state folder.';
}

function textOnly(metadata: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(metadata).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}
