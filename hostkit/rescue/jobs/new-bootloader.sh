# Makes the new system boot by itself: GRUB's boot code on each boot disk (BIOS), or the loader's files on the EFI system partition, there also
# at the path that a firmware tries which knows no entry, and an entry of the firmware; then GRUB's configuration. By the new system's programs.
# With `keep` a configuration that Debian's tool has made stays as it was restored, where nothing was changed (new-fix) and all that it names is
# here: a new one would say the same. `esps`: devices, one a line, with a FAT each: EFI system partitions beside the mounted one get the loader too.
# keys: tree:tree firmware:word(bios|uefi) disks:lines? id:text? keep:bool=0 esps:lines?
# tools: blkid findmnt efibootmgr?

# Set or read elsewhere:
: "${arg_disks-}" "${arg_esps-}" "${arg_firmware-}" "${arg_keep-}" "${arg_run-}" "${arg_id-}" "${device-}" "${efi_loader-}" "${json-}" "${line-}" "${new-}" "${new_esp-}" "${LF-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/device.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/new.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/efi.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/verify.sh"

job_main() {
  case $arg_id in *[!A-Za-z0-9._-]*) job_fail bad-request 'the folder of a loader on the EFI system partition is a plain name' ;; esac
  new_enter
  : >warnings
  : >tool.out
  boot_disks='' boot_entry='' boot_kept=''
  boot_folder=/boot/grub
  if new_has grub2-install; then boot_install=grub2-install boot_folder=/boot/grub2; else boot_install=grub-install; fi
  # Where its loaders are those of packages, grub2-install may be missing, and the configuration has its place all the same.
  if new_has grub2-mkconfig && ! new_has grub-install; then boot_folder=/boot/grub2; fi
  if [ "$arg_firmware" = bios ]; then
    boot_bios
  else
    new_esp || job_fail not-mounted "no EFI system partition (FAT at /boot/efi, /efi or /boot) is mounted below $new: mount it, or recover this system with firmware that starts by BIOS"
    new_bind
    boot_uefi
  fi
  sync
  job_result "\"disks\":[$(printf '%s' "$boot_disks" | new_strings)],\"entry\":\"$boot_entry\"$boot_kept,\"warnings\":[$(awk '!told[$0]++' warnings | new_strings)]"
}

# boot_run COMMAND…
boot_run() {
  printf '%s\n' "$ $*" >>tool.out
  new_run "$@" >>tool.out 2>&1 || job_fail failed "$1 of the new system failed: $(tail -n 5 tool.out | tr '\n' ' ')"
}

boot_bios() {
  new_has "$boot_install" || job_fail missing-tool 'the new system has no grub-install: install its boot loader by hand (docs/by-hand.md), or recover it on a machine with UEFI if that is how it booted'
  [ -n "$arg_disks" ] || job_fail bad-request 'no boot disk is named'
  disks_check "$arg_disks"
  new_bind
  boot_rest=$arg_disks
  while [ -n "$boot_rest" ]; do
    boot_line=${boot_rest%%"$LF"*}
    case $boot_rest in *"$LF"*) boot_rest=${boot_rest#*"$LF"} ;; *) boot_rest= ;; esac
    # Looked up again for each: the minutes before were the last disk's.
    # shellcheck disable=SC2086 # Words.
    device_disk $boot_line
    boot_run "$boot_install" --target=i386-pc --recheck "$device"
    boot_disks="$boot_disks$device$LF"
  done
  boot_config "$boot_folder/grub.cfg"
}

