/** `resurgo rescue write-usb`: one build's image onto a stick of this machine: shown, agreed to by its serial number, written, read back. */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdtemp, open, rm, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from '@commander-js/extra-typings';
import { hasCode } from '../../hosts/files';
import type { RescueFileEntry } from '../../planning/rescue-media';
import { prepareState } from '../../workers/paths';
import { ask } from '../ask';
import { run } from '../context';
import type { CliContext } from '../context';
import { CliError, EXIT } from '../exit';
import { LiveLines } from '../live-lines';
import { bytes } from '../output';
import { buildOf, notePinned } from '../rescue-media';
import { diskText, isSameDisk, lookAtDisk, refusals, tools, type UsbDisk } from '../usb-disk';
import { chosen, fetchShown, SECRET } from './rescue-fetch';

const CHUNK = 4 * 1024 * 1024;

interface Options {
  group?: string;
  device: string;
  serial?: string;
  yesFixedDisk?: true;
}

export function registerRescueUsb(rescue: Command): void {
  rescue
    .command('write-usb')
    .argument('<host>', 'a host of the runbook')
    .argument('[id]', 'a build, as `rescue list` shows it, or `latest`', 'latest')
    .requiredOption('--device <disk>', 'the stick: a whole disk of this machine, such as /dev/sdb')
    .option('--serial <serial>', 'its serial number, agreed to beforehand: no question is asked')
    .option('--yes-fixed-disk', 'write to a disk that is neither removable nor on USB')
    .option('--group <group>', 'the protection group whose store keeps them')
    .description('write rescue media to a USB stick; all that is on it is lost')
    .addHelpText(
      'after',
      '\nShows the disk and what is on it, and asks for its serial number. What is mounted or in use is refused. Needs the right to\nwrite to the disk (root).\n\nExample:\n  $ sudo resurgo rescue write-usb web-1 --device /dev/sdb',
    )
    .action((host, id, options, command) =>
      run(command, (context) => writeUsb(context, { name: host, id, ...options })),
    );
}

