/**
 * Names of devices in configuration files. What is known by UUID, label, PARTUUID or volume name comes back under it, so it stays. A name that
 * says which disk it was, or at which connector (`/dev/sda2`, `/dev/disk/by-id/…`), may mean another one after a recovery: it is written
 * as the UUID of what lies there.
 */
import type { Layout } from './layout-schema';

/** A name of a device, and what to write in its place. */
export interface NewName {
  from: string;
  to: string;
}

/** Why a name can't be translated, as a sentence. */
export type Untold = { problem: string };

const STABLE = /^(?:(?:UUID|LABEL|PARTUUID|PARTLABEL)=|\/dev\/disk\/by-(?:uuid|label|partuuid|partlabel)\/)/;

/**
 * What a configuration file should say in the place of `name`; the same where it may stay.
 * @returns a problem where it names a device of the old machine that has nothing to be known by
 */
export function translateDevice({ name, layout }: { name: string; layout: Layout }): string | Untold {
  if (STABLE.test(name) || !name.startsWith('/dev/')) return name;
  const id = deviceOf({ name, layout });
  // Not one of the layout's: `/dev/cdrom`, `/dev/nbd0`. It is none of ours to change.
  if (id === undefined) return name;
  if (id.startsWith('lv:') || id.startsWith('luks:')) return name;
  if (id.startsWith('md:') && name.startsWith('/dev/md/')) return name;
  const uuid = uuidOn({ id, layout });
  if (uuid !== undefined) return `UUID=${uuid}`;
  const partition = layout.partitions.find((each) => each.id === id);
  if (typeof partition?.uuid === 'string') return `PARTUUID=${partition.uuid}`;
  return { problem: `${name} names ${id.slice(id.indexOf(':') + 1)}, on which nothing has a UUID` };
}

/** The device that a path below `/dev` meant on the old machine. */
export function deviceOf({ name, layout }: { name: string; layout: Layout }): string | undefined {
  const short = name.slice('/dev/'.length);
  const volume = layout.volumes.find(
    ({ group, name: each }) => short === `${group}/${each}` || short === `mapper/${mapped(group)}-${mapped(each)}`,
  );
  if (volume !== undefined) return volume.id;
  const crypt = layout.luks.find((each) => each.name !== null && short === `mapper/${each.name}`);
  if (crypt !== undefined) return crypt.id;
  const array = layout.arrays.find(
    (each) => short === each.device || (each.name !== null && short === `md/${each.name.replace(/^.*:/, '')}`),
  );
  if (array !== undefined) return array.id;
  const [disk, number] = diskOf({ short, layout });
  if (disk === undefined) return undefined;
  if (number === undefined) return disk;
  return layout.partitions.find((each) => each.on === disk && each.number === number)?.id;
}

/** Device mapper's own way to write a name: every dash twice. */
function mapped(name: string): string {
  return name.replaceAll('-', '--');
}

/** `sda2`, `nvme0n1p2`, `disk/by-id/ata-X-part2` → the disk's id and the partition's number, if it names one. */
function diskOf({ short, layout }: { short: string; layout: Layout }): [string | undefined, number | undefined] {
  for (const disk of layout.disks) {
    if (short === disk.name) return [disk.id, undefined];
    const number = new RegExp(`^${escaped(disk.name)}${/\d$/.test(disk.name) ? 'p' : ''}(\\d+)$`).exec(short)?.[1];
    if (number !== undefined) return [disk.id, Number(number)];
    for (const link of disk.byId) {
      if (short === `disk/by-id/${link}`) return [disk.id, undefined];
      const part = new RegExp(`^disk/by-id/${escaped(link)}-part(\\d+)$`).exec(short)?.[1];
      if (part !== undefined) return [disk.id, Number(part)];
    }
  }
  return [undefined, undefined];
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/** The UUID of what lies on a device: a file system, swap, an encrypted volume. */
function uuidOn({ id, layout }: { id: string; layout: Layout }): string | undefined {
  const fileSystem = layout.fileSystems.find(
    ({ on, make }) => on === id || (make.type === 'btrfs' && make.members.some((member) => member.on === id)),
  );
  return (
    fileSystem?.uuid ??
    layout.swaps.find(({ on }) => on === id)?.uuid ??
    layout.luks.find(({ on }) => on === id)?.uuid ??
    undefined
  );
}
