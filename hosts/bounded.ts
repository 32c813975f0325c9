/** A promise with an end: by itself, by time, or by abort; whichever comes first also runs `giveUp`. */
import { reasonOf } from './slots';

export interface Bounds {
  timeoutMs: number;
  signal?: AbortSignal;
  /** The error of the time-out. */
  late: () => Error;
  /** Runs when the wait ends by time or abort, to let go of what was waited for. */
  giveUp?: () => void;
}

export function bounded<T>(promise: Promise<T>, { timeoutMs, signal, late, giveUp }: Bounds): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = (error: Error) => {
      settle();
      giveUp?.();
      reject(error);
    };
    const timer = setTimeout(() => {
      leave(late());
    }, timeoutMs);
    const onAbort = () => {
      if (signal !== undefined) leave(reasonOf(signal));
    };
    const settle = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    };
    promise.then(resolve, reject).finally(settle);
    if (signal?.aborted === true) onAbort();
    else signal?.addEventListener('abort', onAbort, { once: true });
  });
}
