/** The rescue system of a host: how it is called and reached, and the code by which a person says that it is the right one (S30). */
import { createHash } from 'node:crypto';
import { isIPv6 } from 'node:net';
import type { FleetHost } from '../planning/run-input';
import { fingerprint, type PublicKey } from './known-hosts';
import { liveName, rescueName } from './rescue-ref';

/** Its user: the rescue system has this one, whatever the host's own is called. */
const USER = 'resurgo';

/** Where it is reached: `192.0.2.7`, `192.0.2.7:2222`, `[2001:db8::7]:22`, a name. @throws RangeError */
export function rescueAt({ host, at }: { host: Pick<FleetHost, 'name' | 'short'>; at: string }): FleetHost {
  const name = rescueName(host.name);
  const [, inner, outer, port] = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(at) ?? [];
  // An IPv6 address as people write it, where no port follows.
  const address = inner ?? outer ?? (isIPv6(at) ? at : undefined);
  const number = port === undefined ? 22 : Number(port);
  if (address === undefined || !/^[A-Za-z0-9:][A-Za-z0-9.:-]{0,254}$/.test(address) || number < 1 || number > 65_535)
    throw new RangeError(`"${at}" is no address: write ADDRESS or ADDRESS:PORT`);
  return { name, short: host.short, address, port: number, user: USER, pinnedAs: name };
}

/**
 * A running rescue Linux that takes the rescue system's place (`--live`): `ADDRESS`, or `USER@ADDRESS` for the administrator's login there.
 * Its key is pinned apart from that of our own media, which the next `rescue list` would put in its place. @throws RangeError
 */
export function liveAt({ host, at }: { host: Pick<FleetHost, 'name' | 'short'>; at: string }): {
  rescue: FleetHost;
  admin: string;
} {
  const [, user = 'root', place = at] = /^([a-z_][a-z0-9_.-]{0,31})@(.*)$/i.exec(at) ?? [];
  return { rescue: { ...rescueAt({ host, at: place }), pinnedAs: liveName(host.name), live: true }, admin: user };
}

/** The code on the console of a rescue system that made its host key at boot: `1a2b-3c4d-5e6f`, as hostkit/rescue/keys.sh reckons it. */
export function rescueCode(key: PublicKey): string {
  const digest = createHash('sha256').update(fingerprint(key)).digest('hex');
  return `${digest.slice(0, 4)}-${digest.slice(4, 8)}-${digest.slice(8, 12)}`;
}

/** Whether a person has typed that code, however they write it. */
export function isCode({ typed, key }: { typed: string; key: PublicKey }): boolean {
  return typed.toLowerCase().replace(/[^0-9a-f]/g, '') === rescueCode(key).replaceAll('-', '');
}
