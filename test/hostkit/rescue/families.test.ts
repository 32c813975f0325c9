/**
 * What makes a restored system boot where it is now, on trees of Debian, Fedora, RHEL and openSUSE: configuration, initramfs, boot loader.
 * The programs of the new system are stand-ins that note how they were called and write what the real ones do.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import { encodeValue } from '../../../hosts/request';
import type { Layout } from '../../../planning/layout-schema';
import { planFixes } from '../../../planning/recover-fix';
import { sha256Hex } from '../../../planning/sha256';
import { LayoutKit } from '../../planning/layout-builder';
import { describeAsRoot, SHELLS } from '../support';
import { useRescueShell, type RescueShell } from './kit';
import * as trees from './trees';
import { changed, DEBIAN, DEBIAN_ESP, FEDORA, RHEL, SUSE, type Files } from './trees';

/** Programs of the new system. What one writes says which one it was; \`fails\` and \`lazy\` are files that name one. */
const NEW_RUN = `
new_run() {
  printf '%s\\n' "$*" >>"$base/calls"
  if [ -e "$base/fails" ] && [ "$(cat "$base/fails")" = "$1" ]; then echo "$1: I am broken"; return 1; fi
  if [ -e "$base/lazy" ] && [ "$(cat "$base/lazy")" = "$1" ]; then return 0; fi
  case $1 in
    lsinitramfs | lsinitrd) cat "$new$2" ;;
    update-initramfs)
      if [ "$2" = -u ]; then
        for each in "$new"/boot/initrd.img-*; do
          echo "update-initramfs: Generating /boot/\${each##*/}"
          echo 'W: Possible missing firmware /lib/firmware/tigon/tg3.bin for module tg3'
          echo "by $1" >"$each"
        done
      else echo "by $1" >"$new/boot/initrd.img-$4"; fi
      ;;
    dracut)
      echo 'dracut: *** Including module: bash ***'
      echo "dracut-install: ERROR: installing 'blkmapd'" >&2
      case $(cat "$new/usr/lib/os-release") in
        *suse*) echo "by $1" >"$new/boot/initrd-$4" ;;
        *debian*) echo "by $1" >"$new/boot/initrd.img-$4" ;;
        *) echo "by $1" >"$new/boot/initramfs-$4.img" ;;
      esac
      ;;
    mkinitrd) for each in "$new"/boot/vmlinuz-*; do echo "by $1" >"$new/boot/initrd-\${each##*/vmlinuz-}"; done ;;
    grub-install | grub2-install)
      [ "$2" != --help ] || { [ "$1" = grub2-install ] || echo '      --force-extra-removable  install to the removable path too'; return 0; }
      for each; do
        case $each in
          --efi-directory=*) folder=$new\${each#*=}/EFI ;;
          --bootloader-id=*) mkdir -p "$folder/\${each#*=}"; echo 'MZ grub by grub-install' >"$folder/\${each#*=}/grubx64.efi" ;;
          --force-extra-removable) mkdir -p "$folder/BOOT"; echo 'MZ by grub-install' >"$folder/BOOT/BOOTX64.EFI" ;;
        esac
      done
      ;;
    update-grub) echo "by $1" >"$new/boot/grub/grub.cfg" ;;
    grub2-mkconfig | grub-mkconfig) echo "by $1" >"$new$3" ;;
    cp) cp -a "$new$3" "$new$4" ;;
    *) echo "$1: not found"; return 127 ;;
  esac
}
`;

class System {
  readonly base: string;
  readonly root: string;

  constructor(
    private readonly shell: RescueShell,
    tree: Files,
  ) {
    const below = Object.entries(tree).map(([file, text]) => [`new/web/${file}`, text] as const);
    this.base = shell.files(Object.fromEntries([['var/x', ''] as const, ...below]));
    this.root = path.join(this.base, 'new/web');
    // What a job makes must be newer than what was restored.
    shell.run({ parts: [], script: `find '${this.root}/boot' -type f -exec touch -d 2020-01-01 {} +` });
  }

  at(file: string): string {
    return path.join(this.root, file);
  }

  read(file: string): string {
    return readFileSync(this.at(file), 'utf8').trimEnd();
  }

  write(file: string, text: string): void {
    writeFileSync(path.join(this.base, file), text);
  }

