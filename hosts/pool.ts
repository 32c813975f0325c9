/**
 * The pool of ssh connections: kept alive, shared by many channels, bounded per host and overall, with backoff, pinned host keys
 * and proxy jumps. Every wait in it is bounded.
 */
import { setMaxListeners } from 'node:events';
import type { Client, ClientChannel } from 'ssh2';
import { dial, hangUp } from './dial';
import type { DirectorKeys } from './director-keys';
import { HostError } from './errors';
import type { HostRef } from './hosts';
import { placeOf, type KnownHosts, type PublicKey } from './known-hosts';
import { Lane } from './lane';
import { lookAt, type Look } from './look';
import { pause, Slots, SlotTimeout, type WaitBounds } from './slots';

export interface PoolLimits {
  /** Channels over one connection; sshd's MaxSessions is 10 by default. Default 8. */
  channelsPerConnection: number;
  /** Default 2. */
  connectionsPerHost: number;
  /** Over all hosts; the longest idle one makes room. Default 1,100. */
  connections: number;
  /** Handshakes under way at once: they cost CPU. Default 32. */
  dials: number;
  /** For one try of TCP, handshake and login, in ms. Default 10,000. */
  connectTimeoutMs: number;
  /** Tries before an unreachable host is an error. Default 3. */
  tries: number;
  /** Wait after the first failed try, in ms; doubles each time. Default 250. */
  backoffMs: number;
  /** Default 10,000. */
  keepaliveMs: number;
  /** An unused connection is closed after this, in ms. Default 600,000. */
  idleMs: number;
}

const DEFAULT_LIMITS: PoolLimits = {
  channelsPerConnection: 8,
  connectionsPerHost: 2,
  connections: 1_100,
  dials: 32,
  connectTimeoutMs: 10_000,
  tries: 3,
  backoffMs: 250,
  keepaliveMs: 10_000,
  idleMs: 600_000,
};
/** A jump carries forwarded connections, which MaxSessions does not count. */
const JUMP_CHANNELS = 256;

type Role = 'director' | 'jump';

export class SshPool {
  private readonly lanes = new Map<string, Lane>();
  private readonly limits: PoolLimits;
  private readonly connections: Slots;
  private readonly dials: Slots;
  private readonly held = new Map<Client, () => void>();
  private readonly reaper: NodeJS.Timeout;
  private readonly stop = new AbortController();

  constructor(
    private readonly options: {
      keys: Pick<DirectorKeys, 'director' | 'directorNext' | 'jump'>;
      knownHosts: KnownHosts;
      limits?: Partial<PoolLimits>;
    },
  ) {
    // One listener a connection that is waited for: Node takes more than ten for a leak.
    setMaxListeners(0, this.stop.signal);
    this.limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.connections = new Slots(this.limits.connections);
    this.dials = new Slots(this.limits.dials);
    this.reaper = setInterval(
      () => {
        this.reap();
      },
      Math.min(this.limits.idleMs, 30_000),
    );
    this.reaper.unref();
  }

  /** Opens a channel to the host's hostkit (the key's forced command decides what runs). @throws HostError */
  open({ host, ...bounds }: { host: HostRef } & WaitBounds): Promise<ClientChannel> {
    return this.lane(host, 'director').open<ClientChannel>({
      ...bounds,
      opener: (client, done) => client.exec('hostkit', done),
    });
  }

  /** Makes sure that a connection to the host stands. @throws HostError */
  warm({ host, ...bounds }: { host: HostRef } & WaitBounds): Promise<void> {
    return this.lane(host, 'director').warm(bounds);
  }

  /** Whether anything answers there, pinned or not. */
  look({ host }: { host: HostRef }): Promise<Look> {
    const { keys, knownHosts } = this.options;
    const { connectTimeoutMs: timeoutMs } = this.limits;
    const { via } = host;
    const bounds = { timeoutMs, signal: this.stop.signal };
    const through = via === undefined ? undefined : () => this.forward(host, via, bounds);
    const placesOf = (key: PublicKey) => knownHosts.placesOf(key);
    return lookAt({ host, login: { privateKey: keys.director.privateKey }, placesOf, through, timeoutMs });
  }

  /** Connections that stand now, and channels over them. */
  get size(): { connections: number; channels: number } {
    const channels = [...this.lanes.values()].reduce((sum, lane) => sum + lane.channels, 0);
    return { connections: this.held.size, channels };
  }

  /** Ends every connection; what is under way rejects. Idempotent. */
  close(): void {
    this.stop.abort(
      new HostError({ host: 'director', verb: 'connect', code: 'closed', message: 'the pool is closed' }),
    );
    clearInterval(this.reaper);
    for (const lane of this.lanes.values()) lane.close();
  }

  private lane(host: HostRef, role: Role): Lane {
    // A rescue system's place says nothing of where it is reached.
    const at = host.pinnedAs === undefined ? '' : ` ${host.address}:${host.port ?? 22}`;
    // By name, too: of two names of one host each has its own errors.
    const key = `${role} ${host.name} ${host.user ?? 'resurgo'}@${placeOf(host)}${at}`;
    const known = this.lanes.get(key);
    if (known !== undefined) return known;
    const lane = new Lane({
      host,
      maxConnections: role === 'jump' ? 1 : this.limits.connectionsPerHost,
      maxChannels: role === 'jump' ? JUMP_CHANNELS : this.limits.channelsPerConnection,
      connect: () => this.connect(host, role),
      onClosed: (client) => {
        this.held.get(client)?.();
        this.held.delete(client);
      },
    });
    if (this.stop.signal.aborted) lane.close();
    this.lanes.set(key, lane);
    return lane;
  }

