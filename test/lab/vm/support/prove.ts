/** One machine's whole way: installed, filled, backed up, lost, recovered onto blank disks, booted by firmware, compared. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { takeDown } from '../../support/product';
import type { RecoveryCase } from './cases';
import { Recovery } from './recovery';

/** @returns what differs and should not: nothing, where the machine came back as it was */
export async function proveRecovery(each: RecoveryCase): Promise<string[]> {
  const { layout, replacement = {}, passphrases = {}, expected, then } = each;
  const secrets = mkdtempSync(path.join(tmpdir(), 'resurgo-passphrases-'));
  const recovery = await Recovery.raise({ ...each, name: `vm${each.name}` });
  try {
    const medium = await recovery.medium();
    const before = await recovery.portrait();
    await recovery.backup();
    const rescue = await recovery.replace({ medium, disks: layout.disks, ...replacement });
    const words = Object.entries(passphrases).flatMap(([name, passphrase]) => {
      const file = path.join(secrets, name);
      writeFileSync(file, passphrase, { mode: 0o600 });
      return ['--passphrase', `${name}=${file}`];
    });
    const { state } = await recovery.recover(rescue, words);
    if (state !== 'Completed') throw new Error(`the recovery ended as ${state}`);
    await recovery.server.answers();
    const differences = recovery.differences(before, await recovery.portrait());
    await then?.(recovery);
    return differences.filter((line) => expected?.test(line) !== true);
  } finally {
    await takeDown(recovery.product);
    rmSync(secrets, { recursive: true, force: true });
  }
}
