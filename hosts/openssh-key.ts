/**
 * New ed25519 keys in OpenSSH's own private form (PROTOCOL.key, "openssh-key-v1"), without passphrase.
 *
 * ssh2 can read that form, and writes it too, but its writer drops leading zero bytes of the public half: one key in 256 is then
 * refused by its own reader and by OpenSSH.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

const TYPE = 'ssh-ed25519';
/** The cipher block size that unencrypted keys are padded to. */
const BLOCK_BYTES = 8;

/** Makes a new key and returns its private half as the text of a key file. */
export function newOpensshKey({ comment }: { comment: string }): string {
  return opensshKey({ key: generateKeyPairSync('ed25519').privateKey, comment });
}

/** Writes an ed25519 private key as the text of an OpenSSH key file. */
export function opensshKey({ key, comment }: { key: KeyObject; comment: string }): string {
  const { x, d } = key.export({ format: 'jwk' });
  if (x === undefined || d === undefined) throw new Error('not an ed25519 private key');
  const publicHalf = Buffer.from(x, 'base64url');
  const seed = Buffer.from(d, 'base64url');
  const check = randomBytes(4);
  const secret = [check, check, text(TYPE), field(publicHalf), field(Buffer.concat([seed, publicHalf])), text(comment)];
  const file = Buffer.concat([
    Buffer.from('openssh-key-v1\0'),
    ...['none', 'none', ''].map(text),
    Buffer.from([0, 0, 0, 1]),
    field(Buffer.concat([text(TYPE), field(publicHalf)])),
    field(padded(Buffer.concat(secret))),
  ]);
  const lines = file.toString('base64').match(/.{1,70}/g) ?? [];
  return ['-----BEGIN OPENSSH PRIVATE KEY-----', ...lines, '-----END OPENSSH PRIVATE KEY-----', ''].join('\n');
}

/** A length in four bytes, then the bytes. */
function field(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function text(value: string): Buffer {
  return field(Buffer.from(value));
}

/** Padded with 1, 2, 3 … to whole blocks. */
function padded(bytes: Buffer): Buffer {
  const missing = (BLOCK_BYTES - (bytes.length % BLOCK_BYTES)) % BLOCK_BYTES;
  return Buffer.concat([bytes, Buffer.from([1, 2, 3, 4, 5, 6, 7].slice(0, missing))]);
}
