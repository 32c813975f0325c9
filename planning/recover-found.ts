/** The machine that a recovery goes to, of what its rescue system's verb `layout` told. Not for workflow code (zod). */
import { PlanningError } from './errors';
import { Devices, type Device } from './layout-devices';
import { readDisks } from './layout-disks';
import { Reading, unescaped, type Facts } from './layout-facts';
import { kernelWords, type KernelWord } from './layout-identity';
import { readMounted } from './layout-mounts';
import { readNetwork } from './layout-net';
import { readSystem } from './layout-system';
import { contentsOf } from './recover-contents';
import { diskFacts, type FoundDisk, type FoundMachine, type FoundTools } from './recover-machine';

/** Without these it is not known which disks there are, or which of them are in use or hold what must not be written over. */
const NEEDED = ['lsblk', 'slaves', 'mounts', 'swaps', 'media'];
const NEXT =
  'Look at the rescue system’s own console and log, and ask again; where its media are of an older Resurgo, build them again (`resurgo rescue build`)';

/**
 * What the rescue system found: every disk, what lies on it, and why it may not be written to.
 * @throws PlanningError where the facts don't say which disks there are or which of them are in use
 */
export function foundMachine({ facts }: { facts: Facts }): FoundMachine {
  const reading = new Reading(facts);
  for (const name of NEEDED) {
    const fact = reading.fact(name);
    const problem = fact?.cut === true ? `${name} was cut off` : reading.problem(name);
    // A kernel without swap has no such file.
    if (problem === undefined || (name === 'swaps' && fact?.exit === 1)) continue;
    const message = `what disks this machine has and which of them are in use is not known: ${problem}`;
    throw new PlanningError({ code: 'not-found', message, next: NEXT });
  }
  const devices = new Devices(reading);
  const { disks } = readDisks({ reading, devices });
  const unclear = reading.found.find(({ what }) => what === 'the disks');
  if (unclear !== undefined)
    throw new PlanningError({
      code: 'not-found',
      message: `the disks of this machine are not known: ${unclear.why}`,
      next: NEXT,
    });
  const uses = usesOf({ reading, devices });
  const words = kernelWords(reading);
  // It may hold a store of backups.
  const closed = new Set(mediaOf(reading).flatMap(([name, what]) => (what === 'unknown' ? [name] : [])));
  return {
    firmware: reading.fact('efi')?.exit === 0 ? 'uefi' : 'bios',
    memoryBytes: readSystem(reading).memoryBytes,
    disks: disks.map((disk): FoundDisk => {
      const own = devices.all.filter((each) => devices.downFrom(each).some(({ id }) => id === disk.id));
      // A step of the recovery knows a disk by the kernel's words alone: a serial that only udev tells would find it nowhere.
      const said = words === undefined ? {} : identityOf(words.get(disk.name));
      const contents = own.flatMap((device) => [
        ...contentsOf({ reading, device, isDisk: device.id === disk.id }),
        ...(closed.has(device.row.kname)
          ? [{ words: `nobody could look into ${device.row.kname}`, isUnknown: true }]
          : []),
      ]);
      return {
        ...diskFacts({ ...disk, ...said, bytes: disk.bytes }),
        contents: contents.map(({ words }) => words),
        uuids: [...new Set(own.flatMap(({ probed }) => probed.get('ID_FS_UUID') ?? []))],
        ...(contents.some(({ isUnknown }) => isUnknown) ? { isUnknown: true } : {}),
        inUse: [...new Set(own.flatMap((device) => usesOfOne({ device, uses, isDisk: device.id === disk.id })))],
      };
    }),
    interfaces: readNetwork(reading)
      .interfaces.filter(({ kind }) => kind === 'ethernet')
      .map(({ name, mac, permanentMac }) => ({ name, mac: permanentMac ?? mac })),
    tools: toolsOf(reading),
    builtFor: reading.word('built-for'),
  };
}

function identityOf(said: KernelWord | undefined): Pick<FoundDisk, 'serial' | 'wwn'> {
  const { serial = null, wwn = null, thisBoot = null } = said ?? {};
  return { serial: serial ?? (wwn === null ? thisBoot : null), wwn };
}

function toolsOf(reading: Reading): FoundTools | null {
  if (['tools', 'kernel-modules'].some((name) => reading.problem(name) !== undefined)) return null;
  const programs = reading.lines('tools').flatMap((line) => {
    const [name = '', at = '-'] = line.split(' ');
    return at === '-' ? [] : [name];
  });
  const xfs = reading.lines('xfs-words');
  return {
    programs: new Set(programs),
    modules: new Set(reading.lines('kernel-modules')),
    xfs: xfs.length === 0 ? null : new Set(xfs),
  };
}

/** Why a device is not to be touched, by its id. */
type Uses = ReadonlyMap<string, string[]>;

function usesOf({ reading, devices }: { reading: Reading; devices: Devices }): Uses {
  const uses = new Map<string, string[]>();
  const note = (device: Device | undefined, why: string) => {
    if (device !== undefined) uses.set(device.id, [...(uses.get(device.id) ?? []), why]);
  };
  for (const { device, path, type } of readMounted({ reading, devices })) {
    // A btrfs is mounted on all its devices, and names one.
    const uuid = type === 'btrfs' ? device?.probed.get('ID_FS_UUID') : undefined;
    for (const each of devices.all)
      if (each === device || (uuid !== undefined && each.probed.get('ID_FS_UUID') === uuid))
        note(each, `${each.row.kname} is mounted at ${path}`);
  }
  for (const line of reading.lines('swaps').slice(1)) {
    const device = devices.find(unescaped(line.trim().split(/\s+/)[0] ?? ''));
    note(device, `${device?.row.kname ?? ''} is in use as swap`);
  }
  for (const [, path = ''] of reading.text('zpool-status').matchAll(/^\t\s*(\/dev\/\S+)/gm))
    note(devices.find(path), `${path} is part of an imported ZFS pool`);
  for (const [name, what] of mediaOf(reading)) {
    const why = MEDIA[what];
    if (why !== undefined) note(devices.get(name), why);
  }
  for (const device of devices.all) {
    const { probed } = device;
    if (probed.get('ID_FS_TYPE') === 'iso9660' && /^RESURGO/.test(probed.get('ID_FS_LABEL') ?? ''))
      note(device, MEDIA['rescue'] ?? '');
  }
  return uses;
}

const MEDIA: Readonly<Record<string, string>> = {
  rescue: 'it holds the rescue system',
  store: 'it holds a store of backups',
};

/** `KNAME rescue|store|unknown` of each file system that was looked into. */
function mediaOf(reading: Reading): (readonly [string, string])[] {
  return reading.lines('media').map((line) => {
    const [name = '', what = ''] = line.split(' ');
    return [name, what] as const;
  });
}

/** A device that is made of the disk: what uses it uses the disk, and what is running on top holds it. */
function usesOfOne({ device, uses, isDisk }: { device: Device; uses: Uses; isDisk: boolean }): string[] {
  const own = uses.get(device.id) ?? [];
  if (isDisk || device.kind === 'part') return own;
  return [...own, `it is held by ${device.dm?.name ?? device.row.kname}`];
}
