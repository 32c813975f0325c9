/** The freeze session over an ssh channel (docs/hostkit.md: verb `freeze`). */
import type { z } from 'zod';
import { bounded } from './bounded';
import { readLine, type HostClient } from './client';
import { parseReply } from './envelope';
import { HostError } from './errors';
import type { Exchange } from './exchange';
import type { Armed, FreezeSession, Paused, Phase, PhaseTimes, Snapshotted, Thawed } from './freeze-session';
import type { FreezeOptions } from './hosts';
import { ARM_MS, phaseMs } from '../planning/time-limits';
import { armed, paused, snapshotted, thawed } from './replies/freezing';

/** How long `close` waits for the host to have thawed and ended. */
const CLOSE_MS = 10_000;

/** Arms the host. @throws HostError */
export async function openFreezeChannel({
  client,
  ...options
}: FreezeOptions & { client: Pick<HostClient, 'begin'> }): Promise<FreezeSession> {
  const { host, fence, freeze, maxPauseS, timeoutMs = ARM_MS, signal } = options;
  const at = { host: host.name, verb: 'freeze', step: options.step ?? fence.step };
  const args = { ...fence, freeze, maxPause: maxPauseS };
  const sentMs = performance.now();
  const exchange = await client.begin({ host, verb: 'freeze', step: at.step, args, timeoutMs, signal });
  const session = new FreezeChannel({ exchange, at, phaseMs: phaseMs(maxPauseS) });
  try {
    await session.arm({ timeoutMs, signal, sentMs });
    return session;
  } catch (error) {
    await session.close();
    throw error;
  }
}

class FreezeChannel implements FreezeSession {
  readonly host: string;
  private armedAs: Armed | undefined;
  private readonly losing = new AbortController();
  private busy = false;
  private finished = false;
  private thawing = false;
  private givenUp = false;

  private readonly exchange: Exchange;
  private readonly at: { host: string; verb: string; step: string };
  /** How long a phase may take unless its caller says otherwise, in ms. */
  private readonly phaseMs: number;

  constructor(made: { exchange: Exchange; at: { host: string; verb: string; step: string }; phaseMs: number }) {
    this.exchange = made.exchange;
    this.at = made.at;
    this.phaseMs = made.phaseMs;
    this.host = this.at.host;
    void this.exchange.ended.then(({ exit, stderr }) => {
      // The answer to `thaw` and the host's good end may arrive together.
      if (!this.finished && !(this.thawing && exit === 0)) this.losing.abort(this.lostError(exit, stderr));
    });
  }

  get lost(): AbortSignal {
    return this.losing.signal;
  }

  get armed(): Armed {
    if (this.armedAs === undefined) throw this.lostError(null, '');
    return this.armedAs;
  }

  async arm(bounds: { timeoutMs: number; signal?: AbortSignal; sentMs: number }): Promise<void> {
    this.armedAs = await this.phase({ ...bounds, schema: armed });
  }

  pause({ timeoutMs = this.phaseMs } = {}): Promise<Paused> {
    return this.phase({ word: 'pause', schema: paused, timeoutMs });
  }

  snapshot({ timeoutMs = this.phaseMs } = {}): Promise<Snapshotted> {
    return this.phase({ word: 'snapshot', schema: snapshotted, timeoutMs });
  }

  async thaw({ timeoutMs = this.phaseMs } = {}): Promise<Thawed> {
    this.thawing = true;
    const answer = await this.phase({ word: 'thaw', schema: thawed, timeoutMs });
    this.finished = true;
    this.exchange.endInput();
    return answer;
  }

  async close(): Promise<void> {
    this.finished = true;
    if (this.givenUp) return;
    this.exchange.endInput();
    const giveUp = () => {
      this.exchange.destroy();
    };
    const late = () => new Error('the host keeps the channel open');
    await bounded(this.exchange.ended, { timeoutMs: CLOSE_MS, late, giveUp }).catch(() => undefined);
  }

  /** Sends a word (or none, for `armed`) and reads the line that answers it. */
  private async phase<S extends z.ZodType<Record<string, unknown>>>(options: {
    word?: string;
    schema: S;
    timeoutMs: number;
    signal?: AbortSignal;
    sentMs?: number;
  }): Promise<Phase<S>> {
    const { word, schema, timeoutMs, signal, sentMs = performance.now() } = options;
    if (this.losing.signal.aborted) throw this.losing.signal.reason;
    if (this.busy) throw new HostError({ ...this.at, code: 'busy', message: 'a phase is under way already' });
    this.busy = true;
    try {
      if (word !== undefined) this.exchange.write(`${word}\n`);
      const label = word ?? 'arm';
      const late = () =>
        new HostError({ ...this.at, code: 'timeout', message: `${label}: no answer within ${timeoutMs} ms` });
      const giveUp = () => {
        // A host that is silent is told by the channel's end to thaw; whether it does is not waited for.
        this.givenUp = true;
        this.exchange.destroy();
      };
      const line = await bounded(readLine(this.exchange, this.at), { timeoutMs, signal, late, giveUp });
      const director: PhaseTimes = { sentMs, answeredMs: performance.now(), answeredAtMs: Date.now() };
      if (line === undefined) {
        const { exit, stderr } = await this.exchange.ended;
        throw this.lostError(exit, stderr);
      }
      return { ...parseReply({ line, schema, ...this.at }), director };
    } finally {
      this.busy = false;
    }
  }

  private lostError(exit: number | null, stderr: string): HostError {
    const tail = stderr.trim();
    const message = `the freeze session ended early (exit ${exit ?? 'unknown'})${tail === '' ? '' : `: ${tail}`}`;
    return new HostError({ ...this.at, code: 'session-lost', message, detail: { exit, stderr: tail } });
  }
}
