/** Whether what answers is the rescue system (S30): by the key of its build, or by the code on its console. Nothing is trusted at first sight. */
import { dial } from './dial';
import { loadDirectorKeys } from './director-keys';
import { HostError } from './errors';
import type { HostRef } from './hosts';
import { fingerprint, KnownHosts, parsePublicKey, type PublicKey } from './known-hosts';
import { isCode } from './rescue-host';

const CONNECT_MS = 20_000;

/** How a rescue system lets in a director that it was not built for. `key`: base64, as `hostkit/rescue/director` takes it. */
function refusedLogin(key: string): string {
  return `the rescue system does not take this director's key: its image is older than the last key rotation, or another director's. Let this one in: at its console type \`director ${key}\`, or boot it with resurgo.director=${key} on the kernel's command line; or build its media again (\`resurgo rescue build\`)`;
}

/**
 * Logs in once, and pins the key that a right code has confirmed.
 * @throws HostError for a key that is neither pinned nor confirmed, or where it can't be reached
 */
export async function confirmRescue({
  stateDir,
  rescue,
  code,
}: {
  stateDir: string;
  rescue: HostRef;
  code: string | undefined;
}): Promise<void> {
  const [keys, knownHosts] = await Promise.all([loadDirectorKeys({ stateDir }), KnownHosts.open({ stateDir })]);
  const pinned = knownHosts.keysOf(rescue);
  const at = { host: rescue.name, verb: 'connect' };
  if (pinned.length === 0 && code === undefined)
    throw new HostError({
      ...at,
      code: 'host-key-unknown',
      message: 'no key of this rescue system was pinned when it was built',
      next: 'read the code on its own console, and give it: --code XXXX-XXXX-XXXX',
    });
  let shown: PublicKey | undefined;
  const isPinned = (key: PublicKey) => pinned.some((pin) => pin.type === key.type && pin.base64 === key.base64);
  try {
    const client = await dial({
      host: rescue,
      login: { privateKey: keys.director.privateKey },
      pinned: [],
      decide: (key) => {
        shown = key;
        return Promise.resolve(isPinned(key) || (code !== undefined && isCode({ typed: code, key })));
      },
      whenRefused: refusedLogin(parsePublicKey(keys.director.publicKey).base64),
      timeoutMs: CONNECT_MS,
      keepaliveMs: 10_000,
    });
    client.end();
  } catch (error) {
    if (!(error instanceof HostError) || error.code !== 'host-key-unknown' || shown === undefined) throw error;
    throw refused({ rescue, shown, code });
  }
  if (shown !== undefined && !isPinned(shown)) await knownHosts.pin({ host: rescue, keys: [shown] });
}

function refused({ rescue, shown, code }: { rescue: HostRef; shown: PublicKey; code: string | undefined }): HostError {
  const at = { host: rescue.name, verb: 'connect' };
  const place = `${rescue.address}:${rescue.port ?? 22}`;
  if (code !== undefined)
    return new HostError({
      ...at,
      code: 'host-key-changed',
      message: `what answers at ${place} shows ${fingerprint(shown)}, and that key has another code than ${code}`,
      next: 'compare it with the code and the fingerprint on its own console; where they are as you typed, somebody stands between you and it: do not go on',
    });
  return new HostError({
    ...at,
    code: 'host-key-changed',
    message: `what answers at ${place} shows ${fingerprint(shown)}, and not the key that was pinned when the rescue system was built`,
    next: 'where it was booted over the network it has made a key of its own: read the code on its console, and give it with --code. Otherwise this is another machine, or somebody stands in between: do not go on',
  });
}
