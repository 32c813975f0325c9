/** One machine's whole way: installed, filled, backed up, lost, recovered onto blank disks, booted by firmware, compared. */
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { takeDown } from '../../support/product';
import type { RecoveryCase } from './cases';
import { Recovery } from './recovery';
import type { Outcome } from './recovery';

/** @returns what differs and should not: nothing, where the machine came back as it was */
export async function proveRecovery(each: RecoveryCase): Promise<string[]> {
  const { layout, replacement = {}, expected, then } = each;
  const secrets = mkdtempSync(path.join(tmpdir(), 'resurgo-passphrases-'));
  const times: string[] = [];
  const timed = async <T>(what: string, work: Promise<T>): Promise<T> => {
    const began = Date.now();
    const value = await work;
    times.push(`${what} ${Math.round((Date.now() - began) / 1000)}`);
    return value;
  };
  const recovery = await timed('set up', Recovery.raise({ ...each, name: `vm${each.name}` }));
  try {
    const medium = await timed('medium', recovery.medium());
    const before = await recovery.portrait();
    await timed('backup', recovery.backup());
    const rescue = await timed('boot medium', recovery.replace({ medium, disks: layout.disks, ...replacement }));
    const ended = await timed(
      'recover',
      recovery.recover(rescue, [...passphraseWords({ each, secrets }), ...(each.words ?? [])]),
    );
    if (ended.state !== 'Completed') throw new Error(`the recovery ended as ${ended.state}`);
    await recovery.server.answers();
    const differences = recovery.differences(before, await recovery.portrait());
    await then?.(recovery);
    const wrong = differences.filter((line) => expected?.test(line) !== true);
    note({ each, ended, times, wrong: wrong.length });
    return wrong;
  } finally {
    await takeDown(recovery.product);
    rmSync(secrets, { recursive: true, force: true });
  }
}

function passphraseWords({ each, secrets }: { each: RecoveryCase; secrets: string }): string[] {
  return Object.entries(each.passphrases ?? {}).flatMap(([name, passphrase]) => {
    const file = path.join(secrets, name);
    writeFileSync(file, passphrase, { mode: 0o600 });
    return ['--passphrase', `${name}=${file}`];
  });
}

/** A row for the table of test-metal.sh: what was proven, and the seconds of each part. */
function note(row: { each: RecoveryCase; ended: Outcome; times: string[]; wrong: number }): void {
  const file = process.env['RESURGO_METAL_TABLE'];
  if (file === undefined) return;
  const { each, ended, times, wrong } = row;
  const phases = ended.phases.filter(({ seconds }) => seconds > 0).map(({ phase, seconds }) => `${phase} ${seconds}`);
  const verdict = wrong === 0 ? 'as it was' : `${wrong} differences`;
  const cells = [each.layout.firmware, each.title, verdict, times.join(', '), phases.join(', ')];
  appendFileSync(file, `| ${cells.join(' | ')} |\n`);
}
