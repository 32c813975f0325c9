/** A bounded number of slots with a queue: every wait ends by a slot, a time-out or an abort. */

export interface WaitBounds {
  timeoutMs: number;
  signal?: AbortSignal;
}

/** Thrown by `Slots.take` when no slot came in time. */
export class SlotTimeout extends Error {}

export class Slots {
  private used = 0;
  private readonly waiting: (() => void)[] = [];

  constructor(private readonly limit: number) {}

  /** Resolves to a function that gives the slot back (once; later calls do nothing). */
  async take({ timeoutMs, signal }: WaitBounds): Promise<() => void> {
    signal?.throwIfAborted();
    if (this.used < this.limit) this.used += 1;
    else await this.queue({ timeoutMs, signal });
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      // The slot passes straight to the next in the queue, so `used` stays as it is.
      const next = this.waiting.shift();
      if (next === undefined) this.used -= 1;
      else next();
    };
  }

  private queue({ timeoutMs, signal }: WaitBounds): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (error: unknown) => {
        const at = this.waiting.indexOf(enter);
        if (at >= 0) this.waiting.splice(at, 1);
        settle();
        reject(error instanceof Error ? error : new Error(String(error)));
      };
      const timer = setTimeout(() => {
        leave(new SlotTimeout(`no free slot within ${timeoutMs} ms`));
      }, timeoutMs);
      const onAbort = () => {
        leave(signal?.reason);
      };
      const settle = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
      };
      const enter = () => {
        settle();
        resolve();
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.waiting.push(enter);
    });
  }
}

/** Waits `ms`, or rejects with the signal's reason. */
export function pause({ ms, signal }: { ms: number; signal?: AbortSignal }): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(reasonOf(signal));
      return;
    }
    const onAbort = () => {
      clearTimeout(timer);
      if (signal !== undefined) reject(reasonOf(signal));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** The reason of an aborted signal as an Error. */
export function reasonOf(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason));
}
