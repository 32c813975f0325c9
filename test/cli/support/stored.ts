/** Backups as a store lists them, with manifests that are really signed. */
import { generateKeyPairSync, sign as signWith } from 'node:crypto';
import { buildManifest } from '../../../planning/build-manifest';
import { canonicalJson } from '../../../planning/canonical';
import { parseBackupId } from '../../../planning/ids';
import type { LuksHeader } from '../../../planning/luks-headers';
import type { LayoutEntry } from '../../../planning/recoverable';
import { APP_2, backedUp, manifestInput } from '../../planning/samples';

export const own = signer();
export const stranger = signer();
/** Who signed them, and who signed those of a stranger. */
export const { publicKeyHex } = own;
export const strangerHex = stranger.publicKeyHex;

/** A key that seals backups; with `own` a fleet's backups are of the same hand as those that a test writes itself. */
function signer() {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return {
    publicKeyHex: Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url').toString('hex'),
    sign: (bytes: Uint8Array) => signWith(null, bytes, privateKey).toString('base64'),
  };
}

export interface StoredEntry {
  group: string;
  id: string;
  run: string;
  state: string;
  manifest: string;
  manifestSig: string;
  holds?: string[];
}

/** One sealed backup of group `portal`: `app-1` and `app-2` under /srv/data; of a partial one `app-1` is missing. */
export function entry(options: {
  id: string;
  state?: 'Completed' | 'Partial';
  holds?: string[];
  sha256?: string;
  byStranger?: boolean;
  run?: string;
  /** Snapshot kind of `app-1`. */
  kind?: string;
  layouts?: LayoutEntry[];
  /** Of encrypted volumes of `app-1`. */
  luksHeaders?: LuksHeader[];
}): StoredEntry {
  const { id, state = 'Completed', holds, sha256 = 'a'.repeat(64), layouts = [] } = options;
  const { publicKeyHex, sign } = options.byStranger === true ? stranger : own;
  const frozenAtMs = parseBackupId(id);
  const app1 = backedUp({
    ...{ listingSha256: sha256, kind: options.kind ?? 'btrfs' },
    ...(options.luksHeaders === undefined ? {} : { luksHeaders: options.luksHeaders }),
  });
  const { host, hostName, name, path, tree, kind } = app1;
  const manifest = buildManifest(
    manifestInput({
      frozenAtMs,
      sealedAtMs: frozenAtMs + 60_000,
      previous: null,
      layouts,
      ...(options.run === undefined ? {} : { run: options.run }),
      director: { id: 'director-test', publicKeyHex },
      backedUp: [backedUp({ ...APP_2, listingSha256: sha256 }), ...(state === 'Partial' ? [] : [app1])],
      onUnreachable: state === 'Partial' ? 'partial' : 'fail',
      missing: state === 'Partial' ? [{ host, hostName, name, path, tree, kind, reason: 'it was off' }] : [],
    }),
  );
  const bytes = Buffer.from(canonicalJson(manifest));
  return {
    group: 'portal',
    id,
    run: manifest.run,
    state: 'sealed',
    manifest: bytes.toString('base64'),
    manifestSig: sign(bytes),
    ...(holds === undefined ? {} : { holds }),
  };
}
