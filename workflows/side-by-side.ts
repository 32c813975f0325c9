/** Steps that run side by side and end together: nothing of them is still under way when what they did is taken back. */
import { CancellationScope } from '@temporalio/workflow';

/**
 * Runs `each` over all items, at most `limit` at a time, and returns the results in the items' order. The first failure cancels the
 * others, waits until every one of them has ended, and is then thrown: an operator who aborts one step has aborted them all.
 */
export function sideBySide<T, R>(options: {
  items: readonly T[];
  limit: number;
  each: (item: T) => Promise<R>;
}): Promise<R[]> {
  const { items, limit, each } = options;
  return CancellationScope.cancellable(async () => {
    const scope = CancellationScope.current();
    const waiting = [...items.entries()];
    const results = new Map<number, R>();
    const lane = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const [index, item] = next;
        try {
          results.set(index, await each(item));
        } catch (error) {
          waiting.length = 0;
          scope.cancel();
          throw error;
        }
      }
    };
    const lanes = Array.from({ length: Math.max(1, Math.min(limit, items.length)) }, lane);
    // The first to fail is the cause; the others fail because of it.
    try {
      await Promise.all(lanes);
    } finally {
      await Promise.allSettled(lanes);
    }
    return [...results].sort(([one], [other]) => one - other).map(([, result]) => result);
  });
}