boot_uefi() {
  efi_arch
  efi_id
  if efi_keeps; then
    # These distributions' loaders are signed files of packages, which came back with the data; grub2-install would put others there.
    efi_loader || job_fail not-found "the EFI system partition holds no loader in EFI/$efi_id (shim$efi_suffix.efi or grub$efi_suffix.efi): was /boot/efi in the backup? Install shim and grub2-efi in a chroot at $new, then repeat this step"
  else
    boot_grub_uefi
    efi_loader || job_fail failed "$boot_install put no loader into EFI/$efi_id: $(tail -n 5 tool.out | tr '\n' ' ')"
  fi
  efi_fallback || job_fail no-space "the loader can not be written to $new_esp/EFI/BOOT: $(tail -n 1 tool.out)"
  efi_entry
  # Its entries came with the data, and are looked at at the end (new-verify).
  case ${efi_loader##*/} in systemd-boot*) return ;; esac
  if ! efi_own_config; then boot_config "$boot_folder/grub.cfg"; else boot_config "${new_esp#"$new"}/EFI/$efi_id/grub.cfg"; fi
  # With the configuration that was just written.
  boot_esps
}

boot_esps() {
  boot_rest=$arg_esps
  while [ -n "$boot_rest" ]; do
    boot_line=${boot_rest%%"$LF"*}
    case $boot_rest in *"$LF"*) boot_rest=${boot_rest#*"$LF"} ;; *) boot_rest= ;; esac
    device_find "$boot_line"
    efi_beside "$device"
  done
  [ -z "$arg_esps" ] || efi_first
}

boot_grub_uefi() {
  new_has "$boot_install" || job_fail missing-tool 'the new system has no grub-install: install its boot loader by hand (docs/by-hand.md)'
  set -- "$boot_install" "--target=$efi_target" "--efi-directory=${new_esp#"$new"}" "--bootloader-id=$efi_id" --recheck --no-nvram
  # Debian's own: the fallback path too; its signed shim is its default where it is installed.
  ! new_run "$boot_install" --help 2>/dev/null | grep -q force-extra-removable || set -- "$@" --force-extra-removable
  boot_run "$@"
}

# boot_config FILE: writes GRUB's configuration anew.
boot_config() {
  if new_has update-grub && [ "$1" = /boot/grub/grub.cfg ]; then
    if boot_fits; then boot_kept=',"kept":true'; else boot_run update-grub; fi
  elif new_has grub2-mkconfig; then
    boot_run grub2-mkconfig -o "$1"
  elif new_has grub-mkconfig; then
    boot_run grub-mkconfig -o "$1"
  elif [ "$arg_firmware" = bios ]; then
    job_fail missing-tool 'the new system has no grub-mkconfig: write its grub.cfg by hand (docs/by-hand.md)'
  else
    printf '%s\n' 'the new system has no grub-mkconfig: its loader keeps the configuration that came with the data' >>warnings
  fi
}

# boot_fits: whether the configuration that was restored is what would be made: each kernel, initramfs and root that it names is here. A name that
# the kernel gives, /dev/sda2, may be another's on this machine.
boot_fits() {
  [ "$arg_keep" = 1 ] && [ ! -e "$RESURGO_VAR/runs/$arg_run/made/fixed" ] && [ -f "$new/boot/grub/grub.cfg" ] || return 1
  ! grep -qE '/dev/([shvx]v?d[a-z]|nvme[0-9]|mmcblk[0-9]|md[0-9]|dm-[0-9])' "$new/boot/grub/grub.cfg" || return 1
  sed -n 's/^[[:space:]]*\(linux\|initrd\)\(16\|efi\)\{0,1\}[[:space:]]\{1,\}/\1 /p' "$new/boot/grub/grub.cfg" >boot.named
  boot_kernels=0
  while read -r boot_word boot_file boot_rest; do
    case $boot_word in
      linux)
        boot_kernels=$((boot_kernels + 1))
        verify_there "$boot_file" || return 1
        printf '%s\n' "$boot_rest" | tr '[:blank:]' '\n' | sed -n 's/^root=//p' >boot.roots
        while IFS= read -r boot_root; do verify_device "$boot_root" || return 1; done <boot.roots
        ;;
      # One before it may hold microcode.
      *) for boot_each in "$boot_file" "${boot_rest##* }"; do [ -z "$boot_each" ] || verify_there "$boot_each" || return 1; done ;;
    esac
  done <boot.named
  [ "$boot_kernels" -gt 0 ]
}
