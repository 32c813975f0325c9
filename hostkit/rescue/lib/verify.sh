# Can what lies below $new boot here? Each problem is a sentence in ./problems that says what to do. The names of disks are looked up below
# $new/dev/disk, where new_bind has made them.

# Set or read elsewhere:
: "${arg_disks-}" "${arg_run-}" "${device-}" "${LF-}" "${chain_needs-}" "${json-}" "${line-}" "${new-}" "${new_esp-}" "${new_image-}" "${new_initramfs-}" "${new_modules-}" "${new_place-}"

# verify_all FIRMWARE FIXED_SECONDS
verify_all() {
  : >problems
  verify_fstab
  verify_crypttab
  verify_kernels "$2"
  verify_config
  verify_pools
  if [ "$1" = bios ]; then verify_bios; else verify_uefi; fi
}

# verify_chain: sets $chain_needs to what the root needs: /boot may lie on a disk of its own, whose drivers are the loader's affair and not the
# initramfs's.
verify_chain() { chain_needs / /usr; }

verify_problem() { printf '%s\n' "$1" >>problems; }

# verify_device SPEC: is there a device of that name?
verify_device() {
  _vd_value=$(printf '%s' "${1#*=}" | tr -d '"')
  case $1 in
    UUID=*) verify_link by-uuid "$_vd_value" ;;
    LABEL=*) verify_link by-label "$_vd_value" ;;
    PARTUUID=*) verify_link by-partuuid "$_vd_value" ;;
    PARTLABEL=*) verify_link by-partlabel "$_vd_value" ;;
    /dev/*) [ -e "$new$1" ] || [ -h "$new$1" ] || verify_crypt "${1#/dev/mapper/}" ;;
    *) return 0 ;;
  esac
}

# verify_link FOLDER NAME: as udev writes it: what is not plain is \xHH there; hex digits of UUIDs come in both cases.
verify_link() {
  _vl_name=$(printf '%s' "$2" | sed 's/\\040/ /g' | od -An -v -tu1 | awk '{ for (i = 1; i <= NF; i++) { c = sprintf("%c", $i + 0)
    if ($i > 127 || c ~ /[A-Za-z0-9#+.:=@_-]/) printf "%s", c; else printf "\\x%02x", $i } }')
  [ -h "$new/dev/disk/$1/$_vl_name" ] || [ -h "$new/dev/disk/$1/$(printf '%s' "$_vl_name" | tr A-F a-f)" ] || [ -h "$new/dev/disk/$1/$(printf '%s' "$_vl_name" | tr a-f A-F)" ]
}

# verify_crypt NAME: is it a volume that the new system opens itself?
verify_crypt() {
  [ -f "$new/etc/crypttab" ] || return 1
  while read -r _vc_name _; do
    [ "$_vc_name" != "$1" ] || return 0
  done <"$new/etc/crypttab"
  return 1
}

# Each line that the boot waits for: what it names must be here.
verify_fstab() {
  [ -f "$new/etc/fstab" ] || { verify_problem 'the new system has no /etc/fstab: write one, or restore it from the backup'; return; }
  while read -r _vf_spec _vf_point _vf_type _vf_options _; do
    case $_vf_spec in '' | \#*) continue ;; esac
    case ,${_vf_options:-defaults}, in *,noauto,* | *,nofail,* | *,_netdev,* | *,bind,* | *,rbind,*) continue ;; esac
    case $_vf_type in nfs* | cifs | smb* | ceph | glusterfs | 9p | fuse* | zfs) continue ;; esac
    case $_vf_spec in
      UUID=* | LABEL=* | PARTUUID=* | PARTLABEL=* | /dev/*)
        verify_device "$_vf_spec" || verify_problem "/etc/fstab mounts $_vf_spec at $_vf_point, and no device here is that: write what is there now (lsblk -f), or add nofail"
        ;;
      /*)
        [ "$_vf_type" != swap ] || [ -f "$new$_vf_spec" ] || verify_problem "/etc/fstab swaps to the file $_vf_spec, which is not there: make it (mkswap), or take the line away"
        ;;
    esac
  done <"$new/etc/fstab"
}

verify_crypttab() {
  [ -f "$new/etc/crypttab" ] || return 0
  while read -r _vt_name _vt_spec _ _vt_options; do
    case $_vt_name in '' | \#*) continue ;; esac
    case ,$_vt_options, in *,noauto,* | *,nofail,* | *,_netdev,*) continue ;; esac
    case $_vt_spec in
      UUID=* | LABEL=* | PARTUUID=* | PARTLABEL=* | /dev/*)
        verify_device "$_vt_spec" || verify_problem "/etc/crypttab opens $_vt_spec as $_vt_name, and no device here is that: write the UUID of the volume (cryptsetup luksUUID), or add nofail"
        ;;
    esac
  done <"$new/etc/crypttab"
}

# verify_kernels FIXED_SECONDS: sets $verify_kernel to the newest that can boot; a newer one that can not is a problem, as it would be taken.
verify_kernels() {
  verify_kernel=''
  new_kernels >versions
  [ -s versions ] || { verify_problem "the new system has no kernel whose modules are there too (/boot/vmlinuz-VERSION and /lib/modules/VERSION): install one in a chroot at $new"; return; }
  while IFS= read -r _vk_version; do
    verify_initramfs "$_vk_version" "$1"
    if [ -z "$verify_why" ]; then
      verify_kernel=$_vk_version
      : >older
    else
      printf '%s\n' "$verify_why" >>older
    fi
  done <versions
  # What concerns kernels before one that boots has been dropped with it.
  [ ! -f older ] || cat older >>problems
  rm -f older versions
}

# verify_initramfs KERNEL FIXED_SECONDS: sets $verify_why to what is wrong with its initramfs, or to nothing.
verify_initramfs() {
  verify_why=''
  new_initramfs "$1" || { verify_why="kernel $1 has no initramfs in /boot: make it (step new-initramfs)"; return; }
  if ! new_since "$new_initramfs" "$2"; then
    verify_why="${new_initramfs#"$new"} is older than the last change of the new system's configuration, and holds the old one: make it anew (step new-initramfs)"
    return
  fi
  verify_names "$1" >names || { verify_why="${new_initramfs#"$new"} can not be read by the new system's own tool: make it anew (step new-initramfs)"; return; }
  sed 's|.*/||; s/\.ko.*//' "$new_modules/$1/modules.builtin" 2>/dev/null | tr - _ | sort -u >builtin
  _vi_missing=''
  for _vi_need in $chain_needs; do
    grep -qx "$_vi_need" names || grep -qx "$_vi_need" builtin || _vi_missing="$_vi_missing${_vi_missing:+, }$_vi_need"
  done
  rm -f names builtin
  [ -z "$_vi_missing" ] || verify_why="${new_initramfs#"$new"} lacks drivers that the new system's root needs on this machine ($_vi_missing): name them in /etc/initramfs-tools/modules or /etc/dracut.conf.d, and make it anew (step new-initramfs)"
}

