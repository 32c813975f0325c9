/**
 * A fleet that exists in memory, for tests of scale and of timing that reality can't be made to show: each verb answers after
 * a set latency, freezes and jobs keep their state, and any host can be told to fail.
 */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import type { RescueFile, Verb } from './args';
import { asRescue, readHostkit } from './enroll/hostkit-tree';
import { HostError } from './errors';
import { FakeFreezeSession, type FakeFreezeState } from './fake-freeze';
import type { FreezeSession } from './freeze-session';
import type { CallContext, CallOptions, FreezeOptions, HostRef, Hosts, Warmth } from './hosts';
import type { Look } from './look';
import { replySchemas, type Reply } from './replies';
import { LISTING_HEADER } from '../planning/listing-format';
import { pause } from './slots';
import { writeRequest } from './write-request';
import { FAKE_MEDIUM, fakeReplies, type FakeHost } from './fake-replies';

/** What a call looks like to an interceptor. */
export interface FakeCall {
  host: string;
  verb: Verb | 'freeze:pause' | 'freeze:snapshot' | 'freeze:thaw' | 'warm' | 'look';
  args: Readonly<Record<string, unknown>>;
}

export interface FakeOptions {
  /** Per verb and phase, in ms. Default 20. */
  latencyMs?: number | ((call: FakeCall) => number);
  /** Throws (a HostError) to fail a call, returns fields to lay over the built-in reply, or nothing. */
  intercept?: (call: FakeCall) => Readonly<Record<string, unknown>> | undefined;
  /** How long a job (of a kind: `send`, `store-seal`, …) runs, in ms. Default 100. */
  jobMs?: number | ((kind: string) => number);
}

/** What a director does with rescue media beyond the fleet: here it notes no key, and has no virtual machine. */
export const FAKE_RESCUE = {
  pin: () => Promise.resolve(),
  pinMachine: () => Promise.resolve(true),
  pinOnly: () => Promise.resolve(),
  boot: () => Promise.resolve(null),
};

export class FakeHosts implements Hosts {
  /** How often each verb was called, over all hosts. */
  readonly counts = new Map<string, number>();
  private readonly hosts = new Map<string, FakeHost>();
  private closed = false;

  constructor(private readonly options: FakeOptions = {}) {}

  async call<V extends Verb>({ host, verb, args, step, signal }: CallOptions<V>): Promise<Reply<V>> {
    const call: FakeCall = { host: host.name, verb, args: { ...args } };
    // A real host never hears what its director can't write: too long a request fails here likewise.
    writeRequest({ host, verb, step, args });
    const over = await this.arrive(call, { step, signal });
    const { jobMs = 100 } = this.options;
    const built = fakeReplies[verb]({
      host: this.host(host.name),
      args: call.args,
      jobMs: typeof jobMs === 'number' ? () => jobMs : jobMs,
    });
    const schema: { parse: (value: unknown) => Reply<V> } = schemas[verb];
    // A fake host has the hostkit of its director: drift is no part of what it is for.
    const kit = verb === 'probe' ? { hash: await kitOf(host) } : {};
    return schema.parse({ ok: true, ...built, ...kit, ...over });
  }

  async listing(options: CallContext & { store: string; group: string; id: string; tree: string }): Promise<Readable> {
    const { host, step, signal, store, group, id, tree } = options;
    const call: FakeCall = { host: host.name, verb: 'store.listing', args: { store, group, id, tree } };
    await this.arrive(call, { step, signal });
    // A tree with nothing in it.
    return Readable.from([gzipSync(`${LISTING_HEADER}\nxattrs\n`)]);
  }

  async rescueFile({ host, step, signal, file }: CallContext & { file: RescueFile }): Promise<Readable> {
    await this.arrive({ host: host.name, verb: 'rescue.file', args: { ...file } }, { step, signal });
    return Readable.from([FAKE_MEDIUM]);
  }

  async openFreeze(options: FreezeOptions): Promise<FreezeSession> {
    const { host, fence, freeze, step, signal } = options;
    const state: FakeFreezeState = { host: this.host(host.name), fence, freeze };
    const visit = (phase: 'pause' | 'snapshot' | 'thaw') =>
      this.arrive({ host: host.name, verb: `freeze:${phase}`, args: { ...fence, freeze } }, { step });
    const sentMs = performance.now();
    const over = await this.arrive({ host: host.name, verb: 'freeze', args: { ...fence, freeze } }, { step, signal });
    return new FakeFreezeSession({ state, visit, sentMs, armed: over });
  }

  warm({ hosts, signal }: { hosts: readonly HostRef[]; signal?: AbortSignal }): Promise<Warmth[]> {
    return Promise.all(
      hosts.map(async ({ name }): Promise<Warmth> => {
        const from = performance.now();
        try {
          await this.arrive({ host: name, verb: 'warm', args: {} }, { signal });
          return { host: name, ok: true, ms: performance.now() - from };
        } catch (thrown) {
          const error = thrown instanceof Error ? thrown : new Error(String(thrown));
          return { host: name, ok: false, ms: performance.now() - from, error };
        }
      }),
    );
  }

  /** What an interceptor throws as `unreachable` is nothing that answers. */
  async look({ host }: { host: HostRef }): Promise<Look> {
    try {
      const over = await this.arrive({ host: host.name, verb: 'look', args: {} }, {});
      return { answers: true, reason: 'it shows no ssh host key', shown: null, ...over };
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      return { answers: error.code === 'unreachable' ? false : null, reason: error.reason, shown: null };
    }
  }

  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }

  /** The state of one host, to look at or to set up. */
  host(name: string): FakeHost {
    const known = this.hosts.get(name);
    if (known !== undefined) return known;
    const bootId = createHash('sha256').update(name).digest('hex').slice(0, 32);
    const fresh: FakeHost = {
      ...{ name, bootId, jobs: new Map(), snapshots: [], backups: [], media: [] },
      ...{ layouts: new Map(), terms: new Map(), paused: 0 },
    };
    this.hosts.set(name, fresh);
    return fresh;
  }

  private async arrive(
    call: FakeCall,
    { step, signal }: { step?: string; signal?: AbortSignal },
  ): Promise<Readonly<Record<string, unknown>>> {
    this.counts.set(call.verb, (this.counts.get(call.verb) ?? 0) + 1);
    const { latencyMs = 20, intercept } = this.options;
    await pause({ ms: typeof latencyMs === 'number' ? latencyMs : latencyMs(call), signal });
    if (this.closed) {
      throw new HostError({ host: call.host, verb: call.verb, step, code: 'closed', message: 'the fleet is closed' });
    }
    return intercept?.(call) ?? {};
  }
}

const schemas: { [V in Verb]: { parse: (value: unknown) => Reply<V> } } = replySchemas;

async function kitOf({ name }: HostRef): Promise<string> {
  const kit = await readHostkit();
  return (name.endsWith('.rescue') ? asRescue(kit) : kit).hash;
}
