/**
 * Whose key a running rescue Linux shows. Nothing is trusted at first sight (S30), and a machine that this director knows by the key it
 * shows is no rescue system: an address that was mistyped ends here, before a login (S24).
 */
import { HostError } from '../errors';
import type { HostRef } from '../hosts';
import { fingerprint, type KnownHosts, type PublicKey } from '../known-hosts';
import { liveName, rescueName } from '../rescue-ref';
import { keysInKnownHosts, type Trust } from './trust';

export interface LiveTrustOptions {
  knownHosts: KnownHosts;
  /** The machine that is recovered, by its name in the runbook. */
  host: string;
  /** All hosts of the runbook. */
  hosts: readonly string[];
  /** The text of the administrator's own known_hosts. */
  adminKnownHosts: string;
  /** `SHA256:…`, given beforehand. */
  fingerprint?: string | undefined;
  /** Asks a person. */
  confirm?: ((question: { host: HostRef; fingerprint: string }) => Promise<boolean>) | undefined;
}

/** What the key is held against; `seen` has the accepted one, `problem` what to tell where a key was refused for a reason of its own. */
export interface LiveTrust {
  trust: (host: HostRef) => Trust;
  seen: () => PublicKey | undefined;
  problem: () => unknown;
}

export function liveTrust(options: LiveTrustOptions): LiveTrust {
  let seen: PublicKey | undefined;
  let problem: unknown;
  const trust = (host: HostRef): Trust => ({
    pinned: [],
    decide: async (key) => {
      try {
        if (!(await isAccepted({ ...options, at: host, key }))) return false;
      } catch (error) {
        problem = error;
        return false;
      }
      seen = key;
      return true;
    },
  });
  return { trust, seen: () => seen, problem: () => problem };
}

async function isAccepted(options: LiveTrustOptions & { at: HostRef; key: PublicKey }): Promise<boolean> {
  const { knownHosts, host, hosts, adminKnownHosts, at, key, confirm } = options;
  const shown = fingerprint(key);
  const place = `${at.address}:${at.port ?? 22}`;
  const error = (code: 'host-key-changed' | 'host-key-unknown' | 'still-there', message: string, next: string) =>
    new HostError({ host: at.name, verb: 'recover', step: 'connect', code, message, next });
  // Several machines' rescue Linux may be one image, and have one key.
  const rescue = new Set(hosts.flatMap((each) => [rescueName(each), liveName(each)]));
  const known = knownHosts.placesOf(key);
  const enrolled = known.find((each) => !rescue.has(each));
  if (enrolled !== undefined)
    throw error(
      'still-there',
      `what answers at ${place} is no rescue system: it shows the ssh host key (${shown}) of the enrolled host at ${enrolled}`,
      'look at the address (--at). Where it is right, the machine itself runs there: boot a rescue system on it. Nothing was changed',
    );
  if (options.fingerprint !== undefined) {
    if (options.fingerprint === shown) return true;
    throw error(
      'host-key-changed',
      `what answers at ${place} shows ${shown}, and not ${options.fingerprint}`,
      'compare it on its own console (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub): where that is as you gave it, somebody stands between you and it: do not go on',
    );
  }
  const own = [liveName(host), rescueName(host)];
  if (own.some((each) => known.includes(each))) return true;
  const vouched = keysInKnownHosts({ text: adminKnownHosts, host: { ...at, pinnedAs: undefined } });
  if (vouched.some(({ type, base64 }) => type === key.type && base64 === key.base64)) return true;
  if ((await confirm?.({ host: at, fingerprint: shown })) === true) return true;
  throw error(
    'host-key-unknown',
    `what answers at ${place} shows the ssh host key ${shown}, and nobody has confirmed it`,
    'compare it on its own console, or with what your hoster tells (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub), and give it: --fingerprint SHA256:…',
  );
}