async function writeUsb(context: CliContext, asked: Options & { name: string; id: string }): Promise<number> {
  const { out, stateDir } = context;
  const disk = await lookAtDisk(asked.device);
  out.say(diskText(disk));
  refuse(disk, asked);
  const media = await buildOf(context, asked);
  await notePinned(context, media);
  const { build } = media;
  const [file] = chosen({ build, output: 'usb' });
  if (file === undefined) throw new CliError(`rescue media ${build.id} of ${build.hostName} have no image for a stick`);
  if (file.bytes > disk.size)
    throw new CliError(
      `the image takes ${bytes(file.bytes)}, and ${disk.device} has ${bytes(disk.size)}: nothing was written`,
    );
  await agreedTo(context, { disk, asked });
  prepareState(stateDir);
  // Fetched whole and compared before a byte of the stick is touched.
  const folder = await mkdtemp(join(stateDir, 'rescue-usb-'));
  try {
    const image = join(folder, file.name);
    await fetchShown(context, { media, build, file, to: image });
    await written({ context, image, file, disk, asked });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  out.result({
    json: {
      host: build.hostName,
      id: build.id,
      device: disk.device,
      serial: disk.serial,
      bytes: file.bytes,
      secret: file.pinned,
    },
    text: [
      `${disk.device} (serial ${disk.serial}) holds rescue media ${build.id} of ${build.hostName}, read back and compared`,
      ...(file.pinned ? [SECRET] : []),
    ].join('\n'),
  });
  return EXIT.ok;
}

function refuse(disk: UsbDisk, { yesFixedDisk }: Options): void {
  const why = refusals(disk, { allowFixed: yesFixedDisk === true });
  if (why.length > 0)
    throw new CliError(`${disk.device} is not written to: ${why.join('; ')}. Nothing was changed`, EXIT.usage);
}

/** Only its serial number lets it go on. @throws CliError */
async function agreedTo({ out }: CliContext, { disk, asked }: { disk: UsbDisk; asked: Options }): Promise<void> {
  const other = (typed: string) =>
    new CliError(`"${typed}" is not the serial number of ${disk.device}: nothing was written`, EXIT.usage);
  if (asked.serial !== undefined) {
    if (asked.serial === disk.serial) return;
    throw other(asked.serial);
  }
  if (!process.stdin.isTTY || out.json)
    throw new CliError(
      'nothing was written: there is nobody to ask here. Look at the disk, then give its --serial',
      EXIT.usage,
    );
  const question = `All that is on ${disk.device} is lost. Type its serial number to go on, anything else to leave it: `;
  const typed = await ask({ question, left: 'nothing was written' });
  if (typed !== disk.serial) throw other(typed);
}

/** Writes the image and reads it back, past the memory that holds what was written. */
async function written(to: {
  context: CliContext;
  image: string;
  file: RescueFileEntry;
  disk: UsbDisk;
  asked: Options;
}): Promise<void> {
  const { context, image, file, disk, asked } = to;
  const { device } = disk;
  const lines = new LiveLines(context.out);
  const show = (what: string) => (done: number) => {
    lines.show([`${what}  ${device}  ${bytes(done)} of ${bytes(file.bytes)}`]);
  };
  const from = await open(image, 'r');
  try {
    await opened({ device, flags: constants.O_WRONLY }, async (stick) => {
      // Looked at again while it is held: what has that name now is what is written.
      await sameDisk({ stick, disk, asked });
      const each = (chunk: Buffer, at: number) => stick.write(chunk, 0, chunk.length, at);
      await pumped({ from, bytes: file.bytes, each, show: show('writing') });
      await stick.sync();
    });
    await tools.forget(device);
    const sum = createHash('sha256');
    await opened({ device, flags: constants.O_RDONLY }, (stick) => {
      const each = (chunk: Buffer) => Promise.resolve(sum.update(chunk));
      return pumped({ from: stick, bytes: file.bytes, each, show: show('reading back') });
    });
    if (sum.digest('hex') !== file.sha256)
      throw new CliError(`${device} gives back other bytes than were written: the stick is broken. Take another one`);
  } finally {
    await from.close();
    lines.end();
  }
}

/** Exclusively: the kernel refuses while something on it is mounted or in use. */
async function opened(
  at: { device: string; flags: number },
  body: (stick: FileHandle) => Promise<void>,
): Promise<void> {
  let stick: FileHandle;
  try {
    stick = await open(at.device, at.flags | constants.O_EXCL);
  } catch (error) {
    const why = hasCode(error, 'EBUSY') ? 'it is in use' : hasCode(error, 'EACCES') ? 'this needs root' : String(error);
    throw new CliError(`${at.device} can't be opened: ${why}`);
  }
  try {
    await body(stick);
  } finally {
    await stick.close();
  }
}

/** @throws CliError unless what is held is a disk, under that name, and the one that was agreed to */
async function sameDisk({ stick, disk, asked }: { stick: FileHandle; disk: UsbDisk; asked: Options }): Promise<void> {
  const again = await lookAtDisk(asked.device);
  const [held, named] = await Promise.all([stick.stat(), stat(asked.device)]);
  if (!held.isBlockDevice() || held.rdev !== named.rdev || !isSameDisk(disk, again))
    throw new CliError(`${asked.device} is another disk now, serial ${again.serial || 'none'}: nothing was written`);
  refuse(again, asked);
}

async function pumped(how: {
  from: FileHandle;
  bytes: number;
  each: (chunk: Buffer, at: number) => Promise<unknown>;
  show: (done: number) => void;
}): Promise<void> {
  const buffer = Buffer.alloc(CHUNK);
  for (let at = 0; at < how.bytes;) {
    const { bytesRead } = await how.from.read(buffer, 0, Math.min(CHUNK, how.bytes - at), at);
    if (bytesRead === 0) throw new CliError('it ended before all of it was read');
    await how.each(buffer.subarray(0, bytesRead), at);
    at += bytesRead;
    how.show(at);
  }
}