  has(file: string): boolean {
    return existsSync(path.join(this.base, file));
  }

  calls(): string[] {
    return this.has('calls') ? readFileSync(path.join(this.base, 'calls'), 'utf8').trim().split('\n') : [];
  }

  /** What a job says: its result, or `CODE: MESSAGE`. */
  job(
    kind: string,
    args: Record<string, string>,
    more: { needs?: string; disks?: readonly string[]; efi?: string } = {},
  ): unknown {
    const { needs = 'ext4 virtio_blk dm_mod', disks = [], efi } = more;
    const sys: Files = { block: null, 'class/block': null };
    for (const each of disks)
      for (const folder of ['block', 'class/block'])
        Object.assign(sys, {
          [`${folder}/${each}/device`]: null,
          [`${folder}/${each}/size`]: '131072',
          [`${folder}/${each}/serial`]: `S-${each}\n`,
        });
    if (efi !== undefined) {
      Object.assign(sys, {
        'firmware/efi/efivars/BootCurrent-8be4df61': '',
        'firmware/efi/fw_platform_size': '64\n',
        'devices/vda/vda1/partition': '1\n',
        'class/block/vda1': '-> ../../devices/vda/vda1',
        'dev/block/254:1': '-> ../../devices/vda/vda1',
      });
    }
    const out = this.shell.run({
      parts: [`jobs/${kind}.sh`],
      sys: this.shell.files(sys),
      script: [
        `base='${this.base}'; cd "$base"; RESURGO_VAR=$base/var NEW_ROOT=$base/new`,
        ...Object.entries({ run: 'run-1', tree: 'web', keep: '0', tool: 'auto', ...args }).map(
          ([key, value]) => `arg_${key}='${value}'`,
        ),
        NEW_RUN,
        'mountpoint() { :; }',
        'new_bind() { :; }',
        'uname() { echo x86_64; }',
        `chain_needs() { chain_needs='${needs}' chain_disks=vda; }`,
        // The EFI system partition, as far as it is asked for.
        `findmnt() { case $4 in */boot/efi) case $2 in FSTYPE) [ ! -d "$new/boot/efi" ] || echo vfat ;; SOURCE) echo /dev/vda1 ;; esac ;; esac; }`,
        efi === undefined
          ? ''
          : `stat() { case $3 in /dev/vda1) echo 'fe 1' ;; *) command stat "$@" ;; esac; }
blkid() { echo 11111111-2222-4333-8444-5555555555A1; }
efibootmgr() {
  printf 'efibootmgr %s\\n' "$*" >>"$base/calls"
  case $1 in
    -v) [ ! -e "$base/entry" ] || cat "$base/entry" ;;
    *) printf 'Boot0007* %s\\tHD(1,GPT,11111111-2222-4333-8444-5555555555a1,0x800,0x100000)/File(%s)\\n' "$8" "\${10}" >"$base/entry" ;;
  esac
}`,
        'job_result() { printf "{%s}\\n" "$1"; }',
        'job_main',
      ].join('\n'),
    });
    return out.startsWith('{') ? (JSON.parse(out) as unknown) : out.trimEnd();
  }
}

const disk = (name: string) => `S-${name} - 67108864`;

