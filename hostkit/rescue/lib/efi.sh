# The EFI side of the new system's boot loader: which files, the path that every firmware tries, the firmware's own entry.

# Set or read elsewhere:
: "${arg_id-}" "${boot_entry-}" "${line-}" "${new-}" "${new_esp-}" "${new_first-}"

# efi_arch: sets $efi_target (GRUB's), $efi_suffix and $efi_removable (names of files) for this machine.
efi_arch() {
  case $(uname -m) in
    x86_64) efi_target=x86_64-efi efi_suffix=x64 efi_removable=BOOTX64.EFI ;;
    aarch64) efi_target=arm64-efi efi_suffix=aa64 efi_removable=BOOTAA64.EFI ;;
    *) fail failed "loaders for UEFI on $(uname -m) are not known: install one by hand in a chroot at $new" ;;
  esac
  if [ "$efi_suffix" = x64 ] && read_line /sys/firmware/efi/fw_platform_size && [ "$line" = 32 ]; then
    efi_target=i386-efi efi_suffix=ia32 efi_removable=BOOTIA32.EFI
  fi
}

# efi_keeps: is it of Red Hat's family, whose packages alone put loaders on the EFI system partition? Or has it no GRUB to install, or
# another loader in its folder, which GRUB would take the place of?
efi_keeps() {
  new_os rhel || new_os fedora || new_os centos || { ! new_has grub-install && ! new_has grub2-install; } ||
    [ -f "$new_esp/EFI/$efi_id/systemd-boot$efi_suffix.efi" ]
}

# efi_id: sets $efi_id, the loader's folder below EFI: as asked, else the one that came with the data, else by the system's name.
efi_id() {
  efi_id=$arg_id
  [ -z "$efi_id" ] || return 0
  for _ei_path in "$new_esp/EFI"/*; do
    case ${_ei_path##*/} in BOOT | Boot | boot | Microsoft | Dell | HP) continue ;; esac
    new_first "$_ei_path/shim$efi_suffix.efi" "$_ei_path/grub$efi_suffix.efi" "$_ei_path/systemd-boot$efi_suffix.efi" || continue
    efi_id=${_ei_path##*/}
    return 0
  done
  efi_id=$(sed -n 's/^ID=//p' "$new/usr/lib/os-release" "$new/etc/os-release" 2>/dev/null | head -n 1 | tr -d \"\')
  efi_id=${efi_id:-linux}
  case $efi_id in *[!A-Za-z0-9._-]*) fail failed "the new system's os-release names it '$efi_id', which is no name of a folder" ;; esac
}

# efi_loader: sets $efi_loader to the file in $efi_id that the firmware shall start: the signed shim where there is one.
efi_loader() {
  new_first "$new_esp/EFI/$efi_id/shim$efi_suffix.efi" "$new_esp/EFI/$efi_id/shim.efi" "$new_esp/EFI/$efi_id/grub$efi_suffix.efi" "$new_esp/EFI/$efi_id/grub.efi" \
    "$new_esp/EFI/$efi_id/systemd-boot$efi_suffix.efi" || return 1
  efi_loader=$new_first
}

# efi_fallback: a loader at the path that a firmware without entries tries: of what is there already nothing is changed. 1 where it can not be written.
efi_fallback() {
  efi_boot=$new_esp/EFI/BOOT
  # A FAT tells no upper from lower case.
  [ ! -s "$efi_boot/$efi_removable" ] || return 0
  mkdir -p "$efi_boot" 2>>tool.out || return 1
  # What shim starts lies beside it; SUSE's calls it otherwise.
  for _ef_name in "grub$efi_suffix.efi" "mm$efi_suffix.efi" grub.efi MokManager.efi; do
    [ ! -f "$new_esp/EFI/$efi_id/$_ef_name" ] || cp "$new_esp/EFI/$efi_id/$_ef_name" "$efi_boot/$_ef_name" 2>>tool.out || return 1
  done
  # GRUB as its distribution signed it looks for its configuration in its own folder; one that looks beside itself finds it too.
  [ ! -f "$new_esp/EFI/$efi_id/grub.cfg" ] || [ -f "$efi_boot/grub.cfg" ] || cp "$new_esp/EFI/$efi_id/grub.cfg" "$efi_boot/grub.cfg" 2>>tool.out || return 1
  cp "$efi_loader" "$efi_boot/$efi_removable" 2>>tool.out
}

# efi_own_config: does the loader's own folder hold the whole configuration, as older ones of Red Hat's family have it? Else it leads to /boot.
efi_own_config() { efi_keeps && grep -qs '^menuentry\|blscfg\|^### BEGIN' "$new_esp/EFI/$efi_id/grub.cfg"; }

