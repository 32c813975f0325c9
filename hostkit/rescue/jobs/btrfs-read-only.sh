# Makes subvolumes read-only again, once their data is there. `paths`: one a line, from the top level.
# keys: on:text uuid:text paths:lines
# tools: blkid btrfs

# Set or read elsewhere:
: "${arg_on-}" "${arg_paths-}" "${arg_uuid-}" "${device-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/device.sh"

job_main() {
  device_find "$arg_on"
  [ "$(blkid -p -o value -s UUID "$device" 2>/dev/null)" = "$arg_uuid" ] || job_fail identity-changed "the file system on $device is not $arg_uuid"
  ro_top=$PWD/top
  mkdir -p "$ro_top"
  mount -t btrfs -o subvolid=5 "$device" "$ro_top" 2>ro.out || job_fail failed "$device can not be mounted: $(cat ro.out)"
  while read -r ro_path; do
    case $ro_path in /* | *..* | *//*) job_fail bad-request 'a subvolume is named from the top level, without dots' ;; esac
    [ "$(stat -c %i "$ro_top/$ro_path" 2>/dev/null)" = 256 ] || job_fail not-found "there is no subvolume $ro_path on $device"
    btrfs property set -ts "$ro_top/$ro_path" ro true >ro.out 2>&1 || job_fail failed "subvolume $ro_path can not be made read-only: $(tail -n 3 ro.out | tr '\n' ' ')"
  done <<PATHS
$arg_paths
PATHS
  umount "$ro_top" || job_fail busy "$ro_top can not be unmounted"
  job_result "\"device\":\"$device\""
}
