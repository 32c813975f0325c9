/**
 * Disks that stay as they are beside the new ones. A file system, array or volume of the same UUID there is as good as the new one to whoever looks
 * for it: the new system might come up with the old data, or the old system itself, and pass for recovered.
 */
import { unique } from './recover-graph';
import type { Storage } from './recover-graph';
import { isSameDisk } from './recover-identity';
import type { FoundDisk } from './recover-machine';
import { diskInWords, list, printable } from './recover-words';

const NEXT =
  'Detach it, wipe it in the rescue system (`wipefs --all --force` on each of its partitions, then on itself), or have it overwritten';

/** What of it forbids the plan, and what is to be known. */
export function leftChecks({
  storage,
  own,
  found,
  taken,
}: {
  /** What is made. */
  storage: Storage;
  /** Disks of the layout that get another in their place, or none. */
  own: Storage['disks'];
  found: readonly FoundDisk[];
  taken: readonly FoundDisk[];
}): { warnings: string[]; blockers: string[] } {
  const made = madeAgain(storage);
  const warnings: string[] = [];
  const blockers: string[] = [];
  for (const disk of found.filter((each) => !taken.includes(each) && each.contents.length > 0)) {
    const shown = (disk.uuids ?? []).map(plain);
    const same = made.filter(({ uuid }) => shown.includes(uuid));
    const serious = unique(same.flatMap(({ what, isSerious }) => (isSerious ? [what] : [])));
    const name = diskInWords(disk);
    if (serious.length > 0) {
      blockers.push(
        printable(
          `${name} is left as it is, and holds under the same UUID what is made again elsewhere: ${list(serious)}. With both attached the new system may come up with the old data. ${NEXT} (--pin)`,
        ),
      );
    } else if (same.length > 0) {
      warnings.push(
        printable(
          `${name} is left as it is, and holds under the same UUID: ${list(unique(same.map(({ what }) => what)))}. ${NEXT}`,
        ),
      );
    } else if (disk.inUse.length === 0 && own.some((each) => isSameDisk(each, disk))) {
      warnings.push(
        printable(
          `${name} is this host's own and is left as it is: the firmware may boot what lies there. ${NEXT} (--pin)`,
        ),
      );
    }
  }
  return { warnings, blockers };
}

interface Made {
  uuid: string;
  what: string;
  isSerious: boolean;
}

function madeAgain(storage: Storage): Made[] {
  const { mounts } = storage;
  const serious = (uuid: string, what: string) => ({ uuid: plain(uuid), what, isSerious: true });
  return [
    ...storage.fileSystems
      .filter(({ make }) => make.type !== 'other')
      .map(({ id, uuid, make }) => {
        const path = mounts.find((each) => each.fileSystem === id)?.path;
        return serious(uuid, `the ${make.type}${path === undefined ? '' : ` of ${path}`}`);
      }),
    ...storage.arrays.map(({ uuid, name, device }) => serious(uuid, `array ${name ?? device}`)),
    ...storage.luks.map(({ uuid, name }) => serious(uuid, `encrypted volume ${name ?? uuid}`)),
    ...storage.volumeGroups.flatMap(({ name, physical }) =>
      physical.map(({ uuid }) => serious(uuid, `a physical volume of group ${name}`)),
    ),
    // A pool gets another guid; two of one name can't both be imported.
    ...storage.pools.map(({ guid, name }) => serious(guid, `pool ${name}`)),
    ...storage.swaps.flatMap(({ uuid }) =>
      uuid === null ? [] : [{ uuid: plain(uuid), what: 'swap', isSerious: false }],
    ),
    // Nothing but zeros is no identity.
  ].filter(({ uuid }) => !/^0*$/.test(uuid));
}

/** mdadm writes colons where blkid writes dashes. */
function plain(uuid: string): string {
  return uuid.replace(/[^0-9a-z]/gi, '').toLowerCase();
}
