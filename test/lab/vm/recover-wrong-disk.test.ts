/** What a recovery must never write to: a disk with backups, one of two that nothing tells apart, one that was exchanged after the plan. */
import { createHash } from 'node:crypto';
import { createReadStream, mkdirSync, statSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { describeLab } from '../support/describe-lab';
import { takeDown } from '../support/product';
import { runProgram } from '../support/program';
import { biosExt4 } from './support/layouts';
import type { Machine, VirtualDisk } from './support/machine';
import { Recovery } from './support/recovery';

jest.setTimeout(3_600_000);

const SIZE_MB = 4096;
const blank = (serial: string) => ({ serial, sizeMb: SIZE_MB, bus: 'scsi' as const });

describeLab('a disk that is not meant', () => {
  let recovery: Recovery | undefined;
  let medium = '';

  beforeAll(async () => {
    recovery = await Recovery.raise({ name: 'vmwrong', layout: biosExt4, number: 150 });
    medium = await recovery.medium();
    await recovery.backup();
  }, 3_600_000);
  afterAll(() => takeDown(recovery?.product), 120_000);

  function raised(): Recovery {
    if (recovery === undefined) throw new Error('nothing was raised');
    return recovery;
  }

  /** The rescue system on those blank disks, powered off at the end, and what of them was written to meanwhile. */
  async function written(
    serials: readonly string[],
    work: (rescue: Machine, disks: readonly VirtualDisk[]) => Promise<void>,
    prepare: (disks: readonly VirtualDisk[]) => Promise<void> = () => Promise.resolve(),
  ): Promise<string[]> {
    const rescue = await raised().replace({ medium, disks: serials.map(blank), prepare });
    const { disks } = rescue.spec;
    const before = await Promise.all(disks.map(({ image }) => sumOf(image)));
    try {
      await work(rescue, disks);
    } finally {
      await rescue.kill();
    }
    const after = await Promise.all(disks.map(({ image }) => sumOf(image)));
    return disks.filter((_, i) => before[i] !== after[i]).map(({ serial }) => serial);
  }

  test('two blank disks of one size are not guessed between', async () => {
    const touched = await written(['X1', 'X2'], async (rescue) => {
      expect(await raised().refused(rescue)).toMatch(
        /could be any of sda \(serial X1\).* and sdb \(serial X2\).*--pin vda=X1/,
      );
    });
    expect(touched).toEqual([]);
  });

  test('one that holds backups is left alone, and said so', async () => {
    const touched = await written(
      ['M1'],
      async (rescue) => {
        expect(await raised().refused(rescue)).toMatch(/sda \(serial M1\): in use: it holds a store of backups/);
      },
      async ([disk]) => {
        const image = disk?.image ?? '';
        const store = `${image}.tree`;
        mkdirSync(path.join(store, 'backup', '.resurgo-store'), { recursive: true });
        writeFileSync(path.join(store, 'backup', 'kept'), 'a backup');
        await runProgram({ command: ['mkfs.ext4', '-q', '-F', '-d', store, image], timeoutMs: 60_000 });
      },
    );
    expect(touched).toEqual([]);
  });

  test('one that was put in for the planned one is not written to', async () => {
    const touched = await written(['P1'], async (rescue, [planned]) => {
      const { product } = raised();
      const { run, hash } = await raised().ask(rescue);
      const image = `${planned?.image ?? ''}.other`;
      await runProgram({ command: ['truncate', '-s', `${SIZE_MB}M`, image] });
      await rescue.swapDisk({ serial: 'P1', by: { image, serial: 'P2' } });
      await product.run(['approve', run, hash.slice(0, 12)]);
      const { stdout, stderr } = await product.ended(run, [1], 300_000);
      expect(stdout + stderr).toMatch(/the machine is not what the plan was made for/);
      expect(stdout + stderr).toMatch(/Nothing was written/);
      expect(statSync(image).blocks).toBe(0);
    });
    expect(touched).toEqual([]);
  });
});

async function sumOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}