  /** Tries a bounded number of times; only what may pass by itself is tried again. */
  private async connect(host: HostRef, role: Role): Promise<Client> {
    for (let tried = 1; ; tried += 1) {
      try {
        return await this.connectOnce(host, role);
      } catch (error) {
        const again = error instanceof HostError && error.code === 'unreachable' && tried < this.limits.tries;
        if (!again) throw error;
        // Jitter, so that a thousand hosts behind one dead switch don't come back in step.
        const ms = this.limits.backoffMs * 2 ** (tried - 1) * (0.75 + Math.random() / 2);
        await pause({ ms, signal: this.stop.signal });
      }
    }
  }

  private async connectOnce(host: HostRef, role: Role): Promise<Client> {
    const { connectTimeoutMs: timeoutMs, keepaliveMs } = this.limits;
    const bounds = { timeoutMs, signal: this.stop.signal };
    // The jump first: it needs a connection of the same pool, so nothing may be held while waiting for it.
    const sock = host.via === undefined ? undefined : await this.forward(host, host.via, bounds);
    let giveBack: (() => void) | undefined;
    try {
      giveBack = await this.takeConnection(host, bounds);
      const client = await this.dialKnown(host, role, { timeoutMs, keepaliveMs, sock });
      const slot = giveBack;
      this.held.set(client, () => {
        slot();
        // Whatever ended the connection: what it was forwarded through at the jump goes with it.
        hangUp(sock);
      });
      return client;
    } catch (error) {
      giveBack?.();
      hangUp(sock);
      throw error;
    }
  }

  private forward(host: HostRef, via: HostRef, bounds: WaitBounds): Promise<ClientChannel> {
    return this.lane(via, 'jump')
      .open<ClientChannel>({
        ...bounds,
        opener: (client, done) => client.forwardOut('127.0.0.1', 0, host.address, host.port ?? 22, done),
        refused: (why) => refusedForward({ host, via, why }),
      })
      .catch((error: unknown) => {
        if (!(error instanceof HostError)) throw error;
        const { code, next, retryable, reason } = error;
        const message = `through ${via.name}: ${reason}`;
        // By the detail what befell the jump is told from what the host itself did.
        const detail = { jump: via.name };
        throw new HostError({ host: host.name, verb: 'connect', code, next, retryable, detail, message, cause: error });
      });
  }

  private async dialKnown(
    host: HostRef,
    role: Role,
    how: { timeoutMs: number; keepaliveMs: number; sock?: ClientChannel },
  ): Promise<Client> {
    const giveBack = await this.slot(this.dials, host, { timeoutMs: how.timeoutMs * 4, signal: this.stop.signal });
    try {
      // Enrolment by another process may have pinned the host since we started.
      if (this.options.knownHosts.keysOf(host).length === 0) await this.options.knownHosts.reload();
      const pinned = this.options.knownHosts.keysOf(host);
      const { director, jump } = this.options.keys;
      const privateKey = (role === 'jump' ? jump : director).privateKey;
      return await dial({ host, login: { privateKey }, pinned, ...how });
    } finally {
      giveBack();
    }
  }

  /** A slot for one more connection; while there is none, the longest idle one of another host makes room. */
  private async takeConnection(host: HostRef, { timeoutMs, signal }: WaitBounds): Promise<() => void> {
    const deadline = Date.now() + timeoutMs;
    while (Date.now() < deadline) {
      try {
        return await this.connections.take({ timeoutMs: 25, signal });
      } catch (error) {
        if (!(error instanceof SlotTimeout)) throw error;
        const idle = [...this.lanes.values()].flatMap((lane) => lane.idle());
        idle.sort((one, other) => one.lastUsedMs - other.lastUsedMs)[0]?.end();
      }
    }
    return this.slot(this.connections, host, { timeoutMs: 1, signal });
  }

  private slot(slots: Slots, host: HostRef, bounds: WaitBounds): Promise<() => void> {
    return slots.take(bounds).catch((error: unknown) => {
      if (!(error instanceof SlotTimeout)) throw error;
      const message = `too many connections at once: ${error.message}`;
      throw new HostError({ host: host.name, verb: 'connect', code: 'timeout', message });
    });
  }

  private reap(): void {
    const before = Date.now() - this.limits.idleMs;
    for (const lane of this.lanes.values()) {
      for (const idle of lane.idle()) if (idle.lastUsedMs < before) idle.end();
    }
  }
}

/** RFC 4254, 5.1: the reasons that speak of the jump itself; the others say that the host behind it could not be connected to. */
const JUMP_SAYS_NO: ReadonlyMap<unknown, string> = new Map([
  [1, 'administratively prohibited'],
  [3, 'unknown channel type'],
]);

/** What it means that a jump opened no connection to a host behind it, in ssh's own words. */
function refusedForward({ host, via, why }: { host: HostRef; via: HostRef; why: Error }): HostError {
  const said = why.message.replace(/^\(SSH\) Channel open failure: /, '');
  const no = 'reason' in why ? JUMP_SAYS_NO.get(why.reason) : undefined;
  const message = `no connection to ${host.address}:${host.port ?? 22}: ${no === undefined ? '' : `${no}: `}${said}`;
  const at = { host: host.name, verb: 'connect', message, cause: why };
  if (no === undefined) return new HostError({ ...at, code: 'unreachable' });
  const next = `${via.name} does not forward there: run \`resurgo enroll ${via.name} --update\`, and look at AllowTcpForwarding in its sshd_config`;
  return new HostError({ ...at, code: 'auth-refused', next });
}
