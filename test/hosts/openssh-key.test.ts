import { spawnSync } from 'node:child_process';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { utils } from 'ssh2';
import { newOpensshKey, opensshKey } from '../../hosts/openssh-key';

/** What ssh-keygen and ssh2 read as the public half of a private key file. */
function readBack(file: string): { openssh: string; ssh2: string } {
  const dir = mkdtempSync(join(tmpdir(), 'resurgo-key-'));
  try {
    writeFileSync(join(dir, 'key'), file, { mode: 0o600 });
    const { stdout, stderr } = spawnSync('ssh-keygen', ['-y', '-f', join(dir, 'key')], { encoding: 'utf8' });
    const parsed = utils.parseKey(file);
    if (parsed instanceof Error) throw parsed;
    return { openssh: (stdout || stderr).trim(), ssh2: parsed.getPublicSSH().toString('base64') };
  } finally {
    rmSync(dir, { recursive: true });
  }
}

function rawPublic(key: KeyObject): Buffer {
  return Buffer.from(createPublicKey(key).export({ format: 'jwk' }).x ?? '', 'base64url');
}

describe('newOpensshKey', () => {
  it.each(['', 'a', 'ab', 'abc', 'abcd', 'abcde', 'abcdef', 'abcdefg', 'resurgo-director'])(
    'is read alike by OpenSSH and ssh2, whatever padding the comment %j needs',
    (comment) => {
      const { openssh, ssh2 } = readBack(newOpensshKey({ comment }));
      expect(openssh).toBe(['ssh-ed25519', ssh2, comment].join(' ').trim());
    },
  );

  it('keeps a public half that begins with a zero byte whole', () => {
    let { privateKey } = generateKeyPairSync('ed25519');
    while (rawPublic(privateKey)[0] !== 0) ({ privateKey } = generateKeyPairSync('ed25519'));
    const { openssh, ssh2 } = readBack(opensshKey({ key: privateKey, comment: 'zero' }));
    expect(Buffer.from(ssh2, 'base64').subarray(-32)).toEqual(rawPublic(privateKey));
    expect(openssh).toBe(`ssh-ed25519 ${ssh2} zero`);
  });

  it('gives readable keys a thousand times over', () => {
    for (let made = 0; made < 1000; made += 1)
      expect(utils.parseKey(newOpensshKey({ comment: 'many' }))).not.toBeInstanceOf(Error);
  });
});
