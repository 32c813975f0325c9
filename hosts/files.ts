/** Writing the director's small state files so that a crash leaves the old or the new one, never half. */
import { randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';

/** Writes beside, syncs, renames over. `mode` holds from the first byte on. */
export async function writeAtomic({ file, text, mode }: { file: string; text: string; mode: number }): Promise<void> {
  const beside = `${file}.${randomBytes(6).toString('hex')}.tmp`;
  const handle = await open(beside, 'wx', mode);
  try {
    await handle.writeFile(text);
    await handle.sync();
    await handle.close();
    await rename(beside, file);
  } catch (error) {
    await handle.close().catch(() => undefined);
    await rm(beside, { force: true });
    throw error;
  }
}

/** Whether an error carries this code. By its shape: errors of Node's own modules may come from another realm. */
export function hasCode(error: unknown, code: string): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === code;
}

/** Whether an error says that a file is not there. */
export function isMissing(error: unknown): boolean {
  return hasCode(error, 'ENOENT');
}
