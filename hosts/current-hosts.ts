/**
 * The fleet for a process that lives for months: opened at the first use, and opened again when an enrolment or a key rotation has
 * changed the director's keys or the pinned hosts. Calls under way end on the connections they began with.
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { RescueFile, Verb } from './args';
import { isMissing } from './files';
import type { FreezeSession } from './freeze-session';
import type { CallContext, CallOptions, FreezeOptions, HostRef, Hosts, Warmth } from './hosts';
import type { Look } from './look';
import type { Reply } from './replies';
import { SshHosts } from './ssh-hosts';

interface Opened {
  stamp: string;
  hosts: SshHosts;
  /** Calls that still use these connections. */
  users: number;
  /** Replaced by newer ones: closed when its last user is done. */
  retired: boolean;
}

export class CurrentHosts implements Hosts {
  private opened: Opened | undefined;
  private opening: Promise<Opened> | undefined;

  constructor(private readonly options: { stateDir: string }) {}

  call<V extends Verb>(options: CallOptions<V>): Promise<Reply<V>> {
    return this.use((hosts) => hosts.call(options));
  }

  listing(options: CallContext & { store: string; group: string; id: string; tree: string }): Promise<Readable> {
    return this.use((hosts) => hosts.listing(options));
  }

  rescueFile(options: CallContext & { file: RescueFile }): Promise<Readable> {
    return this.use((hosts) => hosts.rescueFile(options));
  }

  async openFreeze(options: FreezeOptions): Promise<FreezeSession> {
    const opened = await this.current();
    opened.users += 1;
    try {
      // A session keeps its connections: retiring them in the middle of a freeze would thaw the host.
      return holding({ session: await opened.hosts.openFreeze(options), release: () => this.release(opened) });
    } catch (error) {
      await this.release(opened);
      throw error;
    }
  }

  warm(options: { hosts: readonly HostRef[]; timeoutMs?: number; signal?: AbortSignal }): Promise<Warmth[]> {
    return this.use((hosts) => hosts.warm(options));
  }

  look(options: { host: HostRef }): Promise<Look> {
    return this.use((hosts) => hosts.look(options));
  }

  async close(): Promise<void> {
    const { opened } = this;
    this.opened = undefined;
    await opened?.hosts.close();
  }

  private async use<T>(body: (hosts: SshHosts) => Promise<T>): Promise<T> {
    const opened = await this.current();
    opened.users += 1;
    try {
      return await body(opened.hosts);
    } finally {
      await this.release(opened);
    }
  }

  private async release(opened: Opened): Promise<void> {
    opened.users -= 1;
    if (opened.retired && opened.users === 0) await opened.hosts.close();
  }

  private current(): Promise<Opened> {
    this.opening ??= this.refresh().finally(() => {
      this.opening = undefined;
    });
    return this.opening;
  }

  private async refresh(): Promise<Opened> {
    const stamp = await this.stamp();
    if (this.opened?.stamp === stamp) return this.opened;
    const opened: Opened = { stamp, hosts: await SshHosts.open(this.options), users: 0, retired: false };
    const { opened: before } = this;
    this.opened = opened;
    if (before !== undefined) {
      before.retired = true;
      if (before.users === 0) await before.hosts.close();
    }
    return opened;
  }

  /** Changes whenever the keys or the pinned hosts are written anew (both are written by renaming). */
  private async stamp(): Promise<string> {
    const files = ['known_hosts', 'keys/director', 'keys/director.next'];
    const stamps = await Promise.all(
      files.map((file) =>
        stat(join(this.options.stateDir, file)).then(
          ({ ino, mtimeMs }) => `${ino}:${mtimeMs}`,
          (error: unknown) => {
            if (isMissing(error)) return 'none';
            throw error;
          },
        ),
      ),
    );
    return stamps.join(' ');
  }
}

/** The session with `release` called once it is closed. */
function holding({ session, release }: { session: FreezeSession; release: () => Promise<void> }): FreezeSession {
  let held = true;
  return {
    host: session.host,
    armed: session.armed,
    lost: session.lost,
    pause: (options) => session.pause(options),
    snapshot: (options) => session.snapshot(options),
    thaw: (options) => session.thaw(options),
    close: async () => {
      await session.close();
      if (held) {
        held = false;
        await release();
      }
    },
  };
}
