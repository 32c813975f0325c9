/** Opening one ssh connection: pinned host key, one way to log in, every wait bounded. */
import { Client, type AuthenticationType, type ConnectConfig, type ServerHostKeyAlgorithm } from 'ssh2';
import type { Duplex } from 'node:stream';
import { HostError } from './errors';
import type { HostRef } from './hosts';
import { fingerprint, parseWireKey, type PublicKey } from './known-hosts';

/** Fast first (hardware AES, no separate MAC); the rest for hosts that lack it. Never CBC. */
const CIPHERS = [
  'aes128-gcm@openssh.com',
  'aes256-gcm@openssh.com',
  'chacha20-poly1305@openssh.com',
  'aes128-ctr',
  'aes256-ctr',
] as const;

/** One way to log in. */
export type Login = { privateKey: string; passphrase?: string } | { agent: string } | { password: string };

export interface DialOptions {
  host: HostRef;
  login: Login;
  /** The keys that the host may show; none refuses with `host-key-unknown`, unless there is `decide`. */
  pinned: readonly PublicKey[];
  /** Enrolment alone: who decides about a host that has no pinned key (a person, or a fingerprint given beforehand). */
  decide?: (key: PublicKey) => Promise<boolean>;
  /** What to do when the login is refused; without it what helps where the director itself logs in. */
  whenRefused?: string;
  /** For the whole of TCP, handshake and login, in ms. */
  timeoutMs: number;
  /** How often to ask a quiet peer for a sign of life, in ms; three unanswered end the connection. */
  keepaliveMs: number;
  /** A stream to speak over in place of a TCP connection of our own (proxy jump). */
  sock?: Duplex;
}

/** Resolves to a connection that is logged in. @throws HostError (verb `connect`) */
export function dial(options: DialOptions): Promise<Client> {
  const { host, pinned, decide, timeoutMs } = options;
  if (pinned.length === 0 && decide === undefined) {
    const message = `no ssh host key is pinned for ${host.address}`;
    hangUp(options.sock);
    return Promise.reject(new HostError({ host: host.name, verb: 'connect', code: 'host-key-unknown', message }));
  }
  // A socket closes by itself once its peer has ended it. A channel of ssh2 stays half open for ever, and the client over it with it.
  options.sock?.once('end', () => {
    hangUp(options.sock);
  });
  return new Promise((resolve, reject) => {
    const client = new Client();
    let shown: PublicKey | undefined;
    let accepted = false;
    const finish = (error?: HostError) => {
      clearTimeout(timer);
      client.removeListener('close', onClose);
      if (error === undefined) {
        resolve(client);
        return;
      }
      // Errors that follow the first must not become uncaught.
      client.on('error', () => undefined);
      client.destroy();
      hangUp(options.sock);
      reject(error);
    };
    const onClose = () => {
      finish(unreachable(host, 'the connection was closed during the handshake'));
    };
    const timer = setTimeout(() => {
      finish(unreachable(host, `no ssh login within ${timeoutMs} ms at ${host.address}:${host.port ?? 22}`));
    }, timeoutMs);
    const verify = (wire: Buffer, answer: (ok: boolean) => void): void => {
      const key = parseWireKey(wire);
      shown = key;
      accepted = pinned.some((pin) => pin.type === key.type && pin.base64 === key.base64);
      if (accepted || decide === undefined || pinned.length > 0) {
        answer(accepted);
        return;
      }
      decide(key).then(
        (ok) => {
          accepted = ok;
          answer(ok);
        },
        () => {
          answer(false);
        },
      );
    };
    client.once('ready', () => {
      client.removeListener('error', onError);
      finish();
    });
    const onError = (error: Error & { level?: string }) => {
      finish(explain({ ...options, error, shown: accepted ? undefined : shown }));
    };
    client.on('error', onError);
    client.once('close', onClose);
    try {
      client.connect(configOf(options, verify));
    } catch (error) {
      // Nothing was sent yet: what ssh2 refuses here is the key or the agent that it was given.
      const message = `the login can't be used: ${error instanceof Error ? error.message : String(error)}`;
      const next = 'look at the key: one with a passphrase belongs into ssh-agent, or run the command in a terminal';
      finish(new HostError({ host: host.name, verb: 'connect', code: 'auth-refused', message, next, cause: error }));
    }
  });
}

