/** Work side by side that ends as one: when a part fails, the others are cancelled and seen to have ended before anybody takes back what they did. */
import { CancellationScope } from '@temporalio/workflow';

export class Together {
  private readonly scope = new CancellationScope();
  private readonly started: Promise<unknown>[] = [];

  /** Starts one part; whoever calls watches its outcome. */
  start<T>(body: () => Promise<T>): Promise<T> {
    const part = this.scope.run(body);
    this.started.push(part);
    return part;
  }

  /** Cancels what still runs and waits until nothing does. */
  async end(): Promise<void> {
    this.scope.cancel();
    await Promise.allSettled(this.started);
  }
}
