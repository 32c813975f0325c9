/** What sizing knows while it goes up from the disks. */
import type { Luks, MdArray, Partition, Table, VolumeGroup } from './layout-storage';
import type { Graph, Storage } from './recover-graph';
import type { FoundDisk, RecoveryPolicy } from './recover-machine';
import type { Needs } from './recover-needs';
import { diskInWords, printable } from './recover-words';

export interface SizeInput {
  graph: Graph;
  /** By the layout disk's id: all of them. */
  chosen: ReadonlyMap<string, FoundDisk>;
  policy: Pick<RecoveryPolicy, 'grow' | 'headroomPercent'>;
}

export interface SizeContext extends SizeInput {
  warnings: string[];
  blockers: string[];
  needs: Needs;
  sectorOf: (id: string) => number;
  /** New sizes, of what has been placed. */
  bytes: Map<string, number>;
  tables: Table[];
  partitions: Map<string, Partition>;
  arrays: Map<string, MdArray>;
  luks: Map<string, Luks>;
  groups: Map<string, VolumeGroup>;
  volumes: Map<string, Storage['volumes'][number]>;
}

/** What makes a device as large as it must be. */
export function figures({ needs }: SizeContext, id: string): string {
  return needs.figures(id).join('; ');
}

/** A device by the disk that it is, where it is one. */
export function where({ chosen }: SizeContext, id: string): string {
  const disk = chosen.get(id);
  return printable(disk === undefined ? id : diskInWords(disk));
}
