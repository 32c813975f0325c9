/** Rescue media by the hostkit's own library: which storage an image serves, and that the same input makes the same bytes. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SHELLS } from './support';
import type { Shell } from './support';

jest.setTimeout(120_000);
const LIB = join(__dirname, '../../hostkit');
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'resurgo-media-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** Runs shell lines in the folder, with the hostkit's library and a stand-in for blkid that prints these lines. */
function sh({ shell = 'dash', disks = [], lines }: { shell?: Shell; disks?: string[]; lines: string[] }): string {
  const bin = join(folder, 'bin');
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, 'blkid'), `#!/bin/sh\ncat <<'E'\n${disks.join('\n')}\nE\n`);
  chmodSync(join(bin, 'blkid'), 0o755);
  const script = ['set -eu', 'umask 077', `RESURGO_LIB=${LIB}`, ...lines].join('\n');
  const [command = '', ...args] = shell.split(' ');
  const env = { ...process.env, PATH: `${bin}:/usr/sbin:/usr/bin:/sbin:/bin`, LC_ALL: 'C' };
  const ran = spawnSync(command, [...args, '-c', script], { cwd: folder, env, encoding: 'utf8' });
  if (ran.status !== 0) throw new Error(`${ran.stdout}${ran.stderr}`);
  return ran.stdout;
}

describe.each(SHELLS)('in %s', (shell) => {
  const chosen = (choice: string, disks: string[]): string[] =>
    sh({
      shell,
      disks,
      lines: [
        '. "$RESURGO_LIB/lib/rescue-storage.sh"',
        `rescue_storage_choose ${choice}`,
        'printf "%s\\n" $rescue_storage',
      ],
    })
      .split('\n')
      .filter((line) => line !== '');

  test('an image serves the storage that lies on the disks of the host', () => {
    const found = chosen('host', [
      'vfat',
      'linux_raid_member',
      'crypto_LUKS',
      'LVM2_member',
      'zfs_member',
      'xfs',
      'ext4',
    ]);
    expect(found).toEqual(expect.arrayContaining(['luks', 'lvm', 'md', 'xfs', 'zfs']));
    // Of this machine's own mounts nothing else can come in.
    expect(found.filter((kind) => !['luks', 'lvm', 'md', 'xfs', 'zfs', 'btrfs'].includes(kind))).toEqual([]);
    expect(chosen('host', ['vfat', 'ext4', 'swap'])).not.toContain('lvm');
  });

  test('and all of it where that is asked for, or where no disk can be looked at', () => {
    const all = ['btrfs', 'luks', 'lvm', 'md', 'xfs', 'zfs'];
    expect(chosen('all', ['ext4'])).toEqual(all);
    expect(chosen('host', [])).toEqual(all);
  });
});

test.each([
  ['says so', 'a'.repeat(64), `${'a'.repeat(64)}\n`],
  ['of before says nothing', '', 'none\n'],
])('an image that was built for a layout %s', (_, sum, said) => {
  const steps = ['rescue_find', 'rescue_storage_choose', 'rescue_programs', 'rescue_modules', 'rescue_canonical'];
  const told = sh({
    lines: [
      '. "$RESURGO_LIB/lib/rescue-image.sh"',
      ...steps.map((each) => `${each}() { rescue_storage= rescue_path=/bin/busybox; }`),
      // What stands in the image is what lies there when it is packed.
      'rescue_own() { mkdir -p own/etc/resurgo; }',
      'rescue_pack() { : >modules; : >files.sorted; : >initramfs.img; cat own/etc/resurgo/rescue.layout 2>/dev/null || echo none; }',
      `rescue_compose 6.1 common yes dhcp host fast '${sum}'`,
    ],
  });
  expect(told).toBe(said);
});

describe.each(SHELLS)('in %s what a build lacks', (shell) => {
  /** The job on a host that lacks these programs; it would go on with composing. */
  const built = (lacks: string[], outputs: string, efi = true): string =>
    sh({
      shell,
      lines: [
        '. "$RESURGO_LIB/lib/base.sh"; . "$RESURGO_LIB/jobs/rescue-build.sh"',
        `rescue_find() { case " ${lacks.join(' ')} " in *" $1 "*) return 1 ;; esac; rescue_path=/bin/$1; }`,
        `outputs_efi_here() { ${efi ? 'true' : 'false'}; }`,
        'job_fail() { echo "$1: $2"; exit 0; }; job_progress() { echo "composes"; exit 0; }; uname() { echo kernel-of-nowhere; }',
        `arg_outputs='${outputs}'; job_main`,
      ],
    });

  test('is named at once, with the packages to install, before anything else', () => {
    expect(built(['busybox', 'cpio', 'getfattr', 'setfattr', 'xorriso'], 'iso pxe', false)).toBe(
      "missing-tool: rescue media are made of this host's own programs, and it lacks cpio, busybox, getfattr, setfattr, xorriso, shimx64.efi, gcdx64.efi: install the packages cpio busybox attr xorriso shim-signed grub-efi-amd64-signed there (their names in Debian), or choose fewer outputs (rescue.outputs in the runbook)\n",
    );
  });

  test('is only what the chosen outputs are made with', () => {
    expect(built(['xorriso', 'mcopy'], 'pxe', false)).toMatch(/^not-found: kernel kernel-of-nowhere runs here/);
    expect(built(['xorriso', 'mcopy'], 'usb')).toMatch(/it lacks xorriso, mcopy: install the packages xorriso mtools /);
    expect(built([], 'iso usb pxe')).toMatch(/^not-found: kernel/);
  });
});

