/** Reads a manifest back: strict about what it knows, deaf to what a newer version added. Not for workflow code (zod). */
import { z } from 'zod';
import { CONSISTENCY_LABELS } from './consistency';
import { isBackupId, isRunId } from './ids';
import type { Manifest } from './manifest';
import { MANIFEST_VERSION } from './manifest';

const count = z.number().int().nonnegative();
const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/);
const path = z.string().regex(/^\//).max(4096);
const tree = z
  .string()
  .regex(/^[A-Za-z0-9._-]+@[A-Za-z0-9._%+-]+$/)
  .max(512);
const instant = z.iso.datetime({ precision: 3 });
const id = z.string().refine(isBackupId, 'not the UTC of a freeze, like 20261121_013000');
const label = z.enum(CONSISTENCY_LABELS);
const hook = z.object({ name: z.string(), phase: z.enum(['before', 'after']), ok: z.boolean() });

/** What it names becomes a file's name. */
const luksHeader = z.object({
  uuid: z.string().regex(/^[0-9a-f-]{1,64}$/),
  bytes: count,
  headerSha256: z.string().regex(/^[0-9a-f]{64}$/),
});

const sourceName = { host: name, hostName: name, name, path, tree, kind: z.string().min(1) };

const backedUp = z.object({
  ...sourceName,
  state: z.literal('ok'),
  identity: z.object({
    realPath: path,
    fsType: z.string(),
    fsUuid: z.string(),
    subvolume: z.string().optional(),
    dataset: z.string().optional(),
    parts: z.array(z.object({ path, fsType: z.string(), fsUuid: z.string() })).optional(),
  }),
  label,
  evidence: z.array(z.string()),
  bytes: count,
  files: count,
  entries: count,
  listingSha256: z.string().regex(/^[0-9a-f]{64}$/),
  sentBytes: count,
  excluded: z.array(z.string()),
  nested: z.array(z.string()),
  skipped: z.array(z.object({ path: z.string(), reason: z.string() })),
  luksHeaders: z.array(luksHeader).optional(),
  startedAt: instant,
  endedAt: instant,
});

const missing = z.object({ ...sourceName, state: z.literal('missing'), reason: z.string().min(1) });

const hostFreeze = z.object({
  host: name,
  hostName: name,
  armedAt: instant,
  pausedAt: instant,
  snapshottedAt: instant,
  thawedAt: instant,
  pausedMs: count,
  paused: z.array(z.string()),
  exempt: z.array(z.string()),
  unmatched: z.array(z.string()),
  hooks: z.array(hook),
});

const layout = z.object({
  host: name,
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullable(),
  recoverable: z.boolean(),
  reasons: z.array(z.string()),
});

/** The document of {@link Manifest}. */
export const manifestSchema = z
  .object({
    resurgoManifest: z.literal(MANIFEST_VERSION),
    id,
    group: z.string().regex(/^[a-z0-9][a-z0-9-]{0,39}$/),
    deployment: z.string().nullable(),
    run: z.string().refine(isRunId, 'not the id of a run'),
    state: z.enum(['Completed', 'Partial']),
    frozenAt: instant,
    sealedAt: instant,
    freezeAttempts: z.number().int().positive(),
    pauseMs: count,
    label,
    evidence: z.array(z.string()),
    director: z.object({ id: z.string().min(1), publicKeyHex: z.string().regex(/^[0-9a-f]{64}$/) }),
    versions: z.object({ resurgo: z.string(), hostkits: z.record(z.string(), z.string()) }),
    store: z.object({ name, kind: z.string(), host: name }),
    sources: z.array(z.discriminatedUnion('state', [backedUp, missing])).min(1),
    hosts: z.array(hostFreeze),
    layouts: z.array(layout).default([]),
    previous: id.nullable(),
    rpoS: count.nullable(),
    rtoS: count.nullable(),
    contacts: z.array(
      z.object({
        name: z.string(),
        role: z.string().nullable(),
        phone: z.string().nullable(),
        mail: z.string().nullable(),
      }),
    ),
    notes: z.string(),
    warnings: z.array(z.string()),
  })
  .superRefine((manifest, context) => {
    const complain = (at: (string | number)[], message: string): void => {
      context.addIssue({ code: 'custom', path: at, message });
    };
    const isMissing = manifest.sources.some((source) => source.state === 'missing');
    if (isMissing && manifest.state === 'Completed') complain(['state'], 'Completed, and yet a source is missing');
    if (!manifest.sources.some((source) => source.state === 'ok')) complain(['sources'], 'not one of them is there');
    const trees = manifest.sources.map((source) => source.tree);
    trees.forEach((each, i) => {
      if (trees.indexOf(each) !== i) complain(['sources', i, 'tree'], `two sources share ${each}`);
    });
    if (manifest.previous !== null && manifest.previous >= manifest.id) {
      complain(['previous'], 'the backup before this one is not older than it');
    }
  }) satisfies z.ZodType<Manifest>;

/**
 * Reads a manifest's text; the signature is checked over the same bytes by whoever has them.
 * @returns why it can't be read, as a sentence's end without a full stop, where it can't
 */
export function parseManifest(text: string): Manifest | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'its manifest is damaged: it is not JSON';
  }
  const version = z.object({ resurgoManifest: z.number() }).safeParse(value);
  if (version.success && version.data.resurgoManifest > MANIFEST_VERSION)
    return `it was made by a newer Resurgo, whose manifests are of version ${version.data.resurgoManifest} (this one reads ${MANIFEST_VERSION}): update Resurgo here; its data are plain files in any case`;
  const parsed = manifestSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues
    .slice(0, 5)
    .map(({ path, message }) => [path.join('.'), message].filter(Boolean).join(': '));
  return `its manifest is damaged: ${issues.join('; ')}`;
}
