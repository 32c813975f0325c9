# Mounts a file system of the new system at its place below /mnt/new/TREE, for all that comes after.
# keys: tree:tree on:text type:word(ext2|ext3|ext4|xfs|btrfs|vfat) path:path uuid:text subvolume:text? options:text?
# tools: blkid findmnt

# Set or read elsewhere:
: "${arg_on-}" "${arg_options-}" "${arg_path-}" "${arg_subvolume-}" "${arg_type-}" "${arg_uuid-}" "${device-}" "${new_place-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/device.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/new.sh"

job_main() {
  new_place "$arg_path"
  device_find "$arg_on"
  # Once is enough: an attempt whose answer was lost has mounted it.
  if mount_is; then
    mount_writable
    job_result "\"device\":\"$device\",\"was\":true"
    return
  fi
  ! new_outside mountpoint -q "$new_place" || job_fail busy "something else is mounted at $new_place: unmount it (job new-unmount), and go on"
  # Looked at on the device itself: what blkid remembers may be of what was there before.
  mount_has=$(blkid -p -o value -s UUID "$device" 2>/dev/null) || :
  [ "$(printf '%s' "$mount_has" | tr A-F a-f)" = "$(printf '%s' "$arg_uuid" | tr A-F a-f)" ] ||
    job_fail identity-changed "the file system on $device is ${mount_has:-none}, not $arg_uuid"
  mkdir -p "$new_place"
  mount_words
  # What mkfs has left of its tables to be written at leisure is not written beside the data: the new system does it.
  [ "$arg_type" != ext4 ] || mount_options="$mount_options${mount_options:+,}noinit_itable"
  new_outside mount -t "$arg_type" ${mount_options:+-o "$mount_options"} "$device" "$new_place" 2>mount.out ||
    job_fail failed "$device can not be mounted at $new_place: $(tail -n 3 mount.out | tr '\n' ' ')"
  mount_is || job_fail failed "$device was mounted, and at $new_place is ${mount_source:-nothing}: look at what else mounts there (findmnt $new_place), and repeat this step"
  mount_writable
  job_result "\"device\":\"$device\""
}

# mount_words: sets $mount_options to what of the options is about the file system. The others name numbers and devices of the old machine, ask
# for a security policy that is not loaded here, are read by systemd alone, or keep the new system's own programs from running.
mount_words() {
  mount_options='' mount_rest=$arg_options
  while [ -n "$mount_rest" ]; do
    mount_word=${mount_rest%%,*}
    case $mount_rest in *,*) mount_rest=${mount_rest#*,} ;; *) mount_rest= ;; esac
    case $mount_word in
      subvol=* | subvolid=* | device=* | seclabel | *context=* | x-* | comment=* | defaults | auto | noauto | nofail | _netdev | user | users | nouser | owner | group | ro | noexec) continue ;;
      '' | *[!A-Za-z0-9_=:./+-]*) continue ;;
    esac
    mount_options="$mount_options${mount_options:+,}$mount_word"
  done
  [ -z "$arg_subvolume" ] || mount_options="$mount_options${mount_options:+,}subvol=$arg_subvolume"
}

# mount_is: is that device, and of a btrfs that subvolume, mounted there already? Sets $mount_source.
mount_is() {
  mount_source=''
  new_outside mountpoint -q "$new_place" || return 1
  mount_source=$(new_outside findmnt -nro SOURCE --mountpoint "$new_place" 2>/dev/null | tail -n 1)
  mount_same "${mount_source%%\[*}" || return 1
  [ -z "$arg_subvolume" ] || case $mount_source in *"[/${arg_subvolume#/}]") ;; *) return 1 ;; esac
}

# mount_same SOURCE: is that $device? Of a btrfs the kernel names any of its devices.
mount_same() {
  _ms_source=$(stat -Lc '%t %T' "$1" 2>/dev/null) || return 1
  _ms_device=$(stat -Lc '%t %T' "$device" 2>/dev/null) || return 1
  [ "$_ms_source" != "$_ms_device" ] || return 0
  [ "$arg_type" = btrfs ] || return 1
  for _ms_number in "$_ms_source" "$_ms_device"; do
    _ms_real=$(readlink -f "/sys/dev/block/$((0x${_ms_number% *})):$((0x${_ms_number#* }))")
    [ -n "$_ms_real" ] && [ -e "/sys/fs/btrfs/$(printf '%s' "$arg_uuid" | tr A-F a-f)/devices/${_ms_real##*/}" ] || return 1
  done
}

# A device that takes no writes is mounted all the same, and one that has failed since is read-only now.
mount_writable() {
  mount_now=$(new_outside findmnt -nro OPTIONS --mountpoint "$new_place" 2>/dev/null | tail -n 1)
  case ,$mount_now, in *,ro,*) job_fail failed "$device is mounted at $new_place, and takes no writes: look at what the kernel says of it (dmesg), unmount it (job new-unmount), and go on" ;; esac
}
