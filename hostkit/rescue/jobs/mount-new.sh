# Mounts a file system of the new system below /mnt/new.
# keys: on:text? dataset:text? type:word(ext2|ext3|ext4|xfs|btrfs|vfat|zfs) path:path uuid:text? subvolume:text? options:text?

# Set or read elsewhere:
: "${arg_dataset-}" "${arg_on-}" "${arg_options-}" "${arg_path-}" "${arg_subvolume-}" "${arg_type-}" "${arg_uuid-}" "${device-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/device.sh"

job_main() {
  mount_at=/mnt/new/root${arg_path%/}
  device_find "$arg_on"
  # Once is enough: an attempt whose answer was lost has mounted it.
  if mount_is; then job_result "\"device\":\"$device\",\"was\":true" && return; fi
  ! mountpoint -q "$mount_at" || job_fail busy "something else is mounted at $mount_at"
  mount_has=$(blkid -o value -s UUID "$device" 2>/dev/null) || :
  [ -z "$arg_uuid" ] || [ "$mount_has" = "$arg_uuid" ] || job_fail identity-changed "the file system on $device is ${mount_has:-none}, not $arg_uuid"
  mkdir -p "$mount_at"
  mount_options=$arg_options
  [ -z "$arg_subvolume" ] || mount_options="$mount_options${mount_options:+,}subvol=$arg_subvolume"
  # This namespace ends with the job; the mount is for all that follow.
  nsenter --mount=/proc/1/ns/mnt mount -t "$arg_type" ${mount_options:+-o "$mount_options"} "$device" "$mount_at" 2>mount.out ||
    job_fail failed "$device can not be mounted at $mount_at: $(cat mount.out)"
  job_result "\"device\":\"$device\""
}

mount_is() {
  mount_number=$(stat -c %t:%T "$device") || return 1
  nsenter --mount=/proc/1/ns/mnt findmnt -no SOURCE "$mount_at" 2>/dev/null | sed 's/\[.*//' | while IFS= read -r mount_source; do
    [ "$(stat -Lc %t:%T "$mount_source")" = "$mount_number" ] && echo yes
  done | grep -q yes
}
