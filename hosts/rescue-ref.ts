/**
 * The rescue system of a host, as the director knows it: by the key that was pinned when its media were built, under the name
 * `HOST.rescue`. At which address it will be reached nobody knows beforehand, so the name stands in the place of one.
 */
import type { HostRef } from './hosts';
import { KnownHosts, parsePublicKey, type PublicKey } from './known-hosts';

/** `web-1` → `web-1.rescue` */
export function rescueName(host: string): string {
  return `${host}.rescue`;
}

/** `web-1` → `web-1.live`: what the key of a running rescue Linux is pinned for, which is recovered by in the place of ours. */
export function liveName(host: string): string {
  return `${host}.live`;
}

/** Under which its key is pinned. */
export function rescuePlace(host: string): HostRef {
  return { name: rescueName(host), address: rescueName(host) };
}

/** Notes the key that the media of a host have, in place of any before. Nothing is written where it is noted already. */
export async function pinRescue(options: { stateDir: string; host: string; hostKey: string }): Promise<void> {
  const { stateDir, host, hostKey } = options;
  const key = parsePublicKey(hostKey);
  const knownHosts = await KnownHosts.open({ stateDir });
  const known = knownHosts.keysOf(rescuePlace(host));
  if (known.length === 1 && known[0]?.base64 === key.base64) return;
  await knownHosts.pin({ host: rescuePlace(host), keys: [key] });
}

/**
 * Notes a recovered machine's own ssh host keys, as the backup brought them back, where none are pinned: a director that has lost its state, or
 * taken over another's backups, has never seen the machine. A pin that stands stays. Keys that were made anew for a copy are noted beside it: as
 * long as the copy was not seen, the old machine is to be known where it answers (S24). @returns whether the machine will be known by one of them
 */
export async function pinMachine(options: {
  stateDir: string;
  host: HostRef;
  hostKeys: readonly string[];
  /** Made anew, on request. */
  isNew?: boolean;
}): Promise<boolean> {
  const { stateDir, host, hostKeys, isNew = false } = options;
  const keys = hostKeys.map(parsePublicKey);
  const knownHosts = await KnownHosts.open({ stateDir });
  const known = knownHosts.keysOf(host);
  if (keys.length === 0) return known.length > 0 && !isNew;
  const others = known.filter((pin) => !keys.some((key) => isSame(pin, key)));
  if (known.length > 0 && !isNew) return others.length < known.length;
  await knownHosts.pin({ host, keys: [...others, ...keys] });
  return true;
}

/** A copy was seen with its own keys: it is known by no others from now on. */
export async function pinOnly(options: {
  stateDir: string;
  host: HostRef;
  hostKeys: readonly string[];
}): Promise<void> {
  const { stateDir, host, hostKeys } = options;
  const knownHosts = await KnownHosts.open({ stateDir });
  await knownHosts.pin({ host, keys: hostKeys.map(parsePublicKey) });
}

function isSame(one: PublicKey, other: PublicKey): boolean {
  return one.type === other.type && one.base64 === other.base64;
}

/** The keys by which the rescue system of a host is known; none where its media make one at each boot, or were never built. */
export async function rescueKeys({
  stateDir,
  host,
}: {
  stateDir: string;
  host: string;
}): Promise<readonly PublicKey[]> {
  return (await KnownHosts.open({ stateDir })).keysOf(rescuePlace(host));
}
