/** Sizes, disks, names and commands as a recovery says them. */
import { isKnownThisBoot } from './recover-identity';
import type { FleetHost } from './run-input';

/** Control and formatting characters as escapes: models, serials and labels come from hardware and hosts that may be hostile (S29). */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (char) => `\\u${(char.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`,
  );
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** Bytes as people read them: `931.5 GiB`; whole numbers without a decimal. */
export function size(bytes: number): string {
  let value = Math.abs(bytes);
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const text = Number.isInteger(value) ? String(value) : value.toFixed(1);
  return `${bytes < 0 ? '-' : ''}${text} ${UNITS[unit] ?? 'B'}`;
}

/** A disk by all that tells it from others: `sda (serial S1)`, or `sda (no serial, 40 GiB)`. */
export function diskInWords(disk: { name: string; serial: string | null; wwn: string | null; bytes: number }): string {
  const { name, serial, wwn, bytes } = disk;
  if (serial !== null && !isKnownThisBoot({ serial })) return printable(`${name} (serial ${serial})`);
  return printable(wwn === null ? `${name} (no serial, ${size(bytes)})` : `${name} (WWN ${wwn})`);
}

/** The machine that a rescue system is of, as the runbook and commands call it: backups call it by a shorter name. */
export function machineOf({ name }: Pick<FleetHost, 'name'>): string {
  return name.replace(/\.rescue$/, '');
}

/**
 * What lets the target know a rescue system, sends the hostkit to one of another make, and gives it the passphrases: those of volumes that get a
 * new key are asked for as such, twice. It names the group and the backup of the run that waits: `latest` may be another by now.
 */
export function armCommand(options: {
  rescue: FleetHost;
  newKeys?: readonly string[] | undefined;
  group?: string;
  id?: string;
}): string {
  const { rescue, newKeys = [], group, id } = options;
  const { address, port, live } = rescue;
  const words = ['resurgo recover', machineOf(rescue), '--at'];
  words.push(address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`);
  if (group !== undefined) words.push('--group', word(group));
  if (id !== undefined) words.push('--backup', word(id));
  if (live === true) words.push('--live');
  for (const name of newKeys) words.push('--new-key', word(name));
  return [...words, '--arm-only'].join(' ');
}

/** As a shell takes it. */
function word(text: string): string {
  return /^[\w.:@%+,/-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** `one, two and three`. */
export function list(words: readonly string[]): string {
  if (words.length < 2) return words.join('');
  return `${words.slice(0, -1).join(', ')} and ${words.at(-1) ?? ''}`;
}
