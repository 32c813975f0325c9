/** One host's connections within the pool: a few, each carrying several channels; broken ones are replaced. */
import type { Duplex } from 'node:stream';
import type { Client } from 'ssh2';
import { hangUp } from './dial';
import { HostError } from './errors';
import type { HostRef } from './hosts';
import { pause, reasonOf, Slots, SlotTimeout, type WaitBounds } from './slots';

export interface LaneOptions {
  host: HostRef;
  maxConnections: number;
  /** Below sshd's MaxSessions (10 by default). */
  maxChannels: number;
  /** Opens one more connection, with its own bounded tries. */
  connect: () => Promise<Client>;
  /** Called when a connection has gone, with its client. */
  onClosed: (client: Client) => void;
}

interface Connection {
  client: Client;
  channels: number;
  limit: number;
  lastUsedMs: number;
  /** Whether it has ever opened a channel. */
  served: boolean;
}

type Opener<C> = (client: Client, done: (error: Error | undefined, channel: C) => void) => void;

/** One channel to open. */
export interface Opening<C> extends WaitBounds {
  opener: Opener<C>;
  /**
   * For a channel to a host behind this one: the error that its refusal, or no answer in time, is. It speaks of that other host, so it
   * ends the wait at once, and nothing is held against the connection, which others use.
   */
  refused?: (why: Error) => HostError;
}

/** How long a host that is connected may take to open a channel, in ms. */
const OPEN_CHANNEL_MS = 10_000;

export class Lane {
  private readonly connections: Connection[] = [];
  private readonly slots: Slots;
  private connecting: Promise<Connection> | undefined;
  private closed = false;

  constructor(private readonly options: LaneOptions) {
    this.slots = new Slots(options.maxConnections * options.maxChannels);
  }

  /** Connections that carry nothing now, the longest unused first. */
  idle(): { lastUsedMs: number; end: () => void }[] {
    return this.connections
      .filter((connection) => connection.channels === 0)
      .map((connection) => ({
        lastUsedMs: connection.lastUsedMs,
        end: () => {
          this.drop(connection);
        },
      }));
  }

  get channels(): number {
    return this.connections.reduce((sum, connection) => sum + connection.channels, 0);
  }

  /** Makes sure that one connection stands. */
  async warm(bounds: WaitBounds): Promise<void> {
    if (this.connections.length === 0) await within(this.connect(), bounds, this.options.host);
  }

  /** Opens a channel over a connection with room, or a new connection. A connection found dead is replaced, within the bounds. */
  async open<C extends Duplex>(opening: Opening<C>): Promise<C> {
    const { timeoutMs, signal } = opening;
    const deadline = Date.now() + timeoutMs;
    const giveBack = await this.slots.take({ timeoutMs, signal }).catch((error: unknown) => {
      throw error instanceof SlotTimeout ? this.error('timeout', `all ssh channels are busy: ${error.message}`) : error;
    });
    try {
      for (;;) {
        const left = deadline - Date.now();
        if (left <= 0) throw this.error('timeout', `no ssh channel within ${timeoutMs} ms`);
        const connection = await this.withRoom({ timeoutMs: left, signal });
        if (connection === undefined) continue;
        const channel = await this.tryOpen(connection, { ...opening, timeoutMs: deadline - Date.now() });
        if (channel !== undefined) {
          channel.once('close', giveBack);
          return channel;
        }
      }
    } catch (error) {
      giveBack();
      throw error;
    }
  }

  close(): void {
    this.closed = true;
    for (const connection of [...this.connections]) this.drop(connection);
  }

  /** A connection with room for a channel; undefined, after a wait, when it is time to look again. */
  private async withRoom(bounds: WaitBounds): Promise<Connection | undefined> {
    if (this.closed) throw this.error('closed', 'the pool is closed');
    const roomy = this.connections.filter((connection) => connection.channels < connection.limit);
    const least = roomy.sort((one, other) => one.channels - other.channels)[0];
    if (least !== undefined) return least;
    if (this.connecting !== undefined || this.connections.length < this.options.maxConnections) {
      // Not this connection itself: all who waited for it come at once, and it has room for a few.
      await within(this.connect(), bounds, this.options.host);
      return undefined;
    }
    await pause({ ms: Math.min(25, bounds.timeoutMs), signal: bounds.signal });
    return undefined;
  }

