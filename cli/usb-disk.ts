/**
 * The disk that rescue media are written to, as this machine knows it now: what it is, what is on it, and why it may not be written. It is
 * known by its serial number and size, never by its name, which another disk may have a moment later.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { z } from 'zod';
import { CliError, EXIT } from './exit';
import { bytes, printable, table } from './output';

const text = z
  .string()
  .nullish()
  .transform((value) => value?.trim() ?? '');
const flag = z.union([z.boolean(), z.enum(['0', '1']).transform((value) => value === '1')]);

/** What lies on a disk: a partition, or something in use on it; each may hold more. */
interface Part {
  name: string;
  type: string;
  size: number;
  fstype: string;
  label: string;
  /** One of them, where it is mounted at several. */
  mountpoint: string;
  children: Part[];
}

const shape = {
  name: z.string(),
  type: z.string(),
  size: z.coerce.number(),
  fstype: text,
  label: text,
  mountpoint: text,
};
const part: z.ZodType<Part> = z.lazy(() => z.object({ ...shape, children: z.array(part).default([]) }));
const disk = z.object({
  ...shape,
  children: z.array(part).default([]),
  serial: text,
  model: text,
  vendor: text,
  tran: text,
  rm: flag,
  hotplug: flag,
  ro: flag,
});
const listing = z.object({ blockdevices: z.array(disk) });

/** A whole disk. */
export type UsbDisk = z.output<typeof disk> & { device: string };

/** Of those that every lsblk knows: MOUNTPOINTS came with util-linux 2.37. */
export const COLUMNS = 'NAME,TYPE,SIZE,FSTYPE,LABEL,MOUNTPOINT,SERIAL,MODEL,VENDOR,TRAN,RM,HOTPLUG,RO';

/** The programs of this machine that are asked; tests put their own answers in their place. */
export const tools = {
  lsblk: async (device: string): Promise<string> =>
    (await promisify(execFile)('lsblk', ['--json', '--bytes', '--paths', '-o', COLUMNS, device])).stdout,
  /** Has the kernel forget what it holds of a disk in memory, so that what is read comes from the disk. */
  forget: async (device: string): Promise<void> => {
    await promisify(execFile)('blockdev', ['--flushbufs', device]);
  },
};

/** Looks at a disk. @throws CliError for what is no whole disk */
export async function lookAtDisk(device: string): Promise<UsbDisk> {
  if (!/^\/dev\/[A-Za-z0-9/_.:+-]+$/.test(device))
    throw new CliError(`"${printable(device)}" is no device such as /dev/sdb`, EXIT.usage);
  let said: string;
  try {
    said = await tools.lsblk(device);
  } catch (error) {
    throw new CliError(
      `${device} can't be looked at: ${error instanceof Error ? error.message.trim() : String(error)}`,
    );
  }
  const [found] = listing.parse(JSON.parse(said)).blockdevices;
  if (found?.type !== 'disk')
    throw new CliError(
      `${device} is no whole disk${found === undefined ? '' : ` but a ${found.type}`}: media are written to a whole one`,
      EXIT.usage,
    );
  return { ...found, device: found.name };
}

/** Why a disk may not be written; what `allowFixed` lets pass is left out. */
export function refusals(disk: UsbDisk, { allowFixed = false }: { allowFixed?: boolean } = {}): string[] {
  const held = partsOf(disk).flatMap(({ name, mountpoint: at }) => (at === '' ? [] : [`${name} is mounted at ${at}`]));
  const used = partsOf(disk).filter((each) => !['disk', 'part', 'rom'].includes(each.type));
  return [
    ...held,
    ...used.map((each) => `${each.name} (${each.type}) is in use on it`),
    ...(disk.ro ? ['it is read-only'] : []),
    ...(disk.size === 0 ? ['it has no medium in it'] : []),
    ...(disk.serial === '' ? ['it tells no serial number, so nobody can be sure that it is the one'] : []),
    ...(allowFixed || disk.rm || disk.tran === 'usb'
      ? []
      : ['it is neither removable nor on USB (--yes-fixed-disk lets that pass)']),
  ];
}

function partsOf(part: Part): Part[] {
  return [part, ...part.children.flatMap(partsOf)];
}

/** The disk and what is on it, for a person to recognise. */
export function diskText(disk: UsbDisk): string {
  const { device, size, vendor, model, serial, tran, rm } = disk;
  const kind = [tran === '' ? undefined : tran, rm ? 'removable' : 'fixed'].filter((each) => each !== undefined);
  const contents = partsOf(disk)
    .filter((each) => each.type !== 'disk' || each.fstype !== '')
    .map((each) => [each.name, bytes(each.size), each.fstype || 'no file system known', each.label, each.mountpoint]);
  return [
    `${device}: ${[vendor, model].filter((each) => each !== '').join(' ') || 'unknown model'}, ${bytes(size)}, serial ${serial === '' ? 'none' : serial}, ${kind.join(', ')}`,
    contents.length === 0 ? '  nothing known is on it' : table(contents.map((cells) => ['', ...cells])),
  ]
    .flatMap((line) => line.split('\n').map(printable))
    .join('\n');
}

/** Whether it is the very same disk. */
export function isSameDisk(before: UsbDisk, now: UsbDisk): boolean {
  return before.serial === now.serial && before.size === now.size && before.model === now.model;
}