/**
 * Closes the stream under a client (proxy jump), in whatever state it is: `Client.destroy` passes over one that its peer has ended.
 * Safe to repeat.
 */
export function hangUp(sock: Duplex | undefined): void {
  if (sock === undefined) return;
  // A channel tells of its close once all that it carried is read, and nobody else reads it any more.
  sock.resume();
  sock.destroy();
}

function configOf(
  options: DialOptions,
  hostVerifier: (key: Buffer, answer: (ok: boolean) => void) => void,
): ConnectConfig {
  const { host, login, timeoutMs, keepaliveMs, sock } = options;
  const methods: AuthenticationType[] =
    'agent' in login ? ['agent'] : 'password' in login ? ['password', 'keyboard-interactive'] : ['publickey'];
  return {
    ...(sock === undefined ? { host: host.address, port: host.port ?? 22 } : { sock }),
    username: host.user ?? 'resurgo',
    ...login,
    authHandler: methods,
    readyTimeout: timeoutMs,
    keepaliveInterval: keepaliveMs,
    keepaliveCountMax: 3,
    hostVerifier,
    algorithms: { cipher: [...CIPHERS], serverHostKey: hostKeyAlgorithms(options.pinned) },
  };
}

/** Only the pinned types, so that a host with several keys shows the one we know. */
function hostKeyAlgorithms(pinned: readonly PublicKey[]): ServerHostKeyAlgorithm[] {
  const known: Record<string, ServerHostKeyAlgorithm[]> = {
    'ssh-ed25519': ['ssh-ed25519'],
    'ecdsa-sha2-nistp256': ['ecdsa-sha2-nistp256'],
    'ecdsa-sha2-nistp384': ['ecdsa-sha2-nistp384'],
    'ecdsa-sha2-nistp521': ['ecdsa-sha2-nistp521'],
    'ssh-rsa': ['rsa-sha2-512', 'rsa-sha2-256'],
  };
  const types = pinned.length === 0 ? Object.keys(known) : pinned.map((key) => key.type);
  return [...new Set(types.flatMap((type) => known[type] ?? []))];
}

interface Failure extends Pick<DialOptions, 'host' | 'pinned' | 'whenRefused'> {
  error: Error & { level?: string };
  /** The key that was refused, if one was. */
  shown: PublicKey | undefined;
}

function explain({ host, error, pinned, shown, whenRefused }: Failure): HostError {
  const at = { host: host.name, verb: 'connect', cause: error };
  if (pinned.length === 0 && shown !== undefined) {
    const message = `its ssh host key ${shown.type} ${fingerprint(shown)} was not accepted`;
    const next =
      'compare it on the host itself (ssh-keygen -l), then run `resurgo enroll HOST --accept-host-key FINGERPRINT`';
    return new HostError({ ...at, code: 'host-key-unknown', message, next });
  }
  if (shown !== undefined || /no matching host key/i.test(error.message)) {
    const now = shown === undefined ? 'no key of the pinned type' : `${shown.type} ${fingerprint(shown)}`;
    const message = `it shows ${now}, pinned is ${pinned.map(fingerprint).join(', ')}`;
    return new HostError({ ...at, code: 'host-key-changed', message });
  }
  if (error.level === 'client-authentication') {
    const message = `login as ${host.user ?? 'resurgo'} was refused`;
    return new HostError({ ...at, code: 'auth-refused', message, next: whenRefused });
  }
  return unreachable(host, error.message, error);
}

function unreachable(host: HostRef, message: string, cause?: unknown): HostError {
  return new HostError({ host: host.name, verb: 'connect', code: 'unreachable', message, cause });
}