  /** All who wait for a new connection wait for the same one. */
  private connect(): Promise<Connection> {
    this.connecting ??= this.options
      .connect()
      .then((client) => this.adopt(client))
      .finally(() => {
        this.connecting = undefined;
      });
    return this.connecting;
  }

  private adopt(client: Client): Connection {
    const connection = { client, channels: 0, limit: this.options.maxChannels, lastUsedMs: Date.now(), served: false };
    client.on('error', () => {
      this.drop(connection);
    });
    client.on('close', () => {
      this.drop(connection);
    });
    this.connections.push(connection);
    if (this.closed) {
      this.drop(connection);
      throw this.error('closed', 'the pool is closed');
    }
    return connection;
  }

  private drop(connection: Connection): void {
    const at = this.connections.indexOf(connection);
    if (at < 0) return;
    this.connections.splice(at, 1);
    // Not `end`: it would wait for the peer, which may be gone.
    connection.client.destroy();
    this.options.onClosed(connection.client);
  }

  /** Opens on this connection; undefined when it turned out full or dead, so that another is tried. */
  private tryOpen<C extends Duplex>(
    connection: Connection,
    { opener, refused, timeoutMs }: Opening<C>,
  ): Promise<C | undefined> {
    const waitMs = refused === undefined ? OPEN_CHANNEL_MS : Math.min(Math.max(timeoutMs, 1), OPEN_CHANNEL_MS);
    let late = false;
    let counted = true;
    connection.channels += 1;
    const leave = () => {
      if (!counted) return;
      counted = false;
      connection.channels -= 1;
      connection.lastUsedMs = Date.now();
    };
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        if (refused === undefined) {
          this.drop(connection);
          return;
        }
        late = true;
        // The jump itself may go on trying for minutes: silent hosts would take all its room from those that answer.
        leave();
        reject(refused(new Error(`no answer within ${waitMs} ms`)));
      }, waitMs);
      const done = (error: Error | undefined, channel: C) => {
        clearTimeout(timer);
        if (error === undefined) {
          connection.served = true;
          channel.once('close', leave);
          if (late) hangUp(channel);
          else resolve(channel);
          return;
        }
        leave();
        if (!this.connections.includes(connection)) resolve(undefined);
        else if (refused !== undefined) reject(refused(error));
        else if (connection.channels > 0) {
          // The server takes fewer sessions per connection than we thought.
          connection.limit = connection.channels;
          resolve(undefined);
        } else if (connection.served) {
          // The server still counts sessions that have ended here: a new connection has none.
          this.drop(connection);
          resolve(undefined);
        } else {
          this.drop(connection);
          reject(this.error('connection-lost', `the host opens no channel: ${error.message}`, error));
        }
      };
      try {
        opener(connection.client, done);
      } catch {
        clearTimeout(timer);
        leave();
        this.drop(connection);
        resolve(undefined);
      }
    });
  }

  private error(code: 'timeout' | 'closed' | 'connection-lost', message: string, cause?: unknown): HostError {
    return new HostError({ host: this.options.host.name, verb: 'connect', code, message, cause });
  }
}

/** The caller's own bounds around a wait that is shared with others. */
function within<T>(shared: Promise<T>, { timeoutMs, signal }: WaitBounds, host: HostRef): Promise<T> {
  return new Promise((resolve, reject) => {
    const message = `not connected within ${timeoutMs} ms`;
    const timer = setTimeout(() => {
      settle();
      reject(new HostError({ host: host.name, verb: 'connect', code: 'unreachable', message }));
    }, timeoutMs);
    const onAbort = () => {
      settle();
      if (signal !== undefined) reject(reasonOf(signal));
    };
    const settle = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    };
    if (signal?.aborted === true) {
      onAbort();
      shared.catch(() => undefined);
      return;
    }
    signal?.addEventListener('abort', onAbort, { once: true });
    shared.then(resolve, reject).finally(settle);
  });
}
