/**
 * Whose backups this director takes as genuine besides its own (S19): the signing keys that its operator has adopted, after the
 * loss of an earlier director or from a store that came from elsewhere. Adopting a key lets its backups be restored; nothing that
 * they say is run: what is stopped, started and hooked is the present runbook's.
 */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { loadDirectorKeys } from './director-keys';
import { isMissing, writeAtomic } from './files';

const file = z.object({
  version: z.literal(1),
  signers: z.array(
    z.object({
      publicKeyHex: z.string().regex(/^[0-9a-f]{64}$/),
      /** ISO 8601. */
      adoptedAt: z.string(),
      by: z.string(),
    }),
  ),
});

/** One adopted key. */
export type AdoptedSigner = z.infer<typeof file>['signers'][number];

/** The adopted keys, oldest first. @throws when the file is damaged, naming it */
export async function adoptedSigners({ stateDir }: { stateDir: string }): Promise<AdoptedSigner[]> {
  const path = pathOf(stateDir);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
  try {
    return file.parse(JSON.parse(text)).signers;
  } catch (cause) {
    throw new Error(`${path} is damaged: move it away and adopt again (\`resurgo adopt\`)`, { cause });
  }
}

/** Takes a key as genuine from now on; one that was adopted before is left as it is. */
export async function adoptSigner(options: {
  stateDir: string;
  publicKeyHex: string;
  by: string;
  now: Date;
}): Promise<void> {
  const { stateDir, publicKeyHex, by, now } = options;
  const signers = await adoptedSigners({ stateDir });
  if (signers.some((each) => each.publicKeyHex === publicKeyHex)) return;
  const value = file.parse({
    version: 1,
    signers: [...signers, { publicKeyHex, adoptedAt: now.toISOString(), by }],
  });
  await mkdir(join(stateDir, 'keys'), { recursive: true, mode: 0o700 });
  await writeAtomic({ file: pathOf(stateDir), text: `${JSON.stringify(value, null, 2)}\n`, mode: 0o600 });
}

/** All keys whose backups are genuine here: this director's own, then the adopted. @throws NoKeysError */
export async function genuineSigners({ stateDir }: { stateDir: string }): Promise<string[]> {
  const { signing } = await loadDirectorKeys({ stateDir });
  return [signing.publicHex, ...(await adoptedSigners({ stateDir })).map((each) => each.publicKeyHex)];
}

function pathOf(stateDir: string): string {
  return join(stateDir, 'keys', 'adopted.json');
}
