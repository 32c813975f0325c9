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
  confirm?: ((question: { host: HostRef; fingerprint: string; also: string }) => Promise<boolean>) | undefined;
}

/** What the key is held against; `seen` has the accepted one, `word` by whose word it was, `problem` what to tell where a key was refused for a reason of its own. */
export interface LiveTrust {
  trust: (host: HostRef) => Trust;
  seen: () => PublicKey | undefined;
  word: () => string | undefined;
  problem: () => unknown;
}

export function liveTrust(options: LiveTrustOptions): LiveTrust {
  let seen: PublicKey | undefined;
  let word: string | undefined;
  let problem: unknown;
  const trust = (host: HostRef): Trust => ({
    pinned: [],
    decide: async (key) => {
      try {
        word = await accepted({ ...options, at: host, key });
      } catch (error) {
        problem = error;
        return false;
      }
      seen = key;
      return true;
    },
  });
  return { trust, seen: () => seen, word: () => word, problem: () => problem };
}

/** By whose word it is. @throws HostError where it is nobody's */
async function accepted(options: LiveTrustOptions & { at: HostRef; key: PublicKey }): Promise<string> {
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
  const own = [liveName(host), rescueName(host)];
  const others = known.filter((each) => !own.includes(each));
  // A hoster's image may have one key for all machines: who has pinned it for one has not said which machine this is.
  const also =
    others.length === 0
      ? ''
      : `; the same key is pinned for ${others.join(', ')} too, so it says which image runs there, and not on which machine`;
  const by = (word: string) => `its ssh host key ${shown} ${word}${also}`;
  if (options.fingerprint !== undefined) {
    if (options.fingerprint === shown) return by('is the one given by --fingerprint');
    throw error(
      'host-key-changed',
      `what answers at ${place} shows ${shown}, and not ${options.fingerprint}`,
      'compare it on its own console (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub): where that is as you gave it, somebody stands between you and it: do not go on',
    );
  }
  const mine = own.find((each) => known.includes(each));
  if (mine !== undefined && others.length === 0) {
    const since = knownHosts.pinnedSince({ host: { ...at, pinnedAs: mine }, key }) ?? 'a time that was not noted';
    return by(
      `was pinned at ${since} by an earlier ${mine === liveName(host) ? '--live' : 'look at its rescue media'}, and nobody was asked again`,
    );
  }
  const vouched = keysInKnownHosts({ text: adminKnownHosts, host: { ...at, pinnedAs: undefined } });
  if (vouched.some(({ type, base64 }) => type === key.type && base64 === key.base64))
    return by('is vouched for by the known_hosts of the administrator');
  if ((await confirm?.({ host: at, fingerprint: shown, also })) === true) return by('was confirmed at the terminal');
  throw error(
    'host-key-unknown',
    `what answers at ${place} shows the ssh host key ${shown}, and nobody has confirmed it${also}`,
    'compare it on its own console, or with what your hoster tells (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub), and give it: --fingerprint SHA256:…',
  );
}
