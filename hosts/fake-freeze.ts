/** The freeze session of a fake host. */
import type { Fence } from './args';
import type { FakeHost } from './fake-replies';
import type { Armed, FreezeSession, Paused, PhaseTimes, Snapshotted, Thawed } from './freeze-session';
import { armed, paused, snapshotted, thawed } from './replies/freezing';

export interface FakeFreezeState {
  host: FakeHost;
  fence: Fence;
  freeze: number;
}
type Visit = (phase: 'pause' | 'snapshot' | 'thaw') => Promise<Readonly<Record<string, unknown>>>;

export class FakeFreezeSession implements FreezeSession {
  readonly host: string;
  readonly armed: Armed;
  private readonly losing = new AbortController();
  private pausedAtMs: number | undefined;

  constructor(
    private readonly at: {
      state: FakeFreezeState;
      visit: Visit;
      sentMs: number;
      armed: Readonly<Record<string, unknown>>;
    },
  ) {
    this.host = at.state.host.name;
    const containers = [{ id: `${this.host}-c1`, name: 'app' }];
    this.armed = {
      ...armed.parse({ phase: 'armed', ...clocks(), containers, units: [], ...at.armed }),
      director: times(at.sentMs),
    };
  }

  get lost(): AbortSignal {
    return this.losing.signal;
  }

  /** As if the channel had broken: the host thaws itself. */
  lose(error: Error): void {
    this.release();
    this.losing.abort(error);
  }

  async pause(): Promise<Paused> {
    const { over, sentMs } = await this.visit('pause');
    this.pausedAtMs = performance.now();
    this.at.state.host.paused += 1;
    return { ...paused.parse({ phase: 'paused', ...clocks(), ...over }), director: times(sentMs) };
  }

  async snapshot(): Promise<Snapshotted> {
    const { over, sentMs } = await this.visit('snapshot');
    const { host, fence, freeze } = this.at.state;
    const taken = { source: 'data', run: fence.run, freeze, kind: 'none', name: `${fence.run}.${freeze}` };
    host.snapshots.push({ group: fence.group, ...taken, createdMs: Date.now() });
    const body = { phase: 'snapshotted', ...clocks(), snapshots: [taken], ...over };
    return { ...snapshotted.parse(body), director: times(sentMs) };
  }

  async thaw(): Promise<Thawed> {
    const { over, sentMs } = await this.visit('thaw');
    const pausedMs = this.pausedAtMs === undefined ? 0 : Math.round(performance.now() - this.pausedAtMs);
    this.release();
    const body = { phase: 'thawed', ...clocks(), torn: '', pausedMs, events: [], deadmanFired: false, ...over };
    return { ...thawed.parse(body), director: times(sentMs) };
  }

  close(): Promise<void> {
    this.release();
    return Promise.resolve();
  }

  private async visit(phase: 'pause' | 'snapshot' | 'thaw') {
    this.losing.signal.throwIfAborted();
    const sentMs = performance.now();
    const over = await this.at.visit(phase);
    this.losing.signal.throwIfAborted();
    return { over, sentMs };
  }

  private release(): void {
    if (this.pausedAtMs !== undefined) this.at.state.host.paused -= 1;
    this.pausedAtMs = undefined;
  }
}

function clocks(): { timeMs: number; uptimeMs: number } {
  return { timeMs: Date.now(), uptimeMs: Math.round(performance.now()) };
}

function times(sentMs: number): PhaseTimes {
  return { sentMs, answeredMs: performance.now(), answeredAtMs: Date.now() };
}
