/** The real fleet: `Hosts` over the ssh pool. */
import type { Readable } from 'node:stream';
import type { RescueFile, Verb } from './args';
import { HostClient } from './client';
import { loadDirectorKeys } from './director-keys';
import type { FreezeSession } from './freeze-session';
import { openFreezeChannel } from './freeze-channel';
import type { CallContext, CallOptions, FreezeOptions, HostRef, Hosts, Warmth } from './hosts';
import { KnownHosts } from './known-hosts';
import type { Look } from './look';
import { SshPool, type PoolLimits } from './pool';
import type { Reply } from './replies';

/** How long a host may take to be warmed, in ms. */
const WARM_MS = 30_000;

export class SshHosts implements Hosts {
  private readonly client: HostClient;

  constructor(private readonly pool: SshPool) {
    this.client = new HostClient({ pool });
  }

  /** Opens the fleet with the keys and pinned hosts of a state folder. @throws NoKeysError */
  static async open({ stateDir, limits }: { stateDir: string; limits?: Partial<PoolLimits> }): Promise<SshHosts> {
    const [keys, knownHosts] = await Promise.all([loadDirectorKeys({ stateDir }), KnownHosts.open({ stateDir })]);
    return new SshHosts(new SshPool({ keys, knownHosts, limits }));
  }

  call<V extends Verb>(options: CallOptions<V>): Promise<Reply<V>> {
    return this.client.call(options);
  }

  listing(options: CallContext & { store: string; group: string; id: string; tree: string }): Promise<Readable> {
    return this.client.listing(options);
  }

  rescueFile(options: CallContext & { file: RescueFile }): Promise<Readable> {
    return this.client.rescueFile(options);
  }

  openFreeze(options: FreezeOptions): Promise<FreezeSession> {
    return openFreezeChannel({ client: this.client, ...options });
  }

  warm(options: { hosts: readonly HostRef[]; timeoutMs?: number; signal?: AbortSignal }): Promise<Warmth[]> {
    const { hosts, timeoutMs = WARM_MS, signal } = options;
    return Promise.all(
      hosts.map(async (host): Promise<Warmth> => {
        const from = performance.now();
        try {
          await this.pool.warm({ host, timeoutMs, signal });
          return { host: host.name, ok: true, ms: performance.now() - from };
        } catch (thrown) {
          const error = thrown instanceof Error ? thrown : new Error(String(thrown));
          return { host: host.name, ok: false, ms: performance.now() - from, error };
        }
      }),
    );
  }

  look(options: { host: HostRef }): Promise<Look> {
    return this.pool.look(options);
  }

  close(): Promise<void> {
    this.pool.close();
    return Promise.resolve();
  }
}
