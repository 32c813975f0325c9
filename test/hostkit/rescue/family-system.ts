/**
 * A restored system of each family, on trees of Debian, Fedora, RHEL and openSUSE: the jobs that make it boot where it is now run on it. The
 * programs of the new system are stand-ins that note how they were called and write what the real ones do.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import * as path from 'node:path';
import type { RescueShell } from './kit';
import type { Files } from './trees';

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

export class System {
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

/** As a job is told of it. */
export const disk = (name: string) => `S-${name} - 67108864`;
