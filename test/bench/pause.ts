/** The pause: how long the fleet stands still, beside a loop of ssh commands as one would write it by hand. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Fleet } from '../lab/support/fleet';
import { local } from '../lab/support/product';
import { type BenchOptions, type Figure, ratios, row } from './support/figures';
import { APPS, CONTAINERS, GROUP, PLACE, raiseFour } from './support/four';

const LONGEST_MS = 1_000;
const RATIO = 1.3;

export async function benchPause({ rounds, say }: BenchOptions): Promise<Figure> {
  const stand = await raiseFour('bench-pause');
  const ours: number[] = [];
  const byHand: number[] = [];
  const loop = new HandLoop(stand.product.fleet);
  try {
    for (let round = 1; round <= rounds; round += 1) {
      const both = [
        async () => ours.push((await stand.backup(GROUP)).pauseMs),
        () => Promise.resolve(byHand.push(loop.run())),
      ];
      if (round % 2 === 0) both.reverse();
      for (const each of both) await each();
      say(`pause round ${round}: resurgo ${String(ours.at(-1))} ms, by hand ${String(byHand.at(-1))} ms`);
    }
  } finally {
    loop.end();
    await stand.down();
  }
  return {
    title: 'Pause window',
    how: `${APPS.length} hosts with ${CONTAINERS} writing containers each. By hand: one warm ssh connection a host (ControlMaster), \`docker pause\` on all hosts at once, then a btrfs snapshot on all, then \`docker unpause\`; no dead-man, no flush, no look at what happened. From before the first pause to after the last unpause.`,
    rows: [
      row({ what: 'resurgo', unit: 'ms', samples: ours, goal: LONGEST_MS }),
      row({ what: 'by hand', unit: 'ms', samples: byHand }),
      row({ what: 'resurgo / by hand', unit: '×', samples: ratios(ours, byHand), goal: RATIO }),
    ],
  };
}

/** Runs on the director's machine, as root of the hosts. */
class HandLoop {
  private readonly folder = mkdtempSync(path.join(tmpdir(), 'bench-hand-'));
  private readonly ssh: string;
  private readonly addresses: string;

  constructor(fleet: Fleet) {
    this.ssh = `ssh -F /dev/null -i ${fleet.adminKey} -o UserKnownHostsFile=${fleet.knownHosts} -o StrictHostKeyChecking=yes -o BatchMode=yes -o ControlPath=${this.folder}/%h -l root`;
    this.addresses = APPS.map((app) => fleet.host(app).address).join(' ');
    // With its output shut: a master that goes on holds what it was started with.
    this.shell(`for h in ${this.addresses}; do ${this.ssh} -M -N -f $h >/dev/null 2>&1 </dev/null; done`);
  }

  /** One instant by hand. @returns how long everything stood still, ms */
  run(): number {
    const everywhere = (command: string): string =>
      `for h in ${this.addresses}; do ${this.ssh} $h '${command}' >/dev/null & done; wait`;
    const took = this.shell(
      [
        'began=$(date +%s%N)',
        everywhere('docker pause $(docker ps -q)'),
        everywhere(`btrfs subvolume snapshot -r ${PLACE} ${PLACE}-by-hand`),
        everywhere('docker unpause $(docker ps -q)'),
        'ended=$(date +%s%N)',
        everywhere(`btrfs subvolume delete ${PLACE}-by-hand`),
        'echo $(((ended - began) / 1000000))',
      ].join('\n'),
    );
    return Number(took);
  }

  end(): void {
    this.shell(`for h in ${this.addresses}; do ${this.ssh} -O exit $h >/dev/null 2>&1 || :; done`);
    rmSync(this.folder, { recursive: true, force: true });
  }

  private shell(script: string): string {
    return local('/bin/sh', ['-c', script]);
  }
}
