# Takes everything off a disk that says what lies there: signatures of its partitions and its own, tables at both ends. What lay there is lost
# from here on, so nothing is in use, and the disk is the one of the approved plan.
# keys: disk:text
# tools: wipefs partx

# Set or read elsewhere:
: "${arg_disk-}" "${device-}" "${device_bytes-}" "${device_why-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/device.sh"
# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/held.sh"

job_main() {
  device_find "$arg_disk"
  ! device_busy "$device" || job_fail busy "$device_why: nothing was wiped"
  # Who holds it and shows nowhere (an imported pool of ZFS) lets nobody else have it for himself, of which this makes sure.
  wipefs --all --no-act --quiet "$device" >/dev/null 2>wipe.out || job_fail busy "$device or a part of it is in use ($(tail -n 1 wipe.out)): nothing was wiped. Let go of it (zpool export), and repeat this step"
  # At each of the disks, which come before all else: what had to let go of one of them is not there any more at the last. Not where one is in
  # use: what a run has made by then is not the rescue system's own.
  held_note
  # The partitions' own signatures first: with the table gone they could not be found, and would come up again where the next one puts a
  # partition at the same place.
  for wipe_part in "/sys/class/block/${device##*/}/${device##*/}"*; do
    [ -e "$wipe_part/partition" ] || continue
    wipe_one "/dev/${wipe_part##*/}"
  done
  wipe_one "$device"
  partx -d "$device" 2>/dev/null || :
  # A table's copy at the end, and what md of old formats and ZFS keep there.
  wipe_tail=$((device_bytes / 1048576 - 2))
  [ "$wipe_tail" -lt 4 ] || dd if=/dev/zero of="$device" bs=1048576 seek="$wipe_tail" conv=fsync,notrunc 2>/dev/null || :
  dd if=/dev/zero of="$device" bs=1048576 count=2 conv=fsync,notrunc 2>/dev/null || job_fail failed "$device can not be written to"
  wipe_left=$(wipefs --noheadings --output TYPE "$device") || job_fail failed "wipefs can not read $device"
  [ -z "$wipe_left" ] || job_fail failed "after the wipe $device still shows: $(printf '%s' "$wipe_left" | tr '\n' ' ')"
  job_result "\"device\":\"$device\""
}

wipe_one() { wipefs --all --force --quiet "$1" || job_fail failed "the signatures on $1 can not be wiped"; }
