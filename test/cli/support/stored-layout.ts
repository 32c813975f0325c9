/** Backups in a store in memory that hold a layout of `app-1`. */
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { Layout } from '../../../planning/layout-schema';
import type { LayoutEntry } from '../../../planning/recoverable';
import { canonicalJson } from '../../../planning/canonical';
import type { useMemoryFleet } from './memory-fleet';
import { entry } from './stored';

/** Puts a backup of this id into the store, with the layout that its manifest names. */
export function storeWithLayout({
  fleet,
  id,
  layout,
  named = {},
  ...options
}: Omit<Parameters<typeof entry>[0], 'layouts' | 'run'> & {
  fleet: ReturnType<typeof useMemoryFleet>;
  layout: Layout;
  /** What the manifest says of it otherwise. */
  named?: Partial<LayoutEntry>;
}): void {
  const run = `r-${id.replace('_', '-')}-x`;
  const text = canonicalJson(layout);
  const sha256 = createHash('sha256').update(text).digest('hex');
  const kept = { host: 'app-1', sha256, recoverable: true, reasons: [], ...named };
  fleet.store(entry({ ...options, layouts: [kept], id, run }));
  fleet.hosts.host('target').layouts.set(`${run} app-1`, gzipSync(text).toString('base64'));
}
