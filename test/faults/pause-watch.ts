/** Watches from outside the hosts how long their containers stand still: a dockerd that was killed has forgotten its own log. */
import { readdir, readFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const FREEZER = existsSync('/sys/fs/cgroup/freezer') ? '/sys/fs/cgroup/freezer' : '/sys/fs/cgroup';
/** What each version of control groups says of a group that was itself told to freeze, as opposed to the whole host. */
const OWN_STATE = ['freezer.self_freezing', 'cgroup.freeze'];
const EVERY_MS = 250;

/** Looks at every container of some hosts until it is stopped. */
export class PauseWatch {
  /** Container's group → when it was first seen frozen, ms. */
  private readonly since = new Map<string, number>();
  private readonly longest = new Map<string, number>();
  private stopped = false;
  private readonly done: Promise<void>;

  constructor(
    private readonly fleet: string,
    private readonly hosts: readonly string[],
  ) {
    this.done = this.watch();
  }

  /** Pauses since the last call, those that still last among them, that took longer than that, in ms. */
  takeLongerThan(limitMs: number): string[] {
    const found = [...this.longest]
      .filter(([, ms]) => ms > limitMs)
      .map(([host, ms]) => `${host} for ${Math.round(ms)} ms`);
    this.longest.clear();
    return found;
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.done;
  }

  private async watch(): Promise<void> {
    while (!this.stopped) {
      for (const host of this.hosts) await this.look(host);
      await sleep(EVERY_MS);
    }
  }

  private async look(host: string): Promise<void> {
    const containers = path.join(FREEZER, 'resurgo-lab', this.fleet, host, 'docker');
    for (const group of await readdir(containers).catch(() => [])) {
      const key = path.join(containers, group);
      const now = performance.now();
      if (!(await frozen(key))) {
        this.since.delete(key);
        continue;
      }
      const since = this.since.get(key) ?? now;
      this.since.set(key, since);
      this.longest.set(host, Math.max(this.longest.get(host) ?? 0, now - since));
    }
  }
}

/** A group that went away is not frozen. */
async function frozen(group: string): Promise<boolean> {
  for (const file of OWN_STATE) {
    const text = await readFile(path.join(group, file), 'utf8').catch(() => '');
    if (text.trim() === '1') return true;
  }
  return false;
}