# efi_entry: an entry of the firmware for each disk that the EFI system partition lies on, one that is there already being enough. Sets
# $boot_entry; adds to ./warnings where none can be written: the fallback path boots without.
efi_entry() {
  if [ ! -d /sys/firmware/efi/efivars ] || ! ls /sys/firmware/efi/efivars/BootCurrent-* /sys/firmware/efi/efivars/Boot* >/dev/null 2>&1; then
    printf '%s\n' "this machine's firmware shows no variables here: no boot entry was written, and the new system boots by EFI/BOOT/$efi_removable" >>warnings
    return
  fi
  if command -v efibootmgr >/dev/null 2>&1; then _ee_run=''; elif new_has efibootmgr; then _ee_run=new_run; else
    printf '%s\n' "efibootmgr is neither here nor in the new system: no boot entry was written, and the new system boots by EFI/BOOT/$efi_removable" >>warnings
    return
  fi
  _ee_path=$(printf '%s' "${efi_loader#"$new_esp"}" | sed 's|/|\\|g')
  efi_parts
  for _ee_part in $efi_parts; do
    read_line "/sys/class/block/$_ee_part/partition"
    _ee_number=$line
    _ee_uuid=$(blkid -p -o value -s PART_ENTRY_UUID "/dev/$_ee_part" | tr A-F a-f)
    _ee_disk=$(readlink -f "/sys/class/block/$_ee_part")
    _ee_disk=${_ee_disk%/*}
    if efi_entry_is; then continue; fi
    $_ee_run efibootmgr --quiet --create --disk "/dev/${_ee_disk##*/}" --part "$_ee_number" --label "$efi_id" --loader "$_ee_path" >>tool.out 2>&1 || {
      printf '%s\n' "the firmware takes no boot entry ($(tail -n 1 tool.out)): the new system boots by EFI/BOOT/$efi_removable" >>warnings
      return
    }
    efi_entry_is || printf '%s\n' "the firmware does not show the boot entry that was written: the new system boots by EFI/BOOT/$efi_removable" >>warnings
  done
}

# efi_beside DEVICE: the loader and an entry for a further EFI system partition, so that the machine starts without the first one's disk. What it
# holds already, by the backup, stays. Where it can't be, ./warnings say so: the first one boots.
efi_beside() {
  _eb_esp=$new_esp _eb_loader=$efi_loader _eb_entry=$boot_entry
  if efi_fill "$1" "$_eb_esp/EFI/$efi_id"; then
    efi_entry
  else
    printf '%s\n' "the EFI system partition $1 gets no loader ($(tail -n 1 tool.out)): without the first one's disk the machine does not start" >>warnings
  fi
  # It goes with the job's own mounts all the same.
  ! mountpoint -q "$PWD/esp" || umount "$PWD/esp" || :
  new_esp=$_eb_esp efi_loader=$_eb_loader boot_entry=$_eb_entry
}

# efi_fill DEVICE FOLDER: sets $new_esp to where it is mounted and $efi_loader to its loader, which comes with that folder where it has none.
efi_fill() {
  new_esp=$(findmnt -nro TARGET --source "$1" | head -n 1)
  if [ -z "$new_esp" ]; then
    new_esp=$PWD/esp
    mkdir -p "$new_esp"
    mount -t vfat "$1" "$new_esp" 2>>tool.out || return 1
  fi
  if ! efi_loader; then
    mkdir -p "$new_esp/EFI" && cp -R "$2" "$new_esp/EFI/" 2>>tool.out || return 1
    efi_loader || return 1
  fi
  efi_fallback
}

# efi_first: the firmware tries $boot_entry before those that were written after it, each of which went to the front.
efi_first() {
  [ -n "$boot_entry" ] && $_ee_run efibootmgr >entries 2>/dev/null || return 0
  _ef_order=$(sed -n 's/^BootOrder: *//p' entries)
  _ef_rest=$(printf '%s' "$_ef_order" | tr ',' '\n' | grep -vx "${boot_entry#Boot}" | tr '\n' ',')
  _ef_wanted=${boot_entry#Boot},$_ef_rest
  [ "$_ef_order" = "${_ef_wanted%,}" ] || $_ee_run efibootmgr --quiet --bootorder "${_ef_wanted%,}" >>tool.out 2>&1 ||
    printf '%s\n' "the firmware takes no boot order ($(tail -n 1 tool.out)): it starts by a further EFI system partition first" >>warnings
}

# efi_entry_is: sets $boot_entry to the firmware's entry for that partition and path; 1 where there is none.
efi_entry_is() {
  $_ee_run efibootmgr -v >entries 2>/dev/null || return 1
  # By the environment: awk reads escapes in what is given with -v.
  boot_entry=$(EE_PART="gpt,$_ee_uuid," EE_PATH="$_ee_path" awk '
    index(tolower($0), tolower(ENVIRON["EE_PART"])) && index(tolower($0), tolower(ENVIRON["EE_PATH"])) { print substr($0, 1, 8); exit }' entries)
  [ -n "$boot_entry" ]
}

# efi_parts: sets $efi_parts to the partitions that the EFI system partition lies on: several where it is an array.
efi_parts() {
  efi_parts=''
  _ep_number=$(stat -Lc '%t %T' "$(findmnt -nro SOURCE --mountpoint "$new_esp" | tail -n 1)")
  _ep_real=$(readlink -f "/sys/dev/block/$((0x${_ep_number% *})):$((0x${_ep_number#* }))")
  if [ -e "$_ep_real/partition" ]; then
    efi_parts=${_ep_real##*/}
    return
  fi
  for _ep_slave in "$_ep_real/slaves"/*; do
    [ ! -e "$_ep_slave/partition" ] || efi_parts="$efi_parts ${_ep_slave##*/}"
  done
}