# verify_names KERNEL: prints the names of the modules in $new_initramfs. To unpack it takes seconds: a file that has not been touched since is
# not unpacked again in this run.
verify_names() {
  _vn_file=$(stat -c '%d %i %s %y %z' "$new_initramfs") || return 1
  _vn_made=$RESURGO_VAR/runs/${arg_run-}/made
  if [ -n "${arg_run-}" ] && read_line "$_vn_made/names.$1" && [ "$line" = "$_vn_file" ]; then
    sed 1d "$_vn_made/names.$1"
    return 0
  fi
  for _vn_tool in lsinitramfs lsinitrd; do
    new_has "$_vn_tool" || continue
    new_run "$_vn_tool" "${new_initramfs#"$new"}" >listed 2>listed.err || return 1
    # dracut packs modules as files too.
    grep -o '[^/[:blank:]]*\.ko\(\.[a-z0-9]*\)\{0,1\}$' listed | sed 's/\.ko.*//' | tr - _ | sort -u >listed.names
    cat listed.names
    if [ -n "${arg_run-}" ]; then
      mkdir -p "$_vn_made"
      { printf '%s\n' "$_vn_file" && cat listed.names; } | atomic_write "$_vn_made/names.$1" || return 1
    fi
    rm -f listed listed.err listed.names
    return 0
  done
  return 1
}

