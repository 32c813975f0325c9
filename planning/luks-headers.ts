/**
 * Headers of encrypted volumes in the backup of a whole machine: plain files in its tree, root's alone. What is known of one elsewhere, in the
 * signed manifest and in a run's history, is its sum. Pure; not even its types need zod, so that workflows may use it.
 */
import type { Layout } from './layout-schema';

/** Where they lie in the tree, as the hostkit puts them there (`lib/luks-headers.sh`). */
export const LUKS_FOLDER = 'var/lib/resurgo/luks';

export interface LuksHeader {
  uuid: string;
  bytes: number;
  /** Not called `sha256`: the seal takes what is called so for the sums of layouts. */
  headerSha256: string;
}

/** A volume whose header could not be taken. */
export interface LuksMissing {
  /** Its device or UUID. */
  volume: string;
  why: string;
}

/** What a backup warns of. */
export function missingHeader({ host, missing }: { host: string; missing: LuksMissing }): string {
  return `the header of encrypted volume ${missing.volume} of ${host} is not in this backup, and a recovery gives it a new key: ${missing.why}`;
}

/** The layout with the headers that the backup holds: by them a plan brings volumes back as they were. */
export function withHeaders({ layout, headers }: { layout: Layout; headers: readonly LuksHeader[] }): Layout {
  if (headers.length === 0) return layout;
  return {
    ...layout,
    luks: layout.luks.map((volume) => {
      const header = headers.find(({ uuid }) => uuid === volume.uuid);
      if (header === undefined) return volume;
      return { ...volume, header: headerOf(header) };
    }),
  };
}

/** As a layout has it. */
export function headerOf({ uuid, bytes, headerSha256: sha256 }: LuksHeader) {
  return { file: `${LUKS_FOLDER}/${uuid}.header`, bytes, sha256 };
}
