/** The identity keys of enrolled hosts as the director has seen them through the administrator's connection: what goes into `peers`. */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing, writeAtomic } from '../files';
import type { HostRef } from '../hosts';
import { placeOf } from '../known-hosts';

export class Identities {
  private constructor(
    private readonly stateDir: string,
    private readonly keys: Map<string, string>,
  ) {}

  static async open({ stateDir }: { stateDir: string }): Promise<Identities> {
    const text = await readFile(join(stateDir, 'identities'), 'utf8').catch((error: unknown) => {
      if (isMissing(error)) return '';
      throw error;
    });
    const keys = new Map<string, string>();
    for (const line of text.split('\n')) {
      const [place, type, base64] = line.split(' ');
      if (place !== undefined && type !== undefined && base64 !== undefined) keys.set(place, `${type} ${base64}`);
    }
    return new Identities(stateDir, keys);
  }

  /** `ssh-ed25519 AAAA…`, or undefined for a host that was never enrolled from here. */
  of(host: HostRef): string | undefined {
    return this.keys.get(placeOf(host));
  }

  /** All places that an identity is known of, as `placeOf` writes them. */
  places(): string[] {
    return [...this.keys.keys()];
  }

  set(host: HostRef, key: string | undefined): void {
    if (key === undefined) this.keys.delete(placeOf(host));
    else this.keys.set(placeOf(host), key);
  }

  async save(): Promise<void> {
    const text = [...this.keys].map(([place, key]) => `${place} ${key}\n`).join('');
    await mkdir(this.stateDir, { recursive: true, mode: 0o700 });
    await writeAtomic({ file: join(this.stateDir, 'identities'), text, mode: 0o600 });
  }
}
