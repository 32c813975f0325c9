/**
 * The mark of a rotation whose new key has been spread (`keys/rotation` in the state folder): from then on the old key only goes. It
 * tells which keys it was about, as the new one can be lost before it is the director's own, and the old one is gone after that.
 */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DirectorKeys } from '../director-keys';
import { isMissing, writeAtomic } from '../files';

/** Public keys, `ssh-ed25519 AAAA…` without a comment. */
export interface Rotation {
  next: string;
  old: string;
}

/** The rotation that is to be finished with these keys; undefined when none is marked, or when its new key is lost. */
export async function rotationUnderWay(at: { stateDir: string; keys: DirectorKeys }): Promise<Rotation | undefined> {
  const text = await readFile(fileIn(at), 'utf8').catch((error: unknown) => {
    if (isMissing(error)) return '';
    throw error;
  });
  const next = /^next (.+)$/m.exec(text)?.[1];
  const old = /^old (.+)$/m.exec(text)?.[1];
  return next !== undefined && old !== undefined && ownKeys(at.keys).includes(next) ? { next, old } : undefined;
}

export function markRotation({ stateDir, next, old }: Rotation & { stateDir: string }): Promise<void> {
  return writeAtomic({ file: fileIn({ stateDir }), text: `next ${next}\nold ${old}\n`, mode: 0o600 });
}

export function unmarkRotation(at: { stateDir: string }): Promise<void> {
  return rm(fileIn(at), { force: true });
}

/** The public keys that a host of this director lets in, without comments: before, in the middle of and after a rotation. */
export function ownKeys({ director, directorNext }: DirectorKeys, rotation?: Rotation): string[] {
  const pairs = directorNext === undefined ? [director] : [director, directorNext];
  return [...pairs.map(({ publicKey }) => bare(publicKey)), ...(rotation === undefined ? [] : [rotation.old])];
}

/** `ssh-ed25519 AAAA… comment` → without the comment. */
export function bare(publicKey: string): string {
  return publicKey.split(' ').slice(0, 2).join(' ');
}

function fileIn({ stateDir }: { stateDir: string }): string {
  return join(stateDir, 'keys', 'rotation');
}
