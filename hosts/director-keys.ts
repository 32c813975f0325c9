/**
 * The director's keys in its state folder: `director` logs in to hosts, `jump` may only forward through a proxy jump, `signing`
 * signs manifests (S19). They are apart, so that each can be replaced or lost by itself. All 0600, made at the first enrolment.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import { link, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { utils } from 'ssh2';
import { hasCode, isMissing } from './files';
import { newOpensshKey } from './openssh-key';

/** An ssh key pair in OpenSSH's forms. */
export interface SshKeyPair {
  privateKey: string;
  /** `ssh-ed25519 AAAA… comment` */
  publicKey: string;
}

export interface DirectorKeys {
  director: SshKeyPair;
  /** Present while a rotation is under way: hosts may know either. */
  directorNext: SshKeyPair | undefined;
  jump: SshKeyPair;
  signing: {
    /** PKCS#8 PEM. */
    privateKey: string;
    /** The raw 32 bytes, hex: the `signer` line of a target. */
    publicHex: string;
  };
}

/** Thrown when the state folder holds no keys: nothing was enrolled from here. */
export class NoKeysError extends Error {
  constructor(stateDir: string) {
    super(
      `${stateDir} holds no director's keys. Run \`resurgo enroll\` here, or name the right state folder (RESURGO_STATE). Hosts that know the keys of a lost director need \`--take-over\` with it.`,
    );
    this.name = 'NoKeysError';
  }
}

/** Reads the keys. @throws NoKeysError */
export async function loadDirectorKeys({ stateDir }: { stateDir: string }): Promise<DirectorKeys> {
  const dir = join(stateDir, 'keys');
  const director = await readPair({ dir, name: 'director' });
  const jump = await readPair({ dir, name: 'jump' });
  const privateKey = await readFile(join(dir, 'signing.pem'), 'utf8').catch(undefinedIfMissing);
  if (director === undefined || jump === undefined || privateKey === undefined) throw new NoKeysError(stateDir);
  const directorNext = await readPair({ dir, name: 'director.next' });
  return {
    director,
    directorNext,
    jump,
    signing: { privateKey, publicHex: publicHexOf({ privateKey, file: join(dir, 'signing.pem') }) },
  };
}

/** Reads the keys, making those that are missing. Two processes at once end with the same keys. */
export async function ensureDirectorKeys({ stateDir }: { stateDir: string }): Promise<DirectorKeys> {
  const dir = join(stateDir, 'keys');
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await createOnce({ file: join(dir, 'director'), make: () => newOpensshKey({ comment: 'resurgo-director' }) });
  await createOnce({ file: join(dir, 'jump'), make: () => newOpensshKey({ comment: 'resurgo-jump' }) });
  await createOnce({ file: join(dir, 'signing.pem'), make: newSigningKey });
  return loadDirectorKeys({ stateDir });
}

/** What `ensureDirectorKeys` would come to, for a dry run: keys that are missing are made up, and written nowhere. */
export async function wouldBeKeys({ stateDir }: { stateDir: string }): Promise<DirectorKeys> {
  const dir = join(stateDir, 'keys');
  const pair = async (name: 'director' | 'jump') =>
    (await readPair({ dir, name })) ?? pairOf({ privateKey: newOpensshKey({ comment: `resurgo-${name}` }), dir, name });
  const file = join(dir, 'signing.pem');
  const privateKey = (await readFile(file, 'utf8').catch(undefinedIfMissing)) ?? newSigningKey();
  return {
    director: await pair('director'),
    directorNext: await readPair({ dir, name: 'director.next' }),
    jump: await pair('jump'),
    signing: { privateKey, publicHex: publicHexOf({ privateKey, file }) },
  };
}

/** When `director.next` was made; undefined when there is none. */
export async function nextKeyMade({ stateDir }: { stateDir: string }): Promise<Date | undefined> {
  return (await stat(join(stateDir, 'keys', 'director.next')).catch(undefinedIfMissing))?.mtime;
}

