/** One request to one host's hostkit over the pool, and its parsed answer. */
import type { Readable } from 'node:stream';
import type { z } from 'zod';
import type { RescueFile, Verb } from './args';
import { bounded } from './bounded';
import { parseReply } from './envelope';
import { errorOfSilentEnd, HostError } from './errors';
import { Exchange } from './exchange';
import type { CallContext, CallOptions } from './hosts';
import type { SshPool } from './pool';
import { replySchemas, type Reply } from './replies';
import { writeRequest } from './write-request';

/** How long a verb may take unless the call says otherwise, in ms. */
export const DEFAULT_TIMEOUT_MS = 60_000;
/** The longest line taken from a host (S29): a store's list with its manifests. */
const MAX_REPLY_BYTES = 64 * 1024 * 1024;

export class HostClient {
  constructor(private readonly options: { pool: SshPool }) {}

  /** Runs one verb and parses its answer. @throws HostError, or the signal's reason */
  async call<V extends Verb>(options: CallOptions<V>): Promise<Reply<V>> {
    const { host, verb, args, signal, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
    const step = options.step ?? stepOf(args);
    const at = { host: host.name, verb, step };
    const deadline = Date.now() + timeoutMs;
    const exchange = await this.begin({ host, verb, step, args, timeoutMs, signal });
    exchange.endInput();
    const answer = async () => {
      const line = await readLine(exchange, at);
      // A refusal exits 1 and says so in the line; the line is what counts. Draining lets the channel close.
      return line ?? Promise.reject(errorOfSilentEnd({ ...at, ...(await exchange.ended) }));
    };
    const line = await bounded(answer(), {
      timeoutMs: Math.max(1, deadline - Date.now()),
      signal,
      late: () => new HostError({ ...at, code: 'timeout', message: `no answer within ${timeoutMs} ms` }),
      giveUp: () => {
        exchange.destroy();
      },
    });
    return parseAs(verb, line, at);
  }

  /** The listing's gzip'd bytes. */
  listing(options: CallContext & { store: string; group: string; id: string; tree: string }): Promise<Readable> {
    const { store, group, id, tree, ...context } = options;
    return this.stream({ ...context, verb: 'store.listing', args: { store, group, id, tree } });
  }

  /** The bytes of one file of rescue media. */
  rescueFile({ file, ...context }: CallContext & { file: RescueFile }): Promise<Readable> {
    return this.stream({ ...context, verb: 'rescue.file', args: file });
  }

  /** What follows a verb's line of JSON. `timeoutMs` bounds the answer, then each silence. */
  private async stream<V extends 'store.listing' | 'rescue.file'>(options: CallOptions<V>): Promise<Readable> {
    const { host, verb, step, args, signal, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
    const at = { host: host.name, verb, step };
    const exchange = await this.begin({ host, verb, step, args, timeoutMs, signal });
    exchange.endInput();
    const late = () => new HostError({ ...at, code: 'timeout', message: `no data for ${timeoutMs} ms` });
    const giveUp = () => {
      exchange.destroy();
    };
    const line = await bounded(readLine(exchange, at), { timeoutMs, signal, late, giveUp });
    if (line === undefined) throw errorOfSilentEnd({ ...at, ...(await exchange.ended) });
    try {
      parseAs(verb, line, at);
    } catch (error) {
      giveUp();
      throw error;
    }
    return watched({ stream: exchange.rest(), exchange, at, late, timeoutMs, signal });
  }

  /** Opens a channel and sends the request; the input stays open. @throws HostError */
  async begin(options: CallContext & { verb: string; args: object }): Promise<Exchange> {
    const { host, verb, step, args, signal, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
    const at = { host: host.name, verb, step };
    signal?.throwIfAborted();
    const text = writeRequest({ host, verb, step, args });
    const channel = await this.options.pool.open({ host, timeoutMs, signal }).catch((error: unknown) => {
      if (!(error instanceof HostError)) throw error;
      const { code, next, retryable, detail, reason } = error;
      throw new HostError({ ...at, code, next, retryable, detail, message: reason, cause: error });
    });
    const exchange = new Exchange(channel, MAX_REPLY_BYTES);
    exchange.write(text);
    return exchange;
  }
}

interface At {
  host: string;
  verb: string;
  step?: string;
}

/** Reads one line; one that is too long is a bad reply. */
export async function readLine(exchange: Exchange, at: At): Promise<string | undefined> {
  try {
    return await exchange.line();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new HostError({ ...at, code: 'bad-reply', message, cause: error });
  }
}

/** Ends the stream with an error when the host fails, falls silent, or the caller aborts. */
function watched(options: {
  stream: Readable;
  exchange: Exchange;
  at: At;
  late: () => Error;
  timeoutMs: number;
  signal?: AbortSignal;
}): Readable {
  const { stream, exchange, at, late, timeoutMs, signal } = options;
  const fail = (error: Error) => {
    stream.destroy(error);
  };
  let timer = setTimeout(() => {
    fail(late());
  }, timeoutMs);
  exchange.onBytes(() => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      fail(late());
    }, timeoutMs);
  });
  const onAbort = () => {
    fail(signal?.reason instanceof Error ? signal.reason : new Error('aborted'));
  };
  signal?.addEventListener('abort', onAbort, { once: true });
  stream.once('close', () => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  });
  void exchange.ended.then(({ exit, stderr }) => {
    clearTimeout(timer);
    if (exit === 0) exchange.endRest();
    else fail(errorOfSilentEnd({ ...at, exit, stderr }));
  });
  return stream;
}

/** The same table, typed so that a lookup by a verb gives the schema of that verb's reply. */
const schemas: { [V in Verb]: z.ZodType<Reply<V>> } = replySchemas;

function parseAs<V extends Verb>(verb: V, line: string, at: At): Reply<V> {
  return parseReply({ line, schema: schemas[verb], ...at });
}

function stepOf(args: object): string | undefined {
  return 'step' in args && typeof args.step === 'string' ? args.step : undefined;
}
