/** A recovery whose worker, server, network and rescue system are taken away at each of its steps ends in a machine that boots. */
import { setTimeout as sleep } from 'node:timers/promises';
import { findServer } from '../../../workers/embedded-server';
import { findWorker } from '../../../workers/background-worker';
import { connectEngine } from '../../../workers/engine';
import { prepareState } from '../../../workers/paths';
import { describeLab } from '../support/describe-lab';
import { takeDown } from '../support/product';
import type { Director } from '../support/product';
import { uefiExt4 } from './support/layouts';
import type { Machine } from './support/machine';
import { Recovery, RECOVERY_MS } from './support/recovery';

jest.setTimeout(3_600_000);

/** Shorter than what makes a connection give up, long enough that every request in flight is lost. */
const UNPLUGGED_MS = 8_000;

/** One fault after the other, each step another one. */
const FAULTS: readonly { name: string; strike: (at: { product: Director; rescue: Machine }) => Promise<void> }[] = [
  { name: 'worker killed', strike: ({ product }) => killed(product, 'worker') },
  { name: 'cable out', strike: ({ rescue }) => rescue.unplugged(UNPLUGGED_MS) },
  { name: 'server killed', strike: ({ product }) => killed(product, 'server') },
];

async function killed(product: Director, what: 'worker' | 'server'): Promise<void> {
  const state = prepareState(product.stateDir);
  const found = what === 'worker' ? findWorker(state) : findServer(state);
  if (found !== undefined) process.kill(found.process.pid, 'SIGKILL');
  await product.run(['engine', 'start']);
}

/** At the first of these the disks are made, and nothing boots yet. Which of them is seen first is chance. */
const AFTER_THE_DISKS = new Set(['restoreSource', 'recoverFix', 'newSystem']);

/** A step that is under way: what it is, and in which try. */
interface Doing {
  id: string;
  type: string;
}

/** What a run does now; `ended` when it has ended. */
async function doing(product: Director, run: string): Promise<Doing[] | 'ended'> {
  const { client, connection } = await connectEngine({ stateDir: product.stateDir, worker: false });
  try {
    for await (const { workflowId } of client.workflow.list()) {
      if (!workflowId.endsWith(run)) continue;
      const { status, raw } = await client.workflow.getHandle(workflowId).describe();
      if (status.name !== 'RUNNING') return 'ended';
      return (raw.pendingActivities ?? []).map(({ activityId, activityType }) => ({
        id: activityId ?? '',
        type: activityType?.name ?? '',
      }));
    }
    return [];
  } finally {
    await connection.close();
  }
}

describeLab('a recovery that is cut off', () => {
  test('at every step goes on, and after a power cut begins anew', async () => {
    const recovery = await Recovery.raise({ name: 'vmkill', layout: uefiExt4, number: 151 });
    const { product } = recovery;
    try {
      const medium = await recovery.medium();
      const before = await recovery.portrait();
      await recovery.backup();
      const rescue = await recovery.replace({ medium, disks: uefiExt4.disks });
      const { run, hash } = await recovery.ask(rescue);
      await product.run(['approve', run, hash.slice(0, 12)]);
      const struck: string[] = [];
      const seen = new Set<string>();
      let powerCut = false;
      const end = Date.now() + 2 * RECOVERY_MS;
      for (;;) {
        await sleep(200);
        if (Date.now() > end) throw new Error(`the run has not ended; struck: ${struck.join(', ')}`);
        const now = await doing(product, run);
        if (now === 'ended') break;
        const [step] = now.filter(({ id }) => !seen.has(id));
        if (step === undefined) {
          // It waits for a person, or the machine is booting.
          if (!rescue.running && !recovery.server.running) await recovery.server.start();
          continue;
        }
        seen.add(step.id);
        const { name, strike } = FAULTS[struck.length % FAULTS.length] ?? { name: '', strike: () => Promise.resolve() };
        if (AFTER_THE_DISKS.has(step.type) && !powerCut) {
          powerCut = true;
          struck.push(`${step.type}: power cut`);
          await rescue.kill();
          await rescue.start();
          await rescue.shows('RESURGO-RESCUE-READY');
          expect(await product.question(run, RECOVERY_MS)).toMatchObject({ step: 'begin anew' });
          await recovery.arm(rescue);
          await product.run(['retry', run]);
          const asked = await product.question(run, RECOVERY_MS);
          expect(asked.step).toBe('approve');
          await product.run(['approve', run, /Approve plan (\w+)/.exec(asked.message)?.[1] ?? '']);
          continue;
        }
        if (!rescue.running) continue;
        struck.push(`${step.type}: ${name}`);
        await strike({ product, rescue });
      }
      const { stdout } = await product.run(['watch', run], { allow: [0, 1, 3] });
      expect(stdout).toMatch(/^Completed/m);
      await recovery.server.answers();
      expect(recovery.differences(before, await recovery.portrait())).toEqual([]);
      expect(powerCut).toBe(true);
      expect(struck.length).toBeGreaterThan(10);
    } finally {
      await takeDown(product);
    }
  });
});
