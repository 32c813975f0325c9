/** What a build of rescue media says of itself: build.json beside the media, canonical JSON, signed by the director. Not for workflow code (zod). */
import { z } from 'zod';
import { isBackupId } from './ids';
import { INITRAMFS, KERNEL } from './netboot';

export const RESCUE_VERSION = 1;

const count = z.number().int().nonnegative();
const sum = z.string().regex(/^[0-9a-f]{64}$/);
const instant = z.iso.datetime({ precision: 3 });
const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/);

/** `pinned`: it holds the rescue system's host key, and is a secret (S30). What is served by network never does. Never guessed. */
const file = z.object({ name, bytes: count, sha256: sum, pinned: z.boolean() });

export const rescueBuildSchema = z.object({
  resurgoRescue: z.literal(RESCUE_VERSION),
  /** UTC of the build, like a backup's id. */
  id: z.string().refine(isBackupId),
  /** The host's name without the deployment's prefix, and as the runbook has it. */
  host: name,
  hostName: name,
  /** Release of the kernel, how many modules and firmware files are in it, and which were chosen. */
  kernel: z.string().max(256),
  modules: count,
  firmware: count,
  chosen: z.string().max(64),
  network: z.string().max(64),
  files: z.array(file).min(1).max(32),
  /** The rescue system's ssh host key, `ssh-ed25519 BASE64`; null where it makes one at each boot. */
  hostKey: z
    .string()
    .regex(/^ssh-ed25519 [A-Za-z0-9+/]+=*$/)
    .nullable(),
  /** Whether its boot loaders for UEFI are signed ones. */
  secureBoot: z.boolean(),
  /** Whether its image starts by these firmwares. Absent: media without an image, or built before this was noted. */
  biosBoot: z.boolean().optional(),
  uefiBoot: z.boolean().optional(),
  builtAt: instant,
  /** Of the host's layout when it was built (`layoutSum`: the same as long as nothing changes that a recovery would make otherwise). */
  layoutSha256: sum,
  /** `booted`: it was started in a virtual machine and logged into. */
  verdict: z.enum(['made', 'booted']),
  bootedAt: instant.nullable(),
  director: z.object({ id: z.string().max(256), publicKeyHex: sum }),
  /** The version of Resurgo that had it built. */
  version: z.string().max(64),
});

export type RescueBuild = z.output<typeof rescueBuildSchema>;
export type RescueFileEntry = RescueBuild['files'][number];

/** What job `rescue-build` answers. */
export const builtResult = z.looseObject({
  kernel: z.string(),
  modules: count,
  firmware: count,
  secureBoot: z.boolean(),
  biosBoot: z.boolean().optional(),
  uefiBoot: z.boolean().optional(),
  files: z.array(file).min(1),
  /** As ssh-keygen writes it, with its comment. */
  hostKey: z.string().optional(),
});

/** Reads a build.json, or says why it is none. */
export function parseRescueBuild(text: string): RescueBuild | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'its build.json is not JSON';
  }
  const parsed = rescueBuildSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [first] = parsed.error.issues;
  return `its build.json is none of ours: ${first?.path.join('.') ?? ''} ${first?.message ?? ''}`;
}

/** The lines by which job `rescue-keep` checks what has arrived. */
export function filesInLines(files: readonly RescueFileEntry[]): string {
  return files.map(({ sha256, bytes, name: each }) => `${sha256} ${bytes} ${each}`).join('\n');
}

/** The file of a kind of medium: `iso` and `usb` are one hybrid image; of `pxe` there are two. */
export function filesOf({ build, output }: { build: RescueBuild; output: 'iso' | 'usb' | 'pxe' }): RescueFileEntry[] {
  const wanted = output === 'pxe' ? [KERNEL, INITRAMFS] : ['rescue.iso'];
  return build.files.filter((each) => wanted.includes(each.name));
}
