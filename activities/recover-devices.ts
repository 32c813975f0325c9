/** Devices and disks in the words that the rescue system's lib/device.sh reads (docs/hostkit.md). */
import { encodeValue } from '../hosts/request';
import type { Device, DiskIdentity } from '../planning/recover-plan';

export function deviceWords(device: Device): string {
  switch (device.kind) {
    case 'disk':
      return diskWords(device.disk);
    case 'partition':
      return `partition ${device.number} ${device.startByte} ${device.bytes} of ${deviceWords(device.on)}`;
    case 'md':
      return `md ${device.uuid}`;
    case 'luks':
      return `luks ${device.uuid} ${encodeValue(device.name)}`;
    case 'lv':
      return `lv ${encodeValue(device.group)} ${encodeValue(device.name)}`;
    case 'zvol':
      return `zvol ${encodeValue(device.dataset)}`;
  }
}

export function diskWords(disk: DiskIdentity): string {
  return `disk ${identityWords(disk)}`;
}

function identityWords({ serial, wwn, bytes }: DiskIdentity): string {
  return `${word(serial)} ${word(wwn)} ${bytes}`;
}

/** The disks that a job may write to, one a line, as it compares them. */
export function diskLines(disks: readonly DiskIdentity[]): string {
  return disks.map(identityWords).join('\n');
}

/** A serial that is a dash by itself can't be told from none; no disk has one. */
function word(text: string | null): string {
  return text === null || text === '' ? '-' : encodeValue(text);
}
