# Makes a physical volume with the UUID that it had, and room before its data as it was.
# keys: on:text disks:lines uuid:text data_offset:int
# tools: wipefs pvs pvcreate

# Set or read elsewhere:
: "${arg_data_offset-}" "${arg_disks-}" "${arg_on-}" "${arg_uuid-}" "${device-}" "${device_why-}"

# shellcheck source=/dev/null
. "$RESURGO_LIB/lib/device.sh"

job_main() {
  disks_check "$arg_disks"
  device_find "$arg_on"
  case $arg_uuid in *[!A-Za-z0-9-]*) job_fail bad-request 'the UUID of a physical volume is letters, digits and dashes' ;; esac
  if [ "$(pvs --noheadings --options pv_uuid "$device" 2>/dev/null | tr -d ' ')" = "$arg_uuid" ]; then
    job_result "\"device\":\"$device\",\"was\":true"
    return
  fi
  ! device_busy "$device" || job_fail busy "$device_why: no physical volume was made"
  wipefs --all --force --quiet "$device" || job_fail failed "old signatures on $device can not be wiped"
  pvcreate --yes --force --force --quiet --uuid "$arg_uuid" --norestorefile --dataalignment "${arg_data_offset}b" "$device" >pv.out 2>&1 ||
    job_fail failed "$device can not be made a physical volume: $(tail -n 3 pv.out | tr '\n' ' ')"
  job_result "\"device\":\"$device\""
}
