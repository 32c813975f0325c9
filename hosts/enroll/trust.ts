/** Who says that an ssh host key is the host's: an earlier pin, the administrator's known_hosts, a fingerprint, or a person. */
import { createHmac } from 'node:crypto';
import type { HostRef } from '../hosts';
import { fingerprint, type KnownHosts, type PublicKey } from '../known-hosts';

export interface TrustOptions {
  knownHosts: KnownHosts;
  /** The text of the administrator's own known_hosts. */
  adminKnownHosts?: string;
  /** `SHA256:…`, given beforehand; also replaces an earlier pin. */
  acceptHostKey?: string;
  /** Asks a person. Not asked about a host whose pinned key has changed. */
  confirm?: (question: { host: HostRef; key: PublicKey; fingerprint: string }) => Promise<boolean>;
}

export interface Trust {
  pinned: readonly PublicKey[];
  decide?: (key: PublicKey) => Promise<boolean>;
}

/** What to hold a host's key against; `seen` is told of each key that was accepted, to be pinned when all went well. */
export function trustIn({ seen, ...options }: TrustOptions & { seen: (host: HostRef, key: PublicKey) => void }) {
  return (host: HostRef): Trust => {
    const { knownHosts, adminKnownHosts, acceptHostKey, confirm } = options;
    if (acceptHostKey === undefined) {
      const pinned = knownHosts.keysOf(host);
      if (pinned.length > 0) return { pinned };
      const known = keysInKnownHosts({ text: adminKnownHosts ?? '', host });
      if (known.length > 0) {
        for (const key of known) seen(host, key);
        return { pinned: known };
      }
    }
    return {
      pinned: [],
      decide: async (key) => {
        const shown = fingerprint(key);
        const ok =
          acceptHostKey === undefined
            ? ((await confirm?.({ host, key, fingerprint: shown })) ?? false)
            : shown === acceptHostKey;
        if (ok) seen(host, key);
        return ok;
      },
    };
  };
}

/** The keys that an OpenSSH known_hosts has for a host; revoked and authority lines are left out. */
export function keysInKnownHosts({ text, host }: { text: string; host: HostRef }): PublicKey[] {
  const port = host.port ?? 22;
  const name = port === 22 ? host.address : `[${host.address}]:${port}`;
  return text.split('\n').flatMap((line) => {
    const [places, type, base64] = line.trim().split(/\s+/);
    if (places === undefined || type === undefined || base64 === undefined || /^[#@]/.test(places)) return [];
    return places.split(',').some((place) => matches(place, name)) ? [{ type, base64 }] : [];
  });
}

function matches(place: string, name: string): boolean {
  const hashed = /^\|1\|([^|]+)\|(.+)$/.exec(place);
  if (hashed?.[1] === undefined) return place === name;
  return createHmac('sha1', Buffer.from(hashed[1], 'base64')).update(name).digest('base64') === hashed[2];
}