/** Begins (or takes up) a rotation: makes `director.next` unless it is there. */
export async function ensureNextKey({ stateDir }: { stateDir: string }): Promise<SshKeyPair> {
  const file = join(stateDir, 'keys', 'director.next');
  await createOnce({ file, make: () => newOpensshKey({ comment: 'resurgo-director' }) });
  const pair = await readPair({ dir: join(stateDir, 'keys'), name: 'director.next' });
  if (pair === undefined) throw new NoKeysError(stateDir);
  return pair;
}

/** Ends a rotation: `director.next` becomes `director`, atomically; the old private key is gone then. */
export async function promoteNextKey({ stateDir }: { stateDir: string }): Promise<void> {
  const dir = join(stateDir, 'keys');
  await rename(join(dir, 'director.next'), join(dir, 'director'));
}

/** Signs a manifest's bytes (ed25519); the 64 raw bytes as base64. */
export function signManifest({ keys, bytes }: { keys: DirectorKeys; bytes: Uint8Array }): string {
  return sign(null, bytes, createPrivateKey(keys.signing.privateKey)).toString('base64');
}

export interface SignedBytes {
  bytes: Uint8Array;
  /** base64 of the 64 raw bytes. */
  signature: string;
  /** Raw ed25519 public key, hex. */
  publicHex: string;
}

/** Whether the signature over these bytes is that key's (S19). Malformed input is simply false. */
export function verifyManifest({ bytes, signature, publicHex }: SignedBytes): boolean {
  const raw = Buffer.from(signature, 'base64');
  if (!/^[0-9a-f]{64}$/.test(publicHex) || raw.length !== 64) return false;
  const x = Buffer.from(publicHex, 'hex').toString('base64url');
  try {
    return verify(null, bytes, createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' }), raw);
  } catch {
    return false;
  }
}

function newSigningKey(): string {
  return generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function publicHexOf({ privateKey, file }: { privateKey: string; file: string }): string {
  try {
    const { x } = createPublicKey(privateKey).export({ format: 'jwk' });
    return Buffer.from(x ?? '', 'base64url').toString('hex');
  } catch (cause) {
    throw new Error(
      `${file} is not a private key: ${cause instanceof Error ? cause.message : String(cause)}. Put the right file back, or move it away, run \`resurgo enroll --all --take-over\`, and \`resurgo adopt\` what the old key has signed.`,
      { cause },
    );
  }
}

/** What makes hosts know the key that takes the place of a broken one. */
const INSTEAD = {
  // The hosts know the broken one alone, and take the new one for another director's.
  director: 'resurgo enroll --all --take-over',
  jump: 'resurgo enroll --all',
  'director.next': 'resurgo keys rotate',
} as const;

async function readPair({ dir, name }: { dir: string; name: keyof typeof INSTEAD }): Promise<SshKeyPair | undefined> {
  const privateKey = await readFile(join(dir, name), 'utf8').catch(undefinedIfMissing);
  return privateKey === undefined ? undefined : pairOf({ privateKey, dir, name });
}

function pairOf({
  privateKey,
  dir,
  name,
}: {
  privateKey: string;
  dir: string;
  name: keyof typeof INSTEAD;
}): SshKeyPair {
  // The public half is taken from the private one: two files could disagree after a crash.
  const key = utils.parseKey(privateKey);
  if (key instanceof Error)
    throw new Error(
      `${join(dir, name)} is not a private key: ${key.message}. Put the right file back, or move it away and run \`${INSTEAD[name]}\`.`,
    );
  return { privateKey, publicKey: `${key.type} ${key.getPublicSSH().toString('base64')} ${key.comment}` };
}

/** Makes a 0600 file whole at once, unless it is there: a hard link never replaces. */
async function createOnce({ file, make }: { file: string; make: () => string }): Promise<void> {
  if ((await readFile(file).catch(undefinedIfMissing)) !== undefined) return;
  const beside = `${file}.new-${process.pid}`;
  await rm(beside, { force: true });
  await writeFile(beside, make(), { mode: 0o600, flag: 'wx', flush: true });
  try {
    await link(beside, file);
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
  } finally {
    await rm(beside, { force: true });
  }
}

function undefinedIfMissing(error: unknown): undefined {
  if (isMissing(error)) return undefined;
  throw error;
}
