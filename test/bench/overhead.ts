/** What orchestration costs: a run's time less the time in which at least one of its remote commands ran. */
import { type BenchOptions, type Figure, row } from './support/figures';
import { APPS, CONTAINERS, GROUP, raiseFour } from './support/four';
import { covered } from './support/recording';

const MOST_S = 2;

export async function benchOverhead({ rounds, say }: BenchOptions): Promise<Figure> {
  const stand = await raiseFour('bench-overhead');
  const whole: number[] = [];
  const remote: number[] = [];
  try {
    // One uncounted: connections, the engine's first workflow, the first copy.
    await stand.backup(GROUP);
    for (let round = 1; round <= rounds; round += 1) {
      const { startedMs, closedMs, spans } = await stand.backup(GROUP);
      whole.push((closedMs - startedMs) / 1000);
      remote.push(covered(spans, { from: startedMs, to: closedMs }) / 1000);
      say(`overhead round ${round}: ${String(whole.at(-1))} s, remote commands ${String(remote.at(-1))} s`);
    }
  } finally {
    await stand.down();
  }
  const overhead = whole.map((seconds, round) => seconds - (remote[round] ?? 0));
  return {
    title: 'Orchestration',
    how: `A backup of ${APPS.length} hosts with ${CONTAINERS} containers each and little data. Remote commands: every request to a hostkit from sending to answer, durable jobs from their start to their end at the host; what overlaps counts once. The rest is workflow, server, worker, and the wait for the next look at a job.`,
    rows: [
      row({ what: 'whole run', unit: 's', samples: whole }),
      row({ what: 'of it remote commands', unit: 's', samples: remote }),
      row({ what: 'orchestration', unit: 's', samples: overhead, goal: MOST_S }),
    ],
  };
}
