/** The runbook's hooks around the freeze: a database's dump, a cache's flush. Each is a program that its host's own configuration names. */
import type { HostRef } from '../hosts/hosts';
import { hookMs } from '../planning/time-limits';
import type { ActivityDeps, RunFence } from './context';
import { asActivity, fenceFor, forEachLimited, heartbeating } from './context';

export interface HooksInput {
  fence: RunFence;
  phase: 'before' | 'after';
  hooks: { host: HostRef; name: string; timeoutS: number }[];
}

export interface HooksResult {
  /** Hooks whose dead-man had run their "after" already when it was asked for. */
  undone: { host: string; name: string }[];
}

/** Makes the activity `runHooks`: hosts side by side, the hooks of one host in the runbook's order. */
export function hookActivities({ hosts }: ActivityDeps) {
  async function runHooks({ fence, phase, hooks }: HooksInput): Promise<HooksResult> {
    const undone: HooksResult['undone'] = [];
    const byHost = new Map<string, HooksInput['hooks']>();
    for (const hook of hooks) byHost.set(hook.host.name, [...(byHost.get(hook.host.name) ?? []), hook]);
    await forEachLimited({
      items: [...byHost.values()],
      limit: 64,
      each: async (ofHost) => {
        for (const { host, name, timeoutS } of ofHost) {
          const step = `hook ${phase} ${name}`;
          const args = { ...fenceFor({ fence, step }), phase, name };
          const timeoutMs = hookMs({ hook: { timeoutS }, all: ofHost });
          const reply = await hosts.call({ host, verb: 'hook', step, args, timeoutMs });
          if (reply.deadmanFired === true) undone.push({ host: host.name, name });
        }
      },
    });
    return { undone };
  }
  return { runHooks: (input: HooksInput) => asActivity(() => heartbeating({ body: () => runHooks(input) })) };
}
