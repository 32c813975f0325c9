/** docs/by-hand.md followed to the letter, from the layout to the data: on a disk whose partitions held something else, with the page's own commands. */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import * as path from 'node:path';
import { golden } from '../planning/layout-machines';
import { describeAsRoot } from './support';

const PAGE = readFileSync(path.join(__dirname, '../../docs/by-hand.md'), 'utf8');

/** The commands below one heading, without what is said of them. */
function commands(number: number): string[] {
  const [, section = ''] = PAGE.split(new RegExp(`^## ${number}\\. .*$`, 'm'));
  return (section.split(/^## /m)[0] ?? '')
    .split('\n')
    .filter((line) => line.startsWith('    '))
    .map((line) => line.slice(4).replace(/\s+# .*$/, ''));
}

/** The one that begins so. */
function command(number: number, begins: string): string {
  const found = commands(number).find((line) => line.startsWith(begins));
  if (found === undefined) throw new Error(`step ${number} of docs/by-hand.md has no command ${begins}`);
  return found;
}

describeAsRoot('a host recovered by hand', () => {
  const layout = golden('uefi-ext4');
  const [disk] = layout.disks;
  const size = disk?.bytes ?? 0;
  let dir = '';
  let loops: string[] = [];

  const bash = (script: string): string => {
    const ran = spawnSync('unshare', ['-m', 'bash', '-euc', `cd '${dir}'; udevadm() { :; }; ${script}`], {
      encoding: 'utf8',
      timeout: 120_000,
    });
    if (ran.status !== 0) throw new Error(`exit ${ran.status}: ${ran.stdout}${ran.stderr}\n${script}`);
    return ran.stdout;
  };
  const loop = (...options: string[]): string => {
    const made = bash(`losetup --show -f ${options.join(' ')} disk`).trim();
    loops.push(made);
    return made;
  };
  /** The page's names in the place of which this disk's are. Partitions are loop devices of their own: not every kernel has them of one. */
  const here = (text: string): string =>
    text
      .replaceAll('/dev/sdX[0-9]*', loops.slice(1).join(' '))
      .replaceAll(/\/dev\/sdX(\d)/g, (_, number: string) => loops[Number(number)] ?? '?')
      .replaceAll('/dev/sdX', loops[0] ?? '?')
      .replaceAll('disk:sda', disk?.id ?? '?')
      .replaceAll('/mnt/new', path.join(dir, 'new'))
      .replaceAll('root@T:$B/H@+/', path.join(dir, 'backup/web-1@+/'));
  const systemOn = (number: number) => layout.fileSystems.find(({ on }) => on === layout.partitions[number - 1]?.id);

  beforeAll(() => {
    dir = mkdtempSync(path.join(os.tmpdir(), 'resurgo-by-hand-'));
    writeFileSync(path.join(dir, 'H.json'), JSON.stringify(layout));
    writeFileSync(path.join(dir, 'disk'), '');
    truncateSync(path.join(dir, 'disk'), size);
    loop();
    for (const { startByte, bytes } of layout.partitions) loop('-o', `${startByte}`, '--sizelimit', `${bytes}`);
    // What its partitions held before, at the same places.
    bash(
      `mkfs.xfs -q -f '${loops[2] ?? ''}'; mkfs.ext4 -q -F '${loops[1] ?? ''}'; mkswap -q '${loops[3] ?? ''}'; sync`,
    );
  }, 120_000);
  afterAll(() => {
    for (const each of loops) spawnSync('losetup', ['-d', each]);
    rmSync(dir, { recursive: true, force: true });
    loops = [];
  });

  test('1: what it looked like', () => {
    const told = commands(1).filter((line) => line.startsWith('jq '));
    const out = bash(told.join('\n'));
    expect(told).toHaveLength(5);
    expect(out).toContain(`${disk?.id ?? '?'}\t`);
    expect(out).toContain('/boot/efi\tfs:1234-ABCD\t');
    expect(out).toContain('uefi\n');
  });

  test('2: the table is the old one, and nothing of what was on the disk is left', () => {
    const all = commands(2);
    const text = all.slice(all.findIndex((line) => line.startsWith('cat > table.jq'))).join('\n');
    bash(here(text));
    const dump = bash(`sfdisk --dump '${loops[0] ?? ''}'`)
      .replaceAll(/ +/g, '')
      .replaceAll(/^\/dev\/loop\d+p/gm, '');
    for (const { number, startByte, bytes, type, uuid, attributes } of layout.partitions) {
      const attrs = attributes.length === 0 ? '' : `,attrs="${attributes.join('')}"`;
      expect(dump).toContain(
        `${number}:start=${startByte / 512},size=${bytes / 512},type=${type},uuid=${uuid ?? ''}${attrs}\n`,
      );
    }
    expect(bash(`wipefs ${loops.slice(1).join(' ')}`)).toBe('');
  });

  test('3: the file systems have their UUIDs and labels, asked of nobody', () => {
    const [esp, root] = [systemOn(1), systemOn(2)];
    const swap = layout.swaps[0];
    const make = root?.make;
    if (make?.type !== 'ext4') throw new Error('the layout has another root');
    const filled = (begins: string, to: Record<string, string>): string =>
      Object.entries(to).reduce((text, [from, into]) => text.replace(from, into), here(command(3, begins)));
    const commandsHere = [
      filled('mkfs.ext4', {
        UUID: root?.uuid ?? '',
        '-L LABEL ': '',
        BLOCKBYTES: `${make.blockBytes}`,
        INODEBYTES: `${make.inodeBytes}`,
      }),
      filled('mkfs.vfat', { LABEL: esp?.label ?? '', '1234ABCD': (esp?.uuid ?? '').replace('-', '') }),
      filled('mkswap', { UUID: swap?.uuid ?? '', LABEL: swap?.label ?? '' }),
    ];
    bash(`exec </dev/null; ${commandsHere.join('\n')}`);
    const told = loops
      .slice(1)
      .map((each) => bash(`blkid -p -o value -s TYPE -s UUID -s LABEL '${each}'`).trim().split('\n').sort());
    expect(told).toEqual([
      ['1234-ABCD', 'EFI', 'vfat'],
      [root?.uuid ?? '', 'ext4'].sort(),
      [swap?.uuid ?? '', swap?.label ?? '', 'swap'].sort(),
    ]);
  });

  test('4 and 5: mounted, and all of the data is there as it was', () => {
    const tree = path.join(dir, 'backup/web-1@+');
    mkdirSync(path.join(tree, 'boot/efi/EFI/debian'), { recursive: true });
    mkdirSync(path.join(tree, 'var/lib/resurgo/luks'), { recursive: true });
    mkdirSync(path.join(tree, 'etc'));
    writeFileSync(path.join(tree, 'boot/efi/EFI/debian/shimx64.efi'), 'MZ');
    writeFileSync(path.join(tree, 'var/lib/resurgo/luks/u.header'), 'a secret');
    writeFileSync(path.join(tree, 'etc/fstab'), 'UUID=x / ext4\n');
    bash(`cd '${tree}'; chmod -R go= boot/efi; ln etc/fstab etc/fstab.again; ln -s fstab etc/link; chown 33:33 etc/fstab
      setfattr -n user.note -v kept etc/fstab; setfattr -n security.capability -v 0sAQAAAgAgAAAAAAAAAAAAAAAAAAA= var; setfacl -m u:7:r etc/fstab
      truncate -s 1M etc/sparse; printf '%s' "$(printf 'name with\\nline')" >'etc/a  b'`);
    // Not every kernel that tests run on has FAT; its folder stands for it there.
    const hasFat =
      /\tvfat$/m.test(readFileSync('/proc/filesystems', 'utf8')) || spawnSync('modprobe', ['vfat']).status === 0;
    const mounts = commands(4).filter((line) => line.startsWith('mkdir') && (hasFat || !line.includes('umask')));
    const root = systemOn(2)?.uuid ?? '?';
    const copy = here(command(5, 'rsync'));
    const said = bash(
      [
        ...mounts.map((line) => here(line).replace('ROOT-UUID', root)),
        copy,
        here(command(5, 'mkdir')),
        'findmnt -nro FSTYPE new; findmnt -nro FSTYPE new/boot/efi || echo none',
        // A second one finds nothing to do: content, owners, times, links, attributes.
        `${copy} --checksum --dry-run --itemize-changes --exclude=/tmp --exclude=/proc --exclude=/sys --exclude=/dev --exclude=/run | grep -v '^[.]d..t' || true`,
        'stat -c "%h %u %a" new/etc/fstab; getfattr --only-values -n user.note new/etc/fstab; ls new/var/lib/resurgo/luks; ls -d new/proc new/run; stat -c %a new/tmp',
      ].join('\n'),
    );
    expect(said).toBe(`ext4\n${hasFat ? 'vfat' : 'none'}\n2 33 644\nkeptnew/proc\nnew/run\n1777\n`);
    expect(existsSync(path.join(dir, 'new/etc'))).toBe(false);
    expect(statSync(path.join(dir, 'disk')).size).toBe(size);
  });
});
