/** Tests that need the lab say so by this, and where it can't run they are seen to be skipped, with the reason. */
import { existsSync } from 'node:fs';
import * as path from 'node:path';

/** The programs without which no fleet can be raised. */
const NEEDED = ['debootstrap', 'nsenter', 'mkfs.btrfs', 'losetup', 'ip', 'ebtables-nft', 'ssh'];

/** Why this machine can't run the lab, or undefined when it can. */
export function labMissing(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root';
  const folders = (process.env['PATH'] ?? '').split(':').concat('/usr/sbin', '/sbin');
  const missing = NEEDED.filter((program) => !folders.some((folder) => existsSync(path.join(folder, program))));
  return missing.length === 0 ? undefined : `missing: ${missing.join(', ')} (scripts/setup.sh installs them)`;
}

/** `describe` for suites on the simulated fleet. Without root they are skipped by name; with `CI=true` that is a failure. */
export function describeLab(name: string, suite: () => void): void {
  const missing = labMissing();
  if (missing === undefined) {
    describe(name, suite);
  } else if (process.env['CI'] === 'true') {
    test(`${name}: the lab can run`, () => {
      throw new Error(`the lab can't run here and CI=true allows no skip: ${missing}`);
    });
  } else {
    describe.skip(`${name} (skipped: ${missing})`, suite);
  }
}