const MAKERS = ['xorriso', 'mcopy', 'mkfs.vfat', 'grub-mkimage'];
const missing = MAKERS.filter((name) => !['/usr/bin', '/usr/sbin', '/sbin'].some((at) => existsSync(join(at, name))));
// With CI=true nothing is skipped: it fails by what is missing.
const whereTheyAre = missing.length === 0 || process.env.CI === 'true' ? test : test.skip;

whereTheyAre('S30 a pinned host key is on media that a person carries, and never in what is served by network', () => {
  writeFileSync(join(folder, 'vmlinuz'), 'k');
  writeFileSync(join(folder, 'initramfs.img'), 'i');
  writeFileSync(join(folder, 'pinned.cpio'), 'THE HOST KEY');
  sh({
    lines: [
      'fail() { echo "$2" >&2; exit 1; }',
      '. "$RESURGO_LIB/lib/rescue-files.sh"; . "$RESURGO_LIB/lib/rescue-outputs.sh"',
      'outputs_make iso usb pxe; echo "$output_pinned" >out/holds',
    ],
  });
  const out = (name: string) => readFileSync(join(folder, 'out', name), 'latin1');
  expect(out('initramfs.img')).toBe('i');
  expect(out('rescue.iso')).toContain('THE HOST KEYi');
  expect(out('holds').trim()).toBe('rescue.iso');
});

whereTheyAre.each([
  [['i386-pc', 'x86_64-efi'], 'true true'],
  [['x86_64-efi'], 'false true'],
  [['i386-pc'], 'true false'],
  [[], 'neither'],
])('an image starts by the firmware that the host has boot code for: %j', (loaders, said) => {
  writeFileSync(join(folder, 'vmlinuz'), 'k');
  writeFileSync(join(folder, 'initramfs.img'), 'i');
  mkdirSync(join(folder, 'grub'));
  for (const each of loaders) symlinkSync(join('/usr/lib/grub', each), join(folder, 'grub', each));
  const told = sh({
    lines: [
      'fail() { case $2 in *neither*) echo neither; exit 0 ;; esac; echo "$2" >&2; exit 1; }',
      '. "$RESURGO_LIB/lib/rescue-files.sh"; . "$RESURGO_LIB/lib/rescue-outputs.sh"',
      `OUTPUT_GRUB='${folder}/grub'`,
      'outputs_make iso; echo "$output_bios $output_uefi"',
    ],
  });
  expect(told.trim()).toBe(said);
  if (said === 'neither') return;
  const image = readFileSync(join(folder, 'out/rescue.iso'));
  // A BIOS runs what stands before the table of partitions; UEFI looks for this name.
  expect(`${image.subarray(0, 440).some((byte) => byte !== 0)} ${image.includes('BOOTX64 EFI')}`).toBe(said);
});

whereTheyAre(
  `the same kernel and initramfs make the same image at any time${missing.length === 0 ? '' : ` (skipped: ${missing.join(', ')} missing)`}`,
  () => {
    const make = (): { sum: string; bytes: number } => {
      writeFileSync(join(folder, 'vmlinuz'), 'k'.repeat(100_000));
      writeFileSync(join(folder, 'initramfs.img'), 'i'.repeat(200_000));
      sh({
        lines: [
          'fail() { echo "$2" >&2; exit 1; }',
          '. "$RESURGO_LIB/lib/rescue-files.sh"; . "$RESURGO_LIB/lib/rescue-outputs.sh"',
          'outputs_make iso usb pxe',
        ],
      });
      const file = join(folder, 'out/rescue.iso');
      return { sum: createHash('sha256').update(readFileSync(file)).digest('hex'), bytes: statSync(file).size };
    };
    const first = make();
    // xorriso writes dates to the second, FAT to two.
    spawnSync('sleep', ['2.1']);
    const second = make();
    expect(second).toEqual(first);
    expect(statSync(join(folder, 'out/rescue.iso')).mode & 0o777).toBe(0o600);
  },
);
