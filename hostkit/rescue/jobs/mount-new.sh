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
  new_outside mount -t "$arg_type" ${mount_options:+-o "$mount_options"} "$device" "$new_place" 2>mount.out ||
    job_fail failed "$device can not be mounted at $new_place: $(tail -n 3 mount.out | tr '\n' ' ')"
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

# mount_is: is that device, and of a btrfs that subvolume, mounted there already?
mount_is() {
  new_outside mountpoint -q "$new_place" || return 1
  mount_source=$(new_outside findmnt -nro SOURCE --mountpoint "$new_place" 2>/dev/null | tail -n 1)
  [ "$(stat -Lc %t:%T "${mount_source%%\[*}" 2>/dev/null)" = "$(stat -Lc %t:%T "$device")" ] || return 1
  [ -z "$arg_subvolume" ] || case $mount_source in *"[/${arg_subvolume#/}]") ;; *) return 1 ;; esac
}