# verify_config: GRUB's configuration, or entries of the boot loader specification, lead to kernels and a root that are here. Of a configuration
# of GRUB's the first kernel counts: the one that it takes by itself. One may lie there that nothing reads any more, so one that fits is enough.
verify_config() {
  : >lines
  _vg_found=no _vg_missing=''
  for _vg_file in "$new/boot/grub/grub.cfg" "$new/boot/grub2/grub.cfg" "$new/boot/efi/EFI/"*/grub.cfg; do
    [ ! -f "$_vg_file" ] || verify_named "$_vg_file" >named
    verify_first
  done
  for _vg_dir in "$new/boot/loader/entries" "$new/efi/loader/entries" "$new/boot/efi/loader/entries"; do
    # The newest first, as loaders have them.
    for _vg_file in "$_vg_dir"/*.conf; do printf '%s\n' "$_vg_file"; done | sort -rV | while IFS= read -r _vg_file; do
      [ ! -f "$_vg_file" ] || verify_named "$_vg_file"
    done >named
    verify_first
  done
  if [ ! -s lines ]; then
    verify_problem 'no configuration of a boot loader names a kernel (grub.cfg, loader/entries): write it (step new-bootloader)'
    rm -f lines
    return
  fi
  [ "$_vg_found" = yes ] || verify_problem "the configuration of the boot loader starts a kernel that is not there (${_vg_missing:-it names none}): write it anew (step new-bootloader)"
  awk '{ for (i = 1; i <= NF; i++) if (sub(/^root=/, "", $i)) print $i }' lines | sort -u >roots
  while IFS= read -r _vg_root; do
    case $_vg_root in \$* | '') continue ;; esac
    verify_device "$_vg_root" || verify_problem "the boot loader starts a kernel with root=$_vg_root, and no device here is that: correct /etc/default/grub and write the configuration anew (step new-bootloader)"
  done <roots
  rm -f lines roots
}

# verify_named FILE: prints what it names: `linux /boot/vmlinuz-… root=…`, in BLS `linux` and `options` by themselves.
verify_named() { sed -n 's/^[[:space:]]*\(linux\|linux16\|linuxefi\|options\)[[:space:]]\{1,\}/\1 /p' "$1"; }

# verify_first: adds ./named to ./lines. Sets $_vg_found to yes where the first kernel there is here, else adds its name to $_vg_missing.
verify_first() {
  [ -f named ] || return 0
  cat named >>lines
  while read -r _vi_word _vi_kernel _; do
    # A name that GRUB makes up only then can't be looked up.
    case $_vi_word$_vi_kernel in options* | *\$*) continue ;; esac
    if verify_there "$_vi_kernel"; then
      _vg_found=yes
    else
      _vg_missing="$_vg_missing${_vg_missing:+, }$verify_there"
    fi
    break
  done <named
  rm -f named
}

# verify_there FILE: is what a loader's configuration names here? From the file system's own top: /boot/vmlinuz, /vmlinuz of a /boot of its own,
# /@/boot/vmlinuz of a btrfs. Sets $verify_there to it.
verify_there() {
  verify_there=$(printf '%s' "${1#\(*\)}" | tr -d "\"'")
  new_first "$new/boot/${verify_there##*/}" "$new$verify_there" "$new/boot$verify_there" "$new/boot/efi$verify_there" "$new/efi$verify_there"
}

# verify_pools: each pool that this run has made is here and whole, and the new system has what imports it.
verify_pools() {
  for _vp_file in "$RESURGO_VAR/runs/${arg_run-}/made"/pool.*; do
    read_line "$_vp_file" || continue
    _vp_name=${_vp_file##*/pool.}
    _vp_health=$(zpool list -H -o health "$_vp_name" 2>/dev/null) || _vp_health='not imported'
    [ "$_vp_health" = ONLINE ] || verify_problem "pool $_vp_name is $_vp_health here: look at it (zpool status; zpool import -R $new)"
    new_has zpool || verify_problem "the new system has no zpool to import pool $_vp_name with: install ZFS in a chroot at $new"
    if [ -n "$verify_kernel" ]; then
      find "$new_modules/$verify_kernel/" -name 'zfs.ko*' | grep -q . || grep -qs '/zfs\.ko' "$new_modules/$verify_kernel/modules.builtin" ||
        verify_problem "kernel $verify_kernel has no module of ZFS, and pool $_vp_name would not be imported: build it in a chroot at $new (dkms autoinstall -k $verify_kernel)"
    fi
    read_line "$RESURGO_VAR/runs/${arg_run-}/made/cache.$_vp_name" || continue
    ! new_find "$line" || [ ! -f "$new_place" ] || ! new_tells "$_vp_name" <"$new_place" || continue
    verify_problem "$line of the new system does not name pool $_vp_name, which its boot imports by it: do step zpool-finish again"
  done
}

# verify_bios: each disk that the plan has the machine start from: of a mirror's two one may be gone tomorrow, and one may hold boot code alone.
verify_bios() {
  [ -n "$arg_disks" ] || fail bad-request 'no boot disk is named'
  _vb_rest=$arg_disks
  while [ -n "$_vb_rest" ]; do
    _vb_line=${_vb_rest%%"$LF"*}
    case $_vb_rest in *"$LF"*) _vb_rest=${_vb_rest#*"$LF"} ;; *) _vb_rest= ;; esac
    # shellcheck disable=SC2086 # Words.
    device_disk $_vb_line
    dd if="$device" bs=440 count=1 2>/dev/null | new_tells GRUB ||
      verify_problem "$device has no boot code of GRUB in its first sector, and the machine shall start from it: install it (step new-bootloader)"
  done
}

verify_uefi() {
  new_esp || { verify_problem 'no EFI system partition is mounted at /boot/efi, /efi or /boot of the new system: mount it, and install the loader (step new-bootloader)'; return; }
  for _vu_file in "$new_esp/EFI/BOOT"/BOOT*.EFI "$new_esp/EFI/BOOT"/boot*.efi "$new_esp/EFI/boot"/boot*.efi; do
    [ "$(head -c 2 "$_vu_file" 2>/dev/null)" != MZ ] || return 0
  done
  verify_problem 'the EFI system partition has no loader at EFI/BOOT, where a firmware without a boot entry looks: install it (step new-bootloader)'
}
