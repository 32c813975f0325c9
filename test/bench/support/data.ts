/** The data set: many small files and one large, of random bytes, and the same with one percent changed. */
import type { Fleet } from '../../lab/support/fleet';
import type { BenchOptions } from './figures';

export interface DataSize {
  /** Folders of a hundred files of 4 KiB each. */
  folders: number;
  bigMib: number;
}

export const DATA: Record<BenchOptions['size'], DataSize> = {
  full: { folders: 500, bigMib: 1024 },
  small: { folders: 50, bigMib: 100 },
};

/** A part of it, for figures that do not hang on how much there is. */
export function partOf({ folders, bigMib }: DataSize, share: number): DataSize {
  return { folders: Math.round(folders * share), bigMib: Math.round(bigMib * share) };
}

/** How the data set is called in a table. */
export function describeData({ folders, bigMib }: DataSize): string {
  return `${folders * 100} files of 4 KiB and one of ${bigMib} MiB`;
}

/** Makes it in a btrfs subvolume. */
export async function makeData(fleet: Fleet, host: string, place: string, size: DataSize): Promise<void> {
  await fleet.exec(
    host,
    `btrfs subvolume create ${place} >/dev/null && cd ${place} && for d in $(seq -w 1 ${size.folders}); do mkdir $d && head -c 409600 /dev/urandom | split -b 4096 -a 2 -d - $d/file-; done && head -c ${size.bigMib}M /dev/urandom >big && sync -f .`,
    { timeoutMs: 180_000 },
  );
}

/** Changes one percent: one file in each folder, and one percent of the large one, in blocks of 1 MiB that lie apart. */
export async function changeData(options: {
  fleet: Fleet;
  host: string;
  place: string;
  size: DataSize;
  round: number;
}): Promise<void> {
  const { fleet, host, place, size, round } = options;
  const file = `file-${String(round % 100).padStart(2, '0')}`;
  await fleet.exec(
    host,
    `cd ${place} && for d in */; do head -c 4096 /dev/urandom >"$d"${file}; done && for i in $(seq ${round % 100} 100 ${size.bigMib - 1}); do dd if=/dev/urandom of=big bs=1M count=1 seek=$i conv=notrunc status=none; done && sync -f .`,
    { timeoutMs: 60_000 },
  );
}
