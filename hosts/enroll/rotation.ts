/**
 * The mark of a rotation whose new key has been spread (`keys/rotation` in the state folder): from then on the old keys only go. It
 * tells which keys it was about, as the new one can be lost before it is the director's own, and the old ones are gone after that.
 * It stays until every host lets in the new key alone; a further rotation takes its old keys over.
 */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DirectorKeys } from '../director-keys';
import { isMissing, writeAtomic } from '../files';

/** Public keys, `ssh-ed25519 AAAA…` without a comment. */
export interface Rotation {
  next: string;
  /** All that a host which was away may still let in: of the last rotation and of those before it that did not reach it. */
  old: readonly string[];
}

/** The rotation that some host has not heard of; undefined when none is marked, or one that was about other keys than these. */
export async function rotationUnderWay(at: { stateDir: string; keys: DirectorKeys }): Promise<Rotation | undefined> {
  const text = await readFile(fileIn(at), 'utf8').catch((error: unknown) => {
    if (isMissing(error)) return '';
    throw error;
  });
  const next = /^next (.+)$/m.exec(text)?.[1];
  const old = [...text.matchAll(/^old (.+)$/gm)].map(([, key]) => key ?? '');
  if (next === undefined) return undefined;
  const own = ownKeys(at.keys);
  // Of a new key that is lost before it was the director's own, that one is among the old ones.
  return [next, ...old].some((key) => own.includes(key)) ? { next, old } : undefined;
}

/** Has the new key been spread, so that it is to be made the director's own? */
export function isSpread({ directorNext }: DirectorKeys, rotation: Rotation | undefined): boolean {
  return directorNext !== undefined && rotation?.next === bare(directorNext.publicKey);
}

export function markRotation({ stateDir, next, old }: Rotation & { stateDir: string }): Promise<void> {
  const text = [`next ${next}\n`, ...old.map((key) => `old ${key}\n`)].join('');
  return writeAtomic({ file: fileIn({ stateDir }), text, mode: 0o600 });
}

export function unmarkRotation(at: { stateDir: string }): Promise<void> {
  return rm(fileIn(at), { force: true });
}

/** The public keys that a host of this director lets in, without comments: before, in the middle of and after a rotation. */
export function ownKeys({ director, directorNext }: DirectorKeys, rotation?: Rotation): string[] {
  const pairs = directorNext === undefined ? [director] : [director, directorNext];
  return [...pairs.map(({ publicKey }) => bare(publicKey)), ...(rotation?.old ?? [])];
}

/** `ssh-ed25519 AAAA… comment` → without the comment. */
export function bare(publicKey: string): string {
  return publicKey.split(' ').slice(0, 2).join(' ');
}

function fileIn({ stateDir }: { stateDir: string }): string {
  return join(stateDir, 'keys', 'rotation');
}
