/** Whether anything answers at an address and port (S24): TCP, and ssh as far as its host key. Nobody logs in, so no key need be pinned. */
import { connect, isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { z } from 'zod';
import { dial, hangUp, type Login } from './dial';
import { HostError } from './errors';
import type { HostRef } from './hosts';
import { fingerprint, type PublicKey } from './known-hosts';

export interface Look {
  /** Null: from here nobody can tell. */
  answers: boolean | null;
  /** What was seen or went wrong, for a person. */
  reason: string;
  /** The ssh host key that it shows, and the places that it is pinned for. */
  shown: { fingerprint: string; places: string[] } | null;
}

interface LookOptions {
  host: HostRef;
  /** Never used: the look ends at the host key. */
  login: Login;
  placesOf: (key: PublicKey) => string[];
  /** Opens the way by the jump, where there is one. */
  through?: (() => Promise<Duplex>) | undefined;
  /** For the connection, and again for the handshake, in ms. */
  timeoutMs: number;
}

export async function lookAt({ host, login, placesOf, through, timeoutMs }: LookOptions): Promise<Look> {
  let sock: Duplex;
  try {
    sock = await (through?.() ?? connected({ host, timeoutMs }));
  } catch (error) {
    return unanswered(error);
  }
  let key: PublicKey | undefined;
  const decide = (seen: PublicKey) => {
    key = seen;
    return Promise.resolve(false);
  };
  const how = { host, login, pinned: [], decide, timeoutMs, keepaliveMs: timeoutMs, sock };
  const why = await dial(how).then(
    (client) => {
      client.destroy();
      return 'it lets in anybody';
    },
    (error: unknown) => (error instanceof HostError ? error.reason : String(error)),
  );
  hangUp(sock);
  if (key === undefined)
    return { answers: true, reason: `it takes the connection and shows no ssh host key: ${why}`, shown: null };
  const shown = { fingerprint: fingerprint(key), places: placesOf(key) };
  return { answers: true, reason: `it shows the ssh host key ${shown.fingerprint}`, shown };
}

function connected({ host, timeoutMs }: Pick<LookOptions, 'host' | 'timeoutMs'>): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: host.address, port: host.port ?? 22 });
    // A name server that does not answer says nothing of the host.
    let isNamed = isIP(host.address) !== 0;
    socket.once('lookup', (error: Error | null) => {
      isNamed = error === null;
    });
    const timer = setTimeout(() => {
      const late = new Error(isNamed ? `no answer within ${timeoutMs} ms` : `no address within ${timeoutMs} ms`);
      socket.destroy(isNamed ? late : Object.assign(late, { code: 'EAI_AGAIN' }));
    }, timeoutMs);
    socket.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    socket.once('connect', () => {
      clearTimeout(timer);
      resolve(socket);
    });
  });
}

/** What says nothing of the host, but of this machine's own network and names. */
const OURS = ['ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL', 'ENETUNREACH', 'ENETDOWN', 'EADDRNOTAVAIL', 'EACCES', 'EPERM'];

const failure = z.object({ code: z.string().optional(), message: z.string() });
const several = z.object({ errors: z.array(failure).min(1) });

function unanswered(error: unknown): Look {
  if (error instanceof HostError) {
    // Of the jump, or of what is behind it: who asks knows how to tell.
    if (error.code === 'closed') throw error;
    return { answers: error.code === 'unreachable' ? false : null, reason: error.reason, shown: null };
  }
  // A name with several addresses fails with one error for each.
  const all = several.safeParse(error).data?.errors ?? [failure.parse(error)];
  const isOurs = all.every(({ code }) => code !== undefined && OURS.includes(code));
  return { answers: isOurs ? null : false, reason: all.map(({ message }) => message).join('; '), shown: null };
}
