# Makes the subvolumes of a btrfs, before it is mounted for good, those above before those below. `subvolumes`: one a line, `NODATACOW(0|1) PATH`.
# keys: on:text uuid:text subvolumes:lines default:text?
# tools: blkid btrfs chattr?

# Set or read elsewhere:
: "${arg_default-}" "${arg_on-}" "${arg_subvolumes-}" "${arg_uuid-}" "${device-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/device.sh"

job_main() {
  device_find "$arg_on"
  [ "$(blkid -p -o value -s UUID "$device" 2>/dev/null)" = "$arg_uuid" ] || job_fail identity-changed "the file system on $device is not $arg_uuid"
  sub_top=$PWD/top
  mkdir -p "$sub_top"
  mount -t btrfs -o subvolid=5 "$device" "$sub_top" 2>sub.out || job_fail failed "$device can not be mounted: $(cat sub.out)"
  while read -r sub_nocow sub_path; do
    case $sub_path in /* | *..* | *//*) job_fail bad-request 'a subvolume is named from the top level, without dots' ;; esac
    if [ "$(stat -c %i "$sub_top/$sub_path" 2>/dev/null)" != 256 ]; then
      mkdir -p "$(dirname "$sub_top/$sub_path")"
      btrfs -q subvolume create "$sub_top/$sub_path" >sub.out 2>&1 || job_fail failed "subvolume $sub_path can not be made: $(cat sub.out)"
    fi
    [ "$sub_nocow" = 0 ] || chattr +C "$sub_top/$sub_path" || job_fail failed "subvolume $sub_path can not be set to no copy-on-write"
  done <<SUBVOLUMES
$arg_subvolumes
SUBVOLUMES
  if [ -n "$arg_default" ]; then
    btrfs subvolume set-default "$sub_top/$arg_default" >sub.out 2>&1 || job_fail failed "subvolume $arg_default can not be made the default: $(cat sub.out)"
  fi
  umount "$sub_top" || job_fail busy "$sub_top can not be unmounted"
  job_result "\"device\":\"$device\""
}
