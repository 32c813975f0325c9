/**
 * The ssh host keys that the director has pinned (S28), in its state folder, in the form of OpenSSH's known_hosts. A key gets in
 * by enrolment alone; there is no trust on first use.
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isMissing, writeAtomic } from './files';
import type { HostRef } from './hosts';

/** An ssh public key: its type and its base64. */
export interface PublicKey {
  type: string;
  base64: string;
}

export class KnownHosts {
  private readonly keys = new Map<string, PublicKey[]>();
  /** Of a line with a rescue system's key, when it was pinned: what follows the key there. */
  private readonly since = new Map<string, string>();
  /** The last change: hosts are enrolled side by side, and one that reads while another writes would undo it. */
  private turn: Promise<void> = Promise.resolve();

  private constructor(private readonly file: string) {}

  /** Reads `known_hosts` below the state folder; an absent file is an empty store. */
  static async open({ stateDir }: { stateDir: string }): Promise<KnownHosts> {
    const store = new KnownHosts(join(stateDir, 'known_hosts'));
    await store.reload();
    return store;
  }

  /** Reads the file again: another process (an enrolment) may have pinned a key. */
  async reload(): Promise<void> {
    const text = await readFile(this.file, 'utf8').catch((error: unknown) => {
      if (isMissing(error)) return '';
      throw error;
    });
    this.keys.clear();
    this.since.clear();
    for (const line of text.split('\n')) {
      const [place, type, base64, since] = line.trim().split(/\s+/);
      if (place === undefined || place.startsWith('#') || type === undefined || base64 === undefined) continue;
      this.keys.set(place, [...(this.keys.get(place) ?? []), { type, base64 }]);
      if (since !== undefined) this.since.set(lineOf(place, { type, base64 }), since);
    }
  }

  /** The keys pinned for a host; none means that it was never enrolled. */
  keysOf(host: HostRef): readonly PublicKey[] {
    return this.keys.get(placeOf(host)) ?? [];
  }

  /** All places that have a pinned key, as `placeOf` writes them. */
  places(): string[] {
    return [...this.keys.keys()];
  }

  /** The places that a key is pinned for. */
  placesOf(key: PublicKey): string[] {
    const has = (keys: readonly PublicKey[]) =>
      keys.some(({ type, base64 }) => type === key.type && base64 === key.base64);
    return [...this.keys].flatMap(([place, keys]) => (has(keys) ? [place] : []));
  }

  /** When a rescue system's key was pinned first, in ISO 8601; undefined where that was not noted. */
  pinnedSince({ host, key }: { host: HostRef; key: PublicKey }): string | undefined {
    return this.since.get(lineOf(placeOf(host), key));
  }

  /** Pins exactly these keys for a host, in place of any before, and writes the file. */
  pin({ host, keys }: { host: HostRef; keys: readonly PublicKey[] }): Promise<void> {
    return this.change(() => {
      const place = placeOf(host);
      const before = this.keysOf(host).map((key) => lineOf(place, key));
      this.keys.set(place, [...keys]);
      if (host.pinnedAs === undefined) return;
      for (const line of keys.map((key) => lineOf(place, key)))
        if (!before.includes(line)) this.since.set(line, new Date().toISOString());
    });
  }

  /** Forgets a host. */
  unpin({ host }: { host: HostRef }): Promise<void> {
    return this.change(() => this.keys.delete(placeOf(host)));
  }

  private change(how: () => unknown): Promise<void> {
    const mine = this.turn.then(async () => {
      await this.reload();
      how();
      await this.write();
    });
    // A change that fails is its caller's; the next one begins from the file all the same.
    this.turn = mine.catch(() => undefined);
    return mine;
  }

  private async write(): Promise<void> {
    const lines = [...this.keys].flatMap(([place, keys]) =>
      keys.map((key) => {
        const line = lineOf(place, key);
        const since = this.since.get(line);
        return since === undefined ? line : `${line} ${since}`;
      }),
    );
    await mkdir(dirname(this.file), { recursive: true, mode: 0o700 });
    await writeAtomic({ file: this.file, text: `${lines.join('\n')}\n`, mode: 0o600 });
  }
}

function lineOf(place: string, { type, base64 }: PublicKey): string {
  return `${place} ${type} ${base64}`;
}

/**
 * The place a key is pinned for: address and port, and the jumps on the way, as private addresses repeat behind them. That of a rescue
 * system is a name, which no address can be: whatever address it has today, its key is the same.
 */
export function placeOf(host: HostRef): string {
  if (host.pinnedAs !== undefined) return host.pinnedAs;
  const port = host.port ?? 22;
  const own = port === 22 ? host.address : `[${host.address}]:${port}`;
  return host.via === undefined ? own : `${own}/${placeOf(host.via)}`;
}

/** The public key in ssh's wire form, as a handshake shows it. */
export function parseWireKey(wire: Buffer): PublicKey {
  const length = wire.readUInt32BE(0);
  return { type: wire.subarray(4, 4 + length).toString('latin1'), base64: wire.toString('base64') };
}

/** `ssh-ed25519 AAAA… comment` → its key. @throws RangeError */
export function parsePublicKey(line: string): PublicKey {
  const [type, base64] = line.trim().split(/\s+/);
  if (type === undefined || base64 === undefined || !/^[A-Za-z0-9+/]+=*$/.test(base64)) {
    throw new RangeError('not an ssh public key');
  }
  return { type, base64 };
}

/** The fingerprint as `ssh-keygen -l` prints it: `SHA256:…`. */
export function fingerprint(key: PublicKey): string {
  const digest = createHash('sha256').update(Buffer.from(key.base64, 'base64')).digest('base64');
  return `SHA256:${digest.replace(/=+$/, '')}`;
}
