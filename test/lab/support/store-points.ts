/**
 * Places inside the store's own jobs where a test can hold a target's installed hostkit and kill it: the middle of a roll back, just
 * before a backup is published, and just after, before its job has said so.
 */
import type { StoreKind } from '../../../runbooks/types';
import type { Fleet } from './fleet';
import { eventually } from './product';

const FOLDER = '/var/lib/resurgo-lab';
const LIB = '/usr/local/lib/resurgo';

export const POINTS = ['rolling-back', 'publishing', 'published'] as const;
export type StorePoint = (typeof POINTS)[number];

const HOLD = `
lab_hold() {
  [ -e "${FOLDER}/hold.$1" ] || return 0
  printf '%s\\n' "$$" >"${FOLDER}/reached.$1"
  while [ -e "${FOLDER}/hold.$1" ]; do sleep 0.05; done
}
`;

/** Of each kind the line before which it is in the middle of it. */
const MIDDLE: Record<StoreKind, { rolling: string; publishing: string }> = {
  // The tree is built and checked, and has no name yet.
  hardlink: { rolling: '  rsync -aHAXS .*backups/.1/" "', publishing: '  mv -T -- "$kind_new"' },
  // The old current is gone, the new one is not there.
  btrfs: { rolling: '    btrfs subvolume snapshot "$store_root/backups', publishing: '  btrfs subvolume snapshot -r ' },
  zfs: { rolling: '    kind_zfs rollback ', publishing: '  kind_zfs snapshot ' },
};

export class StorePoints {
  constructor(private readonly fleet: Fleet) {}

  /** Puts the points into what is installed on the target. @throws when a line is not where it was */
  async install(): Promise<void> {
    const put = (file: string, line: string, point: StorePoint, where: 'i' | 'a' = 'i') =>
      `sed -i '\\|^${line.replaceAll('$', '.')}|${where}lab_hold ${point}' ${LIB}/${file} && [ "$(grep -c 'lab_hold ${point}$' ${LIB}/${file})" = 1 ]`;
    const edits = Object.entries(MIDDLE).flatMap(([kind, { rolling, publishing }]) => [
      put(`stores/${kind}.sh`, rolling, 'rolling-back'),
      put(`stores/${kind}.sh`, publishing, 'publishing'),
    ]);
    edits.push(put('jobs/store-seal.sh', 'seal_after() {', 'published', 'a'));
    await this.fleet.exec('target', `set -e; mkdir -p ${FOLDER}; cat >>${LIB}/lib/base.sh; ${edits.join('; ')}`, {
      input: HOLD,
    });
  }

  /** From now on whoever comes there waits. */
  async hold(points: readonly StorePoint[]): Promise<void> {
    const files = points.map((point) => `${FOLDER}/hold.${point}`).join(' ');
    await this.fleet.exec('target', `rm -f ${FOLDER}/reached.*; : | tee ${files}`);
  }

  async reached(point: StorePoint): Promise<void> {
    await eventually(
      `the target comes to ${point}`,
      async () => (await this.fleet.exec('target', `test -s ${FOLDER}/reached.${point}`, { mayFail: true })).code === 0,
      60_000,
    );
  }

  /** SIGKILL to the whole job that waits there; the next one to come passes. */
  async kill(point: StorePoint): Promise<void> {
    await this.fleet.exec('target', `env kill -KILL -- -$(cat ${FOLDER}/reached.${point}); rm -f ${FOLDER}/*.${point}`);
  }

  /** Pulls the target's plug while its job waits there, and switches it on again. */
  async powerCut(point: StorePoint): Promise<void> {
    await this.fleet.killHost('target');
    await this.fleet.bootHost('target');
    await this.fleet.exec('target', `rm -f ${FOLDER}/*.${point}`);
  }
}
