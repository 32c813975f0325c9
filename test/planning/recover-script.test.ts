import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { tableScript } from '../../planning/recover-script';
import { LayoutKit, GIB } from './layout-builder';

/** The partitions' lines as sfdisk prints them, without the device and blanks. */
function dumped(image: string): string[] {
  const text = execFileSync('/sbin/sfdisk', ['--dump', image], { encoding: 'utf8' });
  return text
    .split('\n')
    .filter((line) => line.startsWith(image))
    .map((line) =>
      line
        .slice(image.length)
        .replace(/^p?\d+ *: */, '')
        .replaceAll(' ', ''),
    );
}

function written(script: string): string[] {
  return script
    .split('\n')
    .filter((line) => /^\d+ : /.test(line))
    .map((line) => line.replace(/^\d+ : /, '').replaceAll(' ', ''));
}

describe('a table as sfdisk reads it', () => {
  let folder: string;
  beforeAll(() => (folder = mkdtempSync(path.join(tmpdir(), 'resurgo-table-'))));
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const gpt = new LayoutKit()
    .disk('sda', 20)
    .gpt('disk:sda', ['1M bios first', '512M esp', '4G swap', '* linux root'])
    .vfat('part:sda2', '/boot/efi')
    .swap('part:sda3')
    .ext4('part:sda4', '/')
    .build();
  const dos = new LayoutKit({ firmware: 'bios' })
    .disk('sda', 20)
    .dos('disk:sda', ['512M 83 active', '4G 83', '* ext'], ['2G 82', '8G 83'])
    .ext4('part:sda1', '/boot')
    .ext4('part:sda2', '/')
    .build();

  test.each([
    ['GPT', gpt],
    ['MBR with logical partitions', dos],
  ])('%s: what is written is what sfdisk shows, line by line', (name, { tables, partitions }) => {
    const image = path.join(folder, `${name}.img`);
    writeFileSync(image, '');
    truncateSync(image, 20 * GIB);
    const script = tableScript({ table: tables[0]!, sectorBytes: 512, partitions });
    execFileSync('/sbin/sfdisk', ['--quiet', image], { input: script });
    expect(dumped(image)).toEqual(written(script));
  });

  test('names with quotes, blanks and letters beyond ASCII arrive as they were', () => {
    const partition = {
      ...gpt.partitions[3]!,
      number: 1,
      name: 'a "b" grün\\',
      attributes: ['RequiredPartition', 'GUID:63'],
    };
    const image = path.join(folder, 'names.img');
    writeFileSync(image, '');
    truncateSync(image, 20 * GIB);
    execFileSync('/sbin/sfdisk', ['--quiet', image], {
      input: tableScript({ table: gpt.tables[0]!, sectorBytes: 512, partitions: [partition] }),
      env: { ...process.env, LC_ALL: 'C.UTF-8' },
    });
    const shown: unknown = JSON.parse(
      execFileSync('/sbin/sfdisk', ['--json', image], { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C.UTF-8' } }),
    );
    expect(shown).toMatchObject({
      partitiontable: { partitions: [{ name: 'a "b" grün\\', attrs: 'RequiredPartition GUID:63' }] },
    });
  });

  test('what does not fall on a sector is refused', () => {
    expect(() => tableScript({ table: gpt.tables[0]!, sectorBytes: 4096, partitions: gpt.partitions })).toThrow(
      RangeError,
    );
  });
});
