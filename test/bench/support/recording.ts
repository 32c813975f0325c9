/** The real fleet with a stopwatch: every remote command's beginning and end, as the director saw them. */
import type { Readable } from 'node:stream';
import type { RescueFile, Verb } from '../../../hosts/args';
import type { FreezeSession } from '../../../hosts/freeze-session';
import type { CallContext, CallOptions, FreezeOptions, HostRef, Hosts, Warmth } from '../../../hosts/hosts';
import type { Look } from '../../../hosts/look';
import type { Reply } from '../../../hosts/replies';

/** One remote command. A durable job counts from its start to its end at the host, whoever looked at it meanwhile. */
export interface Span {
  what: string;
  host: string;
  /** ms since 1970. */
  from: number;
  to: number;
  /** CPU seconds that the fleet had used by then. */
  cpu: number;
}

export class RecordingHosts implements Hosts {
  readonly spans: Span[] = [];

  constructor(
    private readonly hosts: Hosts,
    private readonly cpu: () => number,
  ) {}

  async call<V extends Verb>(options: CallOptions<V>): Promise<Reply<V>> {
    const reply = await this.timed(options.verb, options.host, () => this.hosts.call(options));
    if (options.verb === 'job.poll') this.noteJob(options, reply);
    return reply;
  }

  listing(options: CallContext & { store: string; group: string; id: string; tree: string }): Promise<Readable> {
    return this.timed('store.listing', options.host, () => this.hosts.listing(options));
  }

  rescueFile(options: CallContext & { file: RescueFile }): Promise<Readable> {
    return this.timed('rescue.file', options.host, () => this.hosts.rescueFile(options));
  }

  async openFreeze(options: FreezeOptions): Promise<FreezeSession> {
    const session = await this.timed('freeze arm', options.host, () => this.hosts.openFreeze(options));
    return {
      host: session.host,
      armed: session.armed,
      lost: session.lost,
      pause: (bounds) => this.timed('freeze pause', options.host, () => session.pause(bounds)),
      snapshot: (bounds) => this.timed('freeze snapshot', options.host, () => session.snapshot(bounds)),
      thaw: (bounds) => this.timed('freeze thaw', options.host, () => session.thaw(bounds)),
      close: () => session.close(),
    };
  }

  async warm(options: { hosts: readonly HostRef[] }): Promise<Warmth[]> {
    const from = Date.now();
    const warmth = await this.hosts.warm(options);
    for (const each of warmth) this.note({ what: 'connect', host: each.host, from, to: from + each.ms });
    return warmth;
  }

  look(options: { host: HostRef }): Promise<Look> {
    return this.timed('look', options.host, () => this.hosts.look(options));
  }

  close(): Promise<void> {
    return this.hosts.close();
  }

  private async timed<T>(what: string, host: HostRef, body: () => Promise<T>): Promise<T> {
    const from = Date.now();
    try {
      return await body();
    } finally {
      this.note({ what, host: host.name, from, to: Date.now() });
    }
  }

  private note(span: Omit<Span, 'cpu'>): void {
    this.spans.push({ ...span, cpu: this.cpu() });
  }

  private noteJob(options: CallOptions<Verb>, reply: object): void {
    const { startedMs, endedMs, job } = { ...reply, ...options.args } as Partial<Record<string, unknown>>;
    if (typeof startedMs !== 'number' || typeof endedMs !== 'number') return;
    this.note({ what: `job ${String(job)}`, host: options.host.name, from: startedMs, to: endedMs });
  }
}

/** How long at least one of them ran between two moments, ms. */
export function covered(spans: readonly Span[], { from, to }: { from: number; to: number }): number {
  let sum = 0;
  let reached = from;
  for (const span of [...spans].sort((a, b) => a.from - b.from)) {
    const begin = Math.max(span.from, reached);
    const end = Math.min(span.to, to);
    if (end > begin) sum += end - begin;
    reached = Math.max(reached, end);
  }
  return sum;
}
