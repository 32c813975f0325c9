/** The layout of a host as it was sealed with a backup, straight from the store. */
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { z } from 'zod';
import { LAYOUT_VERSION, layoutSchema, type Layout } from '../planning/layout-schema';
import { HostError } from './errors';
import type { HostRef, Hosts } from './hosts';
import { storeLayout } from './verbs/store';

export interface LayoutRef {
  hosts: Hosts;
  storeHost: HostRef;
  store: string;
  group: string;
  /** The backup. */
  id: string;
  /** The host's name without the deployment's prefix. */
  host: string;
  step?: string;
}

/** No layout is larger, unpacked (S29). */
const MOST_BYTES = 32 * 1024 * 1024;

/**
 * The layout and the sum of its bytes; whether that is the sum in the signed manifest is the caller's to see.
 * @throws HostError when the store has none, or what it has is no layout
 */
export async function readLayout(ref: LayoutRef): Promise<{ layout: Layout; sha256: string }> {
  const { hosts, storeHost, store, group, id, host, step = 'read layout' } = ref;
  const packed = await storeLayout({ hosts, host: storeHost, step, store, group, id, layoutHost: host });
  const bad = (why: string, cause?: unknown) =>
    new HostError({
      ...{ host: storeHost.name, verb: 'store.layout', step, code: 'bad-reply', cause },
      message: `the layout of ${host} in backup ${id} can't be read: ${why}`,
    });
  let bytes: Buffer;
  let value: unknown;
  try {
    bytes = await promisify(gunzip)(packed, { maxOutputLength: MOST_BYTES });
    value = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw bad(error instanceof Error ? error.message : String(error), error);
  }
  const version = z.object({ resurgoLayout: z.number() }).safeParse(value).data?.resurgoLayout;
  if (version !== undefined && version > LAYOUT_VERSION)
    throw bad(
      `it was made by a newer Resurgo (version ${version}, this one reads ${LAYOUT_VERSION}): update Resurgo here`,
    );
  const parsed = layoutSchema.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw bad(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`);
  }
  return { layout: parsed.data, sha256: createHash('sha256').update(bytes).digest('hex') };
}
