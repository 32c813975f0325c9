/**
 * What a disk is known by: serial and WWN. Names say nothing, they are given anew at each boot. One that tells neither, as many of virtual
 * machines, has the kernel's number of it in this boot in the place of a serial number.
 */
import type { Disk } from './layout-storage';
import type { FoundDisk } from './recover-machine';

type Shown = Pick<Disk, 'serial' | 'wwn' | 'bytes'>;

/** The disk's identities in a form that can be compared. Placeholders of nothing but zeros are none. */
function identities({ serial, wwn }: Shown): string[] {
  const [ofSerial, ofWwn] = [plain(serial), plainWwn(wwn)];
  return [...(ofSerial === null ? [] : [`serial ${ofSerial}`]), ...(ofWwn === null ? [] : [`wwn ${ofWwn}`])];
}

/** The very disk of the layout: by serial or WWN, neither of which may say otherwise. */
export function isSameDisk(disk: Disk, found: FoundDisk): boolean {
  const serials = [plain(disk.serial), plain(found.serial)] as const;
  const wwns = [plainWwn(disk.wwn), plainWwn(found.wwn)] as const;
  const agree = ([a, b]: readonly [string | null, string | null]): boolean => a !== null && a === b;
  const differ = ([a, b]: readonly [string | null, string | null]): boolean => a !== null && b !== null && a !== b;
  return (agree(serials) || agree(wwns)) && !differ(serials) && !differ(wwns);
}

/** Whether a disk says nothing of itself, and is known only until the rescue system is booted anew (hostkit/lib/disks.sh). */
export function isKnownThisBoot({ serial }: Pick<Shown, 'serial'>): boolean {
  return serial?.startsWith('this-boot:') === true;
}

/** Whether it is a disk that goes from machine to machine: most USB disks don't call themselves removable. */
export function isPortable({ removable, transport }: Pick<Disk, 'removable' | 'transport'>): boolean {
  return removable || transport === 'usb';
}

/**
 * Whether two may be one over two paths, or can't be told apart. Parts of one device may share its serial, as boot areas of an eMMC and
 * namespaces of an NVMe do: those have sizes or WWNs of their own.
 */
export function areTwins(one: Shown, other: Shown): boolean {
  const wwns = [plainWwn(one.wwn), plainWwn(other.wwn)] as const;
  if (one.bytes !== other.bytes || (wwns[0] !== null && wwns[1] !== null && wwns[0] !== wwns[1])) return false;
  return identities(other).some((id) => identities(one).includes(id));
}

/** Whether a pin names this disk, by serial, WWN or the kernel's name. */
export function pinned(found: FoundDisk, pin: string): boolean {
  const names = [found.name, `/dev/${found.name}`, ...found.byId.map((name) => `/dev/disk/by-id/${name}`)];
  const serial = plain(found.serial);
  const wwn = plainWwn(found.wwn);
  return names.includes(pin) || (serial !== null && serial === plain(pin)) || (wwn !== null && wwn === plainWwn(pin));
}

/** The class of a disk, as far as one can be told from another by it. */
export function kindOf({ transport, rotational }: Pick<Disk, 'transport' | 'rotational'>): string {
  if (transport === 'nvme' || transport === 'virtio' || transport === 'usb') return transport;
  return rotational ? 'rotational' : 'solid-state';
}

function plain(text: string | null): string | null {
  const trimmed = text?.trim().replace(/\s+/g, ' ') ?? '';
  return /^[0\s_.-]*$/.test(trimmed) ? null : trimmed;
}

function plainWwn(text: string | null): string | null {
  return (
    plain(text)
      ?.toLowerCase()
      .replace(/^(?:0x|naa\.|eui\.|wwn-0x)/, '') ?? null
  );
}