describeAsRoot('a restored system of each family', () => {
  describe.each(SHELLS)('%s', (name) => {
    const shell = useRescueShell(name);
    const made = (tree: Files, change: Record<string, string | null | undefined> = {}) =>
      new System(shell, changed(tree, change));

    describe('its initramfs', () => {
      const debian = trees.DEBIAN_KERNEL;
      const ramfs = (system: System, args: Record<string, string> = {}, needs?: string) =>
        system.job('new-initramfs', args, needs === undefined ? {} : { needs });
      const NEWER = { 'boot/vmlinuz-6.12.9+bpo-amd64': 'kernel', 'usr/lib/modules/6.12.9+bpo-amd64/modules.dep': '' };

      test('Debian’s tool makes all that are there, and those of kernels that have none; its warnings are told', () => {
        const system = made(DEBIAN, NEWER);
        expect(ramfs(system)).toEqual({
          tool: 'update-initramfs',
          kernels: [debian.version, '6.12.9+bpo-amd64'],
          warnings: ['W: Possible missing firmware /lib/firmware/tigon/tg3.bin for module tg3'],
        });
        expect(system.calls()).toEqual(['update-initramfs -u -k all', 'update-initramfs -c -k 6.12.9+bpo-amd64']);
        expect(system.read('boot/initrd.img-6.12.9+bpo-amd64')).toBe('by update-initramfs');
      });

      test('what would be made the same is kept', () => {
        const system = made(DEBIAN);
        const before = system.read(debian.initramfs);
        expect(ramfs(system, { keep: '1' })).toEqual({
          tool: 'update-initramfs',
          kernels: [debian.version],
          kept: true,
          warnings: [],
        });
        expect(system.calls()).toEqual([`lsinitramfs /${debian.initramfs}`]);
        expect(system.read(debian.initramfs)).toBe(before);
      });

      test('one that was looked into is unpacked again only where it has been touched since', () => {
        const system = made(DEBIAN);
        const lists = () => system.calls().filter((each) => each.startsWith('lsinitramfs')).length;
        ramfs(system, { keep: '1' });
        ramfs(system, { keep: '1' });
        expect(lists()).toBe(1);
        const held = system.read(debian.initramfs);
        system.write(`new/web/${debian.initramfs}`, held.replaceAll('virtio_blk', 'virtio_bla'));
        expect(ramfs(system, { keep: '1' })).not.toHaveProperty('kept');
        expect(lists()).toBeGreaterThan(1);
      });

      test.each<[string, Record<string, string | null | undefined>, { needs?: string; fixed?: true; keep?: '0' }]>([
        ['nobody asks for it', {}, { keep: '0' }],
        ['the configuration was changed', {}, { fixed: true }],
        ['a driver is missing', {}, { needs: 'ext4 nvme dm_mod' }],
        ['what the root needs is not known', {}, { needs: '' }],
        ['a kernel has none', NEWER, {}],
        ['it can not be read', { 'usr/bin/lsinitramfs': undefined }, {}],
        [
          'it holds the drivers of the old machine alone',
          { 'etc/initramfs-tools/conf.d/driver-policy': '# by the installer\nMODULES=dep\n' },
          {},
        ],
        ['another’s tool has that name', { 'usr/sbin/mkinitramfs': undefined }, {}],
      ])('it is made anew where %s', (_, change, { needs, fixed, keep = '1' }) => {
        const system = made(DEBIAN, change);
        if (fixed === true) shell.run({ parts: [], script: `mkdir -p '${system.base}/var/runs/run-1/made'` });
        if (fixed === true) system.write('var/runs/run-1/made/fixed', '1796025408\n');
        expect(ramfs(system, { keep }, needs)).not.toHaveProperty('kept');
        expect(system.calls()).toContain('update-initramfs -u -k all');
        expect(system.read(debian.initramfs)).toBe('by update-initramfs');
      });

      test('dracut gets the drivers that it has as files, for each kernel with modules', () => {
        const system = made(FEDORA);
        expect(ramfs(system, { keep: '1' }, 'xfs virtio_blk dm_mod')).toEqual({
          tool: 'dracut',
          kernels: [trees.FEDORA_KERNEL.version],
          warnings: ["dracut-install: ERROR: installing 'blkmapd'"],
        });
        expect(system.calls()).toEqual([
          `dracut --force --kver ${trees.FEDORA_KERNEL.version} --add-drivers xfs virtio_blk`,
        ]);
        expect(system.read(trees.FEDORA_KERNEL.initramfs)).toBe('by dracut');
      });

      test('one of dracut is never kept, though it has all drivers: it may hold the old machine’s devices', () => {
        const system = made(DEBIAN, { 'usr/sbin/update-initramfs': undefined, 'usr/bin/dracut': '' });
        expect(ramfs(system, { keep: '1' })).toMatchObject({ tool: 'dracut' });
        expect(system.read(debian.initramfs)).toBe('by dracut');
      });

      test('SUSE’s names and places: dracut where it is there, mkinitrd of its own before that', () => {
        const leap = made(SUSE);
        expect(ramfs(leap, { keep: '1' }, 'btrfs virtio_blk dm_mod')).toMatchObject({ tool: 'dracut' });
        expect(leap.calls()).toEqual([
          `dracut --force --kver ${trees.SUSE_KERNEL.version} --add-drivers btrfs virtio_blk dm_mod`,
        ]);
        expect(leap.read(trees.SUSE_KERNEL.initramfs)).toBe('by dracut');
        const older = made(SUSE, { 'usr/bin/dracut': undefined });
        expect(ramfs(older)).toMatchObject({ tool: 'mkinitrd', kernels: [trees.SUSE_KERNEL.version] });
        expect(older.calls()).toEqual(['mkinitrd']);
        expect(older.read(trees.SUSE_KERNEL.initramfs)).toBe('by mkinitrd');
      });

      test.each<[string, Files, Record<string, string>, RegExp]>([
        ['fails', FEDORA, { fails: 'dracut' }, /^failed: dracut of the new system failed: dracut: I am broken/],
        [
          'makes none and says nothing',
          SUSE,
          { lazy: 'dracut' },
          /^failed: dracut made no initramfs of kernel 5\.14\.21-150500\.55\.44-default, and did not say so/,
        ],
        [
          'leaves the old one',
          DEBIAN,
          { lazy: 'update-initramfs' },
          /^failed: update-initramfs made no initramfs of kernel 6\.1\.0-50-amd64/,
        ],
      ])('a tool that %s: told', (_, tree, how, expected) => {
        const system = made(tree);
        for (const [file, text] of Object.entries(how)) system.write(file, text);
        expect(ramfs(system)).toMatch(expected);
      });

      test('without a tool, or a kernel, there is nothing to make', () => {
        expect(ramfs(made(SUSE, { 'usr/bin/dracut': undefined, 'sbin/mkinitrd': undefined }))).toMatch(
          /^missing-tool: /,
        );
        expect(ramfs(made(RHEL, { [trees.RHEL_KERNEL.image]: undefined }))).toMatch(/^not-found: /);
      });
    });

    describe('its boot loader', () => {
      const loader = (system: System, args: Record<string, string>, more: Parameters<System['job']>[2] = {}) =>
        system.job('new-bootloader', { id: '', disks: '', esps: '', ...args }, more);
      const NO_VARIABLES = expect.stringContaining('no boot entry was written') as string;

      test.each<[string, Files, string, string]>([
        ['Debian', DEBIAN, 'grub-install', 'update-grub'],
        ['RHEL', RHEL, 'grub2-install', 'grub2-mkconfig -o /boot/grub2/grub.cfg'],
        ['openSUSE', SUSE, 'grub2-install', 'grub2-mkconfig -o /boot/grub2/grub.cfg'],
      ])('%s by BIOS: boot code on each disk, then the configuration', (_, tree, install, configure) => {
        const system = made(tree);
        const args = { firmware: 'bios', disks: `${disk('vda')}\n${disk('vdb')}` };
        expect(loader(system, args, { disks: ['vda', 'vdb', 'vdc'] })).toEqual({
          disks: ['/dev/vda', '/dev/vdb'],
          entry: '',
          warnings: [],
        });
        expect(system.calls()).toEqual([
          `${install} --target=i386-pc --recheck /dev/vda`,
          `${install} --target=i386-pc --recheck /dev/vdb`,
          configure,
        ]);
      });

      const CFG = DEBIAN['boot/grub/grub.cfg'] ?? '';
      const [UUID = ''] = /[0-9a-f-]{36}/.exec(CFG) ?? [];
      const NAMED = { [`dev/disk/by-uuid/${UUID}`]: '-> ../../vda2' };

      test('a configuration that names only what is here stays', () => {
        const initrd = `initrd /boot/ucode /${trees.DEBIAN_KERNEL.initramfs}\n`;
        const system = made(DEBIAN, { ...NAMED, 'boot/ucode': '', 'boot/grub/grub.cfg': `${CFG}${initrd}` });
        const args = { firmware: 'bios', disks: disk('vda'), keep: '1' };
        expect(loader(system, args, { disks: ['vda'] })).toMatchObject({ kept: true, disks: ['/dev/vda'] });
        expect(system.calls()).toEqual(['grub-install --target=i386-pc --recheck /dev/vda']);
      });

      test.each<[string, Record<string, string | null | undefined>, { fixed?: true; keep?: '0' }]>([
        ['nobody asks for it', NAMED, { keep: '0' }],
        ['the configuration was changed', NAMED, { fixed: true }],
        ['the root is another', {}, {}],
        [
          'a root is named by the kernel’s name of a disk',
          { ...NAMED, 'boot/grub/grub.cfg': `${CFG}linux /boot/vmlinuz-6.1.0-50-amd64 root=/dev/sda2\n` },
          {},
        ],
        [
          'a kernel is gone, whatever else lies there',
          {
            ...NAMED,
            'boot/grub/grub.cfg': `${CFG}linux /boot/vmlinuz-gone root=UUID=${UUID}\n`,
            'boot/loader/entries/x.conf': `linux /vmlinuz-6.1.0-50-amd64\noptions root=UUID=${UUID}\n`,
          },
          {},
        ],
        ['an initramfs is gone', { ...NAMED, 'boot/grub/grub.cfg': `${CFG}initrd /boot/initrd.img-gone\n` }, {}],
        ['it names no kernel', { ...NAMED, 'boot/grub/grub.cfg': 'menuentry x {\n}\n' }, {}],
      ])('it is made anew where %s', (_, change, { fixed, keep = '1' }) => {
        const system = made(DEBIAN, change);
        if (fixed === true) shell.run({ parts: [], script: `mkdir -p '${system.base}/var/runs/run-1/made'` });
        if (fixed === true) system.write('var/runs/run-1/made/fixed', '1796025408\n');
        const args = { firmware: 'bios', disks: disk('vda'), keep };
        expect(loader(system, args, { disks: ['vda'] })).not.toHaveProperty('kept');
        expect(system.calls()).toContain('update-grub');
      });

      test('no boot code is written where one of the disks is another', () => {
        const system = made(DEBIAN);
        const args = { firmware: 'bios', disks: `${disk('vda')}\n${disk('vdb')}` };
        expect(loader(system, args, { disks: ['vda'] })).toMatch(/^identity-changed: 0 disks/);
        expect(system.calls()).toEqual([]);
      });

      test('a loader’s program that fails is told with what it said', () => {
        const system = made(RHEL);
        system.write('fails', 'grub2-mkconfig');
        expect(loader(system, { firmware: 'bios', disks: disk('vda') }, { disks: ['vda'] })).toMatch(
          /^failed: grub2-mkconfig of the new system failed: .*I am broken/,
        );
        expect(loader(made(RHEL, { 'usr/sbin/grub2-install': undefined }), { firmware: 'bios' })).toMatch(
          /^missing-tool/,
        );
      });

      test('Fedora by UEFI: the loaders of its packages stay, the entry names its shim, the configuration is the one in /boot', () => {
        const system = made(FEDORA);
        const stub = system.read('boot/efi/EFI/fedora/grub.cfg');
        expect(loader(system, { firmware: 'uefi', id: 'fedora' }, { efi: '' })).toEqual({
          disks: [],
          entry: 'Boot0007',
          warnings: [],
        });
        expect(system.calls().filter((line) => !line.startsWith('efibootmgr -v'))).toEqual([
          'efibootmgr --quiet --create --disk /dev/vda --part 1 --label fedora --loader \\EFI\\fedora\\shimx64.efi',
          'grub2-mkconfig -o /boot/grub2/grub.cfg',
        ]);
        expect(system.read('boot/efi/EFI/fedora/grub.cfg')).toBe(stub);
        expect(system.read('boot/efi/EFI/BOOT/BOOTX64.EFI')).toBe('MZ shim');
        expect(system.has('new/web/boot/efi/EFI/BOOT/grubx64.efi')).toBe(false);
      });

      test('an entry that is there already is enough', () => {
        const system = made(FEDORA);
        loader(system, { firmware: 'uefi', id: 'fedora' }, { efi: '' });
        expect(loader(system, { firmware: 'uefi', id: 'fedora' }, { efi: '' })).toMatchObject({ entry: 'Boot0007' });
        expect(system.calls().filter((line) => line.includes('--create'))).toHaveLength(1);
      });

      test('older ones of Red Hat’s family have their whole configuration beside the loader; without grub2-install it is grub2’s all the same', () => {
        const whole = { 'boot/efi/EFI/fedora/grub.cfg': '### BEGIN /etc/grub.d/00_header ###\ninsmod blscfg\n' };
        const system = made(FEDORA, whole);
        expect(loader(system, { firmware: 'uefi' })).toMatchObject({ warnings: [NO_VARIABLES] });
        expect(system.calls()).toEqual(['grub2-mkconfig -o /boot/efi/EFI/fedora/grub.cfg']);
        const lean = made(FEDORA, { 'usr/sbin/grub2-install': undefined });
        loader(lean, { firmware: 'uefi' });
        expect(lean.calls()).toEqual(['grub2-mkconfig -o /boot/grub2/grub.cfg']);
      });

      test('without the loaders of its packages Fedora would not boot: told, and none of another kind is put there', () => {
        const gone = { 'boot/efi/EFI/fedora/shimx64.efi': undefined, 'boot/efi/EFI/fedora/shim.efi': undefined };
        const system = made(FEDORA, { ...gone, 'boot/efi/EFI/fedora/grubx64.efi': undefined });
        expect(loader(system, { firmware: 'uefi', id: 'fedora' })).toMatch(/^not-found: .*EFI\/fedora/);
        expect(system.calls()).toEqual([]);
      });

      test('openSUSE by UEFI: GRUB is installed beside its signed loaders, which stay what the firmware starts', () => {
        const system = made(SUSE);
        expect(loader(system, { firmware: 'uefi', id: 'opensuse' }, { efi: '' })).toMatchObject({ entry: 'Boot0007' });
        expect(system.calls().filter((line) => !line.startsWith('efibootmgr -v'))).toEqual([
          'grub2-install --help',
          'grub2-install --target=x86_64-efi --efi-directory=/boot/efi --bootloader-id=opensuse --recheck --no-nvram',
          'efibootmgr --quiet --create --disk /dev/vda --part 1 --label opensuse --loader \\EFI\\opensuse\\shim.efi',
          'grub2-mkconfig -o /boot/grub2/grub.cfg',
        ]);
        expect(system.read('boot/efi/EFI/opensuse/grub.efi')).toBe('MZ grub, signed');
        expect(system.read('boot/efi/EFI/opensuse/grub.cfg')).toContain('source "${prefix}/grub.cfg"');
      });

      test('where nothing lies at the path that every firmware tries, SUSE’s shim comes there with what it starts', () => {
        const gone = { 'boot/efi/EFI/boot/bootx64.efi': undefined, 'boot/efi/EFI/boot/fallback.efi': undefined };
        const system = made(SUSE, gone);
        loader(system, { firmware: 'uefi', id: 'opensuse' });
        const boot = (file: string) => system.read(`boot/efi/EFI/BOOT/${file}`);
        expect([boot('BOOTX64.EFI'), boot('grub.efi'), boot('MokManager.efi')]).toEqual([
          'MZ shim',
          'MZ grub, signed',
          'MZ mok',
        ]);
        // With it there, shim would write entries of its own instead of starting GRUB.
        expect(system.has('new/web/boot/efi/EFI/BOOT/fallback.efi')).toBe(false);
      });

      test('Debian by UEFI: its own grub-install writes the fallback path too', () => {
        const system = made({ ...DEBIAN, ...DEBIAN_ESP });
        expect(loader(system, { firmware: 'uefi' })).toMatchObject({ warnings: [NO_VARIABLES] });
        expect(system.calls()).toEqual([
          'grub-install --help',
          'grub-install --target=x86_64-efi --efi-directory=/boot/efi --bootloader-id=debian --recheck --no-nvram --force-extra-removable',
          'update-grub',
        ]);
        expect(system.read('boot/efi/EFI/BOOT/BOOTX64.EFI')).toBe('MZ by grub-install');
      });
    });

    describe('its configuration', () => {
      const edit = (file: string, before: string | null, after: string): string =>
        `${encodeValue(file)} ${before === null ? '-' : sha256Hex(before)} ${Buffer.from(after).toString('base64')}\n`;
      const fix = (system: System, ...lines: string[]) =>
        system.job('new-fix', { edits: Buffer.from(lines.join('')).toString('base64') });
      const isMarked = (system: System): boolean => system.has('var/runs/run-1/made/fixed');
      const NOTHING = { written: [], was: [], left: [], relabel: false, notes: [] };

      test('where nothing is changed nothing says so: its initramfs may be kept', () => {
        const system = made(DEBIAN);
        expect(fix(system)).toEqual(NOTHING);
        const fstab = DEBIAN['etc/fstab'] ?? '';
        expect(fix(system, edit('/etc/fstab', 'old', fstab))).toEqual({ ...NOTHING, was: ['/etc/fstab'] });
        const left = fix(system, edit('/etc/fstab', 'as it was never', 'new'), edit('/etc/initramfs-tools', null, 'x'));
        expect(left).toMatchObject({ written: [], left: [{ path: '/etc/fstab' }, { path: '/etc/initramfs-tools' }] });
        expect(isMarked(system)).toBe(false);
        expect(system.read('etc/fstab')).toBe(fstab.trimEnd());
      });

      test('what is changed, or new, is written, and noted for the initramfs that must be newer', () => {
        const system = made(DEBIAN);
        const before = Math.floor(Date.now() / 1000);
        expect(
          fix(
            system,
            edit('/etc/fstab', DEBIAN['etc/fstab'] ?? '', 'new\n'),
            edit('/etc/systemd/network/10-x.link', null, 'link\n'),
          ),
        ).toEqual({ ...NOTHING, written: ['/etc/fstab', '/etc/systemd/network/10-x.link'] });
        expect([system.read('etc/fstab'), system.read('etc/systemd/network/10-x.link')]).toEqual(['new', 'link']);
        expect(system.has('new/web/etc/fstab.resurgo-new')).toBe(false);
        const noted = Number(readFileSync(path.join(system.base, 'var/runs/run-1/made/fixed'), 'utf8'));
        expect(noted).toBeGreaterThanOrEqual(before);
        expect(system.job('new-initramfs', { keep: '1' })).not.toHaveProperty('kept');
      });

      test.each<[string, Files, string, boolean]>([
        ['Debian 12', DEBIAN, 'usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-252.so', false],
        [
          'Fedora 40',
          changed(FEDORA, { 'etc/lvm/devices/system.devices': undefined }),
          'usr/lib/systemd/libsystemd-shared-255.4-1.fc40.so',
          false,
        ],
        ['one of before systemd 240', DEBIAN, 'lib/systemd/libsystemd-shared-239.so', true],
        ['one without systemd', DEBIAN, 'etc/motd', true],
      ])(
        'what ties a card to its name asks for a new initramfs where its udev wants that: %s',
        (_, tree, lib, expected) => {
          const system = made(tree, { ...(lib.startsWith('lib/') ? { lib: undefined } : {}), [lib]: '' });
          expect(fix(system, edit('/etc/systemd/network/10-resurgo-enp1s0.link', null, 'link\n'))).toMatchObject({
            written: ['/etc/systemd/network/10-resurgo-enp1s0.link'],
          });
          expect(isMarked(system)).toBe(expected);
        },
      );

      test('SELinux labels all files at the first boot, also where it only watches, and not where it is off', () => {
        for (const tree of [FEDORA, RHEL]) {
          const system = made(tree);
          expect(fix(system)).toMatchObject({ relabel: true });
          expect(system.has('new/web/.autorelabel')).toBe(true);
        }
        const off = made(FEDORA, { 'etc/selinux/config': '#SELINUX=enforcing\nSELINUX=disabled\n' });
        expect(fix(off)).toMatchObject({ relabel: false });
        expect([off.has('new/web/.autorelabel'), made(SUSE).has('new/web/.autorelabel')]).toEqual([false, false]);
      });

      test('S22 the mark for SELinux is not written through a link that came with the data', () => {
        const system = made(FEDORA, { '.autorelabel': '-> ../../precious' });
        system.write('precious', 'of the rescue system');
        expect(fix(system)).toMatch(/^not-allowed: .*\.autorelabel is a symbolic link/);
        expect(readFileSync(path.join(system.base, 'precious'), 'utf8')).toBe('of the rescue system');
      });

      test('LVM’s list of the old disks is put aside, once, and that is a change', () => {
        const system = made(FEDORA);
        const list = system.read('etc/lvm/devices/system.devices');
        expect(fix(system)).toMatchObject({ notes: [expect.stringContaining('vgimportdevices -a')] });
        expect(system.has('new/web/etc/lvm/devices/system.devices')).toBe(false);
        expect(system.read('etc/lvm/devices/system.devices.before-recovery')).toBe(list);
        expect(isMarked(system)).toBe(true);
        expect(fix(system)).toMatchObject({ notes: [] });
        expect(system.read('etc/lvm/devices/system.devices.before-recovery')).toBe(list);
      });

      /** What the director finds to change in a tree, as the layout of its backup tells the files. */
      function planned(tree: Files, card: string): { lines: string[]; root: string; swap: string } {
        const built = new LayoutKit({ firmware: 'bios' })
          .disk('sda', 40, { byId: ['ata-OLD_1'] })
          .gpt('disk:sda', ['1M bios', '20G linux', '* swap'])
          .ext4('part:sda2', '/')
          .swap('part:sda3')
          .build();
        const face: Layout['network']['interfaces'][number] = {
          ...{ name: card, kind: 'ethernet', mac: '52:54:00:aa:00:01', permanentMac: null, up: true, mtu: 1500 },
          ...{ addresses: [], dynamic: true, driver: null, vlan: null, bond: null, bridge: null },
        };
        const configs = Object.entries(tree).flatMap(([file, text]) =>
          text === null || !/^(?:etc|boot\/loader)\//.test(file)
            ? []
            : [{ path: `/${file}`, text, sha256: sha256Hex(text) }],
        );
        const layout = { ...built, configs, network: { ...built.network, interfaces: [face] } };
        const { edits } = planFixes({ layout, cards: [{ mac: '52:54:00:bb:cc:dd', up: true }] });
        const lines = edits.map(({ path: file, before, after }) => edit(file, before, after));
        return { lines, root: layout.fileSystems[0]?.uuid ?? '?', swap: layout.swaps[0]?.uuid ?? '?' };
      }

      test('RHEL: fstab, entries of the boot loader specification, default/grub and ifcfg', () => {
        const system = made(RHEL);
        const { lines, root, swap } = planned(RHEL, 'enp1s0');
        expect(fix(system, ...lines)).toMatchObject({ left: [], relabel: true });
        expect(system.read('etc/fstab')).toBe(`UUID=${root} / xfs defaults 0 0\nUUID=${swap} none swap defaults 0 0`);
        const entry = `boot/loader/entries/0123456789abcdef0123456789abcdef-${trees.RHEL_KERNEL.version}.conf`;
        expect(system.read(entry)).toContain(`options root=UUID=${root} ro crashkernel=`);
        expect(system.read(entry)).toContain(`resume=UUID=${swap} $tuned_params`);
        expect(system.read('etc/default/grub')).toContain(`resume=UUID=${swap}"`);
        expect(system.read('etc/sysconfig/network-scripts/ifcfg-enp1s0')).toContain('HWADDR=52:54:00:BB:CC:DD');
      });

      test('Fedora: NetworkManager’s connection; names of volumes stay', () => {
        const system = made(FEDORA);
        fix(system, ...planned(FEDORA, 'enp1s0').lines);
        expect(system.read('etc/NetworkManager/system-connections/enp1s0.nmconnection')).toContain(
          '[ethernet]\nmac-address=52:54:00:BB:CC:DD\n',
        );
        expect(system.read('etc/fstab')).toBe(FEDORA['etc/fstab']?.trimEnd());
      });

      test('openSUSE: names of connectors in fstab and default/grub, and the rule that names its card', () => {
        const system = made(SUSE);
        const { lines, root, swap } = planned(SUSE, 'eth0');
        expect(fix(system, ...lines)).toMatchObject({ left: [], relabel: false });
        expect(system.read('etc/fstab')).toBe(`UUID=${root} / btrfs defaults 0 0\nUUID=${swap} swap swap defaults 0 0`);
        expect(system.read('etc/default/grub')).toContain(`resume=UUID=${swap} quiet`);
        expect(system.read('etc/udev/rules.d/70-persistent-net.rules')).toContain('ATTR{address}=="52:54:00:bb:cc:dd"');
        expect(system.read('etc/sysconfig/network/ifcfg-eth0')).toBe(
          SUSE['etc/sysconfig/network/ifcfg-eth0']?.trimEnd(),
        );
      });
    });
  });
});
